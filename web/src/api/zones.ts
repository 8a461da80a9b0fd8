/** Zones as the engine describes them: bodies and routes. Times in ms UTC, amounts in USD, all of it estimated. */
import { getJson } from "./http";
import type { Envelope } from "./types";

export type ZoneSide = "LONG" | "SHORT";
export const ZONE_STATES = ["standing", "approached", "hit", "swept", "expired"] as const;
export type ZoneState = (typeof ZONE_STATES)[number];
export type Trend = "building" | "thinning" | "steady";

/** After minus before = opened - closed - swept + re-estimated. */
export interface ZoneFlows {
  readonly opened_usd: number | null;
  readonly closed_usd: number | null;
  readonly swept_usd: number | null;
  readonly reestimated_usd: number | null;
  readonly over_s: number;
}

/** One level of a chain: where it lies, and how likely it is that it is reached once the zone is hit. */
export interface ChainStep {
  readonly depth: number;
  readonly price_usd: number;
  readonly prob: number;
  /** 95 % interval of `prob`. */
  readonly low: number;
  readonly high: number;
  /** Notional to expect there. */
  readonly expected_usd: number;
  /** Median time from the hit, given that it is reached. */
  readonly delay_s: number | null;
  /** Forced flow that moves price there. */
  readonly needed_usd: number | null;
  /** Which of the two asks for so much: the square-root law, or what stands in the order books. */
  readonly needed_from: "law" | "book";
  /** Such steps seen so far; older ones count less. */
  readonly n_at_risk: number;
  /** Fewer than 30 of them. */
  readonly greyed: boolean;
}

/** Order books that a chain was walked through. */
export interface ChainBook {
  readonly instruments: readonly string[];
  /** Time since the last row of the one that is oldest. */
  readonly age_s: number;
  /** Depth near the best prices over what is usual there; null until six hours of it are known. */
  readonly depth_ratio: number | null;
}

/** How far a cascade would run, were the zone hit at `at_ms`; no steps where nothing stands out beyond it. */
export interface ZoneChain {
  readonly at_ms: number;
  /** Null where no order book is fresh and whole. */
  readonly book: ChainBook | null;
  /** Standard deviations by which the zone's side pays more than usual. */
  readonly funding_z: number | null;
  /** Whether it is foretold with frozen parameters; an older engine leaves it out. */
  readonly frozen?: boolean;
  readonly steps: readonly ChainStep[];
}

export interface Zone {
  readonly id: string;
  readonly scope: string;
  readonly side: ZoneSide;
  readonly state: ZoneState;
  readonly born_ms: number;
  /** It stood when following began: the age is a lower bound. */
  readonly since_start: boolean;
  /** When this state began. */
  readonly at_ms: number;
  readonly low_usd: number;
  readonly high_usd: number;
  readonly peak_usd: number;
  readonly notional_usd: number;
  readonly lo_usd: number | null;
  readonly hi_usd: number | null;
  /** Nearest edge over price, minus 1; 0 inside. */
  readonly distance_ratio: number | null;
  readonly age_s: number;
  readonly peak_notional_usd: number | null;
  readonly density_ratio: number | null;
  readonly density_level: number | null;
  readonly loaded: boolean | null;
  readonly trend: Trend | null;
  readonly share_ratio: number | null;
  readonly bands: readonly { readonly label: string; readonly usd: number | null }[] | null;
  readonly venues: readonly { readonly venue: string; readonly usd: number | null }[] | null;
  readonly flows: ZoneFlows | null;
  readonly ended_ms: number | null;
  /** The moment that this description is of. */
  readonly seen_ms: number;
  readonly end_reason: string | null;
  readonly touches: number;
  /** Told at the present of the asset's map, of the nearest notable zones; an older engine may leave it out. */
  readonly chain?: ZoneChain | null;
}

/** How far the maps of an asset's venues lie apart on one side. */
export interface VenueDivergence {
  readonly at_ms: number;
  /** The two that lie farthest apart. */
  readonly pair: readonly [string, string];
  readonly distance_bps: number;
  /** What chance alone gives in 95 of 100 cases. */
  readonly floor_bps: number | null;
  /** Distance less floor: only above 0 does the distance mean anything. */
  readonly excess_bps: number | null;
  /** Share that the two shapes have in common. */
  readonly overlap_ratio: number;
  readonly outlier: string | null;
}

export interface ZonesAnswer extends Envelope {
  /** Of the asset's venues at present; an engine that compares none may leave it out. */
  readonly divergence?: {
    readonly long: VenueDivergence | null;
    readonly short: VenueDivergence | null;
  } | null;
  readonly scope: string;
  readonly at_ms: number | null;
  readonly price_usd: number | null;
  /** Nothing is known before this moment. */
  readonly tracked_from_ms: number | null;
  readonly zones: readonly Zone[];
}

export interface ZoneLife extends Envelope {
  readonly states: readonly Zone[];
}

/** All zones of a scope: now, or as they stood at a moment. */
export function getZones(scope: string, atMs: number | null, signal?: AbortSignal): Promise<ZonesAnswer> {
  const query = new URLSearchParams({ scope });
  if (atMs !== null) query.set("at_ms", String(Math.round(atMs)));
  return getJson<ZonesAnswer>(`zones?${query}`, signal);
}

/** What one zone was over time, oldest first. */
export function getZoneLife(scope: string, id: string, signal?: AbortSignal): Promise<ZoneLife> {
  return getJson<ZoneLife>(`zones/${encodeURIComponent(id)}?${new URLSearchParams({ scope })}`, signal);
}
