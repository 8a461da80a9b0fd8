/** One sentence about the map for screen readers, at most every few seconds. */
import { effect, signal } from "@preact/signals";
import { reading } from "../../state/cell";
import { freshness, simulated } from "../../state/engine";
import { price, signedPercent, usd } from "../../state/format";
import { mapData, mapState } from "../../state/map";
import { mode, scope, timeframe } from "../../state/view";
import { approachingZones } from "../../state/zones";
import { MODE_TEXT } from "./modes";
import { rangeText, sideWords } from "./zones/zoneText";

export const summary = signal("");

const THROTTLE_MS = 2000;

function sentence(): string {
  const cell = reading.value;
  if (cell) {
    const where = `${price(cell.lowUsd)} to ${price(cell.highUsd)}, ${signedPercent(cell.distanceRatio)} from price`;
    return `Cell ${where}: long ${usd(cell.longUsd)}, short ${usd(cell.shortUsd)} estimated.`;
  }
  const data = mapData.value;
  const head = `${simulated.value ? "Simulated market. " : ""}${scope.value ?? ""} ${timeframe.value}, ${MODE_TEXT[mode.value].label}.`;
  if (mapState.value.kind !== "ready" || !data) return `${head} Map ${mapState.value.kind}.`;
  const near = approachingZones.value;
  const zones =
    near.length > 0
      ? ` Zones approaching: ${near.length}; nearest: ${sideWords(near[0])} ${rangeText(near[0], 1)}.`
      : "";
  return `${head} Last price ${price(data.lastPrice)}. Feed ${freshness.value}.${zones}`;
}

let timer = 0;
effect(() => {
  const text = sentence();
  window.clearTimeout(timer);
  timer = window.setTimeout(() => {
    summary.value = text;
  }, THROTTLE_MS);
});
