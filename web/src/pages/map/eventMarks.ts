/** Events of the shown scope as marks for the chart, and the zones that they say were swept. */
import { computed } from "@preact/signals";
import type { SeqEvent, SignalEvent } from "../../api/eventTypes";
import type { EventKind, EventMark } from "../../chart/EventPrimitive";
import type { ZoneMark } from "../../chart/ZonePrimitive";
import { eventsOf } from "../../state/events";
import { numberIn, textIn } from "../../state/eventText";
import { currentAsset, scope } from "../../state/view";

const KINDS: Readonly<Record<string, EventKind>> = {
  ZONE_HIT: "hit",
  ZONE_SWEPT: "swept",
  LIQUIDATION_LARGE: "large",
};

/** What places bars in time. */
export interface Axis {
  readonly t0Ms: number;
  readonly dtMs: number;
}

export const timeOf = (event: SignalEvent): number => event.detected_at_ns / 1e6;

/** Does an event belong on the map of a scope? Zones are of one scope; a liquidation is on its asset's map too. */
export function belongs(event: SignalEvent, scopeId: string, asset: string): boolean {
  if (event.asset !== asset) return false;
  if (event.type === "LIQUIDATION_LARGE") return scopeId === asset || textIn(event, "instrument") === scopeId;
  return textIn(event, "scope") === scopeId;
}

const sideOf = (event: SignalEvent): "long" | "short" => (event.data["side"] === "SHORT" ? "short" : "long");

/** The price at which it happened: of a sweep, the far edge. */
function priceOf(event: SignalEvent): number | null {
  if (event.type !== "ZONE_SWEPT") return numberIn(event, "price_usd");
  return numberIn(event, sideOf(event) === "long" ? "low_usd" : "high_usd");
}

const sizeOf = (event: SignalEvent) =>
  numberIn(event, event.type === "ZONE_SWEPT" ? "before_usd" : "notional_usd") ?? 0;

export function marksOf(events: readonly SignalEvent[], { t0Ms, dtMs }: Axis): EventMark[] {
  return events.flatMap((event) => {
    const [kind, priceUsd] = [KINDS[event.type], priceOf(event)];
    if (!kind || priceUsd === null || dtMs <= 0) return [];
    const bar = Math.floor((timeOf(event) - t0Ms) / dtMs);
    return [{ id: event.id, kind, side: sideOf(event), bar, priceUsd, usd: sizeOf(event) }];
  });
}

/** The minute of birth is part of a zone's id. */
export function bornMs(zoneId: string): number | null {
  const minute = Number.parseInt(zoneId.split("-").at(-2) ?? "", 36);
  return minute > 0 ? minute * 60_000 : null;
}

/** Zones that events say were swept and that are not known otherwise: they end at the candle that swept them. */
export function sweptZones(
  events: readonly SignalEvent[],
  known: ReadonlySet<string>,
  { t0Ms, dtMs }: Axis,
): ZoneMark[] {
  return events.flatMap((event) => {
    const id = textIn(event, "zone_id");
    const [lowUsd, highUsd] = [numberIn(event, "low_usd"), numberIn(event, "high_usd")];
    if (event.type !== "ZONE_SWEPT" || !id || known.has(id) || lowUsd === null || highUsd === null) return [];
    const barOf = (ms: number) => Math.floor((ms - t0Ms) / dtMs);
    const endBar = barOf(timeOf(event));
    const born = bornMs(id);
    const bornBar = born === null ? endBar : Math.min(endBar, barOf(born));
    const place = { lowUsd, highUsd, bornBar, endBar };
    // The event's own mark says that it was swept.
    const look = { swept: false, label: "", weight: 0, focused: false, ringBar: null, near: false };
    return [{ id, side: sideOf(event), ...place, ...look }];
  });
}

export const scopeEvents = computed<readonly SignalEvent[]>(() => {
  const [asset, scopeId] = [currentAsset.value?.asset, scope.value];
  if (!asset || !scopeId) return [];
  const entries: readonly SeqEvent[] = eventsOf(asset).value;
  return entries.map(({ event }) => event).filter((event) => belongs(event, scopeId, asset));
});
