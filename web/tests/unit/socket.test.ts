// @vitest-environment happy-dom
import { beforeEach, describe, expect, it } from "vitest";
import { backOffMs, type LinkState, Stream } from "../../src/api/socket";
import type { StreamMessage } from "../../src/api/types";
import type { ColumnFrame } from "../../src/heat/delta";
import { encodeFrame } from "./encode";

class FakeSocket {
  readonly sent: string[] = [];
  binaryType = "";
  readyState = 1;
  closed = false;
  onopen: (() => void) | null = null;
  onclose: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  constructor(readonly url: string) {}
  send(text: string): void {
    this.sent.push(text);
  }
  close(): void {
    this.closed = true;
  }
}

/** A clock that only moves when told. */
class FakeHost {
  readonly sockets: FakeSocket[] = [];
  private timers: { at: number; run: () => void; id: number }[] = [];
  private nowMs = 0;
  private nextId = 1;
  open(url: string): WebSocket {
    this.sockets.push(new FakeSocket(url));
    return this.last as unknown as WebSocket;
  }
  setTimer(run: () => void, delayMs: number): number {
    this.timers.push({ at: this.nowMs + delayMs, run, id: this.nextId });
    return this.nextId++;
  }
  clearTimer(id: number): void {
    this.timers = this.timers.filter((timer) => timer.id !== id);
  }
  jitter(): number {
    return 0;
  }
  get last(): FakeSocket {
    return this.sockets[this.sockets.length - 1];
  }
  pass(ms: number): void {
    this.nowMs += ms;
    const due = this.timers.filter((timer) => timer.at <= this.nowMs);
    this.timers = this.timers.filter((timer) => timer.at > this.nowMs);
    for (const timer of due) timer.run();
  }
}

const MAP = { scope: "BTC", tf: "5m", planes: ["real"], after_seq: { "real/long": 4 } };
const HELLO = JSON.stringify({ type: "hello", protocol: 1, heartbeat_s: 15 });

describe("the stream", () => {
  let host: FakeHost;
  let stream: Stream;
  let links: LinkState[];
  let messages: StreamMessage[];
  let frames: ColumnFrame[];
  let garbled: string[];
  let reconnects: number;

  beforeEach(() => {
    host = new FakeHost();
    [links, messages, frames, garbled, reconnects] = [[], [], [], [], 0];
    stream = new Stream(
      {
        message: (message) => messages.push(message),
        frame: (frame) => frames.push(frame),
        garbled: (reason) => garbled.push(reason),
        link: (state) => links.push(state),
        reconnected: () => {
          reconnects += 1;
        },
      },
      host,
    );
    stream.subscribe(() => MAP);
    host.last.onopen?.();
  });

  it("subscribes over a WebSocket beside the page", () => {
    expect(host.last.url).toMatch(/^ws:.*\/api\/v1\/stream$/);
    expect(JSON.parse(host.last.sent[0])).toEqual({ type: "subscribe", ...MAP });
    expect(links.at(-1)).toBe("open");
  });

  it("passes messages and frames on", () => {
    host.last.onmessage?.({ data: HELLO });
    host.last.onmessage?.({ data: encodeFrame({ seq: 3, column: 1, changes: [[2, 9]] }) });
    expect(messages[0].type).toBe("hello");
    expect(frames[0]).toMatchObject({ seq: 3, column: 1 });
  });

  it("reports what it cannot read instead of dropping it", () => {
    host.last.onmessage?.({ data: "{" });
    host.last.onmessage?.({ data: new ArrayBuffer(3) });
    expect(garbled).toHaveLength(2);
  });

  it("is stale after two silent heartbeats and live again with the next message", () => {
    host.last.onmessage?.({ data: HELLO });
    host.pass(29_999);
    expect(links.at(-1)).toBe("open");
    host.pass(1);
    expect(links.at(-1)).toBe("stale");
    host.last.onmessage?.({ data: JSON.stringify({ type: "ping", t_ms: 1 }) });
    expect(links.at(-1)).toBe("open");
  });

  it("reconnects with growing pauses and says so once it is back", () => {
    host.last.onclose?.();
    expect(links.at(-1)).toBe("closed");
    host.pass(499);
    expect(host.sockets).toHaveLength(1);
    host.pass(1);
    expect(host.sockets).toHaveLength(2);
    host.last.onclose?.();
    host.pass(999);
    expect(host.sockets).toHaveLength(2);
    host.pass(1);
    expect(reconnects).toBe(0);
    host.last.onopen?.();
    expect([host.sockets.length, reconnects]).toEqual([3, 1]);
    expect(JSON.parse(host.last.sent[0])).toMatchObject(MAP);
  });

  it("leaves the old map behind when another one is wanted", () => {
    const old = host.last;
    stream.subscribe(() => ({ ...MAP, tf: "1h" }));
    expect(old.closed).toBe(true);
    old.onmessage?.({ data: HELLO });
    old.onclose?.();
    host.last.onopen?.();
    expect(messages).toEqual([]);
    expect([host.sockets.length, reconnects]).toEqual([2, 0]);
    expect(JSON.parse(host.last.sent[0])).toMatchObject({ tf: "1h" });
  });

  it("is closed once it is open where it was stopped while it was being opened", () => {
    const { last } = host;
    last.readyState = 0;
    stream.stop();
    expect(last.closed).toBe(false);
    last.onopen?.();
    expect(last.closed).toBe(true);
  });

  it("stays closed once stopped", () => {
    stream.stop();
    host.last.onclose?.();
    host.pass(60_000);
    expect(host.sockets).toHaveLength(1);
    expect(links.at(-1)).toBe("idle");
  });
});

describe("the pause before a reconnect", () => {
  it("doubles up to fifteen seconds, with jitter on top", () => {
    expect([0, 1, 2, 5, 30].map((attempt) => backOffMs(attempt, 0))).toEqual([
      500, 1000, 2000, 15_000, 15_000,
    ]);
    expect(backOffMs(0, 1)).toBeCloseTo(650, 9);
  });
});
