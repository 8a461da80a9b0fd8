/** Events and alerts as REST and the stream carry them. Times in ns are rounded by JSON; ask `eventMs`. */
import type { Envelope } from "./types";

export type Priority = 0 | 1 | 2;
export type EventMode = "live" | "replay" | "simulated" | "rebuilt";

/** One event. `data` has the fields of its type; a newer engine may send types this page does not know. */
export interface SignalEvent {
  readonly id: string;
  readonly schema: number;
  readonly type: string;
  readonly priority: Priority;
  readonly asset: string;
  readonly venue: string | null;
  readonly confidence: number | null;
  readonly data: Readonly<Record<string, unknown>>;
  readonly detected_at_ns: number;
  readonly latency_ms: number | null;
  readonly simulated: boolean;
  readonly mode: EventMode;
}

/** An event with its place in the engine's log. */
export interface SeqEvent {
  readonly seq: number;
  readonly event: SignalEvent;
}

export interface EventsAnswer extends Envelope {
  readonly events: readonly (SignalEvent & { readonly seq: number })[];
  readonly last_seq: number;
}

export type EventMessage =
  | { readonly type: "events_subscribed"; readonly last_seq: number }
  | { readonly type: "event"; readonly seq: number; readonly event: SignalEvent }
  /** More was missed than the engine sends again: these come from REST only. */
  | { readonly type: "event_gap"; readonly from_seq: number; readonly to_seq: number };

export interface QuietHours {
  readonly from: string;
  readonly to: string;
  readonly tz: string;
}

export interface RateLimit {
  readonly n: number;
  readonly per_s: number;
}

/** When to send what to whom. Empty lists and nulls do not restrict. */
export interface RuleFields {
  readonly enabled: boolean;
  readonly types: readonly string[];
  readonly assets: readonly string[];
  readonly venues: readonly string[];
  readonly sides: readonly string[];
  readonly max_distance_ratio: number | null;
  readonly min_notional_usd: number | null;
  readonly min_density_level: number | null;
  readonly priorities: readonly number[];
  readonly quiet_hours: readonly QuietHours[];
  readonly p0_ignores_quiet: boolean;
  readonly rate_limit: RateLimit | null;
  readonly dedupe_s: number;
  readonly targets: readonly string[];
  readonly modes: readonly string[];
}

export interface AlertRule extends RuleFields {
  readonly name: string;
}

export type ListedRule = AlertRule & { readonly source: "config" | "page" };

export interface AlertTarget {
  readonly name: string;
  readonly scheme: string;
  readonly ready: boolean;
}

export interface Delivery {
  readonly id: string | number;
  readonly rule: string;
  readonly target: string;
  readonly event_id: string;
  readonly event_type: string;
  readonly summary: string;
  readonly state: "pending" | "sent" | "failed" | "suppressed";
  readonly attempts: number;
  readonly updated_ms: number;
  readonly error: string | null;
}

export interface AlertsAnswer extends Envelope {
  readonly rules: readonly ListedRule[];
  readonly targets: readonly AlertTarget[];
  readonly deliveries: readonly Delivery[];
  readonly counters: Readonly<Record<string, number>>;
}

/** What a rule would have said about one kept event. */
export interface RuleExample {
  readonly seq: number;
  readonly event_type: string;
  readonly at_ms: number;
  readonly verdict: string;
  readonly summary: string;
}

/** Of a target: whether the message was taken. Of a rule: nothing is sent, and what would have been. */
export interface TestAnswer {
  readonly sent: boolean;
  readonly detail: string;
  readonly looked_at?: number | null;
  readonly would_send?: number | null;
  readonly held_back?: Readonly<Record<string, number>> | null;
  readonly examples?: readonly RuleExample[] | null;
}
