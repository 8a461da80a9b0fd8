/** Bodies of the REST interface and messages of the stream, as the server documents them. Times in ms UTC. */
import type { EventMessage } from "./eventTypes";

export interface Envelope {
  readonly simulated: boolean;
  readonly stale: boolean;
  /** `as_of_ns` does not fit a double; the server adds the same instant in ms. */
  readonly as_of_ms?: number;
}

export interface Progress {
  readonly done: number;
  readonly total: number;
  readonly label: string;
}

export interface ReplayState {
  readonly at_ms?: number;
  readonly at_ns: number;
  readonly from_ns: number;
  readonly to_ns: number;
  readonly speed: number;
  readonly paused: boolean;
}

export interface Status extends Envelope {
  readonly version: string;
  readonly mode: "replay" | "simulated" | "live";
  readonly world: string | null;
  readonly state: "loading" | "ready" | "error";
  readonly progress: Progress | null;
  readonly error: { readonly code: string; readonly message: string; readonly hint?: string | null } | null;
  readonly data_age_s: number | null;
  readonly replay: ReplayState | null;
}

export interface Asset {
  readonly asset: string;
  readonly price_usd: number | null;
  readonly row_usd: number | null;
  readonly scopes: readonly string[];
  readonly timeframes: readonly string[];
}

export interface Assets extends Envelope {
  readonly assets: readonly Asset[];
}

type Series = readonly (number | null)[];

export interface Candles extends Envelope {
  readonly t0_ms: number;
  readonly dt_ms: number;
  readonly seq: number;
  readonly n: number;
  readonly n_closed: number;
  readonly open: Series;
  readonly high: Series;
  readonly low: Series;
  readonly close: Series;
  readonly volume_usd: Series;
  readonly long_usd: Series;
  readonly short_usd: Series;
}

export interface Legend extends Envelope {
  readonly lo_usd: number | null;
  readonly hi_usd: number | null;
  readonly from_ms?: number | null;
  readonly to_ms?: number | null;
}

export interface CellAnswer extends Envelope {
  readonly t_ms: number;
  readonly price_low_usd: number;
  readonly price_high_usd: number;
  readonly long_usd: number | null;
  readonly short_usd: number | null;
  /** Between which amounts they lie, over leverage mixes; an older engine leaves them out. */
  readonly long_lo_usd?: number | null;
  readonly long_hi_usd?: number | null;
  readonly short_lo_usd?: number | null;
  readonly short_hi_usd?: number | null;
  readonly real_long_usd: number | null;
  readonly real_short_usd: number | null;
  readonly venues: readonly { readonly venue: string; readonly usd: number | null }[];
  readonly bands: readonly {
    readonly label: string;
    readonly long_usd: number | null;
    readonly short_usd: number | null;
  }[];
  readonly entry_window: { readonly from_ms: number; readonly to_ms: number } | null;
  readonly oi_source: string | null;
  readonly oi_age_s: number | null;
  readonly learned_share: number | null;
  readonly assumed_share: number | null;
  readonly distance_ratio: number | null;
}

/** R by row: above 1 what a row releases moves price farther than it is wide. */
export interface Reproduction {
  readonly value: Series;
  /** 95 % interval over what is believed of impact and of the share liquidated. */
  readonly low: Series;
  readonly high: Series;
  /** Flows with a move that it was learned from, faded. */
  readonly n_flows: number;
  /** `false`: too few to lean on. */
  readonly established: boolean;
}

export interface Profile extends Envelope {
  readonly prices_usd: readonly number[];
  readonly long_usd: Series;
  readonly short_usd: Series;
  readonly lo_usd: Series;
  readonly hi_usd: Series;
  readonly oi_long_usd: number | null;
  readonly oi_short_usd: number | null;
  readonly learned_share: number | null;
  /** `null` of one venue, and before volatility and volume are known; an older engine leaves it out. */
  readonly reproduction?: Reproduction | null;
}

export type Interval = readonly [number | null, number | null];

export interface ScoreModel {
  readonly name: string;
  readonly ig: number | null;
  readonly t: number | null;
  readonly ci: Interval | null;
}

export interface ScoreDifference {
  readonly a: string;
  readonly b: string;
  readonly metric: string;
  readonly mean: number | null;
  readonly ci: Interval | null;
}

export interface ScoreReport {
  readonly asset: string;
  readonly from_ms: number;
  readonly to_ms: number;
  readonly refresh_s: number;
  readonly n_scored: number;
  readonly models: readonly ScoreModel[];
  readonly differences: readonly ScoreDifference[];
  /** Events of each UTC day and what the map expected; an older engine leaves it out. */
  readonly days?: readonly DayTotal[];
  /** Where events lay beside where models expected them; an older engine leaves it out. */
  readonly places?: readonly Places[];
}

/** Share of the events in each tenth of what a model expected of their places, near end to far end, with 95 % ends. */
export interface Places {
  readonly model: string;
  readonly shares: readonly (number | null)[];
  readonly low: readonly (number | null)[];
  readonly high: readonly (number | null)[];
  readonly distance: number | null;
}

export interface DayTotal {
  readonly day: string;
  readonly observed: number | null;
  readonly predicted: number | null;
}

/** Gain of a model over a baseline in T. */
export interface Gain {
  readonly model: string;
  readonly baseline: string;
  readonly mean: number | null;
  readonly ci: Interval | null;
}

/** The last evaluation whose scored window ends on one UTC day. */
export interface ScorePoint {
  readonly refresh_s: number;
  readonly from_ms: number;
  readonly to_ms: number;
  readonly n_scored: number;
  readonly gains: readonly Gain[];
}

export interface Scores extends Envelope {
  readonly available: boolean;
  readonly reports: readonly ScoreReport[];
  /** Of the asset that was asked for, by refresh interval, oldest first. */
  readonly history?: readonly ScorePoint[] | null;
}

export interface Problem {
  readonly title: string;
  readonly status: number;
  readonly detail?: string;
  readonly code?: string;
  /** What is at fault: a field, a file, a parameter. */
  readonly where?: string | null;
  readonly hint?: string | null;
}

export interface CandleMessage {
  readonly type: "candle";
  readonly scope: string;
  readonly tf: string;
  readonly index: number;
  readonly t_ms: number;
  readonly o: number | null;
  readonly h: number | null;
  readonly l: number | null;
  readonly c: number | null;
  readonly volume_usd: number | null;
  readonly long_usd: number | null;
  readonly short_usd: number | null;
  readonly closed: boolean;
}

export type StreamMessage =
  | { readonly type: "hello"; readonly protocol: number; readonly heartbeat_s: number }
  | {
      readonly type: "subscribed";
      readonly sub: number;
      readonly scope: string;
      readonly tf: string;
      readonly plane: string;
      readonly side: string;
      readonly seq: number;
    }
  | CandleMessage
  | EventMessage
  | { readonly type: "zones"; readonly scope: string; readonly version: number }
  | ({ readonly type: "status" } & Status)
  | { readonly type: "resync"; readonly sub: number }
  | { readonly type: "ping"; readonly t_ms: number }
  | { readonly type: "error"; readonly detail?: string; readonly code?: string };
