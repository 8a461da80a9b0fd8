/** The engine's events, newest 2,000, each exactly once: fetched, then followed on the stream and resumed after a loss. */
import { batch, computed, type ReadonlySignal, signal } from "@preact/signals";
import { getEvents } from "../api/endpoints";
import type { EventMessage, EventsAnswer, SeqEvent, SignalEvent } from "../api/eventTypes";
import { ApiError } from "../api/http";
import { type LinkState, Stream, type StreamHost } from "../api/socket";
import type { StreamMessage } from "../api/types";

export const MOST_EVENTS = 2000;
const FIRST_PAGE = 500;
const FLUSH_MS = 40;
const RETRY_MS = { first: 3000, longest: 60_000 };

/** Without holes from its first to its last entry, ascending by `seq`. */
export const recentEvents = signal<readonly SeqEvent[]>([]);
/** The stream of events: `open` is live, `closed` is lost and being made again. */
export const eventLink = signal<LinkState>("idle");

export type EventLoad =
  | { readonly kind: "loading" }
  | { readonly kind: "ready" }
  | { readonly kind: "error"; readonly message: string; readonly hint: string | null };
export const eventLoad = signal<EventLoad>({ kind: "loading" });

/** Events that were missed and too many to be sent again; what is held begins after them. */
export interface EventGap {
  readonly fromSeq: number;
  readonly toSeq: number;
}
export const eventGap = signal<EventGap | null>(null);

const perAsset = new Map<string, ReadonlySignal<readonly SeqEvent[]>>();

/** The recent events of one asset, ascending by `seq`. */
export function eventsOf(asset: string): ReadonlySignal<readonly SeqEvent[]> {
  let known = perAsset.get(asset);
  if (!known) {
    known = computed(() => recentEvents.value.filter(({ event }) => event.asset === asset));
    perAsset.set(asset, known);
  }
  return known;
}

export const eventMs = (event: SignalEvent): number => event.detected_at_ns / 1e6;

/** The page of an answer as entries in ascending order, whatever order the engine chose. */
export function entriesOf({ events }: EventsAnswer): SeqEvent[] {
  return events.map(({ seq, ...event }) => ({ seq, event })).sort((a, b) => a.seq - b.seq);
}

type Listener = (entry: SeqEvent) => void;

export class EventFeed {
  private lastSeq: number | null = null;
  /** Up to this `seq` the stream catches up; what comes after it happens now. */
  private caughtUpSeq = Number.POSITIVE_INFINITY;
  private waiting: SeqEvent[] = [];
  private flushTimer: ReturnType<typeof setTimeout> | null = null;
  private retryTimer: ReturnType<typeof setTimeout> | null = null;
  private failures = 0;
  private abort = new AbortController();
  private readonly listeners = new Set<Listener>();
  private readonly stream: Stream;

  constructor(host?: StreamHost) {
    this.stream = new Stream(
      {
        message: (message) => this.message(message),
        frame: () => undefined,
        garbled: () => void this.load(),
        reconnected: () => void this.verify(),
        link: (state) => {
          eventLink.value = state;
        },
      },
      host,
    );
  }

  start(): void {
    void this.load();
  }

  stop(): void {
    this.abort.abort();
    this.stream.stop();
    for (const timer of [this.flushTimer, this.retryTimer]) if (timer !== null) clearTimeout(timer);
    this.flushTimer = null;
    this.waiting = [];
  }

  /** Hear of every event that happens from now on, at once; never of what is fetched or caught up on. */
  onLive(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Fetch the newest events afresh and follow on from them. */
  async load(): Promise<void> {
    this.stop();
    this.abort = new AbortController();
    const { signal: stop } = this.abort;
    if (recentEvents.peek().length === 0) eventLoad.value = { kind: "loading" };
    try {
      const answer = await getEvents({ limit: FIRST_PAGE }, stop);
      if (stop.aborted) return;
      this.accept(answer);
    } catch (error) {
      if (stop.aborted) return;
      eventLoad.value = {
        kind: "error",
        message: error instanceof Error ? error.message : String(error),
        hint: error instanceof ApiError ? error.hint : null,
      };
      const delayMs = Math.min(RETRY_MS.longest, RETRY_MS.first * 2 ** this.failures);
      this.failures += 1;
      this.retryTimer = setTimeout(() => void this.load(), delayMs);
    }
  }

  private accept(answer: EventsAnswer): void {
    const entries = entriesOf(answer);
    this.failures = 0;
    this.lastSeq = entries.at(-1)?.seq ?? answer.last_seq;
    batch(() => {
      recentEvents.value = entries.slice(-MOST_EVENTS);
      eventGap.value = null;
      eventLoad.value = { kind: "ready" };
    });
    this.stream.subscribe(() => {
      this.caughtUpSeq = Number.POSITIVE_INFINITY;
      return { type: "subscribe_events", after_seq: this.lastSeq, types: null, assets: null };
    });
  }

  /** An engine that was started afresh may count its own events under numbers that are held here. */
  private async verify(): Promise<void> {
    const held = this.waiting.at(-1) ?? recentEvents.peek().at(-1);
    if (!held) return;
    const { signal: stop } = this.abort;
    try {
      const answer = await getEvents({ limit: 1, beforeSeq: held.seq + 1 }, stop);
      if (!stop.aborted && entriesOf(answer).at(-1)?.event.id !== held.event.id) void this.load();
    } catch {
      // Without an answer nothing is known against what is held; the next reconnection asks again.
    }
  }

  private message(message: StreamMessage): void {
    if (message.type === "events_subscribed") this.subscribed(message.last_seq);
    else if (message.type === "event") this.event(message);
    else if (message.type === "event_gap") this.gap(message);
  }

  /** An engine whose log ends before what is held has begun a new log. */
  private subscribed(lastSeq: number): void {
    if (this.lastSeq !== null && lastSeq < this.lastSeq) void this.load();
    else this.caughtUpSeq = lastSeq;
  }

  private event({ seq, event }: Extract<EventMessage, { type: "event" }>): void {
    if (this.lastSeq !== null && seq <= this.lastSeq) return;
    this.lastSeq = seq;
    const entry = { seq, event };
    this.waiting.push(entry);
    this.flushTimer ??= setTimeout(() => this.flush(), FLUSH_MS);
    if (seq > this.caughtUpSeq) for (const listener of this.listeners) listener(entry);
  }

  private gap(message: Extract<EventMessage, { type: "event_gap" }>): void {
    this.waiting = [];
    this.lastSeq = Math.max(this.lastSeq ?? 0, message.to_seq);
    batch(() => {
      recentEvents.value = [];
      eventGap.value = { fromSeq: message.from_seq, toSeq: message.to_seq };
    });
  }

  /** One redraw for a burst of events. */
  private flush(): void {
    this.flushTimer = null;
    const { waiting } = this;
    this.waiting = [];
    if (waiting.length > 0) recentEvents.value = [...recentEvents.value, ...waiting].slice(-MOST_EVENTS);
  }
}

export const eventFeed = new EventFeed();
