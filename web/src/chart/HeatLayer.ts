/** The picture of the map: a small canvas coloured through a table, stretched over the chart. One of possibly several backends. */
import type { ComposedGrid } from "../heat/compose";
import { type RasterInput, rasterRows, rasterWindow } from "../heat/raster";
import { chooseWindow, contains, type HeatView, type HeatWindow } from "../heat/window";

export interface HeatScene {
  readonly grid: ComposedGrid;
  readonly live: Uint32Array;
  readonly past: Uint32Array;
  readonly firstLiveCol: number;
  /** Blend neighbouring cells; only for the plane that is smooth by construction. */
  readonly smooth: boolean;
}

/** Row coordinate (fractional, base rows) at a device pixel, for price axes that are not linear. */
export type RowAt = (yPx: number) => number;

export class HeatLayer {
  private readonly canvas = document.createElement("canvas");
  private scene: HeatScene | null = null;
  private window: HeatWindow | null = null;
  private rowsKey = "";

  /** New data, palette or cut-off: the next draw colours the window again. */
  setScene(scene: HeatScene | null): void {
    this.scene = scene;
    this.window = null;
  }

  draw(ctx: CanvasRenderingContext2D, view: HeatView, rowAt: RowAt | null): void {
    const { scene } = this;
    if (!scene) return;
    const { columns, rows } = scene.grid;
    const exact = chooseWindow(view, columns, rows, 0);
    if (!exact) return;
    ctx.imageSmoothingEnabled = scene.smooth;
    if (rowAt) this.drawCurved(ctx, view, exact, rowAt);
    else this.drawLinear(ctx, view, exact);
  }

  private drawLinear(ctx: CanvasRenderingContext2D, view: HeatView, exact: HeatWindow): void {
    const scene = this.scene as HeatScene;
    if (!this.window || this.rowsKey !== "" || !contains(this.window, exact)) {
      const window = chooseWindow(view, scene.grid.columns, scene.grid.rows) ?? exact;
      this.rowsKey = "";
      this.paint(window, window.row1 - window.row0, (out) => rasterWindow(out, window, this.input(window)));
    }
    const window = this.window as unknown as HeatWindow;
    const cellW = view.columnPx * window.timeFactor;
    const cellH = view.rowPx * window.priceFactor;
    const top = view.row0Px - window.row1 * cellH;
    const left = view.column0Px + window.column0 * cellW;
    this.blit(ctx, left, top, cellW * this.canvas.width, cellH * this.canvas.height);
  }

  /** Log price axis: one texel row per device row, the hottest base row that falls on it. */
  private drawCurved(ctx: CanvasRenderingContext2D, view: HeatView, exact: HeatWindow, rowAt: RowAt): void {
    const height = Math.round(view.heightPx);
    const key = `${height}|${rowAt(0).toFixed(3)}|${rowAt(height).toFixed(3)}`;
    const flat = { ...exact, priceFactor: 1 };
    const reusable =
      this.window &&
      this.rowsKey === key &&
      contains({ ...this.window, row0: 0, row1: 1 }, { ...flat, row0: 0, row1: 1 });
    if (!reusable) {
      const scene = this.scene as HeatScene;
      const wide = chooseWindow(view, scene.grid.columns, scene.grid.rows) ?? exact;
      const window = { ...wide, priceFactor: 1 };
      const from = new Int32Array(height);
      const to = new Int32Array(height);
      for (let y = 0; y < height; y++) {
        from[y] = Math.floor(rowAt(y + 1));
        to[y] = Math.max(from[y], Math.ceil(rowAt(y)) - 1);
      }
      this.rowsKey = key;
      this.paint(window, height, (out) => rasterRows(out, window, from, to, this.input(window)));
    }
    const window = this.window as unknown as HeatWindow;
    const cellW = view.columnPx * window.timeFactor;
    this.blit(ctx, view.column0Px + window.column0 * cellW, 0, cellW * this.canvas.width, height);
  }

  private input(window: HeatWindow): RasterInput {
    const { grid, live, past, firstLiveCol } = this.scene as HeatScene;
    return { level: grid.pyramid.level(window.timeFactor, window.priceFactor), live, past, firstLiveCol };
  }

  private paint(window: HeatWindow, height: number, raster: (out: Uint32Array) => void): void {
    const width = window.column1 - window.column0;
    this.window = window;
    this.canvas.width = width;
    this.canvas.height = height;
    const ctx = this.canvas.getContext("2d");
    if (!ctx) throw new Error("This browser gives no 2D canvas; the map cannot be drawn.");
    const image = ctx.createImageData(width, height);
    raster(new Uint32Array(image.data.buffer));
    ctx.putImageData(image, 0, 0);
  }

  private blit(ctx: CanvasRenderingContext2D, x: number, y: number, width: number, height: number): void {
    if (this.canvas.width > 0 && this.canvas.height > 0) ctx.drawImage(this.canvas, x, y, width, height);
  }
}
