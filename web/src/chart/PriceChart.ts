/** The chart: candles, liquidation bars, the heat primitive and the gestures, behind a few verbs. */
import {
  type CandlestickData,
  CandlestickSeries,
  ColorType,
  CrosshairMode,
  createChart,
  createTextWatermark,
  HistogramSeries,
  type IChartApi,
  type ISeriesApi,
  type ITextWatermarkPluginApi,
  type Logical,
  type MouseEventParams,
  PriceScaleMode,
  type Time,
  type UTCTimestamp,
  type WhitespaceData,
} from "lightweight-charts";
import { price, priceDecimals, usd, utcShort } from "../state/format";
import type { Bar } from "../state/mapData";
import type { CandleStyle, PriceScale } from "../state/prefs";
import { HeatPrimitive } from "./HeatPrimitive";
import { MarkPrimitive } from "./MarkPrimitive";
import { COLOURS, candleColours, type ThemeName } from "./theme";

export interface ChartPoint {
  /** Bar index, fractional position rounded to the bar; may lie right of the last bar. */
  readonly bar: number;
  readonly priceUsd: number;
}

export interface ChartEvents {
  hover(point: ChartPoint | null): void;
  click(point: ChartPoint): void;
  range(from: number, to: number): void;
}

const RIGHT_MARGIN_BARS = 13;
/** Width of a bar in the first view: a candle and its neighbours stay apart. */
const FIRST_BAR_PX = 3.6;

const seconds = (bar: Bar) => Math.floor(bar.tMs / 1000) as UTCTimestamp;

function candleOf(bar: Bar): CandlestickData | WhitespaceData {
  const { open, high, low, close } = bar;
  // A missing bar stays a hole: whitespace keeps bar index and column index equal.
  if (open === null || high === null || low === null || close === null) return { time: seconds(bar) };
  return { time: seconds(bar), open, high, low, close };
}

export class PriceChart {
  readonly heat = new HeatPrimitive();
  readonly marks = new MarkPrimitive();
  private readonly chart: IChartApi;
  private readonly candles: ISeriesApi<"Candlestick">;
  private readonly longs: ISeriesApi<"Histogram">;
  private readonly shorts: ISeriesApi<"Histogram">;
  private readonly simulatedMark: ITextWatermarkPluginApi<Time>;
  private readonly paneCaption: ITextWatermarkPluginApi<Time>;
  private bars: readonly Bar[] = [];

  constructor(
    readonly element: HTMLElement,
    private readonly events: ChartEvents,
  ) {
    this.chart = createChart(element, {
      autoSize: true,
      crosshair: { mode: CrosshairMode.Normal },
      timeScale: {
        minBarSpacing: 0.01,
        rightOffset: RIGHT_MARGIN_BARS,
        timeVisible: true,
        secondsVisible: false,
        borderVisible: true,
      },
      rightPriceScale: { borderVisible: true, scaleMargins: { top: 0.03, bottom: 0.03 } },
      localization: { timeFormatter: (time: number) => `${utcShort(time * 1000)} UTC` },
      layout: { attributionLogo: true, panes: { enableResize: true } },
    });
    this.candles = this.chart.addSeries(CandlestickSeries, { priceLineWidth: 1, borderVisible: true });
    this.candles.attachPrimitive(this.heat);
    this.candles.attachPrimitive(this.marks);
    const bars = {
      priceFormat: {
        type: "custom" as const,
        formatter: (value: number) => usd(Math.abs(value)),
        minMove: 1,
      },
      lastValueVisible: false,
      priceLineVisible: false,
    };
    this.longs = this.chart.addSeries(HistogramSeries, bars, 1);
    this.shorts = this.chart.addSeries(HistogramSeries, bars, 1);
    this.longs.priceScale().applyOptions({ scaleMargins: { top: 0.24, bottom: 0.06 } });
    const [pricePane, liquidationPane] = this.chart.panes();
    pricePane.setStretchFactor(0.86);
    liquidationPane.setStretchFactor(0.14);
    this.simulatedMark = createTextWatermark(pricePane, { lines: [] });
    this.paneCaption = createTextWatermark(liquidationPane, { lines: [] });
    this.chart.subscribeCrosshairMove((param) => this.events.hover(this.pointOf(param)));
    this.chart.subscribeClick((param) => {
      const point = this.pointOf(param);
      if (point) this.events.click(point);
    });
    this.chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
      if (range) this.events.range(range.from, range.to);
    });
  }

  remove(): void {
    this.chart.remove();
  }

  /** `ghost` candles are outlines only; `mark` is written large and faint across the price pane. */
  setTheme(theme: ThemeName, style: CandleStyle, fontFamily: string, ghost: boolean, mark: string): void {
    const c = COLOURS[theme];
    this.chart.applyOptions({
      layout: {
        background: { type: ColorType.Solid, color: c.background },
        textColor: c.text,
        fontFamily,
        fontSize: 11,
        panes: { separatorColor: c.border, separatorHoverColor: c.grid },
      },
      grid: { vertLines: { color: c.grid }, horzLines: { color: c.grid } },
      crosshair: {
        vertLine: { color: c.crosshair, labelBackgroundColor: c.label },
        horzLine: { color: c.crosshair, labelBackgroundColor: c.label },
      },
      rightPriceScale: { borderColor: c.border },
      timeScale: { borderColor: c.border },
    });
    this.candles.applyOptions({ ...candleColours(style, theme, ghost), priceLineColor: c.crosshair });
    this.longs.applyOptions({ color: c.long });
    this.shorts.applyOptions({ color: c.short });
    this.heat.inks = { now: c.now, hatch: c.hatch };
    this.marks.ink = c.ring;
    this.simulatedMark.applyOptions({
      horzAlign: "center",
      vertAlign: "top",
      lines: [{ text: mark, color: c.watermark, fontSize: 44, fontFamily, fontStyle: "bold" }],
    });
    this.paneCaption.applyOptions({
      horzAlign: "right",
      vertAlign: "top",
      lines: [
        {
          text: "Liquidated: shorts up, longs down ",
          color: c.text,
          fontSize: 11,
          fontFamily,
          lineHeight: 15,
        },
      ],
    });
  }

  setPriceScale(scale: PriceScale): void {
    const isLog = scale === "log";
    this.heat.isLog = isLog;
    this.candles.priceScale().applyOptions({
      mode: isLog ? PriceScaleMode.Logarithmic : PriceScaleMode.Normal,
    });
  }

  setBars(bars: readonly Bar[], rowUsd: number): void {
    this.bars = bars;
    const minMove = 10 ** -priceDecimals(rowUsd);
    this.candles.applyOptions({
      priceFormat: { type: "custom", minMove, formatter: (value: number) => price(value, rowUsd) },
    });
    this.candles.setData(bars.map(candleOf));
    this.longs.setData(bars.map((bar) => ({ time: seconds(bar), value: -(bar.longUsd ?? 0) })));
    this.shorts.setData(bars.map((bar) => ({ time: seconds(bar), value: bar.shortUsd ?? 0 })));
  }

  /** The bars from `first` on changed or were added. */
  updateBars(bars: readonly Bar[], first: number): void {
    this.bars = bars;
    for (const bar of bars.slice(Math.max(0, first))) {
      this.candles.update(candleOf(bar));
      this.longs.update({ time: seconds(bar), value: -(bar.longUsd ?? 0) });
      this.shorts.update({ time: seconds(bar), value: bar.shortUsd ?? 0 });
    }
  }

  /** Show bars `[from, to]`. */
  show(from: number, to: number): void {
    this.chart.timeScale().setVisibleLogicalRange({ from, to });
  }

  showRecent(): void {
    const last = this.bars.length - 1;
    const room = Math.max(60, this.chart.timeScale().width() / FIRST_BAR_PX - RIGHT_MARGIN_BARS);
    const width = Math.max(1, Math.min(room, last + 1));
    this.show(last - width + 0.5, last + RIGHT_MARGIN_BARS);
    this.autoscale();
  }

  autoscale(): void {
    this.candles.priceScale().applyOptions({ autoScale: true });
  }

  /** All bars at once; prices follow from autoscaling. */
  showAll(): void {
    this.show(-0.5, this.bars.length - 1 + RIGHT_MARGIN_BARS);
    this.autoscale();
  }

  /** Scroll by a share of what is visible. */
  pan(share: number): void {
    const range = this.chart.timeScale().getVisibleLogicalRange();
    if (!range) return;
    const by = (range.to - range.from) * share;
    this.show(range.from + by, range.to + by);
  }

  /** Zoom time around the right edge; `factor` below 1 zooms in. */
  zoom(factor: number): void {
    const range = this.chart.timeScale().getVisibleLogicalRange();
    if (range) this.show(range.to - (range.to - range.from) * factor, range.to);
  }

  /** Bring a bar to the middle without changing the zoom. */
  centre(bar: number): void {
    const range = this.chart.timeScale().getVisibleLogicalRange();
    if (!range) return;
    const half = (range.to - range.from) / 2;
    this.show(bar - half, bar + half);
  }

  visibleRange(): { from: number; to: number } | null {
    return this.chart.timeScale().getVisibleLogicalRange();
  }

  screenshot(): HTMLCanvasElement {
    return this.chart.takeScreenshot(true, false);
  }

  private pointOf(param: MouseEventParams): ChartPoint | null {
    if (!param.point || param.paneIndex !== 0) return null;
    const bar = this.chart.timeScale().coordinateToLogical(param.point.x);
    const priceUsd = this.candles.coordinateToPrice(param.point.y);
    return bar === null || priceUsd === null ? null : { bar: Math.round(bar as Logical), priceUsd };
  }
}
