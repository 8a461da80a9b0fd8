// What made-up evaluations measured: GET /scores. SIMULATED, development only.
import { random } from "./market.mjs";

const DAY_MS = 86_400_000;
const LAST_MS = Date.UTC(2026, 1, 5);
const DAYS = 31;

const ci = (mean, wide) => [mean - wide, mean + wide];
const gain = (model, baseline, mean, wide) => ({ model, baseline, mean, ci: ci(mean, wide) });

/** One evaluation a day of the week before it: a hole where none was run. */
function history(asset) {
  const rng = random(11);
  const points = [];
  for (const [refresh_s, skill] of asset === "BTC"
    ? [
        [300, 0.07],
        [3600, 0.004],
      ]
    : []) {
    let drift = 0;
    for (let day = DAYS; day >= 0; day--) {
      drift = 0.8 * drift + 0.012 * rng.normal();
      if (day > 14 && day < 20) continue;
      const wide = 0.03 + 0.008 * rng.normal() ** 2;
      const [map, learned] = [skill + drift, 1.1 * skill + 0.7 * drift];
      points.push({
        refresh_s,
        from_ms: LAST_MS - (day + 7) * DAY_MS,
        to_ms: LAST_MS - day * DAY_MS,
        n_scored: 420 + Math.round(60 * Math.abs(rng.normal())),
        gains: [
          gain("map", "B4", map, wide),
          gain("map", "B3h", 0.4 * map - 0.01, 0.7 * wide),
          gain("map", "placebo_shifted", 0.18 + map, wide),
          gain("learned", "B4", learned, wide),
          gain("learned", "B3h", 0.5 * learned, 0.7 * wide),
          gain("map", "B0", 0.31 + map, 1.6 * wide),
          gain("learned", "B0", 0.32 + learned, 1.6 * wide),
          gain("B3h", "B0", 0.29 + 0.6 * map, 1.6 * wide),
        ],
      });
    }
  }
  return points;
}

/** Events of the scored days: a crash on one of them, one day without a forecast. */
function days() {
  const rng = random(5);
  return Array.from({ length: DAYS }, (_, i) => {
    const expected = 60 * Math.exp(0.5 * rng.normal());
    const times = i === 26 ? 5.2 : Math.exp(0.35 * rng.normal());
    return {
      day: new Date(LAST_MS - (DAYS - i) * DAY_MS).toISOString().slice(0, 10),
      observed: i === 9 ? 0 : Math.round(expected * times),
      predicted: i === 12 ? null : expected,
    };
  });
}

/** Places as foretold but for the far end; a uniform rate expects too much near. */
function places() {
  const row = (model, shares, distance) => ({
    model,
    shares,
    low: shares.map((value) => 0.85 * value),
    high: shares.map((value) => 1.15 * value),
    distance,
  });
  return [
    row("map", [0.09, 0.1, 0.1, 0.1, 0.1, 0.11, 0.1, 0.11, 0.11, 0.08], 0.02),
    row("pool15m", [0.1, 0.11, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.09], 0.01),
    row("learned", [0.1, 0.1, 0.1, 0.1, 0.1, 0.11, 0.1, 0.1, 0.1, 0.09], 0.012),
    row("B4", [0.06, 0.08, 0.09, 0.1, 0.1, 0.11, 0.11, 0.12, 0.12, 0.11], 0.09),
    row("B0", [0.02, 0.03, 0.05, 0.07, 0.09, 0.11, 0.14, 0.15, 0.16, 0.18], 0.251),
  ];
}

export function scores(scenario, query) {
  const asset = query.get("history_of");
  const past = asset === null ? {} : { history: scenario === "noscores" ? [] : history(asset) };
  if (scenario === "noscores") return { available: false, reports: [], ...past };
  const report = (refresh_s, t, ciT, ig, igCi) => ({
    asset: "BTC",
    from_ms: Date.UTC(2026, 0, 5),
    to_ms: LAST_MS,
    refresh_s,
    n_scored: 1843,
    models: [
      { name: "map", ig, t, ci: igCi },
      { name: "B4", ig: 0, t: 0, ci: [0, 0] },
    ],
    differences: [
      { a: "map", b: "B4", metric: "t", mean: t, ci: ciT },
      { a: "map", b: "B4", metric: "ig", mean: ig, ci: igCi },
    ],
    days: days(),
    places: places(),
  });
  return {
    available: true,
    reports: [
      report(300, 0.071, [0.042, 0.101], 0.118, [0.066, 0.171]),
      report(3600, 0.004, [-0.019, 0.027], -0.012, [-0.041, 0.018]),
    ],
    ...past,
  };
}
