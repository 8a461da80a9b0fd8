// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Plane, Side } from "../../src/heat/format";
import { mapData, mapFeed, mapState, mapTick } from "../../src/state/map";
import { measuredEnds } from "../../src/state/scale";
import { encodeFrame, encodeSnapshot, snapshot } from "./encode";

/** An engine of one map: three columns of two rows, and a socket the test speaks through. */
class FakeEngine {
  seq = 10;
  broken = false;
  legendLoUsd = 2000;
  readonly asked: string[] = [];
  readonly subscriptions: { after_seq: Record<string, number> }[] = [];
  socket: {
    onopen?: () => void;
    onmessage?: (event: { data: unknown }) => void;
    send(text: string): void;
  } | null = null;

  answer(url: string): Response {
    const path = new URL(url).pathname.split("/api/v1/")[1];
    this.asked.push(path.split("/")[0]);
    if (this.broken && path.startsWith("heat")) {
      const problem = { title: "gone", status: 503, detail: "The map is being rebuilt.", hint: "Wait." };
      return new Response(JSON.stringify(problem), { status: 503 });
    }
    if (path.startsWith("heat")) {
      const side = new URL(url).searchParams.get("side") as Side;
      const plane = path.split("/").at(-1)?.replace(".bin", "") as Plane;
      const columns = [
        [1, 2],
        [3, 4],
        [5, 6],
      ];
      return new Response(encodeSnapshot(snapshot(columns, { plane, side, seq: this.seq })));
    }
    if (path.startsWith("legend"))
      return Response.json({ lo_usd: this.legendLoUsd, hi_usd: 90_000, from_ms: 1, to_ms: 2 });
    if (path.startsWith("profile")) return Response.json({ prices_usd: [] });
    const three = [1, 1, 1];
    const series = { open: three, high: three, low: three, close: three };
    const flows = { volume_usd: three, long_usd: [0, null, 2], short_usd: three };
    const axis = { t0_ms: 1_770_000_000_000, dt_ms: 300_000, seq: this.seq, n: 3, n_closed: 2 };
    return Response.json({ ...axis, ...series, ...flows });
  }

  say(message: object): void {
    this.socket?.onmessage?.({ data: JSON.stringify(message) });
  }

  frame(seq: number, column: number, code: number, sub = 3): void {
    this.socket?.onmessage?.({ data: encodeFrame({ seq, column, sub, changes: [[0, code]] }) });
  }
}

const settle = () => vi.waitFor(() => expect(mapState.value.kind).not.toBe("loading"));

describe("the map feed", () => {
  let engine: FakeEngine;

  beforeEach(async () => {
    engine = new FakeEngine();
    vi.stubGlobal("fetch", async (url: URL) => engine.answer(String(url)));
    vi.stubGlobal(
      "WebSocket",
      class {
        onopen?: () => void;
        onmessage?: (event: { data: unknown }) => void;
        constructor() {
          engine.socket = this;
        }
        send(text: string): void {
          engine.subscriptions.push(JSON.parse(text));
        }
        close(): void {}
      },
    );
    mapFeed.open("BTC", "5m");
    await settle();
    engine.socket?.onopen?.();
    engine.say({
      type: "subscribed",
      sub: 3,
      scope: "BTC",
      tf: "5m",
      plane: "synthetic",
      side: "long",
      seq: 10,
    });
  });

  afterEach(() => {
    mapFeed.close();
    vi.unstubAllGlobals();
  });

  const cell = (t: number) => mapData.value?.grid("synthetic", "long")?.code(t, 0);
  const heatRequests = () => engine.asked.filter((name) => name === "heat").length;

  it("fetches all six planes once, and takes the scale from the engine", () => {
    expect(mapState.value).toEqual({ kind: "ready" });
    expect(heatRequests()).toBe(6);
    expect(measuredEnds.value.estimate).toEqual({ loUsd: 2000, hiUsd: 90_000 });
    expect(mapData.value?.bars[1]).toMatchObject({ close: 1, longUsd: null });
  });

  it("never starts the scale below what a code can tell apart", async () => {
    engine.legendLoUsd = 0.002;
    mapFeed.retry();
    await vi.waitFor(() => expect(measuredEnds.value.estimate).toEqual({ loUsd: 1000, hiUsd: 90_000 }));
  });

  it("subscribes from the numbers of the snapshots on", () => {
    expect(engine.subscriptions).toHaveLength(1);
    expect(engine.subscriptions[0]).toMatchObject({
      scope: "BTC",
      tf: "5m",
      planes: ["real", "synthetic", "smooth"],
    });
    expect(engine.subscriptions[0].after_seq).toMatchObject({ "synthetic/long": 10, "real/short": 10 });
    expect(Object.keys(engine.subscriptions[0].after_seq)).toHaveLength(6);
  });

  it("applies frames at once and redraws once per animation frame", async () => {
    const before = mapTick.value;
    engine.frame(11, 2, 77);
    engine.frame(12, 3, 78);
    engine.frame(13, 3, 79);
    expect([cell(2), cell(3)]).toEqual([77, 79]);
    await vi.waitFor(() => expect(mapTick.value).toBe(before + 1));
    expect(heatRequests()).toBe(6);
  });

  it("fetches the map again after a sequence gap, and then goes on", async () => {
    engine.seq = 20;
    engine.frame(15, 2, 99);
    expect(cell(2)).toBe(5);
    await vi.waitFor(() => expect(heatRequests()).toBe(12));
    await vi.waitFor(() => expect(mapData.value?.grid("synthetic", "long")?.seq).toBe(20));
    engine.frame(21, 2, 101);
    expect(cell(2)).toBe(101);
  });

  it("fetches the map again when the engine says resync", async () => {
    engine.say({ type: "resync", sub: 99 });
    engine.say({ type: "resync", sub: 3 });
    await vi.waitFor(() => expect(heatRequests()).toBe(12));
  });

  it("keeps frames that arrive while the snapshots travel", async () => {
    mapFeed.retry();
    engine.frame(11, 2, 55);
    await vi.waitFor(() => expect(cell(2)).toBe(55));
    expect(heatRequests()).toBe(12);
  });

  it("ignores frames of a subscription that is not its own", () => {
    engine.frame(11, 2, 66, 8);
    expect(cell(2)).toBe(5);
  });

  it("replaces the forming candle and appends the next", () => {
    const t0 = 1_770_000_000_000;
    const candle = {
      type: "candle",
      scope: "BTC",
      tf: "5m",
      o: 1,
      h: 3,
      l: 1,
      volume_usd: 1,
      long_usd: 0,
      short_usd: 0,
    };
    engine.say({ ...candle, index: 2, t_ms: t0 + 600_000, c: 2.5, closed: true });
    engine.say({ ...candle, index: 3, t_ms: t0 + 900_000, c: 2.75, closed: false });
    expect(mapData.value?.bars.map((bar) => bar.close)).toEqual([1, 1, 2.5, 2.75]);
    expect(mapData.value?.lastPrice).toBe(2.75);
  });

  it("says what is wrong and can try again", async () => {
    engine.broken = true;
    mapFeed.open("BTC", "1h");
    await settle();
    expect(mapState.value).toEqual({ kind: "error", message: "The map is being rebuilt.", hint: "Wait." });
    engine.broken = false;
    mapFeed.retry();
    await vi.waitFor(() => expect(mapState.value.kind).toBe("ready"));
  });
});
