/** Zones in the order a column of their table asks for. */
import { signal } from "@preact/signals";
import type { Zone } from "../../../api/zones";

export const ZONE_COLUMNS = [
  "price",
  "side",
  "usd",
  "distance",
  "age",
  "level",
  "loaded",
  "trend",
  "leverage",
  "venues",
] as const;
export type ZoneColumn = (typeof ZONE_COLUMNS)[number];

export interface ZoneOrder {
  readonly by: ZoneColumn;
  readonly descending: boolean;
}

/** Columns whose interesting end is the large one. */
const LARGE_FIRST: readonly ZoneColumn[] = ["usd", "level", "loaded", "age", "price", "leverage", "venues"];

export const zoneOrder = signal<ZoneOrder>({ by: "distance", descending: false });

/** The same column again turns the order around. */
export function orderAfter(now: ZoneOrder, by: ZoneColumn): ZoneOrder {
  if (now.by === by) return { by, descending: !now.descending };
  return { by, descending: LARGE_FIRST.includes(by) };
}

const TRENDS = ["thinning", "steady", "building"];

/** Share of a zone in its highest leverage band. */
function hotShare({ bands }: Zone): number | null {
  const total = bands?.reduce((sum, band) => sum + (band.usd ?? 0), 0) ?? 0;
  return bands && total > 0 ? (bands.at(-1)?.usd ?? 0) / total : null;
}

const KEYS: Readonly<Record<ZoneColumn, (zone: Zone) => number | null>> = {
  price: (zone) => zone.peak_usd,
  side: (zone) => (zone.side === "LONG" ? 0 : 1),
  usd: (zone) => zone.notional_usd,
  distance: (zone) => (zone.distance_ratio === null ? null : Math.abs(zone.distance_ratio)),
  age: (zone) => zone.age_s,
  level: (zone) => zone.density_level,
  loaded: (zone) => (zone.loaded === null ? null : Number(zone.loaded)),
  trend: (zone) => (zone.trend === null ? null : TRENDS.indexOf(zone.trend)),
  leverage: hotShare,
  venues: (zone) => zone.venues?.length ?? null,
};

/** What is not known comes last in either direction; ties fall back to the nearest, then to the id. */
export function sortZones(zones: readonly Zone[], { by, descending }: ZoneOrder): Zone[] {
  const key = KEYS[by];
  const turn = descending ? -1 : 1;
  const near = (zone: Zone) => KEYS.distance(zone) ?? Number.POSITIVE_INFINITY;
  return [...zones].sort((a, b) => {
    const [left, right] = [key(a), key(b)];
    if (left === null || right === null) {
      if (left !== right) return left === null ? 1 : -1;
    } else if (left !== right) return (left - right) * turn;
    return near(a) - near(b) || (a.id < b.id ? -1 : 1);
  });
}
