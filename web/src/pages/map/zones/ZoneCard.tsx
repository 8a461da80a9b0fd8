/** Everything the engine says about one zone. */
import type { Zone } from "../../../api/zones";
import { clearFocus, focus } from "../../../state/focus";
import { MISSING, percent, price, usd, utcShort } from "../../../state/format";
import { currentAsset } from "../../../state/view";
import { focusedZone, zonesState } from "../../../state/zones";
import { Icon } from "../../../ui/Icon";
import { measured, skillHere } from "../measured";
import { ZoneChain } from "./ZoneChain";
import { ZoneFlowTable, ZoneParts } from "./ZoneFacts";
import { ZoneLife } from "./ZoneLife";
import * as text from "./zoneText";

function Headline({ zone, rowUsd }: { zone: Zone; rowUsd: number }) {
  return (
    <>
      <p class="cell-price">
        <b>
          <i class={text.sideClass(zone)}>{text.sideMark(zone)}</i> {text.rangeText(zone, rowUsd)}
        </b>
        <span>
          {text.sideWords(zone)} would be forced out here ·{" "}
          {zone.ended_ms === null ? text.stateText(zone) : "ended"}
        </span>
      </p>
      <p class="zone-usd">
        <b class={text.sideClass(zone)}>{usd(zone.notional_usd)}</b> <small>est.</small>
        <span class="quiet">
          {zone.lo_usd === null || zone.hi_usd === null
            ? "no band yet"
            : `between ${usd(zone.lo_usd)} and ${usd(zone.hi_usd)}, by the model of leverage`}
        </span>
      </p>
    </>
  );
}

function level(zone: Zone): string {
  if (zone.density_level === null) return "not enough history yet";
  return `${zone.density_level} of 10, ${text.loadedText(zone)}`;
}

function Rows({ zone, rowUsd }: { zone: Zone; rowUsd: number }) {
  const ended = zone.ended_ms === null ? null : `${text.stateText(zone)} ${utcShort(zone.ended_ms)}`;
  const rows: readonly (readonly [string, string])[] = [
    ["Distance", ended ? MISSING : `${text.distanceText(zone)}${zone.distance_ratio ? " from price" : ""}`],
    ["Hottest price", price(zone.peak_usd, rowUsd)],
    ["First seen", `${zone.since_start ? "before " : ""}${utcShort(zone.born_ms)} UTC`],
    ["Age", text.ageText(zone)],
    ["State since", `${utcShort(zone.at_ms)} UTC`],
    ["Density level", level(zone)],
    [
      "Density",
      zone.density_ratio === null ? MISSING : `${zone.density_ratio.toPrecision(2)}× hourly turnover`,
    ],
    ["Trend", text.trendText(zone)],
    ["Share of the side", percent(zone.share_ratio, 1)],
    ["Most it ever held", usd(zone.peak_notional_usd)],
    [
      "Price reached it",
      zone.touches === 1 ? "once" : zone.touches === 0 ? "never" : `${zone.touches} times`,
    ],
  ];
  return (
    <dl class="rows">
      {ended && (
        <>
          <dt>Ended</dt>
          <dd class="warn">{ended} UTC</dd>
        </>
      )}
      {rows.flatMap(([name, value]) => [<dt key={name}>{name}</dt>, <dd key={`${name} value`}>{value}</dd>])}
    </dl>
  );
}

function SkillHere({ zone }: { zone: Zone }) {
  const { proven, words } = skillHere(measured.value, zone.distance_ratio);
  return (
    <p class={proven ? "skill-here" : "skill-here is-missing"}>
      <b>Measured skill here</b>
      {words}
    </p>
  );
}

function Missing() {
  const at = focus.value;
  if (at?.src === "zone" && zonesState.value.kind === "ready")
    return (
      <p class="quiet">
        This zone is not among those of the shown moment. It may have ended, or been born later.
      </p>
    );
  return <p class="quiet">Choose a zone in the list or its bracket at the right edge of the chart.</p>;
}

export function ZoneCard() {
  const zone = focusedZone.value;
  const rowUsd = currentAsset.value?.row_usd ?? 1;
  return (
    <section class="card" aria-label="Zone">
      <h2 class="visually-hidden">Zone</h2>
      {zone && (
        <button type="button" class="icon-button card-close" aria-label="Leave the zone" onClick={clearFocus}>
          <Icon name="close" />
        </button>
      )}
      {!zone && <Missing />}
      {zone && (
        <>
          <Headline zone={zone} rowUsd={rowUsd} />
          <SkillHere zone={zone} />
          <Rows zone={zone} rowUsd={rowUsd} />
          <ZoneLife zone={zone} />
          {zonesState.value.kind === "ready" && zonesState.value.momentMs === null && (
            <ZoneChain zone={zone} rowUsd={rowUsd} />
          )}
          <ZoneParts zone={zone} />
          <ZoneFlowTable zone={zone} />
          <p class="quiet">
            Zones and amounts are estimates of the model as of {utcShort(zone.born_ms + 1000 * zone.age_s)}{" "}
            UTC, not positions that anybody reported.
          </p>
        </>
      )}
    </section>
  );
}
