/** The cell under the pointer (or the cell cursor), and the engine's exact answer about it. */
import { computed, effect, signal } from "@preact/signals";
import { getCell } from "../api/endpoints";
import { ApiError } from "../api/http";
import type { CellAnswer } from "../api/types";
import { cellUsd, pick } from "../heat/pick";
import { focus, type Point } from "./focus";
import { mapData } from "./map";
import type { Bar, MapData, MapPlane } from "./mapData";
import { scope, timeframe } from "./view";

export interface CellReading {
  readonly point: Point;
  readonly column: number;
  readonly row: number;
  readonly lowUsd: number;
  readonly highUsd: number;
  readonly longUsd: number;
  readonly shortUsd: number;
  readonly realLongUsd: number;
  readonly realShortUsd: number;
  readonly distanceRatio: number | null;
  /** Right of now: the estimate carried forward. */
  readonly forward: boolean;
}

/** Where the pointer or the cell cursor is. */
export const hover = signal<Point | null>(null);
/** Bar under the pointer, for O H L C. */
export const focusPoint = computed<Point | null>(() => hover.value ?? focus.value);

export const hoverBar = computed<Bar | null>(() => {
  const data = mapData.value;
  if (!data) return null;
  const tMs = focusPoint.value?.tMs;
  if (tMs === undefined) return data.bars.at(-1) ?? null;
  return data.bars[Math.floor((tMs - data.t0Ms) / data.dtMs)] ?? null;
});

/** What the grids themselves say about a point, to the precision of their codes. */
export function readCell(point: Point): CellReading | null {
  const data = mapData.value;
  const grid = data?.grid("synthetic", "long");
  if (!data || !grid) return null;
  const { header } = grid;
  const cell = pick(header, point.tMs, point.priceUsd);
  if (!cell) return null;
  const { column: wanted, row } = cell;
  const column = Math.min(wanted, grid.columns - 1);
  const value = (plane: MapPlane, side: "long" | "short", at = column) => {
    const held = data.grid(plane, side);
    return held ? cellUsd(held, { column: at, row }) : 0;
  };
  const lowUsd = header.price0Usd + row * header.rowUsd;
  const last = data.lastPrice;
  return {
    point,
    column,
    row,
    lowUsd,
    highUsd: lowUsd + header.rowUsd,
    longUsd: value("synthetic", "long"),
    shortUsd: value("synthetic", "short"),
    realLongUsd: value("real", "long", wanted),
    realShortUsd: value("real", "short", wanted),
    distanceRatio: last ? (lowUsd + header.rowUsd / 2) / last - 1 : null,
    forward: wanted > data.nowIndex + data.columnOffset,
  };
}

export const reading = computed(() => (focusPoint.value ? readCell(focusPoint.value) : null));

export type CellDetail =
  | { readonly kind: "none" }
  | { readonly kind: "loading" }
  | { readonly kind: "ready"; readonly answer: CellAnswer }
  | { readonly kind: "error"; readonly message: string };

export const cellDetail = signal<CellDetail>({ kind: "none" });

/** When a column of the grid begins. */
const startOf = (data: MapData, column: number) => data.t0Ms + (column - data.columnOffset) * data.dtMs;

/** The engine's answer about the very cell that is read; `null` while it is asked. */
export const answerHere = computed<CellAnswer | null>(() => {
  const [cell, detail, data] = [reading.value, cellDetail.value, mapData.value];
  if (!cell || !data || detail.kind !== "ready") return null;
  const { answer } = detail;
  const sameRow = Math.abs(answer.price_low_usd - cell.lowUsd) < (cell.highUsd - cell.lowUsd) / 2;
  const later = answer.t_ms - startOf(data, cell.column);
  return sameRow && later >= 0 && later <= data.dtMs ? answer : null;
});

const DEBOUNCE_MS = 160;

/** Ask the engine about the cell once the pointer rests; returns the way to stop. */
export function watchCell(): () => void {
  let timer = 0;
  let abort = new AbortController();
  let asked = "";
  const ask = async (tMs: number, priceUsd: number) => {
    const [scopeNow, tf] = [scope.peek(), timeframe.peek()];
    if (!scopeNow) return;
    abort.abort();
    abort = new AbortController();
    const { signal: stop } = abort;
    try {
      const answer = await getCell(scopeNow, tf, tMs, priceUsd, stop);
      if (!stop.aborted) cellDetail.value = { kind: "ready", answer };
    } catch (error) {
      if (stop.aborted) return;
      if (!(error instanceof ApiError)) throw error;
      cellDetail.value = { kind: "error", message: error.message };
    }
  };
  const stop = effect(() => {
    const point = focusPoint.value;
    const data = mapData.value;
    const cell = point ? readCell(point) : null;
    if (!cell || !data) {
      window.clearTimeout(timer);
      asked = "";
      abort.abort();
      cellDetail.value = { kind: "none" };
      return;
    }
    const key = `${data.scope}|${data.tf}|${cell.column}|${cell.row}`;
    // The same cell may be announced again with every live update: the question is already under way.
    if (key === asked) return;
    window.clearTimeout(timer);
    asked = key;
    const tMs = startOf(data, cell.column);
    timer = window.setTimeout(() => void ask(tMs, (cell.lowUsd + cell.highUsd) / 2), DEBOUNCE_MS);
  });
  return () => {
    stop();
    window.clearTimeout(timer);
    abort.abort();
  };
}
