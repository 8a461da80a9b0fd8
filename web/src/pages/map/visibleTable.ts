/** The visible part of the map cut into a few blocks of time and price: the hottest cell of each, as the picture shows. */
import { type CodeRange, codeToUsd } from "../../heat/codes";
import type { HeatGrid } from "../../heat/grid";
import type { MapData, MapPlane } from "../../state/mapData";
import type { Mode } from "../../state/url";

export interface Block {
  readonly longUsd: number;
  readonly shortUsd: number;
}

export interface VisibleTable {
  /** Start of each block of columns, ms UTC, oldest first. */
  readonly timesMs: readonly number[];
  /** Price bands, highest first. */
  readonly bands: readonly {
    readonly lowUsd: number;
    readonly highUsd: number;
    readonly blocks: readonly Block[];
  }[];
}

export interface Visible {
  readonly fromBar: number;
  readonly toBar: number;
  readonly lowUsd: number;
  readonly highUsd: number;
}

const PLANES: Readonly<Record<Mode, MapPlane>> = {
  raw: "real",
  synthetic: "synthetic",
  smooth: "smooth",
  hybrid: "synthetic",
};

/** `[from, to)` in at most `most` stretches of equal length; the last may be shorter. */
export function stretches(from: number, to: number, most: number): [number, number][] {
  const step = Math.max(1, Math.ceil((to - from) / most));
  const out: [number, number][] = [];
  for (let at = from; at < to; at += step) out.push([at, Math.min(to, at + step)]);
  return out;
}

function hottest(grid: HeatGrid, columns: [number, number], rows: [number, number]): number {
  let most = 0;
  for (let t = columns[0]; t < columns[1]; t++)
    for (let p = rows[0]; p < rows[1]; p++) most = Math.max(most, grid.code(t, p));
  return codeToUsd(most, grid.header as CodeRange);
}

/** `null` where nothing of the map is in view. */
export function visibleTable(
  data: MapData,
  mode: Mode,
  view: Visible,
  mostTimes = 6,
  mostBands = 18,
): VisibleTable | null {
  const plane = PLANES[mode];
  const [long, short] = [data.grid(plane, "long"), data.grid(plane, "short")];
  if (!long || !short || !(view.highUsd > view.lowUsd)) return null;
  const { price0Usd, rowUsd, rows } = long.header;
  const rowOf = (price: number) => Math.floor((price - price0Usd) / rowUsd);
  const clamp = (value: number, most: number) => Math.max(0, Math.min(most, value));
  const columns = Math.min(long.columns, short.columns);
  const from = clamp(Math.floor(view.fromBar) + data.columnOffset, columns);
  const to = clamp(Math.ceil(view.toBar) + 1 + data.columnOffset, columns);
  const [low, high] = [clamp(rowOf(view.lowUsd), rows), clamp(rowOf(view.highUsd) + 1, rows)];
  if (to <= from || high <= low) return null;
  const times = stretches(from, to, mostTimes);
  const bands = stretches(low, high, mostBands).reverse();
  return {
    timesMs: times.map(([start]) => data.t0Ms + (start - data.columnOffset) * data.dtMs),
    bands: bands.map((band) => ({
      lowUsd: price0Usd + band[0] * rowUsd,
      highUsd: price0Usd + band[1] * rowUsd,
      blocks: times.map((span) => ({
        longUsd: hottest(long, span, band),
        shortUsd: hottest(short, span, band),
      })),
    })),
  };
}
