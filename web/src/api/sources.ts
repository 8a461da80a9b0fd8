/** What `/sources` answers: venues, their channels, and what could not be taken. */
import { getJson } from "./http";

export type SourceStatus = "live" | "quiet" | "partial" | "stale" | "blocked" | "down" | "absent" | "played";

export interface SourceReject {
  readonly reason: string;
  readonly n: number;
  readonly digest: string;
  readonly detail: string;
  readonly sample: string;
}

export interface SourceChannel {
  readonly channel: string;
  readonly kinds: readonly string[];
  readonly transport: string;
  readonly status: SourceStatus;
  readonly sentence: string;
  readonly since_ms: number | null;
  readonly n_rows: number;
  readonly rows_per_s: number | null;
  readonly per_second: readonly number[];
  readonly per_minute: readonly number[];
  readonly last_row_ms: number | null;
  readonly lag_p50_ms: number | null;
  readonly lag_p95_ms: number | null;
  readonly n_gaps: number;
  readonly rejects: readonly SourceReject[];
}

export interface SourceSocket {
  readonly name: string;
  readonly state: string;
  readonly since_ms: number;
  readonly n_frames: number;
  readonly n_bytes: number;
  readonly last_frame_ms: number | null;
}

export interface CoverageLine {
  readonly kind: string;
  readonly channel: string;
  readonly transport: string;
  readonly evidence: string;
  readonly throttle: string;
  readonly side: string;
  readonly price: string;
  readonly unit: string;
  readonly window_ms: number;
  readonly note: string;
  readonly source: string;
  readonly from_ms: number;
  readonly until_ms: number;
}

export interface SourceVenue {
  readonly venue: string;
  readonly name: string;
  readonly status: SourceStatus;
  readonly sentence: string;
  readonly since_ms: number | null;
  readonly docs: string | null;
  readonly channels: readonly SourceChannel[];
  readonly sockets: readonly SourceSocket[];
  readonly coverage: readonly CoverageLine[];
  readonly absent: readonly { readonly kind: string; readonly reason: string }[];
  readonly refusals: readonly string[];
  readonly n_contracts: number | null;
  readonly n_reconnects: number | null;
  readonly n_renewals: number | null;
  readonly n_refusals: number | null;
  readonly n_duplicates: number | null;
  readonly n_frames: number | null;
  readonly n_bytes: number | null;
  readonly n_request_failures: number | null;
  readonly clock_offset_ms: number | null;
}

export interface SourceWriter {
  readonly rows_waiting: number;
  readonly rows_waiting_max: number;
  readonly n_rows_acknowledged: number;
  readonly is_paused: boolean;
  readonly n_pauses: number;
  readonly paused_s: number;
  readonly failure: string;
}

export interface SourceDisk {
  readonly free_bytes: number;
  readonly total_bytes: number;
}

export interface SourcesAnswer {
  readonly simulated: boolean;
  readonly as_of_ms: number;
  readonly stale: boolean;
  readonly connected: boolean;
  readonly at_ms: number;
  readonly venues: readonly SourceVenue[];
  readonly writer: SourceWriter | null;
  readonly disk?: SourceDisk | null;
}

export const getSources = (signal?: AbortSignal) => getJson<SourcesAnswer>("sources", signal);
/** The states alone: a hundredth of the whole answer. */
export const getSourcesBriefly = (signal?: AbortSignal) =>
  getJson<SourcesAnswer>("sources?brief=true", signal);
