/** Long and short grids in, one grid to draw out; its last column may be carried forward as the estimate. */
import { type CodeRange, sumTable, unionRange } from "./codes";
import type { HeatGrid } from "./grid";
import { Pyramid } from "./pyramid";

export class ComposedGrid {
  readonly rows: number;
  readonly range: CodeRange;
  readonly price0Usd: number;
  readonly rowUsd: number;
  pyramid: Pyramid;
  private readonly table: Uint8Array;

  /** `forward` columns are drawn right of the last one; they repeat it when `carry` is set, else stay empty. */
  constructor(
    readonly long: HeatGrid,
    readonly short: HeatGrid,
    readonly forward: number,
    readonly carry: boolean,
  ) {
    const [a, b] = [long.header, short.header];
    this.rows = a.rows;
    this.price0Usd = a.price0Usd;
    this.rowUsd = a.rowUsd;
    this.range = unionRange(a, b);
    this.table = sumTable(a, b, this.range);
    this.pyramid = new Pyramid(new Uint8Array(0), 0, this.rows);
    this.rebuild();
  }

  /** Do the two sides describe the same cells? A frame of one side may arrive before the other. */
  static compatible(long: HeatGrid, short: HeatGrid): boolean {
    const [a, b] = [long.header, short.header];
    return (
      a.rows === b.rows &&
      a.t0Ms === b.t0Ms &&
      a.dtMs === b.dtMs &&
      a.price0Usd === b.price0Usd &&
      a.rowUsd === b.rowUsd
    );
  }

  get columns(): number {
    return this.pyramid.columns;
  }

  get dataColumns(): number {
    return Math.min(this.long.columns, this.short.columns);
  }

  /** Bring one changed column (and the carried ones behind it) up to date. */
  update(column: number): void {
    const wanted = this.dataColumns + this.forward;
    if (wanted !== this.columns || this.rows !== this.pyramid.rows) {
      this.rebuild();
      return;
    }
    this.fill(this.pyramid.base, column, column + 1);
    this.pyramid.update(column, column + 1);
    if (column === this.dataColumns - 1 && this.forward > 0) {
      this.carryForward(this.pyramid.base);
      this.pyramid.update(this.dataColumns, this.columns);
    }
  }

  private rebuild(): void {
    const columns = this.dataColumns + this.forward;
    const base = new Uint8Array(columns * this.rows);
    this.fill(base, 0, this.dataColumns);
    this.carryForward(base);
    this.pyramid = new Pyramid(base, columns, this.rows);
  }

  private fill(base: Uint8Array, from: number, to: number): void {
    const [a, b, table] = [this.long.codes, this.short.codes, this.table];
    const end = to * this.rows;
    for (let i = from * this.rows; i < end; i++) base[i] = table[(a[i] << 8) | b[i]];
  }

  private carryForward(base: Uint8Array): void {
    const last = this.dataColumns - 1;
    if (!this.carry || last < 0) return;
    for (let k = 1; k <= this.forward; k++)
      base.copyWithin((last + k) * this.rows, last * this.rows, (last + 1) * this.rows);
  }
}
