/** One event as a row: when, how urgent, what happened, how fast we knew. The whole row opens the map there. */
import type { SeqEvent, SignalEvent } from "../../api/eventTypes";
import { rowUsdOf } from "../../app/BellWatch";
import { followTo, mapHref } from "../../app/jump";
import { LATENCY_GOAL_MS, PRIORITY_TEXT, typeLabel } from "../../state/eventCatalogue";
import { eventMs } from "../../state/events";
import { eventWords } from "../../state/eventText";
import { MISSING } from "../../state/format";
import { SideMark } from "../../ui/SideMark";

const localTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const { timeZone } = localTime.resolvedOptions();

function latencyText(ms: number): string {
  return ms < 10
    ? `${ms.toFixed(1)} ms`
    : ms < 10_000
      ? `${Math.round(ms)} ms`
      : `${(ms / 1000).toFixed(1)} s`;
}

function Latency({ event }: { event: SignalEvent }) {
  if (event.latency_ms === null) return <span class="quiet">{MISSING}</span>;
  const text = latencyText(event.latency_ms);
  const goal = LATENCY_GOAL_MS[event.priority];
  // What is played faster than it happened comes in lumps: that is no fault of the engine's.
  if (event.latency_ms <= goal || event.mode === "replay") return <>{text}</>;
  return (
    <span class="warn" title={`slower than the goal of ${goal} ms`}>
      {text} ▲
    </span>
  );
}

const MODE_TITLE: Readonly<Record<string, string>> = {
  rebuilt: "Found in the past while the map was loading: nobody was told then",
  replay: "From a tape that is played again",
};

export function ModeTag({ mode }: { mode: string }) {
  if (!(mode in MODE_TITLE)) return null;
  return (
    <span class="tag" title={MODE_TITLE[mode]}>
      {mode}
    </span>
  );
}

export function EventRow({ entry: { seq, event }, active }: { entry: SeqEvent; active: boolean }) {
  const atMs = eventMs(event);
  const utc = new Date(atMs).toISOString();
  const { side, what, facts } = eventWords(event, rowUsdOf(event.asset));
  return (
    <tr class={`sig-row is-${event.mode}`} data-seq={seq}>
      <td class="sig-time">
        <time dateTime={utc} title={`${localTime.format(atMs)} in ${timeZone}`}>
          {utc.slice(11, 19)}
        </time>
      </td>
      <td class="sig-prio">
        <b class={`prio is-p${event.priority}`} title={PRIORITY_TEXT[event.priority]}>
          P{event.priority}
        </b>
      </td>
      <td class="sig-asset">{event.asset}</td>
      <td class="sig-type">
        {typeLabel(event.type)} <ModeTag mode={event.mode} />
      </td>
      <td class="sig-side">
        <SideMark side={side} />
      </td>
      <td class="sig-what">
        <span class="sig-narrow" aria-hidden="true">
          <b class={`prio is-p${event.priority}`}>P{event.priority}</b>
          <b>{event.asset}</b>
          <SideMark side={side} />
          {typeLabel(event.type)} <ModeTag mode={event.mode} />
        </span>
        <a
          href={mapHref(event)}
          tabIndex={active ? 0 : -1}
          title="Show this moment and price on the map"
          onClick={followTo(event)}
        >
          {what}
        </a>{" "}
        <span class="sig-facts">
          {facts.map((fact) => (
            <span key={fact}>{fact}</span>
          ))}
        </span>
      </td>
      <td class="sig-latency">
        <Latency event={event} />
      </td>
    </tr>
  );
}
