/** The legend: what the colours are worth in USD at both ends, and the handles that move them. */
import { useComputed } from "@preact/signals";
import { useState } from "preact/hooks";
import { PALETTES, type PaletteName } from "../../heat/palettes";
import { parseUsd, usd, utcMinute } from "../../state/format";
import { mapData } from "../../state/map";
import { prefs, setPrefs } from "../../state/prefs";
import {
  clearCutOff,
  endsOf,
  isCut,
  isLocked,
  measuredSpan,
  type ScaleKind,
  scaleOf,
  setCutOff,
  shownKinds,
  toggleLock,
} from "../../state/scale";
import { Icon } from "../../ui/Icon";
import { RangeSlider } from "../../ui/RangeSlider";
import { SkillLine } from "./SkillLine";
import { scaleColours } from "./scaleColours";

const gradient = (kind: ScaleKind, loUsd: number, hiUsd: number) =>
  `linear-gradient(90deg, ${scaleColours(kind, { loUsd, hiUsd }).join(", ")})`;

function AmountInput({
  label,
  value,
  onChange,
}: {
  label: string;
  value: number;
  onChange: (v: number) => void;
}) {
  const [wrong, setWrong] = useState(false);
  return (
    <input
      class={`amount ${wrong ? "is-wrong" : ""}`}
      aria-label={label}
      aria-invalid={wrong}
      value={usd(value)}
      onFocus={(event) => event.currentTarget.select()}
      onChange={(event) => {
        const amount = parseUsd(event.currentTarget.value);
        setWrong(amount === null);
        if (amount !== null) onChange(amount);
      }}
    />
  );
}

const KIND_TEXT = { estimate: "Estimate, USD per cell", events: "Happened, USD per cell" } as const;

function Scale({ kind }: { kind: ScaleKind }) {
  const range = useComputed(
    () => mapData.value?.plane(kind === "events" ? "real" : "synthetic")?.range ?? null,
  );
  const [now, ends] = [scaleOf(kind), endsOf(kind)];
  if (!now || !ends)
    return <span class="scale-name is-missing">{KIND_TEXT[kind]}: nothing measured yet</span>;
  const { loUsd, hiUsd } = now;
  const floor = Math.min(range.value?.minUsd || ends.loUsd / 10, ends.loUsd, loUsd);
  const ceiling = Math.max(range.value?.maxUsd || ends.hiUsd * 10, ends.hiUsd, hiUsd);
  const locked = isLocked(kind);
  return (
    <fieldset class="scale">
      <legend class="visually-hidden">{KIND_TEXT[kind]}</legend>
      <span class="scale-name" aria-hidden="true">
        {KIND_TEXT[kind]}
      </span>
      <AmountInput
        label="Lower end in USD"
        value={loUsd}
        onChange={(amount) => setCutOff(kind, { loUsd: amount, hiUsd })}
      />
      <RangeSlider
        label={KIND_TEXT[kind]}
        minUsd={floor}
        maxUsd={ceiling}
        loUsd={loUsd}
        hiUsd={hiUsd}
        fill={gradient(kind, loUsd, hiUsd)}
        onChange={(lo, hi) => setCutOff(kind, { loUsd: lo, hiUsd: hi })}
      />
      <AmountInput
        label="Upper end in USD"
        value={hiUsd}
        onChange={(amount) => setCutOff(kind, { loUsd, hiUsd: amount })}
      />
      <button
        type="button"
        class="icon-button"
        aria-pressed={locked}
        aria-label="Lock this colour scale"
        title="Lock: keep these ends across timeframes, assets and time"
        onClick={() => toggleLock(kind)}
      >
        <Icon name={locked ? "lock" : "unlock"} />
      </button>
      {isCut(kind) && (
        <button
          type="button"
          class="icon-button"
          aria-label="Reset the cut-offs"
          title="Reset the cut-offs"
          onClick={() => clearCutOff(kind)}
        >
          <Icon name="reset" />
        </button>
      )}
    </fieldset>
  );
}

function endsText(): string {
  const days = measuredSpan.value;
  const when = days ? ` from ${utcMinute(days.fromMs)} to ${utcMinute(days.toMs)} UTC` : "";
  return `The ends are percentiles of closed columns${when} (30 and 99.8 for the estimate, 2 and 99.8 for what happened), never of the view.`;
}

export function ScaleBar() {
  return (
    <section class="scalebar" aria-label="Colour scale" title={endsText()}>
      {shownKinds.value.map((kind) => (
        <Scale key={kind} kind={kind} />
      ))}
      <label class="palette">
        <span class="visually-hidden">Palette</span>
        <select
          value={prefs.value.palette}
          onChange={(event) => setPrefs({ palette: event.currentTarget.value as PaletteName })}
        >
          {PALETTES.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
      <SkillLine />
    </section>
  );
}
