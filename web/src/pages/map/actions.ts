/** What buttons and keys do to the chart that is on screen. */
import { signal } from "@preact/signals";
import { postReplay } from "../../api/endpoints";
import type { PriceChart } from "../../chart/PriceChart";
import { fitAround, heatExtent } from "../../chart/scene";
import { hover, readCell } from "../../state/cell";
import { refreshStatus, status } from "../../state/engine";
import { clearFocus, type Focus, focus, focusOn } from "../../state/focus";
import { mapData } from "../../state/map";
import type { MapData } from "../../state/mapData";
import { prefs, setPrefs } from "../../state/prefs";
import { mainKind, nudgeCutOff, scaleOf } from "../../state/scale";
import { MODES, TIMEFRAMES } from "../../state/url";
import { chooseMode, chooseTimeframe, mode, span, timeframes } from "../../state/view";
import { showZonesAt, showZonesNow } from "../../state/zones";
import { geometry } from "./geometry";

export const chart = signal<PriceChart | null>(null);
export const gotoOpen = signal(false);

export function nextMode(): void {
  chooseMode(MODES[(MODES.indexOf(mode.value) + 1) % MODES.length]);
}

export function timeframeByDigit(digit: number): void {
  const tf = TIMEFRAMES[digit - 1];
  if (tf && timeframes.value.includes(tf)) chooseTimeframe(tf);
}

export function moveCutOff(end: "lo" | "hi", steps: number): void {
  nudgeCutOff(mainKind.value, end, steps);
}

/** Autoscaling shows the whole map instead of what is near the candles. */
const wholeMap = signal(false);

export function fitAll(): void {
  wholeMap.value = true;
  chart.value?.showAll();
}

export function backToNow(): void {
  wholeMap.value = false;
  span.value = null;
  showZonesNow();
  chart.value?.showRecent();
}

type PriceRange = { readonly min: number; readonly max: number };

/** Autoscaling asks on every frame; the extent changes only with the scale and with a new column. */
let extent: { readonly key: string; readonly data: MapData; readonly range: PriceRange | null } | null = null;

function extentOf(data: MapData): PriceRange | null {
  const scale = scaleOf("estimate");
  if (!scale) return null;
  const key = `${data.nowIndex}|${scale.loUsd}`;
  if (extent?.data !== data || extent.key !== key) extent = { key, data, range: heatExtent(data, scale) };
  return extent.range;
}

/** Prices that autoscaling shows for the bars in view. */
export function fitRange(fromBar: number, toBar: number): PriceRange | null {
  const data = mapData.peek();
  if (!data) return null;
  const range = (wholeMap.peek() && extentOf(data)) || fitAround(data, fromBar, toBar, mode.peek());
  const at = focus.peek();
  // What was jumped to stays in view; a cell was in view when it was chosen.
  if (!range || !at || at.src === "cell") return range;
  const room = (range.max - range.min) * 0.05;
  return { min: Math.min(range.min, at.priceUsd - room), max: Math.max(range.max, at.priceUsd + room) };
}

/** Bring what was jumped to into view, in time and in price. */
export function revealFocus(at: Focus | null): void {
  const [data, view] = [mapData.peek(), chart.peek()];
  if (!data || !view || !at || at.src === "cell") return;
  view.reveal(Math.min(data.nowIndex, (at.tMs - data.t0Ms) / data.dtMs));
  const pane = geometry.peek();
  if (pane && (at.priceUsd > pane.top || at.priceUsd < pane.bottom)) view.autoscale();
}

export function toggleLog(): void {
  setPrefs({ priceScale: prefs.value.priceScale === "log" ? "linear" : "log" });
}

export function goToTime(tMs: number): void {
  const data = mapData.value;
  if (!data) return;
  chart.value?.centre((tMs - data.t0Ms) / data.dtMs);
  showZonesAt(tMs);
}

export function pinHover(): void {
  if (hover.value) focusOn(hover.value);
}

export function clearCursor(): void {
  hover.value = null;
  clearFocus();
}

/** Move the cell cursor by whole cells; it starts at the last price of the forming bar. */
export function moveCursor(bars: number, rows: number): void {
  const data = mapData.value;
  const header = data?.grid("synthetic", "long")?.header;
  const lastPrice = data?.lastPrice;
  if (!data || !header || !lastPrice) return;
  const from = hover.value ?? focus.value;
  if (!from) {
    hover.value = { tMs: data.t0Ms + (data.nowIndex + 0.5) * data.dtMs, priceUsd: lastPrice };
    return;
  }
  const next = { tMs: from.tMs + bars * data.dtMs, priceUsd: from.priceUsd + rows * header.rowUsd };
  if (readCell(next)) hover.value = next;
}

export async function replayCommand(command: Parameters<typeof postReplay>[0]): Promise<void> {
  await postReplay(command);
  await refreshStatus();
}

export function toggleReplay(): void {
  const replay = status.value?.replay;
  if (replay) void replayCommand({ pause: !replay.paused });
}
