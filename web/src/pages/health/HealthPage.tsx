/** Where the numbers come from: every venue in one word, and what could not be read. */
import { useEffect } from "preact/hooks";
import type { SourcesAnswer } from "../../api/sources";
import { freshness, status } from "../../state/engine";
import { duration, utcMinute } from "../../state/format";
import { loadSources, onlyTrouble, sourcesState, watchSources } from "../../state/sources";
import { StateCard } from "../../ui/StateCard";
import { VenueTable } from "./VenueTable";
import { count, isWell, tally } from "./words";
import "../../styles/health.css";
import "../../styles/healthdetails.css";
import "../../styles/modeltables.css";

const MODES = {
  live: "No venue is connected",
  replay: "Playing a tape: nothing is connected",
  simulated: "Simulated market: nothing is connected",
} as const;

function Engine() {
  const engine = status.value;
  if (!engine) return null;
  const parts: [string, string][] = [
    ["Engine", engine.state],
    ["Present", `${utcMinute(engine.as_of_ms)} UTC`],
    ["Data age", duration(engine.data_age_s)],
    ["Version", engine.version],
  ];
  return (
    <dl class="health-engine">
      {parts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Writer({ answer }: { answer: SourcesAnswer }) {
  const { writer } = answer;
  if (!writer) return null;
  if (writer.failure)
    return (
      <p class="is-bad" role="alert">
        The tape takes no more rows: {writer.failure}
      </p>
    );
  return (
    <p class={writer.is_paused ? "is-warn" : "quiet"}>
      {count(writer.n_rows_acknowledged)} rows on the tape, {count(writer.rows_waiting)} waiting
      {writer.is_paused && ". Reading is paused until the tape has caught up"}
      {writer.n_pauses > 0 && ` (paused ${count(writer.n_pauses)} times, ${duration(writer.paused_s)})`}
    </p>
  );
}

function Ready({ answer, trouble }: { answer: SourcesAnswer; trouble: string | null }) {
  const mode = status.value?.mode ?? "live";
  const unwell = answer.venues.filter((venue) => !isWell(venue.status)).length;
  return (
    <>
      <header class="health-head">
        <div>
          <h1>{answer.connected ? "Recording venues as they trade" : MODES[mode]}</h1>
          <p>
            {answer.venues.length === 0 ? "No venue yet." : `${tally(answer.venues)}.`}
            {!answer.connected && " Rows are counted since the engine was started."}
          </p>
          <Writer answer={answer} />
        </div>
        <Engine />
        {answer.connected && (
          <button
            type="button"
            class="chip"
            aria-pressed={onlyTrouble.value}
            disabled={unwell === 0 && !onlyTrouble.value}
            onClick={() => {
              onlyTrouble.value = !onlyTrouble.value;
            }}
          >
            only what is not well ({unwell})
          </button>
        )}
      </header>
      {trouble && (
        <p class="health-notice" role="status">
          Not being updated: {trouble}
        </p>
      )}
      {answer.venues.length > 0 && <VenueTable answer={answer} />}
    </>
  );
}

function Instead({ state }: { state: Exclude<typeof sourcesState.value, { kind: "ready" }> }) {
  if (state.kind === "error")
    return (
      <StateCard
        kind="error"
        title={state.message}
        action={{ label: "Try again", run: () => void loadSources() }}
      >
        {state.hint && <p>{state.hint}</p>}
        <p class="quiet">Trying again by itself.</p>
      </StateCard>
    );
  return (
    <StateCard
      kind="loading"
      title={freshness.value === "offline" ? "The engine does not answer" : "Asking the venues' recorder"}
    />
  );
}

export function HealthPage() {
  useEffect(watchSources, []);
  const state = sourcesState.value;
  return (
    <main class="health">
      {state.kind === "ready" ? (
        <Ready answer={state.answer} trouble={state.trouble} />
      ) : (
        <Instead state={state} />
      )}
    </main>
  );
}
