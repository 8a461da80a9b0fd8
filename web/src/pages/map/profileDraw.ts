/** Draws the profile: a bar a row with its band, what price would set free on the way, and how much rows feed moves. */
import { type ChartColours, COLOURS } from "../../chart/theme";
import { mapData, mapTick, profile } from "../../state/map";
import { resolvedTheme } from "../../state/prefs";
import { geometry, priceToY } from "./geometry";
import { binProfile } from "./profileBins";
import { reproductionShare } from "./reproduction";

const BIN_PX = 2;
const DOT_PX = 6;

export function drawProfile(canvas: HTMLCanvasElement): void {
  const [pane, exposure, last] = [geometry.value, profile.value, mapData.value?.lastPrice];
  mapTick.value;
  const ratio = devicePixelRatio;
  const width = canvas.clientWidth;
  if (!pane || width === 0) return;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(pane.heightPx * ratio);
  canvas.style.height = `${pane.heightPx}px`;
  const ctx = canvas.getContext("2d");
  if (!ctx || !exposure || !last) return;
  ctx.scale(ratio, ratio);
  const c = COLOURS[resolvedTheme()];
  const bins = binProfile(exposure, pane, last, BIN_PX);
  for (let i = 0; i < bins.long.length; i++) {
    ctx.fillStyle = bins.long[i] >= bins.short[i] ? c.long : c.short;
    const length = (Math.max(bins.long[i], bins.short[i]) / bins.most) * (width - 8);
    if (length > 0.3) ctx.fillRect(0, i * BIN_PX, length, BIN_PX);
    // The band: from its lower to its upper end, over the bar's own end.
    const [from, to] = [(bins.lo[i] / bins.most) * (width - 8), (bins.hi[i] / bins.most) * (width - 8)];
    ctx.fillStyle = c.band;
    if (to - from > 0.5) ctx.fillRect(from, i * BIN_PX, to - from, BIN_PX);
  }
  drawCumulative(ctx, bins.cumulative, bins.total, width, c.text);
  drawReproduction(ctx, bins.reproduction, width, c);
  const y = priceToY(last, pane);
  ctx.strokeStyle = c.now;
  ctx.setLineDash([3, 4]);
  ctx.beginPath();
  ctx.moveTo(0, y);
  ctx.lineTo(width, y);
  ctx.stroke();
}

function drawCumulative(
  ctx: CanvasRenderingContext2D,
  sums: Float64Array,
  total: number,
  width: number,
  ink: string,
) {
  ctx.strokeStyle = ink;
  ctx.lineWidth = 1.25;
  ctx.beginPath();
  let pen = false;
  for (let i = 0; i < sums.length; i++) {
    if (sums[i] === 0) {
      pen = false;
      continue;
    }
    const x = (sums[i] / total) * (width - 8);
    if (pen) ctx.lineTo(x, (i + 0.5) * BIN_PX);
    else ctx.moveTo(x, (i + 0.5) * BIN_PX);
    pen = true;
  }
  ctx.stroke();
}

function drawReproduction(
  ctx: CanvasRenderingContext2D,
  values: Float64Array,
  width: number,
  c: ChartColours,
) {
  if (!values.some((r) => r >= 0)) return;
  const half = (width - 8) / 2;
  ctx.save();
  ctx.strokeStyle = c.now;
  ctx.lineWidth = 1;
  ctx.setLineDash([1, 3]);
  ctx.beginPath();
  ctx.moveTo(half, 0);
  ctx.lineTo(half, values.length * BIN_PX);
  ctx.stroke();
  ctx.restore();
  const every = DOT_PX / BIN_PX;
  for (let i = 0; i < values.length; i += every) {
    // Of the rows that share a dot, the one that feeds its own move most.
    const r = Math.max(...values.slice(i, i + every).map((value) => (value >= 0 ? value : -1)));
    if (r < 0) continue;
    ctx.beginPath();
    ctx.arc(reproductionShare(r) * (width - 8), (i + every / 2) * BIN_PX, r > 1 ? 2.6 : 1.4, 0, 2 * Math.PI);
    ctx.fillStyle = c.ring;
    ctx.strokeStyle = c.background;
    ctx.lineWidth = 1;
    ctx.fill();
    ctx.stroke();
  }
}
