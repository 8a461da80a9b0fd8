/** What the engine has learned, how sure it is, and what it only assumes. */
import type { ComponentType } from "preact";
import { useEffect } from "preact/hooks";
import type { ModelAnswer } from "../../api/model";
import { assets, freshness, status } from "../../state/engine";
import { duration, utcMinute } from "../../state/format";
import {
  MODEL_TABS,
  type ModelTab,
  modelAsset,
  modelFeed,
  modelState,
  modelTab,
  shownAsset,
  watchModel,
} from "../../state/model";
import { EngineLoading } from "../../ui/EngineLoading";
import { StateCard } from "../../ui/StateCard";
import { Tabs } from "../../ui/Tabs";
import { CalibrationTab } from "./CalibrationTab";
import { CascadeTab } from "./CascadeTab";
import { Hatch } from "./Frame";
import { LeverageTab } from "./LeverageTab";
import { SkillTab } from "./SkillTab";
import "../../styles/model.css";
import "../../styles/modelcharts.css";
import "../../styles/modelskill.css";
import "../../styles/modeltables.css";

const LABELS: Readonly<Record<ModelTab, string>> = {
  leverage: "Leverage",
  cascade: "Cascade",
  calibration: "Calibration",
  skill: "Skill",
};
const PANELS: Readonly<Record<ModelTab, ComponentType<{ answer: ModelAnswer }>>> = {
  leverage: LeverageTab,
  cascade: CascadeTab,
  calibration: CalibrationTab,
  skill: SkillTab,
};

const BEHIND_S = 90;

function Age({ answer }: { answer: ModelAnswer }) {
  if (!answer.as_of_ms) return null;
  const behindS = ((status.value?.as_of_ms ?? answer.as_of_ms) - answer.as_of_ms) / 1000;
  return (
    <span class="quiet">
      as of <time class="no-wrap">{utcMinute(answer.as_of_ms)} UTC</time>
      {behindS > BEHIND_S && `, ${duration(behindS)} behind the engine`}
    </span>
  );
}

function Head() {
  const state = modelState.value;
  const known = assets.value;
  return (
    <div class="model-head">
      <label>
        <span>Asset</span>
        <select
          value={shownAsset.value ?? ""}
          disabled={known.length === 0}
          onChange={(event) => {
            modelAsset.value = event.currentTarget.value;
          }}
        >
          {!known.some(({ asset }) => asset === shownAsset.value) && (
            <option value={shownAsset.value ?? ""}>{shownAsset.value ?? "…"}</option>
          )}
          {known.map(({ asset }) => (
            <option key={asset}>{asset}</option>
          ))}
        </select>
      </label>
      {state.kind === "ready" && <Age answer={state.answer} />}
    </div>
  );
}

/** What must be known about the figures before they are believed. */
function Notice() {
  const state = modelState.value;
  if (state.kind !== "ready") return null;
  const lines: string[] = [];
  if (state.trouble) lines.push(`Not being updated: ${state.trouble}`);
  if (["offline", "error"].includes(freshness.value))
    lines.push(`Not being updated: the engine is ${freshness.value}. These figures are the last known.`);
  else if (freshness.value === "stale" || state.answer.stale)
    lines.push("The market data behind these figures is stale: they are the last known.");
  if (lines.length === 0) return null;
  return (
    <div class="model-notice" role="status">
      {lines.map((line) => (
        <p key={line}>{line}</p>
      ))}
    </div>
  );
}

function Instead() {
  const state = modelState.value;
  if (state.kind === "error")
    return (
      <StateCard
        kind="error"
        title={state.message}
        action={{ label: "Try again", run: () => void modelFeed.load() }}
      >
        {state.hint && <p>{state.hint}</p>}
        <p class="quiet">Trying again by itself.</p>
      </StateCard>
    );
  const engine = status.value;
  if (engine?.state === "error")
    return (
      <StateCard kind="error" title={engine.error?.message ?? "The engine has stopped"}>
        {engine.error?.hint && <p>{engine.error.hint}</p>}
      </StateCard>
    );
  if (freshness.value === "offline")
    return (
      <StateCard kind="error" title="The engine does not answer">
        <p>Nothing is known about the model. Trying again by itself.</p>
      </StateCard>
    );
  if (engine?.state === "loading") return <EngineLoading progress={engine.progress} />;
  return <StateCard kind="loading" title="Asking what was learned" />;
}

export function ModelPage() {
  useEffect(watchModel, []);
  const state = modelState.value;
  const Panel = PANELS[modelTab.value];
  return (
    <main class="model">
      <Hatch />
      <Head />
      <Tabs
        label="Model"
        tabs={MODEL_TABS.map((name) => ({ name, label: LABELS[name] }))}
        value={modelTab.value}
        onChange={(next) => {
          modelTab.value = next;
        }}
      >
        <Notice />
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys. */}
        <section class="model-body" aria-label={LABELS[modelTab.value]} tabIndex={0}>
          {state.kind === "ready" ? <Panel answer={state.answer} /> : <Instead />}
        </section>
      </Tabs>
    </main>
  );
}
