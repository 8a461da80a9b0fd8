/** Which cell lies under a point, and what the grids say about it. */
import { codeToUsd } from "./codes";
import type { HeatGrid } from "./grid";
import type { HeatView } from "./window";

export interface Cell {
  readonly column: number;
  readonly row: number;
}

/** The base cell under a device pixel; `null` outside the grid. */
export function pick(view: HeatView, columns: number, rows: number, xPx: number, yPx: number): Cell | null {
  const column = Math.floor((xPx - view.column0Px) / view.columnPx);
  const row = Math.floor((view.row0Px - yPx) / view.rowPx);
  return column >= 0 && column < columns && row >= 0 && row < rows ? { column, row } : null;
}

/** USD of one cell of one plane and side, to the precision of its code. */
export function cellUsd(grid: HeatGrid, cell: Cell): number {
  return codeToUsd(grid.code(cell.column, cell.row), grid.header);
}
