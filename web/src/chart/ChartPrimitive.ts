/** What every drawing on the price pane shares: the chart it hangs on, and its coordinates in device pixels. */
import type {
  IChartApi,
  IPrimitivePaneRenderer,
  ISeriesApi,
  ISeriesPrimitive,
  Logical,
  PrimitivePaneViewZOrder,
  SeriesAttachedParameter,
  Time,
} from "lightweight-charts";

export type Target = Parameters<IPrimitivePaneRenderer["draw"]>[0];
export type BitmapScope = Parameters<Parameters<Target["useBitmapCoordinateSpace"]>[0]>[0];

/** Bars and prices to device pixels, for one frame. */
export interface Frame {
  readonly ctx: CanvasRenderingContext2D;
  readonly widthPx: number;
  readonly heightPx: number;
  /** Device pixels per CSS pixel. */
  readonly ratio: number;
  /** Width of a bar. */
  readonly barPx: number;
  /** Centre of a bar; fractions and bars outside the pane are fine. */
  xOf(bar: number): number;
  yOf(priceUsd: number): number | null;
}

export abstract class DrawnPrimitive implements ISeriesPrimitive<Time> {
  private chart: IChartApi | null = null;
  private series: ISeriesApi<"Candlestick"> | null = null;
  private requestUpdate: (() => void) | null = null;
  private readonly view = {
    zOrder: () => this.layer,
    renderer: () => ({ draw: (target: Target) => this.paint(target) }),
  };

  protected abstract readonly layer: PrimitivePaneViewZOrder;
  protected abstract draw(frame: Frame): void;

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

  paneViews() {
    return [this.view];
  }

  protected redraw(): void {
    this.requestUpdate?.();
  }

  private paint(target: Target): void {
    target.useBitmapCoordinateSpace(({ context, bitmapSize, horizontalPixelRatio, verticalPixelRatio }) => {
      const { chart, series } = this;
      const time = chart?.timeScale();
      const x0 = time?.logicalToCoordinate(0 as Logical) ?? null;
      const x1 = time?.logicalToCoordinate(1000 as Logical) ?? null;
      if (!series || x0 === null || x1 === null) return;
      const barPx = ((x1 - x0) / 1000) * horizontalPixelRatio;
      context.save();
      this.draw({
        ctx: context,
        widthPx: bitmapSize.width,
        heightPx: bitmapSize.height,
        ratio: horizontalPixelRatio,
        barPx,
        xOf: (bar) => x0 * horizontalPixelRatio + bar * barPx,
        yOf: (priceUsd) => {
          const y = series.priceToCoordinate(priceUsd);
          return y === null ? null : y * verticalPixelRatio;
        },
      });
      context.restore();
    });
  }
}
