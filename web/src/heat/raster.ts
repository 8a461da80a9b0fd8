/** Pooled codes through 256-entry colour tables into pixels. No canvas, no DOM. */
import type { Level } from "./pyramid";
import type { HeatWindow } from "./window";

export interface RasterInput {
  readonly level: Level;
  /** Columns of the base grid from here on take `live`, those before it `past`. */
  readonly firstLiveCol: number;
  readonly live: Uint32Array;
  readonly past: Uint32Array;
}

/** A pooled column is live as soon as one of the columns it covers is. */
function lutOf(column: number, { level, firstLiveCol, live, past }: RasterInput): Uint32Array {
  return (column + 1) * level.timeFactor > firstLiveCol ? live : past;
}

/** Colour the window into `out`, top row first: pixel (x, y) is column `column0 + x`, row `row1 - 1 - y`. */
export function rasterWindow(out: Uint32Array, window: HeatWindow, input: RasterInput): void {
  const { column0, column1, row0, row1 } = window;
  const width = column1 - column0;
  const height = row1 - row0;
  const { codes, rows } = input.level;
  for (let x = 0; x < width; x++) {
    const lut = lutOf(column0 + x, input);
    const source = (column0 + x) * rows + row0;
    let at = (height - 1) * width + x;
    for (let r = 0; r < height; r++, at -= width) out[at] = lut[codes[source + r]];
  }
}

/**
 * The same for a price axis that is not linear: output row y shows the hottest of the pooled rows
 * `from[y]..to[y]` (inclusive, `from > to` leaves the row empty).
 */
export function rasterRows(
  out: Uint32Array,
  window: HeatWindow,
  from: Int32Array,
  to: Int32Array,
  input: RasterInput,
): void {
  const width = window.column1 - window.column0;
  for (let x = 0; x < width; x++) {
    const column = window.column0 + x;
    const lut = lutOf(column, input);
    for (let y = 0; y < from.length; y++)
      out[y * width + x] = lut[hottest(input.level, column, from[y], to[y])];
  }
}

function hottest(level: Level, column: number, from: number, to: number): number {
  const base = column * level.rows;
  let best = 0;
  for (let row = Math.max(0, from); row <= to && row < level.rows; row++) {
    const code = level.codes[base + row];
    if (code > best) best = code;
  }
  return best;
}
