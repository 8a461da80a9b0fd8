/** Where prices lie on the price pane; the profile beside the chart follows it. */
import { signal } from "@preact/signals";
import type { PaneGeometry } from "../../chart/HeatPrimitive";

export const geometry = signal<PaneGeometry | null>(null);

/** Pixel of a price on the pane, from its top. */
export function priceToY(price: number, pane: PaneGeometry): number {
  const { top, bottom, heightPx, isLog } = pane;
  const share = isLog ? Math.log(top / price) / Math.log(top / bottom) : (top - price) / (top - bottom);
  return share * heightPx;
}

/** Price at a pixel of the pane, from its top. */
export function yToPrice(y: number, pane: PaneGeometry): number {
  const { top, bottom, heightPx, isLog } = pane;
  const share = y / heightPx;
  return isLog ? top * (bottom / top) ** share : top - share * (top - bottom);
}
