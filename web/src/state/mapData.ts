/** Everything one map is drawn from: six grids, their compositions, the candles. Plain data, no signals, no I/O. */
import type { CandleMessage, Candles } from "../api/types";
import { ComposedGrid } from "../heat/compose";
import type { ColumnFrame } from "../heat/delta";
import type { HeatSnapshot, Plane } from "../heat/format";
import { type Applied, HeatGrid } from "../heat/grid";
import type { ColourScale } from "../heat/transfer";
import { percentileUsd } from "../heat/transfer";

export const MAP_PLANES = ["real", "synthetic", "smooth"] as const satisfies readonly Plane[];
export type MapPlane = (typeof MAP_PLANES)[number];
export const MAP_SIDES = ["long", "short"] as const;
export type MapSide = (typeof MAP_SIDES)[number];

/** Columns of the estimate carried to the right of now. */
export const FORWARD_COLUMNS = 12;

export interface Bar {
  readonly tMs: number;
  readonly open: number | null;
  readonly high: number | null;
  readonly low: number | null;
  readonly close: number | null;
  readonly volumeUsd: number | null;
  readonly longUsd: number | null;
  readonly shortUsd: number | null;
}

export function barsOf(candles: Candles): Bar[] {
  return Array.from({ length: candles.n }, (_, i) => ({
    tMs: candles.t0_ms + i * candles.dt_ms,
    open: candles.open[i],
    high: candles.high[i],
    low: candles.low[i],
    close: candles.close[i],
    volumeUsd: candles.volume_usd[i],
    longUsd: candles.long_usd[i],
    shortUsd: candles.short_usd[i],
  }));
}

export class MapData {
  readonly bars: Bar[];
  readonly t0Ms: number;
  readonly dtMs: number;
  private readonly grids = new Map<string, HeatGrid>();
  private readonly composed: Record<MapPlane, ComposedGrid | null>;

  constructor(
    readonly scope: string,
    readonly tf: string,
    candles: Candles,
    snapshots: readonly HeatSnapshot[],
  ) {
    this.bars = barsOf(candles);
    this.t0Ms = candles.t0_ms;
    this.dtMs = candles.dt_ms;
    for (const snapshot of snapshots)
      this.grids.set(`${snapshot.plane}:${snapshot.side}`, new HeatGrid(snapshot));
    this.composed = {
      real: this.compose("real"),
      synthetic: this.compose("synthetic"),
      smooth: this.compose("smooth"),
    };
  }

  grid(plane: MapPlane, side: MapSide): HeatGrid | null {
    return this.grids.get(`${plane}:${side}`) ?? null;
  }

  /** Sequence number held of each "plane/side". */
  seqs(): Record<string, number> {
    return Object.fromEntries(
      [...this.grids.values()].map(({ header, seq }) => [`${header.plane}/${header.side}`, seq]),
    );
  }

  plane(plane: MapPlane): ComposedGrid | null {
    return this.composed[plane];
  }

  /** Nothing to draw: no candle and no cell. */
  get empty(): boolean {
    return this.bars.length === 0 && MAP_PLANES.every((plane) => !this.composed[plane]?.dataColumns);
  }

  get lastPrice(): number | null {
    for (let i = this.bars.length - 1; i >= 0; i--)
      if (this.bars[i].close !== null) return this.bars[i].close;
    return null;
  }

  /** Index of the bar that is forming now. */
  get nowIndex(): number {
    return this.bars.length - 1;
  }

  /** Bars count from the candles' start, columns from the grid's: column = bar index + offset. */
  get columnOffset(): number {
    const grid = this.grid("synthetic", "long") ?? this.grid("real", "long");
    return grid && this.dtMs > 0 ? Math.round((this.t0Ms - grid.header.t0Ms) / this.dtMs) : 0;
  }

  /** First column of the estimate that may still change. */
  get firstLiveCol(): number {
    const [long, short] = [this.grid("synthetic", "long"), this.grid("synthetic", "short")];
    return Math.min(long?.firstLiveCol ?? 0, short?.firstLiveCol ?? 0);
  }

  applyFrame(frame: ColumnFrame): Applied {
    const plane = MAP_PLANES.find((name) => name === frame.plane);
    const side = MAP_SIDES.find((name) => name === frame.side);
    const grid = plane && side ? this.grid(plane, side) : null;
    if (!grid || !plane) return "gap";
    const applied = grid.apply(frame);
    if (applied === "applied") this.composed[plane]?.update(frame.column);
    return applied;
  }

  /** Replace or append one bar; `false` when it does not follow on from what is held. */
  applyCandle(message: CandleMessage): boolean {
    const index = this.dtMs > 0 ? Math.round((message.t_ms - this.t0Ms) / this.dtMs) : -1;
    if (index < 0 || index > this.bars.length) return false;
    this.bars[index] = {
      tMs: message.t_ms,
      open: message.o,
      high: message.h,
      low: message.l,
      close: message.c,
      volumeUsd: message.volume_usd,
      longUsd: message.long_usd,
      shortUsd: message.short_usd,
    };
    return true;
  }

  /** Whether a column has closed: from then on the ends of the scales rest on those alone. */
  get hasClosed(): boolean {
    return this.firstLiveCol > 0;
  }

  /**
   * Ends of a scale: two percentiles of the closed columns held, at most the newest seven days of them; of what is
   * forming while none has closed.
   */
  endsOf(plane: MapPlane, loShare: number, hiShare: number): ColourScale | null {
    const grid = this.composed[plane];
    if (!grid) return null;
    const to = this.hasClosed ? Math.min(this.firstLiveCol, grid.dataColumns) : grid.dataColumns;
    const from = Math.max(0, to - Math.ceil((7 * 86_400_000) / this.dtMs));
    const cells = grid.pyramid.base.subarray(from * grid.rows, to * grid.rows);
    const [lo, hi] = [percentileUsd(cells, grid.range, loShare), percentileUsd(cells, grid.range, hiShare)];
    return Number.isFinite(lo) && hi > lo ? { loUsd: lo, hiUsd: hi } : null;
  }

  private compose(plane: MapPlane): ComposedGrid | null {
    const [long, short] = [this.grid(plane, "long"), this.grid(plane, "short")];
    if (!long || !short || !ComposedGrid.compatible(long, short)) return null;
    const ahead = Math.max(
      0,
      Math.min(long.columns, short.columns) - 1 - (this.nowIndex + this.columnOffset),
    );
    return new ComposedGrid(long, short, Math.max(0, FORWARD_COLUMNS - ahead), plane !== "real");
  }
}
