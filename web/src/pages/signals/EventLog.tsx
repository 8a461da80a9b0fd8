/** The event log: newest first, held still while somebody reads, older pages on demand. */
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { SeqEvent } from "../../api/eventTypes";
import { markSeen } from "../../app/BellWatch";
import { status } from "../../state/engine";
import { eventFeed, eventGap, eventLink, eventLoad, eventMs, recentEvents } from "../../state/events";
import { StateCard } from "../../ui/StateCard";
import { EventFilters } from "./EventFilters";
import { EventRow } from "./EventRow";
import { filters, isFiltering, NO_FILTERS, setFilters } from "./filters";
import { matching, newCount, olderState, reading, showNew, shownEvents, showOlder, watchLog } from "./log";

const PAGE_ROWS = 10;

/** What must be known about the list before it is believed. */
function Notice() {
  const link = eventLink.value;
  const gap = eventGap.value;
  const lines: ComponentChildren[] = [];
  if (eventLoad.value.kind === "ready" && (link === "closed" || link === "connecting"))
    lines.push("Connection lost: this is what was known. What happens meanwhile follows when it is back.");
  if (link === "stale") lines.push("The engine has been silent for too long: newer events may be missing.");
  if (gap)
    lines.push(
      `${(gap.toSeq - gap.fromSeq + 1).toLocaleString("en-US")} events were missed and are too many to be sent again. The list begins after them; “Show older” fetches them.`,
    );
  if (status.value?.state === "loading")
    lines.push("The engine is rebuilding the past. What it finds there is marked rebuilt and alerts nobody.");
  if (lines.length === 0) return null;
  return (
    <div class="sig-notice" role="status">
      {lines.map((line, i) => (
        <p key={i}>{line}</p>
      ))}
    </div>
  );
}

function Instead() {
  const load = eventLoad.value;
  if (load.kind === "error" && recentEvents.value.length === 0)
    return (
      <StateCard
        kind="error"
        title={load.message}
        action={{ label: "Try again", run: () => void eventFeed.load() }}
      >
        {load.hint && <p>{load.hint}</p>}
        <p class="quiet">Trying again by itself.</p>
      </StateCard>
    );
  if (load.kind === "loading") return <StateCard kind="loading" title="Loading the event log" />;
  if (matching.value.length > 0) return null;
  if (isFiltering(filters.value))
    return (
      <StateCard
        kind="empty"
        title="No loaded event passes these filters"
        action={{ label: "Clear filters", run: () => setFilters(NO_FILTERS) }}
      >
        <p>“Search older” looks further back.</p>
      </StateCard>
    );
  if (eventGap.value) return null;
  return (
    <StateCard kind="empty" title="No events yet">
      <p>
        The engine writes one here when a zone appears, grows, fades, is neared, hit or swept, when a
        liquidation is unusually large, when venues disagree, and when a source falls silent.
      </p>
    </StateCard>
  );
}

function byDay(entries: readonly SeqEvent[]): [string, SeqEvent[]][] {
  const days = new Map<string, SeqEvent[]>();
  for (const entry of entries) {
    const day = new Date(eventMs(entry.event)).toISOString().slice(0, 10);
    days.set(day, [...(days.get(day) ?? []), entry]);
  }
  return [...days];
}

const STEPS: Readonly<Record<string, number>> = {
  ArrowDown: 1,
  ArrowUp: -1,
  PageDown: PAGE_ROWS,
  PageUp: -PAGE_ROWS,
  Home: Number.NEGATIVE_INFINITY,
  End: Number.POSITIVE_INFINITY,
};

/** Arrow keys go from row to row; Enter, being a link's key, opens the map. */
function moveByKey(event: KeyboardEvent): void {
  const step = STEPS[event.key];
  if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
  const table = event.currentTarget as HTMLElement;
  const links = [...table.querySelectorAll<HTMLAnchorElement>(".sig-what a")];
  const now = links.indexOf(document.activeElement as HTMLAnchorElement);
  if (now < 0) return;
  event.preventDefault();
  links[Math.max(0, Math.min(links.length - 1, now + step))]?.focus();
}

function Table({ onActive, active }: { active: number | null; onActive: (seq: number) => void }) {
  const rows = shownEvents.value;
  const current = rows.some(({ seq }) => seq === active) ? active : (rows[0]?.seq ?? null);
  return (
    <table
      class="sig-table"
      onKeyDown={moveByKey}
      onFocusIn={(event) => {
        const row = (event.target as HTMLElement).closest<HTMLElement>("tr[data-seq]");
        if (row) onActive(Number(row.dataset["seq"]));
        // A pointer's click leaves by itself; keys need the list to stay where they are.
        reading.focused.value = row !== null && (event.target as HTMLElement).matches(":focus-visible");
      }}
      onFocusOut={() => {
        reading.focused.value = false;
      }}
    >
      <caption class="visually-hidden">
        Events, newest first. Arrow keys move between rows, Enter shows the moment on the map.
      </caption>
      <thead>
        <tr>
          <th scope="col">Time (UTC)</th>
          <th scope="col" class="sig-prio">
            <abbr title="Priority">P</abbr>
          </th>
          <th scope="col" class="sig-asset">
            Asset
          </th>
          <th scope="col" class="sig-type">
            Event
          </th>
          <th scope="col" class="sig-side">
            <abbr title="Long or short positions">Side</abbr>
          </th>
          <th scope="col">What happened</th>
          <th scope="col" class="sig-latency">
            Latency
          </th>
        </tr>
      </thead>
      {byDay(rows).map(([day, entries]) => (
        <tbody key={day}>
          <tr class="sig-day">
            <th colSpan={7} scope="rowgroup">
              {day}
            </th>
          </tr>
          {entries.map((entry) => (
            <EventRow key={entry.seq} entry={entry} active={entry.seq === current} />
          ))}
        </tbody>
      ))}
    </table>
  );
}

function Older() {
  const state = olderState.value;
  if (eventLoad.value.kind !== "ready") return null;
  if (recentEvents.value.length === 0 && !eventGap.value) return null;
  if (state.kind === "end") return <p class="sig-older quiet">This is where the engine's log begins.</p>;
  if (state.kind === "full") return <p class="sig-older quiet">This page goes no further back than this.</p>;
  const label = matching.value.length === 0 ? "Search older" : "Show older";
  return (
    <p class="sig-older">
      <button
        type="button"
        class="button"
        disabled={state.kind === "loading"}
        onClick={() => void showOlder()}
      >
        {state.kind === "loading" ? "Loading…" : label}
      </button>
      {state.kind === "error" && <span class="warn"> {state.message}</span>}
    </p>
  );
}

export function EventLog() {
  const scroller = useRef<HTMLDivElement>(null);
  const active = useSignal<number | null>(null);
  useEffect(watchLog, []);
  const last = recentEvents.value.at(-1)?.seq;
  useEffect(() => {
    if (last !== undefined && document.visibilityState === "visible") markSeen();
  }, [last]);
  const waiting = newCount.value;
  const instead = Instead();
  return (
    <div class="sig-log">
      <EventFilters />
      <Notice />
      {/* A resting pointer only holds the list still. */}
      <div
        class="sig-body"
        onPointerEnter={(event) => {
          reading.hovered.value = event.pointerType === "mouse";
        }}
        onPointerLeave={() => {
          reading.hovered.value = false;
        }}
      >
        {waiting > 0 && (
          <button
            type="button"
            class="sig-new"
            onClick={() => {
              scroller.current?.scrollTo({ top: 0 });
              showNew();
            }}
          >
            {waiting} new · held while you read · show
          </button>
        )}
        <div
          class="sig-scroll"
          ref={scroller}
          onScroll={(event) => {
            reading.scrolled.value = event.currentTarget.scrollTop > 40;
          }}
        >
          {instead ? (
            <div class="sig-instead">{instead}</div>
          ) : (
            <Table
              active={active.value}
              onActive={(seq) => {
                active.value = seq;
              }}
            />
          )}
          <Older />
        </div>
      </div>
    </div>
  );
}
