/** The one place that everything on screen is about: a moment and a price. The only link between views and pages. */
import { signal } from "@preact/signals";

export interface Point {
  readonly tMs: number;
  readonly priceUsd: number;
}

export const FOCUS_SOURCES = ["cell", "zone", "event"] as const;
/** What was chosen to get here. */
export type FocusSource = (typeof FOCUS_SOURCES)[number];

export interface Focus extends Point {
  readonly src: FocusSource;
  /** Id of the zone or event; `null` for a cell. */
  readonly eventId: string | null;
}

/** Every visible view centres on it and draws the same ring; the address bar holds it as `sel=`. */
export const focus = signal<Focus | null>(null);

export function focusOn(point: Point, src: FocusSource = "cell", eventId: string | null = null): void {
  focus.value = { tMs: point.tMs, priceUsd: point.priceUsd, src, eventId };
}

export function clearFocus(): void {
  focus.value = null;
}

/** `1770300000000_96225` for a cell; the source and the id follow where there is one. */
export function formatFocus(at: Focus): string {
  const place = `${Math.round(at.tMs)}_${Number(at.priceUsd.toPrecision(8))}`;
  return at.src === "cell" ? place : `${place}_${at.src}${at.eventId ? `_${at.eventId}` : ""}`;
}

export function parseFocus(text: string | null): Focus | null {
  const [time = "", price = "", source = "cell", ...id] = (text ?? "").split("_");
  const [tMs, priceUsd] = [Number(time), Number(price)];
  const src = FOCUS_SOURCES.find((name) => name === source);
  if (!(tMs > 0) || !(priceUsd > 0) || !Number.isFinite(tMs + priceUsd) || !src) return null;
  return { tMs, priceUsd, src, eventId: id.join("_") || null };
}
