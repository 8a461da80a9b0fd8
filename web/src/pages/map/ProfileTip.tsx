/** What the row under the pointer holds, at the edge of the profile. */
import { computed, signal } from "@preact/signals";
import { price, usd, usdBand } from "../../state/format";
import { mapData, mapTick, profile } from "../../state/map";
import { geometry, yToPrice } from "./geometry";
import { rowAt } from "./profileBins";
import { reproductionText } from "./reproduction";

const pointer = signal<number | null>(null);
export function pointAt(y: number | null): void {
  pointer.value = y;
}

const reading = computed(() => {
  mapTick.value;
  const [y, pane, now, last] = [pointer.value, geometry.value, profile.value, mapData.value?.lastPrice];
  if (y === null || !pane || !now || !last || y > pane.heightPx) return null;
  const row = rowAt(now, yToPrice(y, pane), last);
  return row && { y, row, below: y < pane.heightPx / 2 };
});

export function ProfileTip() {
  const at = reading.value;
  if (!at) return null;
  const { row, y, below } = at;
  const rowUsd = row.topUsd - row.priceUsd;
  return (
    <div
      class="profile-tip"
      style={{ top: `${below ? y + 12 : y - 12}px`, transform: below ? "" : "translateY(-100%)" }}
    >
      <b>
        {price(row.priceUsd, rowUsd)}–{price(row.topUsd, rowUsd)}
      </b>
      <span class={`is-${row.side}`}>
        {row.side === "long" ? "L" : "S"} {usd(row.usd)}
        {usdBand(row.usd, row.loUsd, row.hiUsd)} est.
      </span>
      <span>to here {usd(row.cumulativeUsd)}</span>
      <span>R(p) {reproductionText(row.feeding)}</span>
    </div>
  );
}
