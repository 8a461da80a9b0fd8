/** Outlines over the candles: the cell cursor and the ring of the pinned cell. */
import type {
  IChartApi,
  IPrimitivePaneRenderer,
  ISeriesApi,
  ISeriesPrimitive,
  Logical,
  SeriesAttachedParameter,
  Time,
} from "lightweight-charts";

export interface CellMark {
  /** Bar index of the cell. */
  readonly bar: number;
  readonly lowUsd: number;
  readonly highUsd: number;
  readonly kind: "cursor" | "pinned";
}

type Target = Parameters<IPrimitivePaneRenderer["draw"]>[0];

export class MarkPrimitive implements ISeriesPrimitive<Time> {
  private chart: IChartApi | null = null;
  private series: ISeriesApi<"Candlestick"> | null = null;
  private requestUpdate: (() => void) | null = null;
  private marks: readonly CellMark[] = [];
  private readonly view = {
    zOrder: () => "top" as const,
    renderer: () => ({ draw: (target: Target) => this.draw(target) }),
  };
  ink = "#fff";

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

  setMarks(marks: readonly CellMark[]): void {
    this.marks = marks;
    this.requestUpdate?.();
  }

  paneViews() {
    return [this.view];
  }

  private draw(target: Target): void {
    target.useBitmapCoordinateSpace(({ context, horizontalPixelRatio, verticalPixelRatio }) => {
      const { chart, series } = this;
      if (!chart || !series) return;
      const time = chart.timeScale();
      for (const mark of this.marks) {
        const x = time.logicalToCoordinate(mark.bar as Logical);
        const next = time.logicalToCoordinate((mark.bar + 1) as Logical);
        const top = series.priceToCoordinate(mark.highUsd);
        const bottom = series.priceToCoordinate(mark.lowUsd);
        if (x === null || next === null || top === null || bottom === null) continue;
        const width = Math.max(3, next - x) * horizontalPixelRatio;
        const height = Math.max(3, bottom - top) * verticalPixelRatio;
        const centreX = x * horizontalPixelRatio;
        const centreY = ((top + bottom) / 2) * verticalPixelRatio;
        context.strokeStyle = this.ink;
        context.lineWidth = horizontalPixelRatio;
        context.strokeRect(centreX - width / 2, centreY - height / 2, width, height);
        if (mark.kind === "pinned") {
          context.lineWidth = 1.5 * horizontalPixelRatio;
          context.beginPath();
          context.arc(centreX, centreY, 9 * horizontalPixelRatio, 0, 2 * Math.PI);
          context.stroke();
        }
      }
    });
  }
}
