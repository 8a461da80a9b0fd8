/** Events with values of our own, for the tests. */
import type { EventMode, Priority, SeqEvent, SignalEvent } from "../../src/api/eventTypes";
import { EVENT_TYPES } from "../../src/state/eventCatalogue";

export const ZONE = {
  zone_id: "BTC-L-abc-0",
  scope: "BTC",
  side: "LONG",
  low_usd: 96_150,
  high_usd: 96_250,
  peak_usd: 96_200,
  notional_usd: 31.2e6,
  distance_ratio: -0.005,
  density_level: 7,
  loaded: true,
};

export function event(
  type: string,
  data: Readonly<Record<string, unknown>> = ZONE,
  change: Partial<SignalEvent> = {},
): SignalEvent {
  const priority: Priority = EVENT_TYPES[type]?.priority ?? 2;
  const mode: EventMode = "live";
  return {
    id: `${type}-1`,
    schema: 1,
    type,
    priority,
    asset: "BTC",
    venue: null,
    confidence: null,
    data,
    detected_at_ns: 1_770_300_000_000_000_000,
    latency_ms: 12,
    simulated: false,
    mode,
    ...change,
  };
}

export const entry = (seq: number, type = "ZONE_CREATED", change: Partial<SignalEvent> = {}): SeqEvent => ({
  seq,
  event: event(type, ZONE, { id: `e${seq}`, ...change }),
});
