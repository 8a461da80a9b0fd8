/** Pooled codes through 256-entry colour tables into pixels. No canvas, no DOM. */
import type { Level } from "./pyramid";
import type { HeatWindow } from "./window";

export interface RasterLuts {
  /** Estimate in columns that are still live or lie ahead. */
  readonly live: Uint32Array;
  /** Estimate in columns before `firstLiveCol`. */
  readonly past: Uint32Array;
  /** Events, drawn over the estimate where there are any. */
  readonly events: Uint32Array;
}

export interface RasterInput {
  readonly estimate: Level;
  readonly events: Level | null;
  readonly firstLiveCol: number;
  readonly luts: RasterLuts;
}

/** Colour the window into `out`, top row first: pixel (x, y) is column `column0 + x`, row `row1 - 1 - y`. */
export function rasterWindow(out: Uint32Array, window: HeatWindow, input: RasterInput): void {
  const { column0, column1, row0, row1, timeFactor } = window;
  const width = column1 - column0;
  const height = row1 - row0;
  const { estimate, events, luts } = input;
  const eventCodes = events?.codes ?? null;
  for (let x = 0; x < width; x++) {
    const column = column0 + x;
    const lut = (column + 1) * timeFactor > input.firstLiveCol ? luts.live : luts.past;
    const source = column * estimate.rows + row0;
    let at = (height - 1) * width + x;
    if (eventCodes === null) {
      for (let r = 0; r < height; r++, at -= width) out[at] = lut[estimate.codes[source + r]];
    } else {
      for (let r = 0; r < height; r++, at -= width) {
        const event = luts.events[eventCodes[source + r]];
        out[at] = event !== 0 ? event : lut[estimate.codes[source + r]];
      }
    }
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
    const lut = (column + 1) * window.timeFactor > input.firstLiveCol ? input.luts.live : input.luts.past;
    for (let y = 0; y < from.length; y++) {
      const estimate = lut[hottest(input.estimate, column, from[y], to[y])];
      const event = input.events ? input.luts.events[hottest(input.events, column, from[y], to[y])] : 0;
      out[y * width + x] = event !== 0 ? event : estimate;
    }
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
