import { describe, expect, it } from "vitest";
import { pick } from "../../src/heat/pick";
import { Pyramid } from "../../src/heat/pyramid";
import { rasterRows, rasterWindow } from "../../src/heat/raster";
import { chooseWindow, contains, type HeatView, poolFactor } from "../../src/heat/window";
import { seeded } from "./encode";

function randomGrid(columns: number, rows: number, seed: number): Pyramid {
  const next = seeded(seed);
  const base = Uint8Array.from({ length: columns * rows }, () =>
    next() < 0.7 ? 0 : Math.floor(next() * 256),
  );
  return new Pyramid(base, columns, rows);
}

/** Slow and obvious: the hottest base cell of every pooled cell. */
function naivePooled(
  grid: Pyramid,
  timeFactor: number,
  priceFactor: number,
  column: number,
  row: number,
): number {
  let best = 0;
  for (let t = column * timeFactor; t < Math.min((column + 1) * timeFactor, grid.columns); t++)
    for (let p = row * priceFactor; p < Math.min((row + 1) * priceFactor, grid.rows); p++)
      best = Math.max(best, grid.base[t * grid.rows + p]);
  return best;
}

function randomView(next: () => number): HeatView {
  const columnPx = 10 ** (next() * 3 - 1.5);
  const rowPx = 10 ** (next() * 3 - 1.5);
  return {
    widthPx: 200 + next() * 1500,
    heightPx: 150 + next() * 900,
    columnPx,
    column0Px: (next() - 0.5) * 2000,
    rowPx,
    row0Px: next() * 1500,
  };
}

const LIVE = Uint32Array.from({ length: 256 }, (_, code) => code * 3 + 1);
const PAST = Uint32Array.from({ length: 256 }, (_, code) => code * 5 + 2);

describe("pooled levels", () => {
  it("hold the maximum of what they cover, for sizes that do not divide", () => {
    const grid = randomGrid(37, 53, 1);
    for (const [ft, fp] of [
      [1, 1],
      [2, 1],
      [1, 4],
      [8, 2],
      [64, 64],
    ]) {
      const level = grid.level(ft, fp);
      for (let t = 0; t < level.columns; t++)
        for (let p = 0; p < level.rows; p++)
          expect(level.codes[t * level.rows + p]).toBe(naivePooled(grid, ft, fp, t, p));
    }
  });

  it("follow changed columns, also when a maximum goes away", () => {
    const grid = randomGrid(40, 20, 2);
    const level = grid.level(4, 2);
    grid.base.fill(0, 17 * 20, 18 * 20);
    grid.base[17 * 20 + 3] = 255;
    grid.update(17, 18);
    for (let p = 0; p < level.rows; p++)
      expect(level.codes[4 * level.rows + p]).toBe(naivePooled(grid, 4, 2, 4, p));
  });
});

describe("the window of a view", () => {
  it("pools just enough for one device pixel", () => {
    expect([4, 1, 0.9, 0.5, 0.3, 0.01].map(poolFactor)).toEqual([1, 1, 2, 2, 4, 128]);
  });

  it("holds every visible cell, and the margin lets small pans reuse it", () => {
    const next = seeded(4);
    for (let i = 0; i < 300; i++) {
      const view = randomView(next);
      const exact = chooseWindow(view, 700, 400, 0);
      const wide = chooseWindow(view, 700, 400);
      expect(exact === null || (wide !== null && contains(wide, exact))).toBe(true);
    }
  });

  it("reaches about one and a half screens of texels at most", () => {
    const next = seeded(5);
    for (let i = 0; i < 300; i++) {
      const view = randomView(next);
      const window = chooseWindow(view, 5000, 2000);
      if (!window) continue;
      expect(window.column1 - window.column0).toBeLessThanOrEqual(view.widthPx * 1.5 + 3);
      expect(window.row1 - window.row0).toBeLessThanOrEqual(view.heightPx * 1.5 + 3);
    }
  });

  it("is nothing when the grid is off screen or has no size", () => {
    const view = { widthPx: 100, heightPx: 100, columnPx: 5, rowPx: 5, column0Px: 500, row0Px: 50 };
    expect(chooseWindow(view, 10, 10, 0)).toBeNull();
    expect(chooseWindow({ ...view, column0Px: 0 }, 0, 10)).toBeNull();
    expect(chooseWindow({ ...view, columnPx: 0 }, 10, 10)).toBeNull();
  });
});

describe("the windowed raster", () => {
  it("equals the naive one on random views", () => {
    const next = seeded(6);
    const grid = randomGrid(300, 170, 7);
    let compared = 0;
    for (let i = 0; i < 60; i++) {
      const window = chooseWindow(randomView(next), grid.columns, grid.rows);
      if (!window) continue;
      const width = window.column1 - window.column0;
      const height = window.row1 - window.row0;
      const firstLiveCol = Math.floor(next() * 300);
      const out = new Uint32Array(width * height);
      const level = grid.level(window.timeFactor, window.priceFactor);
      rasterWindow(out, window, { level, firstLiveCol, live: LIVE, past: PAST });
      const expected = out.map((_, at) => {
        const column = window.column0 + (at % width);
        const row = window.row1 - 1 - Math.floor(at / width);
        const lastBase = Math.min((column + 1) * window.timeFactor, grid.columns + window.timeFactor) - 1;
        const code = naivePooled(grid, window.timeFactor, window.priceFactor, column, row);
        return (lastBase >= firstLiveCol ? LIVE : PAST)[code];
      });
      expect(out).toEqual(expected);
      compared += out.length;
    }
    expect(compared).toBeGreaterThan(100_000);
  });

  it("by device rows equals the naive one when the price axis is curved", () => {
    const grid = randomGrid(64, 90, 8);
    const window = { timeFactor: 2, priceFactor: 1, column0: 3, column1: 20, row0: 0, row1: 90 };
    const height = 70;
    const rowAt = (y: number) => 95 * 0.97 ** y - 3;
    const from = Int32Array.from({ length: height }, (_, y) => Math.floor(rowAt(y + 1)));
    const to = from.map((low, y) => Math.max(low, Math.ceil(rowAt(y)) - 1));
    const out = new Uint32Array(17 * height);
    rasterRows(out, window, from, to, { level: grid.level(2, 1), firstLiveCol: 0, live: LIVE, past: PAST });
    for (let y = 0; y < height; y++)
      for (let x = 0; x < 17; x++) {
        let best = 0;
        for (let p = Math.max(0, from[y]); p <= Math.min(89, to[y]); p++)
          best = Math.max(best, naivePooled(grid, 2, 1, 3 + x, p));
        expect(out[y * 17 + x]).toBe(LIVE[best]);
      }
  });

  it("shows every one of the hottest cells when the whole map is squeezed onto the screen", () => {
    const grid = randomGrid(2000, 300, 9);
    for (let p = 7; p < 300; p += 41) grid.base.fill(255, 900 * 300 + p, 900 * 300 + p + 1);
    const view = { widthPx: 640, heightPx: 100, columnPx: 0.32, rowPx: 1 / 3, column0Px: 0, row0Px: 100 };
    const window = chooseWindow(view, 2000, 300, 0);
    if (!window) throw new Error("the map must be visible");
    const width = window.column1 - window.column0;
    const out = new Uint32Array(width * (window.row1 - window.row0));
    const level = grid.level(window.timeFactor, window.priceFactor);
    rasterWindow(out, window, { level, firstLiveCol: 0, live: LIVE, past: PAST });
    const x = Math.floor(900 / window.timeFactor);
    for (let p = 7; p < 300; p += 41) {
      const y = window.row1 - 1 - Math.floor(p / window.priceFactor);
      expect(out[y * width + x]).toBe(LIVE[255]);
    }
  });
});

describe("picking", () => {
  const axes = { t0Ms: 1_770_000_000_000, dtMs: 300_000, price0Usd: 90_000, rowUsd: 50, rows: 40 };

  it("returns the cell whose rectangle holds the point", () => {
    const next = seeded(10);
    for (let i = 0; i < 500; i++) {
      const [column, row] = [Math.floor(next() * 50), Math.floor(next() * 40)];
      const tMs = axes.t0Ms + (column + 0.999 * next()) * axes.dtMs;
      const price = axes.price0Usd + (row + 0.999 * next()) * axes.rowUsd;
      expect(pick(axes, tMs, price)).toEqual({ column, row });
    }
  });

  it("puts an edge into the cell above and to the right of it, also where prices are fractions", () => {
    expect(pick(axes, axes.t0Ms + axes.dtMs, 90_050)).toEqual({ column: 1, row: 1 });
    const cents = { ...axes, price0Usd: 186.3, rowUsd: 0.1, rows: 1000 };
    for (let row = 0; row < 1000; row++) expect(pick(cents, axes.t0Ms, 186.3 + row * 0.1)?.row).toBe(row);
  });

  it("finds nothing above, below and left of the grid, and goes on to the right", () => {
    expect(pick(axes, axes.t0Ms - 1, 90_000)).toBeNull();
    expect(pick(axes, axes.t0Ms, 89_999)).toBeNull();
    expect(pick(axes, axes.t0Ms, 92_000)).toBeNull();
    expect(pick(axes, axes.t0Ms + 1e9, 90_000)?.column).toBe(3333);
  });
});
