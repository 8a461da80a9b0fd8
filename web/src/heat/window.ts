/** Which part of which pooled level a view needs, with a margin so that small pans reuse the picture. */

/** Where the base grid lies on the canvas, in device pixels. */
export interface HeatView {
  readonly widthPx: number;
  readonly heightPx: number;
  /** Left edge of column 0 and width of one column. */
  readonly column0Px: number;
  readonly columnPx: number;
  /** Lower edge of row 0 and height of one row (upwards). */
  readonly row0Px: number;
  readonly rowPx: number;
}

export interface HeatWindow {
  readonly timeFactor: number;
  readonly priceFactor: number;
  /** Pooled cells `[column0, column1) x [row0, row1)`. */
  readonly column0: number;
  readonly column1: number;
  readonly row0: number;
  readonly row1: number;
}

const MARGIN = 0.25;

/** Smallest power of two that makes one pooled cell at least a device pixel. */
export function poolFactor(cellPx: number): number {
  let factor = 1;
  while (factor * cellPx < 1 && factor < 1 << 20) factor *= 2;
  return factor;
}

function clip(from: number, to: number, count: number): [number, number] {
  return [Math.max(0, Math.min(count, from)), Math.max(0, Math.min(count, to))];
}

/** The window for a view over a grid of `columns` x `rows`; `null` when nothing of the grid is visible. */
export function chooseWindow(
  view: HeatView,
  columns: number,
  rows: number,
  margin = MARGIN,
): HeatWindow | null {
  if (!(view.columnPx > 0) || !(view.rowPx > 0) || columns === 0 || rows === 0) return null;
  const timeFactor = poolFactor(view.columnPx);
  const priceFactor = poolFactor(view.rowPx);
  const span = (cells: number, factor: number, from: number, to: number): [number, number] => {
    const pad = (to - from) * margin;
    const count = Math.ceil(cells / factor);
    return clip(Math.floor((from - pad) / factor), Math.ceil((to + pad) / factor), count);
  };
  const left = -view.column0Px / view.columnPx;
  const bottom = (view.row0Px - view.heightPx) / view.rowPx;
  const [column0, column1] = span(columns, timeFactor, left, left + view.widthPx / view.columnPx);
  const [row0, row1] = span(rows, priceFactor, bottom, bottom + view.heightPx / view.rowPx);
  if (column0 >= column1 || row0 >= row1) return null;
  return { timeFactor, priceFactor, column0, column1, row0, row1 };
}

/** Does `outer` hold everything `inner` shows, at the same pooling? */
export function contains(outer: HeatWindow, inner: HeatWindow): boolean {
  return (
    outer.timeFactor === inner.timeFactor &&
    outer.priceFactor === inner.priceFactor &&
    outer.column0 <= inner.column0 &&
    outer.column1 >= inner.column1 &&
    outer.row0 <= inner.row0 &&
    outer.row1 >= inner.row1
  );
}
