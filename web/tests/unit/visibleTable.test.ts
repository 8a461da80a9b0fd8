import { describe, expect, it } from "vitest";
import type { Candles } from "../../src/api/types";
import { codeToUsd } from "../../src/heat/codes";
import { decodeSnapshot } from "../../src/heat/format";
import { visibleTable } from "../../src/pages/map/visibleTable";
import { MAP_PLANES, MAP_SIDES, MapData } from "../../src/state/mapData";
import { encodeSnapshot, snapshot } from "./encode";

/** Four columns of four rows; the hottest cell of the long side is column 2, row 1. */
const COLUMNS = [
  [1, 2, 0, 0],
  [3, 4, 0, 0],
  [5, 250, 0, 0],
  [7, 8, 0, 9],
];

function map(): MapData {
  const heats = MAP_PLANES.flatMap((plane) =>
    MAP_SIDES.map((side) => decodeSnapshot(encodeSnapshot(snapshot(COLUMNS, { plane, side })))),
  );
  const four = [1, 1, 1, 1];
  const { t0Ms, dtMs } = heats[0];
  const series = { open: four, high: four, low: four, close: four, volume_usd: four };
  const candles = { t0_ms: t0Ms, dt_ms: dtMs, seq: 1, n: 4, n_closed: 3, ...series };
  return new MapData(
    "BTC",
    "5m",
    { ...candles, long_usd: four, short_usd: four } as unknown as Candles,
    heats,
  );
}

describe("the visible map as a table", () => {
  const data = map();
  const { price0Usd, rowUsd } = data.grid("synthetic", "long")?.header ?? { price0Usd: 0, rowUsd: 1 };
  const all = { fromBar: 0, toBar: 3, lowUsd: price0Usd, highUsd: price0Usd + 4 * rowUsd - 1e-6 };

  it("has the hottest cell of each block, highest prices first", () => {
    const table = visibleTable(data, "synthetic", all, 2, 2);
    const header = data.grid("synthetic", "long")?.header;
    if (!table || !header) throw new Error("no table");
    expect(table.timesMs).toEqual([data.t0Ms, data.t0Ms + 2 * data.dtMs]);
    expect(table.bands.map((band) => band.lowUsd)).toEqual([price0Usd + 2 * rowUsd, price0Usd]);
    const codes = table.bands.map((band) => band.blocks.map((block) => block.longUsd));
    expect(codes).toEqual([
      [0, codeToUsd(9, header)],
      [codeToUsd(4, header), codeToUsd(250, header)],
    ]);
  });

  it("covers only what is in view", () => {
    const part = visibleTable(data, "hybrid", {
      ...all,
      fromBar: 1,
      toBar: 1,
      highUsd: price0Usd + rowUsd / 2,
    });
    expect(part?.timesMs).toEqual([data.t0Ms + data.dtMs]);
    expect(part?.bands).toHaveLength(1);
  });

  it("is nothing where the map is out of view", () => {
    expect(visibleTable(data, "raw", { ...all, lowUsd: 1, highUsd: 2 })).toBeNull();
    expect(visibleTable(data, "raw", { ...all, fromBar: 40, toBar: 50 })).toBeNull();
  });
});
