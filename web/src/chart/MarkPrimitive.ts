/** Outlines over the candles: the cell cursor and the ring of what is in focus. */
import { DrawnPrimitive, type Frame } from "./ChartPrimitive";

export interface CellMark {
  /** Bar index of the cell. */
  readonly bar: number;
  readonly lowUsd: number;
  readonly highUsd: number;
  readonly kind: "cursor" | "pinned";
}

const RING_PX = 9;

export class MarkPrimitive extends DrawnPrimitive {
  protected readonly layer = "top";
  private marks: readonly CellMark[] = [];
  ink = "#fff";
  halo = "#000";

  setMarks(marks: readonly CellMark[]): void {
    this.marks = marks;
    this.redraw();
  }

  protected draw({ ctx, ratio, barPx, xOf, yOf }: Frame): void {
    for (const mark of this.marks) {
      const [top, bottom] = [yOf(mark.highUsd), yOf(mark.lowUsd)];
      if (top === null || bottom === null) continue;
      const width = Math.max(3 * ratio, barPx);
      const height = Math.max(3 * ratio, bottom - top);
      const [x, y] = [xOf(mark.bar), (top + bottom) / 2];
      ctx.strokeStyle = this.ink;
      ctx.lineWidth = ratio;
      ctx.strokeRect(x - width / 2, y - height / 2, width, height);
      if (mark.kind !== "pinned") continue;
      // A dark rim keeps the ring visible over bright cells.
      for (const [ink, line] of [
        [this.halo, 4],
        [this.ink, 1.75],
      ] as const) {
        ctx.strokeStyle = ink;
        ctx.lineWidth = line * ratio;
        ctx.beginPath();
        ctx.arc(x, y, RING_PX * ratio, 0, 2 * Math.PI);
        ctx.stroke();
      }
    }
  }
}
