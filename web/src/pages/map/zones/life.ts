/** The kept states of a zone as points of its life line. */
import type { Zone, ZoneState } from "../../../api/zones";

export interface LifePoint {
  readonly tMs: number;
  readonly usd: number;
  readonly state: ZoneState;
}

/** Oldest first, closed by the zone as it is shown; what is later than that is not shown. */
export function lifePoints(states: readonly Zone[], shown: Zone): LifePoint[] {
  const end = shown.seen_ms;
  const point = (zone: Zone) => ({ tMs: zone.seen_ms, usd: zone.notional_usd, state: zone.state });
  const before = states.filter((zone) => zone.seen_ms < end).map(point);
  return [...before, point(shown)].sort((a, b) => a.tMs - b.tMs);
}

/** Points at which another state began; the first is none. */
export function stateChanges(points: readonly LifePoint[]): LifePoint[] {
  return points.filter((point, i) => i > 0 && point.state !== points[i - 1].state);
}

/** At most `most` points, always with the first, the last and as many changes of state as fit. */
export function thinned(points: readonly LifePoint[], most: number): LifePoint[] {
  if (points.length <= most) return [...points];
  const kept = new Set<number>([0, points.length - 1]);
  points.forEach((point, i) => {
    if (i > 0 && point.state !== points[i - 1].state && kept.size < most) kept.add(i);
  });
  for (let k = 1; k < most && kept.size < most; k++) kept.add(Math.round((k * (points.length - 1)) / most));
  return [...kept].sort((a, b) => a - b).map((i) => points[i]);
}
