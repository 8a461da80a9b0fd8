/** A model answer with values of our own, for tests. */
import type { Cascade, ModelAnswer, ModelFeed } from "../../src/api/model";

const LABELS = ["<10x", "10-25x", "25-60x", ">60x"];

export function feed(more: Partial<ModelFeed> = {}): ModelFeed {
  return {
    feed: "binance:BTCUSDT",
    venue: "binance",
    path: "binance:BTCUSDT",
    reporting: "largest",
    basis: "bank",
    speaks: true,
    frozen: false,
    serves: ["binance:BTCUSDT"],
    events: 1200,
    expected: 1000,
    effective_events: 410.4,
    dispersion: 3.2,
    advantage_nats: 12.3,
    learned_share: 0.8,
    leverages: [5, 20, 50, 100],
    mix: [0.05, 0.15, 0.3, 0.5],
    assumed_mix: [0.1, 0.2, 0.3, 0.4],
    assumed_from: "lognormal around 50x, deviation 1",
    bins: LABELS.map((label, i) => ({
      label,
      share: [0.05, 0.15, 0.3, 0.5][i],
      low: [0.01, 0.1, 0.25, 0.45][i],
      high: [0.3, 0.2, 0.35, 0.55][i],
      iota: [0.04, 0.6, 0.8, 0.9][i],
      identified: i > 0,
      assumed_share: [0.1, 0.2, 0.3, 0.4][i],
      before_share: [0.07, 0.18, 0.3, 0.45][i],
    })),
    before_ms: Date.UTC(2026, 0, 6),
    hypotheses: [
      { name: "faster closes", weight: 0.3 },
      { name: "incumbent", weight: 0.7 },
    ],
    history: {
      t_ms: [0, 1, 2].map((i) => Date.UTC(2026, 0, 20, i)),
      shares: [
        [0.1, 0.2, 0.3, 0.4],
        [0.08, 0.17, 0.3, 0.45],
        [0.05, 0.15, 0.3, 0.5],
      ],
      effective_events: [100, 250, 410],
    },
    calibration: {
      rows: [
        {
          name: "print offset, mark",
          unit: "bp",
          value: -38.6,
          low: -39.2,
          high: -38,
          n_events: 3422,
          data_share: 0.99,
        },
        { name: "delay", unit: "s", value: 0.5, low: 0.1, high: 2.4, n_events: 3422, data_share: 0 },
        {
          name: "reporting fraction",
          unit: "ratio",
          value: null,
          low: null,
          high: null,
          n_events: 0,
          data_share: null,
        },
      ],
      sides: "inverted",
      published: {
        insurance_fund: null,
        adl: { value: "exists", evidence: "documentation" },
        partial_liquidation: null,
        reporting: { value: "largest", evidence: "recorded" },
      },
    },
    ...more,
  };
}

export function cascade(more: Partial<Cascade> = {}): Cascade {
  return {
    n_hits: 334,
    depths: [
      {
        depth: 1,
        n_at_risk: 232,
        n_reached: 50,
        prob: 0.2155,
        low: 0.167,
        high: 0.272,
        delay_s: { median: 190, low: 38, high: 880 },
        greyed: false,
      },
      {
        depth: 2,
        n_at_risk: 12,
        n_reached: 3,
        prob: 0.25,
        low: 0.077,
        high: 0.53,
        delay_s: null,
        greyed: true,
      },
      {
        depth: 3,
        n_at_risk: 0,
        n_reached: 0,
        prob: null,
        low: null,
        high: null,
        delay_s: null,
        greyed: true,
      },
    ],
    reliability: [
      { forecast: 0.06, observed: 0.05, low: 0.02, high: 0.1, n: 140 },
      { forecast: 0.4, observed: 0.3, low: 0.1, high: 0.5, n: 12 },
    ],
    log_loss: 0.412,
    log_loss_beta: 0.453,
    episodes: [
      {
        id: "a",
        started_ms: Date.UTC(2026, 1, 5, 14),
        ended_ms: null,
        side: "LONG",
        depth: 2,
        realised_usd: 4.2e6,
        expected_usd: 3.1e6,
        excess_ratio: 2.4,
        tail_prob: 0.0004,
      },
    ],
    strip: [
      { day_ms: Date.UTC(2026, 1, 4), liquidated_usd: 2e7, oi_usd: 6e9, ratio: 0.00333 },
      { day_ms: Date.UTC(2026, 1, 5), liquidated_usd: 3e7, oi_usd: null, ratio: null },
    ],
    ...more,
  };
}

export const model = (more: Partial<ModelAnswer> = {}): ModelAnswer => ({
  simulated: true,
  stale: false,
  as_of_ms: Date.UTC(2026, 1, 5, 14, 3),
  asset: "BTC",
  feeds: [feed()],
  cascade: cascade(),
  ...more,
});
