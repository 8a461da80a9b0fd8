/** Where the numbers come from: every venue in one word, and what could not be read. */
import { useEffect, useRef } from "preact/hooks";
import type { SourceDisk, SourcesAnswer } from "../../api/sources";
import { helpOpen } from "../../app/HelpOverlay";
import { dataAgeS, freshness, status } from "../../state/engine";
import { duration, utcMinute } from "../../state/format";
import { prefs } from "../../state/prefs";
import { loadSources, onlyTrouble, sourcesState, watchSources } from "../../state/sources";
import { EngineLoading } from "../../ui/EngineLoading";
import { StateCard } from "../../ui/StateCard";
import { VenueTable } from "./VenueTable";
import { bytes, clockBehindMs, count, isWell, millis, tally } from "./words";
import "../../styles/health.css";
import "../../styles/healthdetails.css";
import "../../styles/modeltables.css";

const MODES = {
  live: "No venue is connected",
  replay: "Playing a tape: nothing is connected",
  simulated: "Simulated market: nothing is connected",
} as const;

function Engine({ disk }: { disk: SourceDisk | null }) {
  const engine = status.value;
  if (!engine) return null;
  const parts: [string, string][] = [
    ["Engine", engine.state],
    ["Present", `${utcMinute(engine.as_of_ms)} UTC`],
    ["Data age", duration(dataAgeS.value)],
    ["Version", engine.version],
  ];
  if (disk) parts.splice(3, 0, ["Disk free", `${bytes(disk.free_bytes)} of ${bytes(disk.total_bytes)}`]);
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

/** What keeps the maps from being there, or the figures from being right. */
function Notices({ answer, trouble }: { answer: SourcesAnswer; trouble: string | null }) {
  const engine = status.value;
  const behindMs = answer.connected ? clockBehindMs(answer.venues) : null;
  const progress = engine?.state === "loading" ? engine.progress : null;
  return (
    <>
      {engine?.state === "error" && engine.error && (
        <p class="health-notice is-bad" role="alert">
          The engine stopped: {engine.error.message} {engine.error.hint}
        </p>
      )}
      {trouble && (
        <p class="health-notice" role="status">
          Not being updated: {trouble}
        </p>
      )}
      {progress && (
        <p class="health-notice" role="status">
          The maps are being made: {count(Math.floor(progress.done))} of {count(Math.ceil(progress.total))}{" "}
          {progress.label}
        </p>
      )}
      {behindMs !== null && (
        <p class="health-notice" role="status">
          Our clock is behind by {millis(behindMs)} or more: rows seem to come before they happened, and every
          lag is too small by that. Let the system keep its time by NTP.
        </p>
      )}
    </>
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
  const records = answer.connected && answer.venues.length > 0;
  const idle = unwell === 0 && !onlyTrouble.value;
  return (
    <>
      <header class="health-head">
        <div>
          <h2>{records ? "Recording venues as they trade" : MODES[mode]}</h2>
          <p>
            {answer.venues.length === 0 ? "No venue yet." : `${tally(answer.venues)}.`}
            {!answer.connected && " Rows are counted since the engine was started."}
          </p>
          <Writer answer={answer} />
        </div>
        <Engine disk={answer.disk ?? null} />
        {records && (
          <button
            type="button"
            class="chip"
            aria-pressed={onlyTrouble.value}
            aria-disabled={idle}
            onClick={() => {
              // It is never disabled as such: that would take the focus from it when the last venue becomes well.
              if (!idle) onlyTrouble.value = !onlyTrouble.value;
            }}
          >
            only what is not well ({unwell})
          </button>
        )}
      </header>
      <Notices answer={answer} trouble={trouble} />
      {answer.venues.length > 0 && <VenueTable answer={answer} />}
    </>
  );
}

function Instead({ state }: { state: Exclude<typeof sourcesState.value, { kind: "ready" }> }) {
  const engine = status.value;
  const progress = engine?.state === "loading" ? engine.progress : null;
  if (state.kind === "error" && !progress)
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
  if (progress) return <EngineLoading progress={progress} />;
  const title = freshness.value === "offline" ? "The engine does not answer" : "Asking the venues' recorder";
  return <StateCard kind="loading" title={title} />;
}

/** Single keys act only while something on the page has the focus, and can be switched off. */
function onKeyDown(event: KeyboardEvent): void {
  if (event.key !== "?" || !prefs.value.keys) return;
  event.preventDefault();
  helpOpen.value = true;
}

export function HealthPage() {
  useEffect(watchSources, []);
  const box = useRef<HTMLElement>(null);
  useEffect(() => {
    const element = box.current;
    element?.addEventListener("keydown", onKeyDown);
    return () => element?.removeEventListener("keydown", onKeyDown);
  }, []);
  const state = sourcesState.value;
  return (
    <main class="health" ref={box}>
      {state.kind === "ready" ? (
        <Ready answer={state.answer} trouble={state.trouble} />
      ) : (
        <Instead state={state} />
      )}
    </main>
  );
}
