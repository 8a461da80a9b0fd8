/** Exposure by price beside the chart, on the chart's own price axis; or the same as a table. */
import { effect, signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { COLOURS } from "../../chart/theme";
import { price, usd } from "../../state/format";
import { mapData, mapTick, profile, profileError } from "../../state/map";
import { resolvedTheme } from "../../state/prefs";
import { Icon } from "../../ui/Icon";
import { geometry, priceToY } from "./geometry";
import { binProfile, largestLevels } from "./profileBins";

const BIN_PX = 2;
const LEVELS_IN_TABLE = 12;
const asTable = signal(false);

function draw(canvas: HTMLCanvasElement): void {
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

function LevelTable() {
  const now = profile.value;
  if (!now) return null;
  const rowUsd = now.prices_usd.length > 1 ? now.prices_usd[1] - now.prices_usd[0] : 1;
  return (
    <table class="facts levels">
      <caption class="visually-hidden">Largest levels, estimated USD with interval</caption>
      <thead>
        <tr>
          <th>price</th>
          <th>side</th>
          <th>est. USD</th>
        </tr>
      </thead>
      <tbody>
        {largestLevels(now, LEVELS_IN_TABLE).map((level) => (
          <tr key={`${level.side}${level.priceUsd}`}>
            <th scope="row">{price(level.priceUsd, rowUsd)}</th>
            <td class={`is-${level.side}`}>{level.side === "long" ? "L" : "S"}</td>
            <td>
              {usd(level.usd)}
              <small>
                {usd(level.loUsd)}–{usd(level.hiUsd)}
              </small>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function ProfilePanel() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const shownAsTable = asTable.value;
  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    let frame = 0;
    const stop = effect(() => {
      void [geometry.value, profile.value, mapTick.value, resolvedTheme()];
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(() => draw(element));
    });
    return () => {
      stop();
      cancelAnimationFrame(frame);
    };
  }, [shownAsTable]);
  return (
    <section class="profile" aria-label="Exposure by price">
      {shownAsTable ? (
        <LevelTable />
      ) : (
        <canvas
          ref={canvas}
          role="img"
          aria-label="Estimated exposure by price, long and short, with cumulative curves"
        />
      )}
      <div class="profile-foot">
        <span>
          <i class="is-long">■</i> L <i class="is-short">■</i> S
          <br />
          <small>pale: band</small>
          <br />
          <small>line: cumulative</small>
        </span>
        <button
          type="button"
          class="icon-button"
          aria-pressed={shownAsTable}
          aria-label="Show the profile as a table"
          onClick={() => {
            asTable.value = !shownAsTable;
          }}
        >
          <Icon name="table" />
        </button>
      </div>
      {profileError.value && <p class="warn">{profileError.value}</p>}
    </section>
  );
}
