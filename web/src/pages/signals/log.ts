/** The event log on screen: live events and older pages as one list without holes, held still while it is read. */
import { batch, computed, effect, signal } from "@preact/signals";
import { getEvents } from "../../api/endpoints";
import type { SeqEvent } from "../../api/eventTypes";
import { assets } from "../../state/engine";
import { entriesOf, eventGap, recentEvents } from "../../state/events";
import { type Filters, filters, passes } from "./filters";

const PAGE = 200;
const FIRST_SHOWN = 100;
const MOST_OLDER = 20_000;
/** Pages asked for in a row while none of their events passes the filters. */
const PAGES_PER_CLICK = 5;

/** Older than `recentEvents`, of the type and asset that are filtered for; ascending, and adjoining. */
export const older = signal<readonly SeqEvent[]>([]);
export type OlderState =
  | { readonly kind: "idle" | "loading" | "end" | "full" }
  | { readonly kind: "error"; readonly message: string };
export const olderState = signal<OlderState>({ kind: "idle" });

/** Reasons to hold the list still. */
export const reading = {
  hovered: signal(false),
  focused: signal(false),
  scrolled: signal(false),
};
const isReading = computed(() => Object.values(reading).some((reason) => reason.value));
/** Newest `seq` shown while the list is held. */
const heldAt = signal<number | null>(null);
const shownCount = signal(FIRST_SHOWN);

const rowUsd = computed(() => new Map(assets.value.map(({ asset, row_usd }) => [asset, row_usd])));

/** A rebuilt past is written asset after asset: only its times tell the order. */
const newestFirst = (a: SeqEvent, b: SeqEvent) =>
  b.event.detected_at_ns - a.event.detected_at_ns || b.seq - a.seq;

/** Everything loaded that passes the filters, newest first. */
export const matching = computed(() => {
  const now = filters.value;
  const rows = rowUsd.value;
  const found = [...older.value, ...recentEvents.value].filter((entry) =>
    passes(entry, now, rows.get(entry.event.asset) ?? null),
  );
  return found.sort(newestFirst);
});

export const newCount = computed(() => {
  const limit = heldAt.value;
  return limit === null ? 0 : matching.value.filter(({ seq }) => seq > limit).length;
});

export const shownEvents = computed(() => {
  const limit = heldAt.value ?? Number.POSITIVE_INFINITY;
  return matching.value.filter(({ seq }) => seq <= limit).slice(0, shownCount.value);
});

/** Bring in what arrived meanwhile without waiting for the reader to leave. */
export function showNew(): void {
  if (heldAt.value !== null) heldAt.value = recentEvents.value.at(-1)?.seq ?? null;
}

let abort = new AbortController();

function forgetOlder(): void {
  abort.abort();
  batch(() => {
    older.value = [];
    olderState.value = { kind: "idle" };
    shownCount.value = FIRST_SHOWN;
  });
}

function oldestSeq(): number | null {
  const first = older.value.at(0) ?? recentEvents.value.at(0);
  if (first) return first.seq;
  return eventGap.value ? eventGap.value.toSeq + 1 : null;
}

const hiddenCount = () => matching.value.length - newCount.value - shownCount.value;

/** The next older rows: first those already here, then pages of the engine's log. */
export async function showOlder(): Promise<void> {
  if (hiddenCount() > 0) {
    shownCount.value += PAGE;
    return;
  }
  if (olderState.value.kind === "loading") return;
  abort = new AbortController();
  const { signal: stop } = abort;
  olderState.value = { kind: "loading" };
  try {
    const before = matching.value.length;
    for (let i = 0; i < PAGES_PER_CLICK && matching.value.length === before; i++) {
      if (!(await fetchPage(stop))) return;
    }
    shownCount.value += PAGE;
    olderState.value = { kind: older.value.length >= MOST_OLDER ? "full" : "idle" };
  } catch (error) {
    if (stop.aborted) return;
    olderState.value = { kind: "error", message: error instanceof Error ? error.message : String(error) };
  }
}

/** `false` when there is nothing more to ask for. */
async function fetchPage(stop: AbortSignal): Promise<boolean> {
  const before = oldestSeq();
  const { type, asset } = filters.value;
  const range = before === null ? {} : { beforeSeq: before };
  const entries = entriesOf(await getEvents({ limit: PAGE, type, asset, ...range }, stop)).filter(
    ({ seq }) => before === null || seq < before,
  );
  if (stop.aborted) return false;
  older.value = [...entries, ...older.value];
  if (entries.length === PAGE) return true;
  shownCount.value += PAGE;
  olderState.value = { kind: "end" };
  return false;
}

/** Events that leave the live list join the older ones, so that no hole opens between the two. */
function adjoin(before: readonly SeqEvent[], now: readonly SeqEvent[], { type, asset }: Filters): void {
  const first = now.at(0)?.seq;
  const overlaps = first !== undefined && (before.at(-1)?.seq ?? first) >= first;
  if (!overlaps) {
    forgetOlder();
    return;
  }
  if (older.peek().length === 0) return;
  const left = before.filter(({ seq, event }) => {
    return seq < first && (!type || event.type === type) && (!asset || event.asset === asset);
  });
  if (left.length > 0) older.value = [...older.peek(), ...left];
}

/** Keep the list together while the log is on screen. */
export function watchLog(): () => void {
  let recent = recentEvents.peek();
  let asked = `${filters.peek().type}|${filters.peek().asset}`;
  const stops = [
    effect(() => {
      const now = recentEvents.value;
      const before = recent;
      recent = now;
      if (before !== now) adjoin(before, now, filters.peek());
    }),
    effect(() => {
      const { type, asset } = filters.value;
      const key = `${type}|${asset}`;
      if (key !== asked) forgetOlder();
      asked = key;
    }),
    effect(() => {
      const hold = isReading.value;
      if (hold && heldAt.peek() === null) heldAt.value = recentEvents.peek().at(-1)?.seq ?? null;
      if (!hold) heldAt.value = null;
    }),
  ];
  return () => {
    for (const stop of stops) stop();
    forgetOlder();
    for (const reason of Object.values(reading)) reason.value = false;
    heldAt.value = null;
  };
}
