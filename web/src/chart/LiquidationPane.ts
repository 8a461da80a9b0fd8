/** Liquidated USD per bar in a pane under the chart: shorts up, longs down. It can be put away. */
import {
  createTextWatermark,
  HistogramSeries,
  type IChartApi,
  type ISeriesApi,
  type ITextWatermarkPluginApi,
  type Time,
  type UTCTimestamp,
} from "lightweight-charts";
import { usd } from "../state/format";
import type { Bar } from "../state/mapData";
import { COLOURS, type ThemeName } from "./theme";

const PANE = 1;
const PRICE_SHARE = 0.86;
const CAPTION = "Liquidated: shorts up, longs down ";

const seconds = (bar: Bar) => Math.floor(bar.tMs / 1000) as UTCTimestamp;
/** A bar whose liquidations are not known stays a hole: nobody may read it as "none". */
const pointOf = (bar: Bar, value: number | null) =>
  value === null ? { time: seconds(bar) } : { time: seconds(bar), value };
const longOf = (bar: Bar) => pointOf(bar, bar.longUsd === null ? null : -bar.longUsd);
const shortOf = (bar: Bar) => pointOf(bar, bar.shortUsd);

interface Shown {
  readonly longs: ISeriesApi<"Histogram">;
  readonly shorts: ISeriesApi<"Histogram">;
  readonly caption: ITextWatermarkPluginApi<Time>;
}

export class LiquidationPane {
  private shown: Shown | null = null;
  private bars: readonly Bar[] = [];
  private theme: ThemeName = "dark";
  private fontFamily = "sans-serif";

  constructor(private readonly chart: IChartApi) {}

  setVisible(visible: boolean): void {
    if (visible && !this.shown) this.open();
    else if (!visible && this.shown) this.close(this.shown);
  }

  setTheme(theme: ThemeName, fontFamily: string): void {
    this.theme = theme;
    this.fontFamily = fontFamily;
    const { shown } = this;
    if (!shown) return;
    const c = COLOURS[theme];
    shown.longs.applyOptions({ color: c.long });
    shown.shorts.applyOptions({ color: c.short });
    const line = { text: CAPTION, color: c.text, fontSize: 11, fontFamily, lineHeight: 15 };
    shown.caption.applyOptions({ horzAlign: "right", vertAlign: "top", lines: [line] });
  }

  setBars(bars: readonly Bar[]): void {
    this.bars = bars;
    this.shown?.longs.setData(bars.map(longOf));
    this.shown?.shorts.setData(bars.map(shortOf));
  }

  updateBars(bars: readonly Bar[], first: number): void {
    this.bars = bars;
    for (const bar of bars.slice(Math.max(0, first))) {
      this.shown?.longs.update(longOf(bar));
      this.shown?.shorts.update(shortOf(bar));
    }
  }

  private open(): void {
    const formatter = (value: number) => usd(Math.abs(value));
    const options = {
      priceFormat: { type: "custom" as const, formatter, minMove: 1 },
      lastValueVisible: false,
      priceLineVisible: false,
    };
    const longs = this.chart.addSeries(HistogramSeries, options, PANE);
    const shorts = this.chart.addSeries(HistogramSeries, options, PANE);
    longs.priceScale().applyOptions({ scaleMargins: { top: 0.24, bottom: 0.06 } });
    const [price, pane] = this.chart.panes();
    price.setStretchFactor(PRICE_SHARE);
    pane.setStretchFactor(1 - PRICE_SHARE);
    this.shown = { longs, shorts, caption: createTextWatermark(pane, { lines: [] }) };
    this.setTheme(this.theme, this.fontFamily);
    this.setBars(this.bars);
  }

  private close({ longs, shorts, caption }: Shown): void {
    caption.detach();
    this.shown = null;
    // The pane goes with its last series.
    this.chart.removeSeries(longs);
    this.chart.removeSeries(shorts);
  }
}
