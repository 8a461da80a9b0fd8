/** Which cell lies under a moment and a price, and what the grids say about it. */
import { codeToUsd } from "./codes";
import type { HeatGrid } from "./grid";

export interface Cell {
  readonly column: number;
  readonly row: number;
}

/** What places a grid in time and price. */
export interface CellAxes {
  readonly t0Ms: number;
  readonly dtMs: number;
  readonly price0Usd: number;
  readonly rowUsd: number;
  readonly rows: number;
}

/** A price this close under a row's edge, in rows, belongs to the row: it is rounding, not a price. */
const ROUNDING_ROWS = 1e-9;

/**
 * The cell that holds a point; `null` left of the grid, above and below it. Right of the grid the column goes on
 * counting: there lies the estimate carried forward.
 */
export function pick(axes: CellAxes, tMs: number, priceUsd: number): Cell | null {
  const column = Math.floor((tMs - axes.t0Ms) / axes.dtMs);
  const row = Math.floor((priceUsd - axes.price0Usd) / axes.rowUsd + ROUNDING_ROWS);
  return column >= 0 && row >= 0 && row < axes.rows ? { column, row } : null;
}

/** USD of one cell of one plane and side, to the precision of its code; 0 outside the grid. */
export function cellUsd(grid: HeatGrid, cell: Cell): number {
  return codeToUsd(grid.code(cell.column, cell.row), grid.header);
}
