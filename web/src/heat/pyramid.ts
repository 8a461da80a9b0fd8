/** Max-pooled levels of a grid, built when first asked for and kept current column by column. */

export interface Level {
  readonly codes: Uint8Array;
  readonly columns: number;
  readonly rows: number;
  /** Cells of the base grid along time and along price that one cell of this level covers. */
  readonly timeFactor: number;
  readonly priceFactor: number;
}

export class Pyramid {
  private readonly levels = new Map<string, Level>();

  constructor(
    readonly base: Uint8Array,
    readonly columns: number,
    readonly rows: number,
  ) {}

  /** The level that pools `timeFactor` x `priceFactor` cells (both powers of two) by their maximum. */
  level(timeFactor: number, priceFactor: number): Level {
    const key = `${timeFactor}x${priceFactor}`;
    const known = this.levels.get(key);
    if (known) return known;
    const columns = Math.ceil(this.columns / timeFactor);
    const rows = Math.ceil(this.rows / priceFactor);
    const isBase = timeFactor === 1 && priceFactor === 1;
    const codes = isBase ? this.base : new Uint8Array(columns * rows);
    const level: Level = { codes, columns, rows, timeFactor, priceFactor };
    if (!isBase) this.pool(level, 0, columns);
    this.levels.set(key, level);
    return level;
  }

  /** Recompute what the changed base columns `[from, to)` touch in the levels built so far. */
  update(from: number, to: number): void {
    const byCost = [...this.levels.values()].sort(
      (a, b) => a.timeFactor * a.priceFactor - b.timeFactor * b.priceFactor,
    );
    for (const level of byCost) {
      if (level.codes === this.base) continue;
      this.pool(level, Math.floor(from / level.timeFactor), Math.ceil(to / level.timeFactor));
    }
  }

  private pool(level: Level, from: number, to: number): void {
    const { timeFactor, priceFactor, rows, codes } = level;
    codes.fill(0, from * rows, Math.min(to, level.columns) * rows);
    const lastColumn = Math.min(to * timeFactor, this.columns);
    for (let t = from * timeFactor; t < lastColumn; t++) {
      const target = Math.floor(t / timeFactor) * rows;
      const source = t * this.rows;
      for (let p = 0; p < this.rows; p++) {
        const code = this.base[source + p];
        const at = target + Math.floor(p / priceFactor);
        if (code > codes[at]) codes[at] = code;
      }
    }
  }
}
