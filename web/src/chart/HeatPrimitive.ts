/** Puts the heat layer under the candles and tells the rest of the page where prices and times lie. */
import type {
  AutoscaleInfo,
  IChartApi,
  IPrimitivePaneRenderer,
  IPrimitivePaneView,
  ISeriesApi,
  ISeriesPrimitive,
  Logical,
  SeriesAttachedParameter,
  Time,
} from "lightweight-charts";
import type { HeatView } from "../heat/window";
import { HeatLayer, type HeatScene, type RowAt } from "./HeatLayer";
import { hatchedAreas, type Rect } from "./hatch";

/** Where the grid lies relative to the bars and to the price axis. */
export interface HeatPlacement {
  readonly columnOffset: number;
  readonly price0Usd: number;
  readonly rowUsd: number;
  /** Bar that is forming now; everything right of it is the estimate carried forward. */
  readonly nowIndex: number;
  readonly forwardColumns: number;
  /** Forward columns from this one on lie beyond the horizon with measured skill and are hatched. */
  readonly skilledColumns: number;
  /** Prices within the distance at which skill was measured; `null`: not known. */
  readonly skilledPrices: { readonly lowUsd: number; readonly highUsd: number } | null;
}

export interface PaneGeometry {
  readonly heightPx: number;
  readonly top: number;
  readonly bottom: number;
  readonly isLog: boolean;
}

type Target = Parameters<IPrimitivePaneRenderer["draw"]>[0];

type Scope = Parameters<Parameters<Target["useBitmapCoordinateSpace"]>[0]>[0];

interface Space {
  readonly view: HeatView;
  readonly rowAt: RowAt | null;
  /** Left edge of bar 0. */
  readonly barLeftPx: number;
}

export interface PrimitiveInks {
  now: string;
  hatch: string;
}

export class HeatPrimitive implements ISeriesPrimitive<Time> {
  private chart: IChartApi | null = null;
  private series: ISeriesApi<"Candlestick"> | null = null;
  private requestUpdate: (() => void) | null = null;
  private readonly under = new HeatLayer();
  private readonly over = new HeatLayer();
  private placement: HeatPlacement | null = null;
  private readonly views: readonly IPrimitivePaneView[] = [
    { zOrder: () => "bottom", renderer: () => ({ draw: (target) => this.drawUnder(target) }) },
    { zOrder: () => "normal", renderer: () => ({ draw: (target) => this.drawOver(target) }) },
  ];
  isLog = false;
  inks: PrimitiveInks = { now: "#fff", hatch: "#fff" };
  /** Prices that autoscaling shows beside the candles, for the visible bars. */
  fit: (from: number, to: number) => { min: number; max: number } | null = () => null;
  /** Called while drawing, so that the profile beside the chart follows the price axis. */
  onGeometry: (geometry: PaneGeometry) => void = () => undefined;

  attached(param: SeriesAttachedParameter<Time, "Candlestick">): void {
    this.chart = param.chart as IChartApi;
    this.series = param.series as ISeriesApi<"Candlestick">;
    this.requestUpdate = param.requestUpdate;
  }

  detached(): void {
    this.chart = null;
    this.series = null;
    this.requestUpdate = null;
  }

  /** `under` lies below the candles (the estimate), `over` above them (what happened). */
  setScenes(under: HeatScene | null, over: HeatScene | null, placement: HeatPlacement | null): void {
    this.under.setScene(under);
    this.over.setScene(over);
    this.placement = placement;
    this.requestUpdate?.();
  }

  paneViews(): readonly IPrimitivePaneView[] {
    return this.views;
  }

  autoscaleInfo(from: Logical, to: Logical): AutoscaleInfo | null {
    const range = this.fit(Math.floor(from), Math.ceil(to));
    return range ? { priceRange: { minValue: range.min, maxValue: range.max } } : null;
  }

  private drawUnder(target: Target): void {
    target.useBitmapCoordinateSpace((scope) => {
      const space = this.measure(scope);
      if (!space) return;
      const { context, bitmapSize, horizontalPixelRatio } = scope;
      context.save();
      this.under.draw(context, space.view, space.rowAt);
      this.drawForward(
        context,
        space.barLeftPx,
        space.view.columnPx,
        bitmapSize.height,
        horizontalPixelRatio,
      );
      context.restore();
    });
  }

  private drawOver(target: Target): void {
    target.useBitmapCoordinateSpace((scope) => {
      const space = this.measure(scope);
      if (!space) return;
      scope.context.save();
      this.over.draw(scope.context, space.view, space.rowAt);
      scope.context.restore();
    });
  }

  /** Where the grid lies on this canvas; also tells the page where the price axis is. */
  private measure({ bitmapSize, mediaSize, horizontalPixelRatio, verticalPixelRatio }: Scope): Space | null {
    const { series, chart, placement } = this;
    const topPrice = series?.coordinateToPrice(0) ?? null;
    const bottomPrice = series?.coordinateToPrice(mediaSize.height) ?? null;
    if (!series || !chart || topPrice === null || bottomPrice === null) return null;
    this.onGeometry({ heightPx: mediaSize.height, top: topPrice, bottom: bottomPrice, isLog: this.isLog });
    const time = chart.timeScale();
    const x0 = time.logicalToCoordinate(0 as Logical);
    const x1 = time.logicalToCoordinate(1000 as Logical);
    if (!placement || x0 === null || x1 === null) return null;
    const columnPx = ((x1 - x0) / 1000) * horizontalPixelRatio;
    const barLeftPx = x0 * horizontalPixelRatio - columnPx / 2;
    const pxPerUsd = bitmapSize.height / (topPrice - bottomPrice);
    const view: HeatView = {
      widthPx: bitmapSize.width,
      heightPx: bitmapSize.height,
      columnPx,
      column0Px: barLeftPx - placement.columnOffset * columnPx,
      row0Px: bitmapSize.height - (placement.price0Usd - bottomPrice) * pxPerUsd,
      rowPx: placement.rowUsd * pxPerUsd,
    };
    const rowAt: RowAt | null = this.isLog
      ? (yPx) => {
          const price = series.coordinateToPrice(yPx / verticalPixelRatio) ?? bottomPrice;
          return (price - placement.price0Usd) / placement.rowUsd;
        }
      : null;
    return { view, rowAt, barLeftPx };
  }

  /** The line of now, and a hatch where the forward estimate has no measured skill. */
  private drawForward(
    ctx: CanvasRenderingContext2D,
    barLeft: number,
    column: number,
    height: number,
    ratio: number,
  ) {
    const { nowIndex, forwardColumns, skilledColumns, skilledPrices } = this.placement as HeatPlacement;
    if (nowIndex < 0 || forwardColumns === 0) return;
    const now = Math.round(barLeft + (nowIndex + 1) * column);
    const right = now + forwardColumns * column;
    const y = (price: number | undefined) => {
      const at = price === undefined ? null : (this.series?.priceToCoordinate(price) ?? null);
      return at === null ? null : at * ratio;
    };
    const areas = hatchedAreas(
      { left: now, top: 0, right, bottom: height },
      {
        right: now + skilledColumns * column,
        top: y(skilledPrices?.highUsd),
        bottom: y(skilledPrices?.lowUsd),
      },
    );
    ctx.lineWidth = ratio;
    this.hatch(ctx, areas, now, right, height, ratio);
    ctx.strokeStyle = this.inks.now;
    ctx.setLineDash([3 * ratio, 4 * ratio]);
    ctx.beginPath();
    ctx.moveTo(now + 0.5, 0);
    ctx.lineTo(now + 0.5, height);
    ctx.stroke();
  }

  private hatch(
    ctx: CanvasRenderingContext2D,
    areas: readonly Rect[],
    left: number,
    right: number,
    height: number,
    ratio: number,
  ): void {
    if (areas.length === 0) return;
    ctx.save();
    ctx.beginPath();
    for (const area of areas) ctx.rect(area.left, area.top, area.right - area.left, area.bottom - area.top);
    ctx.clip();
    ctx.strokeStyle = this.inks.hatch;
    ctx.beginPath();
    const step = 9 * ratio;
    for (let x = left - height; x < right; x += step) {
      ctx.moveTo(x, height);
      ctx.lineTo(x + height, 0);
    }
    ctx.stroke();
    ctx.restore();
  }
}
