/** The chart as PNG under a heading burnt in: what it is, when, what its colours are worth, and whose it is not. */
import { simulated, status } from "../../state/engine";
import { usd, utcMinute } from "../../state/format";
import { mapData } from "../../state/map";
import { resolvedTheme } from "../../state/prefs";
import { type ScaleKind, scaleOf, shownKinds } from "../../state/scale";
import { mode, scope, timeframe } from "../../state/view";
import { chart } from "./actions";
import { MODE_TEXT } from "./modes";
import { scaleColours } from "./scaleColours";

const HEAD_PX = 70;
const BAR_PX = 110;
const INKS = {
  dark: { paper: "#0a0e15", text: "#e2e8f0", quiet: "#94a1b5", mark: "#fbbf24" },
  light: { paper: "#ffffff", text: "#1e293b", quiet: "#4a5568", mark: "#8a5300" },
} as const;
const KIND_WORDS: Readonly<Record<ScaleKind, string>> = {
  estimate: "estimate, USD per cell",
  events: "happened, USD per cell",
};

/** One scale with its ends in USD; returns where it ends. */
function drawScale(
  ctx: CanvasRenderingContext2D,
  kind: ScaleKind,
  x: number,
  y: number,
  ink: string,
): number {
  const scale = scaleOf(kind);
  ctx.fillStyle = ink;
  let at = x;
  const say = (text: string, gap: number) => {
    ctx.fillStyle = ink;
    ctx.fillText(text, at, y);
    at += ctx.measureText(text).width + gap;
  };
  if (!scale) {
    say(`${KIND_WORDS[kind]}: not measured`, 18);
    return at;
  }
  say(usd(scale.loUsd), 6);
  const fill = ctx.createLinearGradient(at, 0, at + BAR_PX, 0);
  const colours = scaleColours(kind, scale);
  colours.forEach((colour, i) => {
    fill.addColorStop(i / (colours.length - 1), colour.replaceAll(" ", ", "));
  });
  ctx.fillStyle = fill;
  ctx.fillRect(at, y - 9, BAR_PX, 10);
  at += BAR_PX + 6;
  say(usd(scale.hiUsd), 8);
  say(KIND_WORDS[kind], 20);
  return at;
}

function drawHead(ctx: CanvasRenderingContext2D, width: number, atMs: number | undefined): void {
  const ink = INKS[resolvedTheme()];
  ctx.fillStyle = ink.text;
  ctx.font = "600 14px sans-serif";
  const what = `Faultline  ${scope.value}  ${timeframe.value}  ${MODE_TEXT[mode.value].label}  ${utcMinute(atMs)} UTC`;
  ctx.fillText(what, 10, 19);
  if (simulated.value) {
    ctx.font = "700 14px sans-serif";
    ctx.fillStyle = ink.mark;
    const mark = "SIMULATED MARKET";
    const free = width - 20 - ctx.measureText(mark).width > ctx.measureText(what).width;
    ctx.textAlign = "right";
    ctx.fillText(free ? mark : "SIMULATED", width - 10, free ? 19 : 39);
    ctx.textAlign = "left";
  }
  ctx.font = "12px sans-serif";
  ctx.fillStyle = ink.quiet;
  ctx.fillText("Model estimates - not exchange data, not advice", 10, 39);
  if (width > 640) {
    ctx.textAlign = "right";
    ctx.fillText("Charts: TradingView Lightweight Charts", width - 10, 39);
    ctx.textAlign = "left";
  }
  let x = 10;
  for (const kind of shownKinds.value) x = drawScale(ctx, kind, x, 60, ink.text);
}

/** The picture with its heading; `null` while there is no chart. */
export function labelledPicture(): HTMLCanvasElement | null {
  const picture = chart.value?.screenshot();
  const data = mapData.value;
  if (!picture || !data) return null;
  const ratio = devicePixelRatio;
  const canvas = document.createElement("canvas");
  canvas.width = picture.width;
  canvas.height = picture.height + HEAD_PX * ratio;
  const ctx = canvas.getContext("2d");
  if (!ctx) return null;
  ctx.fillStyle = INKS[resolvedTheme()].paper;
  ctx.fillRect(0, 0, canvas.width, canvas.height);
  ctx.drawImage(picture, 0, HEAD_PX * ratio);
  ctx.scale(ratio, ratio);
  drawHead(ctx, canvas.width / ratio, status.value?.as_of_ms ?? data.bars.at(-1)?.tMs);
  return canvas;
}

/** Save the picture; a simulated market is marked in picture and file name. */
export function exportPicture(): void {
  const canvas = labelledPicture();
  if (!canvas) return;
  const link = document.createElement("a");
  const stamp = utcMinute(status.value?.as_of_ms ?? mapData.value?.bars.at(-1)?.tMs).replace(/[: ]/g, "-");
  const name = `faultline-${scope.value}-${timeframe.value}-${stamp}`.replaceAll(":", "-");
  link.download = `${name}${simulated.value ? "-SIMULATED" : ""}.png`;
  link.href = canvas.toDataURL("image/png");
  link.click();
}
