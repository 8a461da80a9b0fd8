/** The chart: candles, liquidation bars, the heat primitive and the gestures, behind a few verbs. */
import {
  type CandlestickData,
  CandlestickSeries,
  ColorType,
  CrosshairMode,
  createChart,
  createTextWatermark,
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
import { price, priceDecimals, utcShort } from "../state/format";
import type { Bar } from "../state/mapData";
import type { CandleStyle, PriceScale } from "../state/prefs";
import { EventPrimitive } from "./EventPrimitive";
import { HeatPrimitive } from "./HeatPrimitive";
import { LiquidationPane } from "./LiquidationPane";
import { MarkPrimitive } from "./MarkPrimitive";
import { COLOURS, candleColours, type ThemeName } from "./theme";
import { ZonePrimitive } from "./ZonePrimitive";

export interface ChartPoint {
  /** Bar index, fractional position rounded to the bar; may lie right of the last bar. */
  readonly bar: number;
  readonly priceUsd: number;
}

/** A zone or event mark under the pointer, and where the pointer is on the pane. */
export interface ChartObject {
  readonly kind: "zone" | "event";
  readonly id: string;
  readonly xPx: number;
  readonly yPx: number;
}

export interface ChartEvents {
  hover(point: ChartPoint | null, object: ChartObject | null): void;
  click(point: ChartPoint, object: ChartObject | null): void;
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

/** Marks name themselves `kind:id`. */
function objectOf({ point, paneIndex, hoveredInfo }: MouseEventParams): ChartObject | null {
  const [, kind, id] = /^(zone|event):(.+)$/.exec(String(hoveredInfo?.objectId ?? "")) ?? [];
  if (!point || paneIndex !== 0 || !id) return null;
  return { kind: kind as ChartObject["kind"], id, xPx: point.x, yPx: point.y };
}

export class PriceChart {
  readonly heat = new HeatPrimitive();
  readonly marks = new MarkPrimitive();
  readonly zones = new ZonePrimitive();
  readonly events = new EventPrimitive();
  readonly liquidations: LiquidationPane;
  private readonly chart: IChartApi;
  private readonly candles: ISeriesApi<"Candlestick">;
  private readonly simulatedMark: ITextWatermarkPluginApi<Time>;
  private bars: readonly Bar[] = [];

  constructor(
    readonly element: HTMLElement,
    private readonly listener: ChartEvents,
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
    for (const drawn of [this.heat, this.zones, this.events, this.marks]) this.candles.attachPrimitive(drawn);
    this.liquidations = new LiquidationPane(this.chart);
    this.simulatedMark = createTextWatermark(this.chart.panes()[0], { lines: [] });
    this.chart.subscribeCrosshairMove((param) => this.listener.hover(this.pointOf(param), objectOf(param)));
    this.chart.subscribeClick((param) => {
      const point = this.pointOf(param);
      if (point) this.listener.click(point, objectOf(param));
    });
    this.chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
      if (range) this.listener.range(range.from, range.to);
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
    this.liquidations.setTheme(theme, fontFamily);
    this.heat.inks = { now: c.now, hatch: c.hatch };
    this.marks.ink = c.ring;
    this.marks.halo = c.halo;
    this.zones.inks = { long: c.long, short: c.short, halo: c.halo, paper: c.background };
    this.zones.fontFamily = fontFamily;
    this.events.inks = { long: c.long, short: c.short, rim: c.markRim, halo: c.halo };
    this.simulatedMark.applyOptions({
      horzAlign: "center",
      vertAlign: "top",
      // The first line only keeps the letters off the upper edge, which would cut them.
      lines: [
        { text: " ", color: c.watermark, fontSize: 14, fontFamily },
        { text: mark, color: c.watermark, fontSize: 44, fontFamily, fontStyle: "bold" },
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
    this.liquidations.setBars(bars);
  }

  /** The bars from `first` on changed or were added. */
  updateBars(bars: readonly Bar[], first: number): void {
    this.bars = bars;
    for (const bar of bars.slice(Math.max(0, first))) this.candles.update(candleOf(bar));
    this.liquidations.updateBars(bars, first);
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

  /** Scroll only when a bar is out of sight or at the very edge. */
  reveal(bar: number): void {
    const range = this.visibleRange();
    if (!range) return;
    const edge = (range.to - range.from) * 0.04;
    if (bar < range.from + edge || bar > range.to - edge) this.centre(bar);
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
