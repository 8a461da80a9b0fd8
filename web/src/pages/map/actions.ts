/** What buttons and keys do to the chart that is on screen. */
import { signal } from "@preact/signals";
import { postReplay } from "../../api/endpoints";
import type { PriceChart } from "../../chart/PriceChart";
import { fitAround, heatExtent } from "../../chart/scene";
import { hover, readCell } from "../../state/cell";
import { refreshStatus, simulated, status } from "../../state/engine";
import { clearFocus, focus, focusOn } from "../../state/focus";
import { usd, utcMinute } from "../../state/format";
import { mapData } from "../../state/map";
import type { MapData } from "../../state/mapData";
import { prefs, resolvedTheme, setPrefs } from "../../state/prefs";
import { mainKind, nudgeCutOff, scaleOf, shownKinds } from "../../state/scale";
import { MODES, TIMEFRAMES } from "../../state/url";
import { chooseMode, chooseTimeframe, mode, scope, span, timeframe, timeframes } from "../../state/view";
import { MODE_TEXT } from "./modes";

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
  return (wholeMap.peek() && extentOf(data)) || fitAround(data, fromBar, toBar, mode.peek());
}

export function toggleLog(): void {
  setPrefs({ priceScale: prefs.value.priceScale === "log" ? "linear" : "log" });
}

export function goToTime(tMs: number): void {
  const data = mapData.value;
  if (data) chart.value?.centre((tMs - data.t0Ms) / data.dtMs);
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

const STAMP_PX = 46;

/** The ends of the colours in words: a picture without them could not be read. */
function scaleText(): string {
  return shownKinds.value
    .map((kind) => ({ kind, scale: scaleOf(kind) }))
    .map(
      ({ kind, scale }) =>
        `${kind} ${scale ? `${usd(scale.loUsd)} to ${usd(scale.hiUsd)}` : "not measured"} per cell`,
    )
    .join(", ");
}

/** The chart as PNG with a line that says what it is; a simulated market is marked in picture and file name. */
export function exportPicture(): void {
  const picture = chart.value?.screenshot();
  const data = mapData.value;
  if (!picture || !data) return;
  const dark = resolvedTheme() === "dark";
  const ratio = devicePixelRatio;
  const canvas = document.createElement("canvas");
  canvas.width = picture.width;
  canvas.height = picture.height + STAMP_PX * ratio;
  const ctx = canvas.getContext("2d");
  if (!ctx) return;
  ctx.fillStyle = dark ? "#0a0e15" : "#ffffff";
  ctx.fillRect(0, 0, canvas.width, canvas.height);
  ctx.drawImage(picture, 0, STAMP_PX * ratio);
  ctx.scale(ratio, ratio);
  const asOf = status.value?.as_of_ms ?? data.bars.at(-1)?.tMs;
  ctx.fillStyle = dark ? "#e2e8f0" : "#1e293b";
  ctx.font = "600 14px sans-serif";
  const heading = `Faultline  ${scope.value}  ${timeframe.value}  ${MODE_TEXT[mode.value].label}  ${utcMinute(asOf)} UTC`;
  ctx.fillText(heading, 10, 19);
  ctx.font = "12px sans-serif";
  ctx.fillText("Model estimates - not exchange data, not advice", 10, 37);
  ctx.textAlign = "right";
  ctx.fillText(`${scaleText()}  ·  Charts: TradingView Lightweight Charts`, canvas.width / ratio - 10, 37);
  if (simulated.value) {
    ctx.font = "700 14px sans-serif";
    ctx.fillStyle = dark ? "#fbbf24" : "#8a5300";
    ctx.fillText("SIMULATED MARKET", canvas.width / ratio - 10, 19);
  }
  const link = document.createElement("a");
  const stamp = utcMinute(asOf).replace(/[: ]/g, "-");
  const name = `faultline-${scope.value}-${timeframe.value}-${stamp}`.replaceAll(":", "-");
  link.download = `${name}${simulated.value ? "-SIMULATED" : ""}.png`;
  link.href = canvas.toDataURL("image/png");
  link.click();
}
