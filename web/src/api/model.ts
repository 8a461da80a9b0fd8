/** What the model has learned of one asset: body and route. Times in ms UTC; `null` where something is not known. */
import { getJson } from "./http";
import type { Envelope } from "./types";

export type Maybe = number | null;

/** One of the four pooled bins of leverage. */
export interface LeverageBin {
  readonly label: string;
  readonly share: Maybe;
  /** 95 % credible band. */
  readonly low: Maybe;
  readonly high: Maybe;
  /** Share of the prior's uncertainty that events removed. */
  readonly iota: Maybe;
  /** `false`: too few liquidations at its levels, the share is the prior's. */
  readonly identified: boolean;
  readonly assumed_share: Maybe;
  readonly before_share: Maybe;
}

export interface LeverageHistory {
  readonly t_ms: readonly number[];
  readonly shares: readonly (readonly Maybe[])[];
  readonly effective_events: readonly Maybe[];
}

export interface CalibrationRow {
  readonly name: string;
  readonly unit: string;
  readonly value: Maybe;
  readonly low: Maybe;
  readonly high: Maybe;
  readonly n_events: Maybe;
  readonly data_share: Maybe;
}

export interface PublishedFact {
  readonly value: string | number | boolean | null;
  readonly evidence: string;
}

export interface Calibration {
  readonly rows: readonly CalibrationRow[];
  /** unknown, right, inverted or mixed. */
  readonly sides: string;
  readonly published: Readonly<Record<string, PublishedFact | null>> | null;
}

/** What is served of a parameter file; an older engine says it of feeds only, without the version. */
export interface Served {
  /** Whether a snapshot is served as it is, and nothing is learned. */
  readonly frozen?: boolean;
  /** The snapshot that it is or began with; null where it began with nothing. */
  readonly version?: Maybe;
}

export interface ModelFeed extends Served {
  readonly feed: string;
  readonly venue: string;
  /** Whose price path the events are read against. */
  readonly path: string;
  /** all, batched, latest, largest or none. */
  readonly reporting: string;
  readonly basis: "bank" | "pooled" | "prior";
  readonly speaks: boolean;
  readonly serves: readonly string[];
  readonly events: Maybe;
  readonly expected: Maybe;
  readonly effective_events: Maybe;
  readonly dispersion: Maybe;
  /** Over its own static prior. */
  readonly advantage_nats: Maybe;
  readonly learned_share: Maybe;
  /** Weight of the asset's learned maps beside the assumed ones, by how both scored; an older engine leaves it out. */
  readonly map_trust?: Maybe;
  readonly leverages: readonly number[];
  readonly mix: readonly Maybe[];
  readonly assumed_mix: readonly Maybe[];
  /** Where the assumed mix comes from, in words. */
  readonly assumed_from: string;
  readonly bins: readonly LeverageBin[];
  readonly before_ms: Maybe;
  readonly hypotheses: readonly { readonly name: string; readonly weight: Maybe }[];
  readonly history: LeverageHistory;
  readonly calibration: Calibration | null;
}

export interface CascadeDepth {
  readonly depth: number;
  readonly n_at_risk: number;
  readonly n_reached: number;
  readonly prob: Maybe;
  readonly low: Maybe;
  readonly high: Maybe;
  readonly delay_s: { readonly median: Maybe; readonly low: Maybe; readonly high: Maybe } | null;
  /** Too few were seen to say more than the prior does. */
  readonly greyed: boolean;
}

export interface ReliabilityBin {
  readonly forecast: Maybe;
  readonly observed: Maybe;
  readonly low: Maybe;
  readonly high: Maybe;
  readonly n: number;
}

export interface Episode {
  readonly id: string;
  readonly started_ms: number;
  readonly ended_ms: Maybe;
  readonly side: string;
  readonly depth: number;
  readonly realised_usd: Maybe;
  readonly expected_usd: Maybe;
  readonly excess_ratio: Maybe;
  readonly tail_prob: Maybe;
}

export interface StripDay {
  readonly day_ms: number;
  readonly liquidated_usd: Maybe;
  readonly oi_usd: Maybe;
  readonly ratio: Maybe;
}

export interface Cascade extends Served {
  readonly n_hits: number;
  readonly depths: readonly CascadeDepth[];
  readonly reliability: readonly ReliabilityBin[];
  readonly log_loss: Maybe;
  readonly log_loss_beta: Maybe;
  readonly episodes: readonly Episode[];
  readonly strip: readonly StripDay[];
}

export interface ModelAnswer extends Envelope {
  readonly asset: string;
  readonly feeds: readonly ModelFeed[];
  readonly cascade: Cascade | null;
}

export const getModel = (asset: string, signal?: AbortSignal) =>
  getJson<ModelAnswer>(`model/${encodeURIComponent(asset)}`, signal);
