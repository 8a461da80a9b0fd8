/** A zone for tests: every field known, changed where a test needs it. */
import type { ChainStep, Zone, ZoneChain } from "../../src/api/zones";

export function chain(steps: readonly ChainStep[], change: Partial<ZoneChain> = {}): ZoneChain {
  return { at_ms: 1_770_000_000_000, book: null, funding_z: null, steps, ...change };
}

export function chainStep(depth: number, change: Partial<ChainStep> = {}): ChainStep {
  return {
    depth,
    price_usd: 95_000 - 700 * depth,
    prob: 0.6 ** depth,
    low: 0.4 ** depth,
    high: 0.8 ** depth,
    expected_usd: 4e6 / depth,
    delay_s: 240 * depth,
    needed_usd: 30e6 * depth,
    needed_from: depth === 1 ? "book" : "law",
    n_at_risk: 90 / depth,
    greyed: depth > 3,
    ...change,
  };
}

export function zone(change: Partial<Zone>): Zone {
  return {
    id: "BTC-L-gq1k2-0",
    scope: "BTC",
    side: "LONG",
    state: "standing",
    born_ms: 1_770_000_000_000,
    since_start: false,
    at_ms: 1_770_000_000_000,
    low_usd: 95_000,
    high_usd: 95_400,
    peak_usd: 95_225,
    notional_usd: 120e6,
    lo_usd: 90e6,
    hi_usd: 150e6,
    distance_ratio: -0.018,
    age_s: 10_800,
    peak_notional_usd: 140e6,
    density_ratio: 1.4,
    density_level: 7,
    loaded: true,
    trend: "building",
    share_ratio: 0.12,
    bands: [
      { label: "<10x", usd: 30e6 },
      { label: ">60x", usd: 90e6 },
    ],
    venues: [
      { venue: "okx", usd: 48e6 },
      { venue: "bybit", usd: 72e6 },
    ],
    flows: { opened_usd: 9e6, closed_usd: 4e6, swept_usd: 1e6, reestimated_usd: -0.5e6, over_s: 3600 },
    ended_ms: null,
    seen_ms: 1_770_010_800_000,
    end_reason: null,
    touches: 2,
    chain: null,
    ...change,
  };
}
