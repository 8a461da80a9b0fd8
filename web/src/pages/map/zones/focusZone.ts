/** Choosing a zone: it comes into view, gets its ring, and the address bar names it. */
import type { Zone } from "../../../api/zones";
import { focusOn } from "../../../state/focus";
import { mapData } from "../../../state/map";
import { zoneMoment } from "../../../state/zones";

/** The moment a zone is looked at: where it ended, else the shown moment, at the latest now on the map's own axis. */
function momentOf(zone: Zone): number {
  const data = mapData.peek();
  const at = (zone.ended_ms ?? zoneMoment.peek() ?? Number.POSITIVE_INFINITY) - 1;
  if (!data || data.nowIndex < 0) return Math.min(at, zone.at_ms);
  return Math.min(at, data.t0Ms + (data.nowIndex + 0.5) * data.dtMs);
}

export function focusZone(zone: Zone): void {
  focusOn({ tMs: momentOf(zone), priceUsd: zone.peak_usd }, "zone", zone.id);
}
