/** Top line over the chart: the bar, and what the cell under the pointer says. */
import { answerHere, hoverBar, reading } from "../../state/cell";
import { price, signedPercent, usd, usdBand, utcShort } from "../../state/format";
import { mapData } from "../../state/map";
import { mode, scope, timeframe } from "../../state/view";
import { MODE_TEXT } from "./modes";

function BarLine() {
  const bar = hoverBar.value;
  const rowUsd = mapData.value?.grid("synthetic", "long")?.header.rowUsd ?? 1;
  if (!bar) return null;
  const up = bar.close !== null && bar.open !== null && bar.close >= bar.open;
  const values = [
    ["O", bar.open],
    ["H", bar.high],
    ["L", bar.low],
    ["C", bar.close],
  ] as const;
  return (
    <>
      {values.map(([name, value]) => (
        <span key={name} class="pair ohlc">
          <i>{name}</i>
          {price(value, rowUsd / 10)}
        </span>
      ))}
      {bar.close !== null && bar.open !== null && (
        <span class={up ? "is-up" : "is-down"}>
          {up ? "▲" : "▼"} {signedPercent(bar.close / bar.open - 1)}
        </span>
      )}
      <span class="pair">
        <i>liquidated L</i>
        {usd(bar.longUsd)}
      </span>
      <span class="pair">
        <i>S</i>
        {usd(bar.shortUsd)}
      </span>
    </>
  );
}

function CellLine() {
  const cell = reading.value;
  if (!cell) return <span class="quiet strip-explains">{MODE_TEXT[mode.value].explains}</span>;
  const rowUsd = cell.highUsd - cell.lowUsd;
  const real = cell.realLongUsd + cell.realShortUsd;
  const kind = cell.forward ? "forward est." : "est.";
  const known = answerHere.value;
  const long = known?.long_usd ?? cell.longUsd;
  const short = known?.short_usd ?? cell.shortUsd;
  return (
    <>
      <span class="pair">
        <i>{utcShort(cell.point.tMs)}</i>
        <b>
          {price(cell.lowUsd, rowUsd)}–{price(cell.highUsd, rowUsd)}
        </b>
      </span>
      <span class="pair">{signedPercent(cell.distanceRatio)}</span>
      <span class="pair is-long">
        <i>{kind} L</i>
        {usd(long)}
        {usdBand(long, known?.long_lo_usd, known?.long_hi_usd)}
      </span>
      <span class="pair is-short">
        <i>{kind} S</i>
        {usd(short)}
        {usdBand(short, known?.short_lo_usd, known?.short_hi_usd)}
      </span>
      {real > 0 && (
        <span class="pair">
          <i>happened</i>
          {cell.realLongUsd > 0 && `L ${usd(cell.realLongUsd)}`}
          {cell.realLongUsd > 0 && cell.realShortUsd > 0 && " "}
          {cell.realShortUsd > 0 && `S ${usd(cell.realShortUsd)}`}
        </span>
      )}
    </>
  );
}

export function LegendStrip() {
  return (
    <div class="strip">
      <div class="strip-line">
        <strong>
          {scope.value ?? "–"} · {timeframe.value} · {MODE_TEXT[mode.value].label}
        </strong>
        <BarLine />
      </div>
      <div class="strip-line">
        <CellLine />
      </div>
    </div>
  );
}
