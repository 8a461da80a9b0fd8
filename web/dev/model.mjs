// What the made-up engine learned: GET /model/{asset}. SIMULATED, development only.
import { cascade } from "./cascade.mjs";
import { ASSETS, random } from "./market.mjs";

const LEVERAGES = [2, 3, 4, 5, 7, 10, 15, 20, 25, 33, 50, 75, 100, 125, 150];
const LABELS = ["<10x", "10-25x", "25-60x", ">60x"];
const [HOUR_MS, DAY_MS] = [3_600_000, 86_400_000];
const HOURS = 14 * 24;

const bandOf = (leverage) => (leverage < 10 ? 0 : leverage < 25 ? 1 : leverage < 60 ? 2 : 3);

/** A share of every leverage whose bands add up to what is wanted. */
function mixOf(shares) {
  const counts = shares.map((_, k) => LEVERAGES.filter((leverage) => bandOf(leverage) === k).length);
  return LEVERAGES.map((leverage) => shares[bandOf(leverage)] / counts[bandOf(leverage)]);
}

const ASSUMED = [0.03, 0.15, 0.4, 0.42];

function history(nowMs, shares, rng) {
  const [t_ms, rows, effective_events] = [[], [], []];
  let drift = 0;
  for (let i = HOURS; i >= 0; i--) {
    if (i > 120 && i < 140) continue; // the engine was off: a hole, not a line
    drift = 0.98 * drift + 0.02 * rng.normal();
    const part = Math.min(1, (HOURS - i) / 150);
    const mixed = shares.map((share, k) => ASSUMED[k] + (share - ASSUMED[k]) * part + (k === 3 ? drift : 0));
    const sum = mixed.reduce((total, one) => total + Math.max(0.004, one), 0);
    t_ms.push(nowMs - i * HOUR_MS);
    rows.push(mixed.map((one) => Math.max(0.004, one) / sum));
    effective_events.push(Math.round(900 * part * (0.9 + 0.1 * Math.sin(i / 20)) + 30));
  }
  return { t_ms, shares: rows, effective_events };
}

const BANDS = [0.9, 0.25, 0.12, 0.1];

function bins(shares, identified, withBefore) {
  return LABELS.map((label, k) => ({
    label,
    share: identified[k] ? shares[k] : ASSUMED[k],
    low: identified[k] ? shares[k] * (1 - BANDS[k]) : ASSUMED[k] / 12,
    high: identified[k] ? shares[k] * (1 + BANDS[k]) : Math.min(0.6, ASSUMED[k] * 3.6),
    iota: identified[k] ? [0.62, 0.71, 0.93, 0.97][k] : 0.04,
    identified: identified[k],
    assumed_share: ASSUMED[k],
    before_share: withBefore ? [0.05, 0.2, 0.37, 0.38][k] : null,
  }));
}

const fact = (value, evidence) => ({ value, evidence });
const row = (name, unit, value, low, high, n_events, data_share) => ({
  name,
  unit,
  value,
  low,
  high,
  n_events,
  data_share,
});

const CALIBRATED = {
  rows: [
    row("print offset, bankruptcy price", "bp", -38.6, -39.2, -38, 3422, 0.99),
    row("print offset, mark", "bp", 0.42, -0.3, 1.1, 3422, 0.97),
    row("delay", "s", 0.5, 0.1, 2.4, 3422, 0),
    row("reporting fraction", "ratio", 0.31, 0.16, 0.57, 3422, 0.64),
    row("margin correction <=50k", "bp", 1.2, -3.9, 6.1, 2976, 0.71),
    row("margin correction <=600k", "bp", null, null, null, 0, 0),
  ],
  sides: "right",
  published: {
    insurance_fund: null,
    adl: fact("exists: such orders have an id of their own", "documentation"),
    partial_liquidation: fact("whole positions at once below the first tier", "assumed"),
    reporting: fact("the largest of each second", "documentation"),
  },
};

function feed(name, nowMs, rng, more) {
  const shares = more.shares ?? [0.02, 0.12, 0.28, 0.58];
  const identified = more.identified ?? [false, true, true, true];
  return {
    feed: name,
    venue: name.split(":")[0],
    path: name,
    reporting: "largest",
    basis: "bank",
    speaks: true,
    frozen: false,
    serves: [name],
    events: 17_786,
    expected: 17_340.5,
    effective_events: 906.4,
    dispersion: 4.3,
    advantage_nats: 41.2,
    learned_share: 0.82,
    map_trust: 0.76,
    leverages: LEVERAGES,
    mix: mixOf(shares),
    assumed_mix: mixOf(ASSUMED),
    bins: bins(shares, identified, true),
    before_ms: nowMs - 30 * DAY_MS,
    hypotheses: [
      { name: "incumbent", weight: 0.41 },
      { name: "hazard 0.05556", weight: 0.27 },
      { name: "hazard 0.01389", weight: 0.02 },
      { name: "exponent 1", weight: 0.11 },
      { name: "exponent 0", weight: 0.06 },
      { name: "dispersion 0.8", weight: 0.05 },
      { name: "dispersion 0.2", weight: 0.03 },
      { name: "margin buffer 0.001", weight: 0.03 },
      { name: "half-life 72", weight: 0.02 },
    ],
    history: history(nowMs, shares, rng),
    calibration: CALIBRATED,
    ...more.body,
  };
}

function feeds(scopes, nowMs) {
  const rng = random(7);
  const named = scopes.filter((scope) => scope.includes(":"));
  const kinds = [
    {},
    {
      shares: [0.06, 0.3, 0.41, 0.23],
      identified: [false, false, true, true],
      body: {
        reporting: "all",
        basis: "pooled",
        speaks: false,
        serves: [],
        events: 214,
        expected: 229.1,
        effective_events: 187.3,
        dispersion: 28.8,
        advantage_nats: 0.4,
        learned_share: 0.34,
        hypotheses: [],
        before_ms: null,
        history: { t_ms: [], shares: [], effective_events: [] },
        calibration: { ...CALIBRATED, rows: CALIBRATED.rows.slice(0, 1), sides: "mixed", published: null },
      },
    },
    {
      body: {
        reporting: "latest",
        basis: "prior",
        speaks: false,
        serves: [],
        frozen: true,
        events: 2617,
        expected: null,
        advantage_nats: -6.1,
        learned_share: 0,
        path: "binance:BTCUSDT",
        calibration: null,
      },
    },
  ];
  return named.map((name, i) => {
    const made = feed(name, nowMs, rng, kinds[i % kinds.length]);
    if (made.before_ms === null) made.bins = made.bins.map((bin) => ({ ...bin, before_share: null }));
    return made;
  });
}

/** `empty`: the engine has just begun; `noscores` and the rest answer as always. */
export function answerModel(asset, clock, scenario, reply) {
  if (scenario === "broken")
    return reply.problem(503, "model_unavailable", "The model cannot be read now.", "Try again in a minute.");
  const known = ASSETS[asset];
  if (!known)
    return reply.problem(
      404,
      "unknown_asset",
      `There is no asset ${asset}.`,
      "GET /api/v1/assets lists them.",
    );
  const nowMs = clock.asOfMs();
  if (scenario === "empty") return reply.json({ asset, feeds: [], cascade: null });
  return reply.json({
    asset,
    feeds: feeds(known.scopes, nowMs),
    cascade: asset === "SOL" ? null : cascade(nowMs),
  });
}
