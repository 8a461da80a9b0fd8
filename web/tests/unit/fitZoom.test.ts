/** Nothing hot may be lost when the whole map is squeezed onto the screen. */
import { describe, expect, it } from "vitest";
import { market } from "../../dev/market.mjs";
import { sumTable } from "../../src/heat/codes";
import { Pyramid } from "../../src/heat/pyramid";
import { rasterWindow } from "../../src/heat/raster";
import { chooseWindow, type HeatView, type HeatWindow } from "../../src/heat/window";

const CODES = Uint32Array.from({ length: 256 }, (_, code) => code);
const [WIDTH, HEIGHT] = [660, 375];
const HOTTEST = 0.001;

/** What a canvas shows of a small picture stretched over it without smoothing: the texel under each pixel's centre. */
function stretched(view: HeatView, window: HeatWindow, texels: Uint32Array): Uint32Array {
  const [cellW, cellH] = [view.columnPx * window.timeFactor, view.rowPx * window.priceFactor];
  const left = view.column0Px + window.column0 * cellW;
  const top = view.row0Px - window.row1 * cellH;
  const width = window.column1 - window.column0;
  const out = new Uint32Array(WIDTH * HEIGHT);
  for (let y = 0; y < HEIGHT; y++)
    for (let x = 0; x < WIDTH; x++) {
      const [column, row] = [Math.floor((x + 0.5 - left) / cellW), Math.floor((y + 0.5 - top) / cellH)];
      const inside = column >= 0 && column < width && row >= 0 && row < window.row1 - window.row0;
      out[y * WIDTH + x] = inside ? texels[row * width + column] : 0;
    }
  return out;
}

/** Is anything at least as hot drawn where the cell lies, or at most one pixel beside it? */
function shown(view: HeatView, picture: Uint32Array, column: number, row: number, code: number): boolean {
  const x0 = Math.max(0, Math.floor(view.column0Px + column * view.columnPx) - 1);
  const x1 = Math.min(WIDTH - 1, Math.ceil(view.column0Px + (column + 1) * view.columnPx));
  const y0 = Math.max(0, Math.floor(view.row0Px - (row + 1) * view.rowPx) - 1);
  const y1 = Math.min(HEIGHT - 1, Math.ceil(view.row0Px - row * view.rowPx));
  for (let y = y0; y <= y1; y++)
    for (let x = x0; x <= x1; x++) if (picture[y * WIDTH + x] >= code) return true;
  return false;
}

describe("a whole map on the screen", () => {
  const map = market("BTC", "5m");
  const { synthetic } = map.planes;
  const both = sumTable(synthetic, synthetic, synthetic);
  const codes = synthetic.long.map((code, i) => both[code * 256 + synthetic.short[i]]);
  const columns = codes.length / map.rows;
  const view: HeatView = {
    widthPx: WIDTH,
    heightPx: HEIGHT,
    columnPx: WIDTH / columns,
    column0Px: 0,
    rowPx: HEIGHT / map.rows,
    row0Px: HEIGHT,
  };
  const order = Uint8Array.from(codes).sort();
  const least = order[Math.floor(order.length * (1 - HOTTEST))];
  const hot = [...codes.keys()].filter((i) => codes[i] >= least);

  const missing = (picture: Uint32Array) =>
    hot.filter((i) => !shown(view, picture, Math.floor(i / map.rows), i % map.rows, codes[i])).length;

  it("is smaller than its cells in both directions, so cells must share pixels", () => {
    expect(view.columnPx).toBeLessThan(0.7);
    expect(view.rowPx).toBeLessThan(0.7);
    expect(hot.length).toBeGreaterThan(500);
  });

  it("shows every one of the hottest thousandth of its cells", () => {
    const window = chooseWindow(view, columns, map.rows, 0);
    if (!window) throw new Error("the map must be visible");
    const texels = new Uint32Array((window.column1 - window.column0) * (window.row1 - window.row0));
    const level = new Pyramid(codes, columns, map.rows).level(window.timeFactor, window.priceFactor);
    rasterWindow(texels, window, { level, firstLiveCol: 0, live: CODES, past: CODES });
    expect(missing(stretched(view, window, texels))).toBe(0);
  });

  it("would lose many of them without pooling, as this test can tell", () => {
    const window: HeatWindow = {
      timeFactor: 1,
      priceFactor: 1,
      column0: 0,
      column1: columns,
      row0: 0,
      row1: map.rows,
    };
    const texels = new Uint32Array(columns * map.rows);
    const level = new Pyramid(codes, columns, map.rows).level(1, 1);
    rasterWindow(texels, window, { level, firstLiveCol: 0, live: CODES, past: CODES });
    expect(missing(stretched(view, window, texels))).toBeGreaterThan(20);
  });
});
