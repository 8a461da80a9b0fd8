/** Which venues are shown and in what order, so that what somebody reads stays where it is. */
import type { SourceVenue } from "../../api/sources";
import { byTrouble, isWell } from "./words";

/**
 * Slugs to show, the troubled first. With an order that is held everybody keeps their place, also who has become well,
 * and who newly belongs there comes last.
 */
export function orderOf(
  venues: readonly SourceVenue[],
  onlyTroubled: boolean,
  held: readonly string[] | null,
): string[] {
  const fresh = byTrouble(venues)
    .filter(({ status }) => !onlyTroubled || !isWell(status))
    .map(({ venue }) => venue);
  if (!held) return fresh;
  const known = new Set(venues.map(({ venue }) => venue));
  const kept = held.filter((slug) => known.has(slug));
  return [...kept, ...fresh.filter((slug) => !kept.includes(slug))];
}

/** Somebody points at it, or works in it with keys. */
export const isInUse = (box: HTMLElement | null) =>
  box !== null && (box.matches(":hover") || box.contains(document.activeElement));
