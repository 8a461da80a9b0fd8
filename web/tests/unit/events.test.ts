// @vitest-environment happy-dom
/** Every event exactly once: fetched, followed, resumed; and what is said when that cannot be. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { SeqEvent } from "../../src/api/eventTypes";
import {
  EventFeed,
  entriesOf,
  eventGap,
  eventLink,
  eventLoad,
  eventsOf,
  MOST_EVENTS,
  recentEvents,
} from "../../src/state/events";
import { entry } from "./eventsMade";

class Engine {
  log: SeqEvent[] = [];
  sockets: {
    sent: Record<string, unknown>[];
    onopen?: () => void;
    onclose?: () => void;
    onmessage?: (event: { data: string }) => void;
  }[] = [];
  asked: URL[] = [];
  broken = false;
  readonly timers: { run: () => void; delayMs: number }[] = [];
  readonly host = {
    open: () => {
      const socket = {
        sent: [] as Record<string, unknown>[],
        send: (text: string) => socket.sent.push(JSON.parse(text)),
        close: () => undefined,
      };
      this.sockets.push(socket);
      return socket as unknown as WebSocket;
    },
    setTimer: (run: () => void, delayMs: number) => this.timers.push({ run, delayMs }),
    clearTimer: () => undefined,
    jitter: () => 0,
  };
  fetch = async (url: URL) => {
    this.asked.push(url);
    if (this.broken) {
      const problem = { title: "Not ready", status: 503, detail: "There are no events here.", hint: "Wait." };
      return new Response(JSON.stringify(problem), { status: 503 });
    }
    const limit = Number(url.searchParams.get("limit"));
    const before = Number(url.searchParams.get("before_id") ?? Number.POSITIVE_INFINITY);
    const newestFirst = this.log
      .filter(({ seq }) => seq < before)
      .slice(-limit)
      .reverse();
    const events = newestFirst.map(({ seq, event }) => ({ ...event, seq }));
    return Response.json({ events, last_seq: this.log.at(-1)?.seq ?? 0, simulated: false, stale: false });
  };
  get socket() {
    return this.sockets[this.sockets.length - 1];
  }
  say(message: Record<string, unknown>): void {
    this.socket.onmessage?.({ data: JSON.stringify(message) });
  }
  happen(seq: number): void {
    this.say({ type: "event", ...entry(seq) });
  }
  /** The connection breaks; the back-off passes; a new one opens. */
  reconnect(): void {
    this.socket.onclose?.();
    this.timers.at(-1)?.run();
    this.socket.onopen?.();
  }
}

const seqs = () => recentEvents.value.map(({ seq }) => seq);
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

describe("the feed of events", () => {
  let engine: Engine;
  let feed: EventFeed;
  let heard: number[];

  const open = async (held: number) => {
    engine.log = range(1, held).map((seq) => entry(seq));
    await feed.load();
    engine.socket.onopen?.();
    engine.say({ type: "hello", protocol: 1, heartbeat_s: 15 });
    engine.say({ type: "events_subscribed", last_seq: held });
  };

  beforeEach(() => {
    vi.useFakeTimers();
    engine = new Engine();
    vi.stubGlobal("fetch", engine.fetch);
    recentEvents.value = [];
    feed = new EventFeed(engine.host);
    heard = [];
    feed.onLive(({ seq }) => heard.push(seq));
  });
  afterEach(() => {
    feed.stop();
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it("starts from the log and subscribes after its last event", async () => {
    await open(3);
    expect(seqs()).toEqual([1, 2, 3]);
    expect(engine.socket.sent).toEqual([
      { type: "subscribe_events", after_seq: 3, types: null, assets: null },
    ]);
    expect(eventLoad.value).toEqual({ kind: "ready" });
    expect(eventLink.value).toBe("open");
  });

  it("an empty log is followed from its number", async () => {
    await open(0);
    expect(engine.socket.sent[0]).toMatchObject({ after_seq: 0 });
    engine.happen(1);
    vi.advanceTimersByTime(100);
    expect(seqs()).toEqual([1]);
  });

  it("draws a burst once", async () => {
    await open(1);
    let draws = 0;
    const stop = recentEvents.subscribe(() => {
      draws += 1;
    });
    for (const seq of range(2, 60)) engine.happen(seq);
    vi.advanceTimersByTime(100);
    expect(draws).toBe(2); // once on subscribing, once for the burst
    expect(seqs()).toEqual(range(1, 60));
    stop();
  });

  it("resumes after a lost link with every event once, and rings only for what is new", async () => {
    await open(3);
    engine.happen(4);
    engine.reconnect();
    expect(engine.socket.sent[0]).toMatchObject({ after_seq: 4 });
    engine.happen(4); // sent twice
    engine.happen(5);
    engine.say({ type: "events_subscribed", last_seq: 6 });
    engine.happen(6);
    engine.happen(7);
    vi.advanceTimersByTime(100);
    expect(seqs()).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(heard).toEqual([4, 7]);
  });

  it("says what it missed, and holds nothing before it", async () => {
    await open(3);
    engine.reconnect();
    engine.say({ type: "events_subscribed", last_seq: 20_004 });
    engine.say({ type: "event_gap", from_seq: 4, to_seq: 10_004 });
    engine.happen(10_005);
    engine.happen(10_006);
    vi.advanceTimersByTime(100);
    expect(eventGap.value).toEqual({ fromSeq: 4, toSeq: 10_004 });
    expect(seqs()).toEqual([10_005, 10_006]);
    engine.reconnect();
    expect(engine.socket.sent[0]).toMatchObject({ after_seq: 10_006 });
  });

  it("begins afresh with an engine whose log ends earlier", async () => {
    await open(9);
    engine.log = [entry(1), entry(2)];
    engine.reconnect();
    engine.say({ type: "events_subscribed", last_seq: 2 });
    await vi.waitFor(() => expect(seqs()).toEqual([1, 2]));
  });

  it("begins afresh with an engine that counts other events under the same numbers", async () => {
    await open(3);
    engine.log = range(1, 5).map((seq) => entry(seq, "ZONE_HIT", { id: `other${seq}` }));
    engine.reconnect();
    engine.say({ type: "events_subscribed", last_seq: 5 });
    await vi.waitFor(() => expect(recentEvents.value.map(({ event }) => event.id)).toContain("other1"));
    expect(seqs()).toEqual([1, 2, 3, 4, 5]);
  });

  it("goes on with an engine that knows what is held", async () => {
    await open(3);
    const held = recentEvents.value[0];
    engine.reconnect();
    engine.say({ type: "events_subscribed", last_seq: 3 });
    await vi.advanceTimersByTimeAsync(100);
    expect(engine.asked).toHaveLength(2);
    expect(recentEvents.value[0]).toBe(held);
  });

  it("stays bounded", async () => {
    await open(500);
    for (const seq of range(501, MOST_EVENTS + 700)) engine.happen(seq);
    vi.advanceTimersByTime(100);
    expect(recentEvents.value).toHaveLength(MOST_EVENTS);
    expect(seqs()[0]).toBe(701);
  });

  it("says why there is nothing, and tries again ever more rarely", async () => {
    engine.broken = true;
    await feed.load();
    expect(eventLoad.value).toEqual({ kind: "error", message: "There are no events here.", hint: "Wait." });
    await vi.advanceTimersByTimeAsync(3000);
    expect(engine.asked).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(3000);
    expect(engine.asked).toHaveLength(2);
    engine.broken = false;
    engine.log = [entry(1)];
    await vi.advanceTimersByTimeAsync(3000);
    expect(eventLoad.value).toEqual({ kind: "ready" });
  });

  it("keeps what it knows when a fetch fails", async () => {
    await open(2);
    engine.broken = true;
    await feed.load();
    expect(seqs()).toEqual([1, 2]);
  });
});

it("an answer comes in ascending order, whatever order it had", () => {
  const events = [3, 1, 2].map((seq) => ({ ...entry(seq).event, seq }));
  const answer = { events, last_seq: 3, simulated: false, stale: false };
  expect(entriesOf(answer).map(({ seq }) => seq)).toEqual([1, 2, 3]);
});

it("one asset's events follow along", () => {
  recentEvents.value = [entry(1), entry(2, "ZONE_HIT", { asset: "ETH" })];
  expect(eventsOf("ETH").value.map(({ seq }) => seq)).toEqual([2]);
  recentEvents.value = [...recentEvents.value, entry(3, "ZONE_HIT", { asset: "ETH" })];
  expect(eventsOf("ETH").value.map(({ seq }) => seq)).toEqual([2, 3]);
});
