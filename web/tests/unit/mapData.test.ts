import { describe, expect, it } from "vitest";
import type { Candles } from "../../src/api/types";
import { codeToUsd } from "../../src/heat/codes";
import { decodeSnapshot } from "../../src/heat/format";
import { MAP_PLANES, MAP_SIDES, MapData } from "../../src/state/mapData";
import { encodeSnapshot, SNAPSHOT, snapshot } from "./encode";

function map(columns: number[][]): MapData {
  const heats = MAP_PLANES.flatMap((plane) =>
    MAP_SIDES.map((side) => decodeSnapshot(encodeSnapshot(snapshot(columns, { plane, side })))),
  );
  const ones = columns.map(() => 1);
  const { t0Ms, dtMs } = heats[0];
  const series = { open: ones, high: ones, low: ones, close: ones, volume_usd: ones };
  const candles = { t0_ms: t0Ms, dt_ms: dtMs, seq: 1, n: ones.length, n_closed: ones.length - 1, ...series };
  return new MapData(
    "BTC",
    "5m",
    { ...candles, long_usd: ones, short_usd: ones } as unknown as Candles,
    heats,
  );
}

/** Both sides together, whose codes are a few percent apart. */
const both = (code: number) => 2 * codeToUsd(code, SNAPSHOT);

describe("the ends of a colour scale", () => {
  it("rest on closed columns alone", () => {
    const data = map([
      [10, 20, 30, 40],
      [200, 210, 220, 230],
    ]);
    expect(data.hasClosed).toBe(true);
    const ends = data.endsOf("synthetic", 0, 1);
    expect((ends?.hiUsd ?? 0) / both(40)).toBeCloseTo(1, 1);
  });

  it("rest on what is forming while nothing has closed, so that a young map is drawn", () => {
    const data = map([[10, 20, 30, 40]]);
    expect(data.hasClosed).toBe(false);
    const ends = data.endsOf("synthetic", 0, 1);
    expect((ends?.hiUsd ?? 0) / both(40)).toBeCloseTo(1, 1);
  });

  it("are not made up where there is nothing", () => {
    expect(map([[0, 0, 0, 0]]).endsOf("synthetic", 0, 1)).toBeNull();
  });
});
