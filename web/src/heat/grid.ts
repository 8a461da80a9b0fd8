/** One plane and side of a map that keeps growing to the right while frames arrive. */
import type { ColumnFrame } from "./delta";
import type { HeatSnapshot } from "./format";

/** `old`: already contained. `gap`: something was missed, only a new snapshot helps. */
export type Applied = "applied" | "old" | "gap";

const SPARE_COLUMNS = 128;

export class HeatGrid {
  codes: Uint8Array;
  columns: number;
  seq: number;
  firstLiveCol: number;

  constructor(readonly header: HeatSnapshot) {
    this.codes = header.codes;
    this.columns = header.columns;
    this.seq = header.seq;
    this.firstLiveCol = header.firstLiveCol;
  }

  get rows(): number {
    return this.header.rows;
  }

  code(column: number, row: number): number {
    if (column < 0 || column >= this.columns || row < 0 || row >= this.rows) return 0;
    return this.codes[column * this.rows + row];
  }

  /** Apply one frame. Rows it does not name keep their content; a new column starts as a copy of the last. */
  apply(frame: ColumnFrame): Applied {
    if (frame.seq <= this.seq) return "old";
    const outside = frame.rows.length > 0 && frame.rows[frame.rows.length - 1] >= this.rows;
    if (frame.seq !== this.seq + 1 || frame.column > this.columns || outside) return "gap";
    if (frame.column === this.columns) this.append();
    const base = frame.column * this.rows;
    for (let i = 0; i < frame.rows.length; i++) this.codes[base + frame.rows[i]] = frame.codes[i];
    this.seq = frame.seq;
    return "applied";
  }

  private append(): void {
    const used = this.columns * this.rows;
    if (used + this.rows > this.codes.length) {
      const grown = new Uint8Array(used + this.rows * SPARE_COLUMNS);
      grown.set(this.codes.subarray(0, used));
      this.codes = grown;
    }
    if (this.columns > 0) this.codes.copyWithin(used, used - this.rows, used);
    this.columns += 1;
    // The column before a new one is closed now, unless the server already sends several ahead of time.
    this.firstLiveCol = Math.max(this.firstLiveCol, this.columns - 1);
  }
}
