// JSON answers of the development server, all computed from the made-up market.
import { ASSETS, barAt, codeUsd, columnAt, START_BARS, TF_MINUTES } from "./market.mjs";

export const envelope = (clock, scenario) => {
  const asOfMs = clock.asOfMs();
  return {
    simulated: !["recorded", "live", "silent"].includes(scenario),
    as_of_ns: asOfMs * 1e6,
    as_of_ms: asOfMs,
    stale: scenario === "stale",
  };
};

export function status(clock, scenario) {
  const loading = scenario === "loading";
  const failed = scenario === "error";
  return {
    ...envelope(clock, scenario),
    version: "0.1.0",
    mode: scenario === "silent" ? "live" : ["replay", "live"].includes(scenario) ? scenario : "simulated",
    world: "mock (development server)",
    state: loading ? "loading" : failed ? "error" : "ready",
    progress: loading ? { done: 412, total: 1200, label: "hours rebuilt" } : null,
    error: failed
      ? {
          code: "tape_unreadable",
          message: "The tape cannot be read: segment 14 fails its checksum.",
          hint: "Run `faultline tape verify` and import the damaged day again.",
        }
      : null,
    data_age_s: scenario === "silent" ? null : scenario === "stale" ? 541 : 0.4,
    replay: scenario === "replay" ? clock.replay() : null,
  };
}

/** A live engine that has heard nothing knows the names of its assets alone. */
export const assets = (scenario) =>
  Object.entries(ASSETS).map(([asset, { price, row, scopes }]) =>
    scenario === "silent"
      ? { asset, price_usd: null, row_usd: null, scopes: [], timeframes: [] }
      : { asset, price_usd: price, row_usd: row, scopes, timeframes: Object.keys(TF_MINUTES) },
  );

const round = (value, digits) => (value === null ? null : Number(value.toFixed(digits)));

export function candles(map, clock, empty) {
  const { column, k } = clock.at(map.tf);
  const n = empty ? 0 : column + 1;
  const out = {
    t0_ms: map.t0Ms,
    dt_ms: map.dtMs,
    seq: clock.seq,
    n,
    n_closed: Math.max(0, n - 1),
    open: [],
    high: [],
    low: [],
    close: [],
    volume_usd: [],
    long_usd: [],
    short_usd: [],
  };
  for (let t = 0; t < n; t++) {
    const missing = t > 300 && t < 306; // a recording gap: the page must show a hole, not a line
    const bar = barAt(map, t, t === column ? k : 99);
    const digits = map.row >= 1 ? 1 : 3;
    for (const name of ["open", "high", "low", "close"])
      out[name].push(missing ? null : round(bar[name], digits));
    out.volume_usd.push(missing ? null : Math.round(bar.volume));
    out.long_usd.push(missing ? null : Math.round(bar.long));
    out.short_usd.push(missing ? null : Math.round(bar.short));
  }
  return out;
}

export function legend(map) {
  const plane = map.planes.synthetic;
  const counts = new Float64Array(256);
  for (const side of ["long", "short"]) for (const code of plane[side]) counts[code]++;
  const total = counts.slice(1).reduce((sum, count) => sum + count, 0);
  const at = (share) => {
    let left = share * total;
    for (let code = 1; code < 256; code++) {
      left -= counts[code];
      if (left <= 0) return codeUsd(code, plane);
    }
    return plane.maxUsd;
  };
  return {
    lo_usd: at(0.3),
    hi_usd: at(0.998),
    from_ms: map.t0Ms,
    to_ms: map.t0Ms + (START_BARS - 1) * map.dtMs,
  };
}

const usdOf = (map, plane, side, column, row) =>
  codeUsd(map.planes[plane][side][column * map.rows + row], map.planes[plane]);

export function cell(map, clock, tMs, price) {
  const now = clock.at(map.tf).column;
  const column = Math.min(now, Math.floor((tMs - map.t0Ms) / map.dtMs));
  const row = Math.floor(price / map.row) - map.firstRow;
  if (column < 0 || row < 0 || row >= map.rows) return null;
  const long = usdOf(map, "synthetic", "long", column, row);
  const short = usdOf(map, "synthetic", "short", column, row);
  const low = (map.firstRow + row) * map.row;
  const distance = (low + map.row / 2) / map.bars[now].close - 1;
  const shares =
    Math.abs(distance) < 0.025
      ? [0.04, 0.12, 0.3, 0.54]
      : Math.abs(distance) < 0.07
        ? [0.1, 0.46, 0.36, 0.08]
        : [0.66, 0.28, 0.05, 0.01];
  const venue = map.scope.includes(":")
    ? [[map.scope.split(":")[0], 1]]
    : [
        ["binance", 0.52],
        ["bybit", 0.31],
        ["okx", 0.17],
      ];
  return {
    t_ms: map.t0Ms + column * map.dtMs,
    price_low_usd: low,
    price_high_usd: low + map.row,
    long_usd: long,
    short_usd: short,
    long_lo_usd: long * 0.7,
    long_hi_usd: long * 1.45,
    short_lo_usd: short * 0.7,
    short_hi_usd: short * 1.45,
    real_long_usd: usdOf(map, "real", "long", column, row),
    real_short_usd: usdOf(map, "real", "short", column, row),
    venues: venue.map(([name, share]) => ({ venue: name, usd: share * (long + short) })),
    bands: ["<10x", "10-25x", "25-60x", ">60x"].map((label, i) => ({
      label,
      long_usd: long * shares[i],
      short_usd: short * shares[i],
    })),
    entry_window: {
      from_ms: map.t0Ms + Math.max(0, column - 190) * map.dtMs,
      to_ms: map.t0Ms + Math.max(0, column - 22) * map.dtMs,
    },
    oi_source: "open interest, 5 min snapshots",
    oi_age_s: 212,
    learned_share: 0.63,
    assumed_share: 0.37,
    distance_ratio: distance,
  };
}

const IMPACT = 1.6e-7;

/** How much each row feeds its own move, by a square-root law of what was set free on the way; SOL has seen too little. */
function reproduction(map, heat, price) {
  const value = heat.map(() => 0);
  const start = Math.floor(price / map.row) - map.firstRow;
  for (const step of [-1, 1]) {
    let flow = 0;
    for (let i = step < 0 ? start : start + 1; i >= 0 && i < heat.length; i += step) {
      const next = flow + heat[i];
      value[i] = (IMPACT * (Math.sqrt(next) - Math.sqrt(flow)) * price) / map.row;
      flow = next;
    }
  }
  const few = map.scope === "SOL";
  return {
    value,
    low: value.map((r) => r * 0.4),
    high: value.map((r) => r * 2.6),
    n_flows: few ? 3.2 : 44.7,
    established: !few,
  };
}

export function profile(map, clock) {
  const { column, k } = clock.at(map.tf);
  const side = (name) =>
    Array.from(columnAt(map, "synthetic", name, column, k), (code) => codeUsd(code, map.planes.synthetic));
  const [long, short] = [side("long"), side("short")];
  const price = map.bars[column].close;
  const heat = long.map((value, i) => value + short[i]);
  return {
    reproduction: map.scope.includes(":") ? null : reproduction(map, heat, price),
    prices_usd: long.map((_, row) => (map.firstRow + row) * map.row),
    long_usd: long,
    short_usd: short,
    lo_usd: long.map((value, i) => (value + short[i]) * 0.7),
    hi_usd: long.map((value, i) => (value + short[i]) * 1.45),
    oi_long_usd: 6.1e9,
    oi_short_usd: 6.1e9,
    learned_share: 0.63,
  };
}
