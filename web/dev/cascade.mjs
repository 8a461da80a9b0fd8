// Chains that the made-up engine watched. SIMULATED, development only.
import { random } from "./market.mjs";

const [HOUR_MS, DAY_MS] = [3_600_000, 86_400_000];

const depth = (depthOf, n_at_risk, n_reached) => {
  const prob = n_at_risk > 0 ? n_reached / n_at_risk : null;
  const spread = 1.96 * Math.sqrt((prob * (1 - prob)) / (n_at_risk + 1)) + 0.02;
  return {
    depth: depthOf,
    n_at_risk,
    n_reached,
    prob,
    low: prob === null ? null : Math.max(0, prob - spread),
    high: prob === null ? null : Math.min(1, prob + spread),
    delay_s: n_reached > 0 ? { median: 190 + 31 * depthOf, low: 38, high: 880 + 70 * depthOf } : null,
    greyed: n_at_risk < 30,
  };
};

/** `cascade` of GET /model/{asset}. */
export function cascade(nowMs) {
  const rng = random(11);
  const counts = [334, 91, 52, 31, 17, 8, 4, 2, 1, 0];
  const days = Array.from({ length: 30 }, (_, i) => {
    const day_ms = Math.floor(nowMs / DAY_MS) * DAY_MS - (29 - i) * DAY_MS;
    const ratio = 0.0006 * Math.exp(rng.normal()) + (i === 24 ? 0.0082 : 0);
    const known = i !== 9 && i !== 10;
    return {
      day_ms,
      liquidated_usd: ratio * 6.1e9,
      oi_usd: known ? 6.1e9 : null,
      ratio: known ? ratio : null,
    };
  });
  const bin = (forecast, observed, n) => {
    const spread = 1.96 * Math.sqrt((observed * (1 - observed)) / n) + 0.5 / n;
    return {
      forecast,
      observed,
      low: Math.max(0, observed - spread),
      high: Math.min(1, observed + spread),
      n,
    };
  };
  const episode = (id, hoursAgo, lastedS, side, deep, realised_usd, excess_ratio, tail_prob) => ({
    id,
    started_ms: nowMs - hoursAgo * HOUR_MS,
    ended_ms: lastedS === null ? null : nowMs - hoursAgo * HOUR_MS + lastedS * 1000,
    side,
    depth: deep,
    realised_usd,
    expected_usd: 4.1e6 * deep,
    excess_ratio,
    tail_prob,
  });
  return {
    n_hits: 334,
    depths: counts.map((n, i) => depth(i + 1, n, counts[i + 1] ?? 0)),
    reliability: [
      bin(0.05, 0.04, 142),
      bin(0.15, 0.18, 96),
      bin(0.26, 0.24, 51),
      bin(0.41, 0.33, 33),
      bin(0.57, 0.44, 18),
      { forecast: null, observed: null, low: null, high: null, n: 0 },
    ],
    log_loss: 0.412,
    log_loss_beta: 0.453,
    episodes: [
      episode("e4", 0.2, null, "long", 1, 0.9e6, null, null),
      episode("e3", 7.5, 1340, "short", 2, 11.4e6, 1.3, 0.21),
      episode("e2", 31, 5230, "long", 5, 48.2e6, 3.72, 0.0004),
      episode("e1", 102, 410, "long", 1, 2.7e6, 0.81, 0.46),
    ],
    strip: days,
  };
}
