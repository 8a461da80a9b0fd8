// Zones of the made-up market: clusters of exposure followed from column to column. Development only.
import { chainOf } from "./chains.mjs";
import { barAt, codeUsd, columnAt, market } from "./market.mjs";

const TF = "5m";
const FIRST_COLUMN = 420;
const MOST_PER_SIDE = 9;
const WINDOW_ROWS = 70;
const KEEP_ENDED_COLUMNS = 72;
const COLUMNS_PER_HOUR = 12;
const LABELS = ["<10x", "10-25x", "25-60x", ">60x"];

/** Stretches of rows that stand out of their surroundings. */
function clusters(usd) {
  const sums = new Float64Array(usd.length + 1);
  for (let i = 0; i < usd.length; i++) sums[i + 1] = sums[i] + usd[i];
  const around = (i) => {
    const [from, to] = [Math.max(0, i - WINDOW_ROWS), Math.min(usd.length, i + WINDOW_ROWS + 1)];
    return (sums[to] - sums[from]) / (to - from);
  };
  const found = [];
  for (let i = 0; i < usd.length; i++) {
    if (usd[i] < 2.1 * around(i) || usd[i] === 0) continue;
    const from = i;
    let peak = i;
    while (i + 1 < usd.length && usd[i + 1] > 1.4 * around(i + 1)) {
      i++;
      if (usd[i] > usd[peak]) peak = i;
    }
    found.push({ from, to: i + 1, peak, notional: sums[i + 1] - sums[from] });
  }
  return found.sort((a, b) => b.notional - a.notional).slice(0, MOST_PER_SIDE);
}

function sharesAt(distance) {
  const far = Math.abs(distance);
  if (far < 0.025) return [0.04, 0.12, 0.3, 0.54];
  return far < 0.07 ? [0.1, 0.46, 0.36, 0.08] : [0.66, 0.28, 0.05, 0.01];
}

class Tracker {
  constructor(scope) {
    this.map = market(scope, TF);
    /** Zones after every column, newest last. */
    this.after = [];
    this.open = [];
    this.ended = [];
  }

  at(column) {
    for (let c = FIRST_COLUMN + this.after.length; c <= column; c++) this.step(c);
    return this.after[Math.max(0, column - FIRST_COLUMN)];
  }

  step(column) {
    const { map } = this;
    const bar = barAt(map, column, 99);
    const seen = ["long", "short"].flatMap((side) => {
      const coded = columnAt(map, "synthetic", side, column, 99);
      const usd = Float64Array.from(coded, (code) => codeUsd(code, map.planes.synthetic));
      return clusters(usd).map((cluster) => ({ side, ...cluster }));
    });
    const next = [];
    for (const zone of this.open) {
      const match = seen.find(
        (one) => !one.taken && one.side === zone.side && one.from < zone.to && one.to > zone.from,
      );
      if (match) {
        match.taken = true;
        const change = match.notional / zone.notional - 1;
        next.push({
          ...zone,
          ...match,
          born: zone.born,
          twin: zone.twin,
          before: zone.notional,
          change,
          hits: zone.hits,
        });
      } else {
        const edge = (zone.side === "long" ? zone.to : zone.from) + map.firstRow;
        const swept = zone.side === "long" ? bar.low <= edge * map.row : bar.high >= edge * map.row;
        this.ended.push({ ...zone, ended: column, reason: swept ? "swept" : "expired" });
      }
    }
    for (const one of seen)
      if (!one.taken) next.push({ ...one, born: column, twin: one.from % 7, change: 0, hits: 0, most: 0 });
    for (const zone of next) {
      zone.most = Math.max(zone.most ?? 0, zone.notional);
      if (this.distance(zone, bar.close) === 0) zone.hits += 1;
    }
    this.open = next;
    this.ended = this.ended.filter((zone) => zone.ended > column - KEEP_ENDED_COLUMNS);
    this.after.push({
      open: next,
      ended: this.ended.filter((zone) => zone.reason === "swept" || zone.ended - zone.born > 36),
    });
  }

  distance(zone, price) {
    const [low, high] = [zone.from, zone.to].map((row) => (row + this.map.firstRow) * this.map.row);
    if (price < low) return low / price - 1;
    return price > high ? high / price - 1 : 0;
  }
}

const trackers = new Map();
function trackerOf(scope) {
  if (!trackers.has(scope)) trackers.set(scope, new Tracker(scope));
  return trackers.get(scope);
}

const trendOf = (change) => (change > 0.004 ? "building" : change < -0.002 ? "thinning" : "steady");

function stateOf(zone, distance) {
  if (zone.reason) return zone.reason;
  if (distance === 0) return "hit";
  return Math.abs(distance) < 0.012 ? "approached" : "standing";
}

const firstVenue = { venue: "binance", usd: 0.52 };

function body(tracker, zone, column, ranks) {
  const { map } = tracker;
  const price = map.bars[zone.ended ?? column].close;
  const usd = (row) => (row + map.firstRow) * map.row;
  const distance = tracker.distance(zone, price);
  const letter = zone.side === "long" ? "L" : "S";
  const venues = map.scope.includes(":")
    ? [{ venue: map.scope.split(":")[0], usd: 1 }]
    : [firstVenue, { venue: "bybit", usd: 0.31 }, { venue: "okx", usd: 0.17 }];
  const level = 1 + Math.floor((9.99 * ranks.filter((one) => one <= zone.notional).length) / ranks.length);
  const start = map.t0Ms + zone.born * map.dtMs;
  const at = map.t0Ms + ((zone.ended ?? column) + 1) * map.dtMs;
  const opened = zone.notional * (0.05 + 0.02 * (zone.peak % 5));
  const closed = zone.notional * (0.03 + 0.01 * (zone.peak % 3));
  return {
    id: `${map.scope}-${letter}-${Math.floor(start / 60_000).toString(36)}-${zone.twin}`,
    scope: map.scope,
    side: zone.side.toUpperCase(),
    state: stateOf(zone, distance),
    born_ms: start,
    since_start: zone.born <= FIRST_COLUMN,
    at_ms: at,
    low_usd: usd(zone.from),
    high_usd: usd(zone.to),
    peak_usd: usd(zone.peak) + map.row / 2,
    notional_usd: zone.notional,
    lo_usd: zone.notional * 0.74,
    hi_usd: zone.notional * 1.38,
    distance_ratio: distance,
    age_s: (at - start) / 1000,
    peak_notional_usd: zone.most,
    density_ratio: zone.notional / 9e7,
    density_level: zone.born > column - 2 ? null : level,
    loaded: zone.born > column - 2 ? null : level >= 5,
    trend: zone.born > column - 2 ? null : trendOf(zone.change),
    share_ratio: zone.notional / ranks.reduce((sum, one) => sum + one, 0),
    bands: LABELS.map((label, i) => ({ label, usd: zone.notional * sharesAt(distance)[i] })),
    venues: venues.map((one) => ({ venue: one.venue, usd: zone.notional * one.usd })),
    flows: {
      opened_usd: opened,
      closed_usd: closed,
      swept_usd: zone.hits > 0 ? zone.notional * 0.2 : 0,
      reestimated_usd: zone.notional * 0.011 * ((zone.peak % 7) - 3),
      over_s: Math.min(3600, ((column - zone.born) * 3600) / COLUMNS_PER_HOUR),
    },
    ended_ms: zone.ended === undefined ? null : at,
    seen_ms: at,
    end_reason: zone.reason ?? null,
    touches: zone.hits,
  };
}

function bodies(scope, column) {
  const tracker = trackerOf(scope);
  const { open, ended } = tracker.at(column);
  const ranks = open.map((zone) => zone.notional);
  return [...open, ...ended].map((zone) => body(tracker, zone, column, ranks.length ? ranks : [1]));
}

const columnOf = (map, ms) => Math.floor((ms - map.t0Ms) / map.dtMs);

const venuesApart = (at_ms, distance, floor, outlier) => ({
  at_ms,
  pair: ["binance", "okx"],
  distance_bps: distance,
  floor_bps: floor,
  excess_bps: distance - floor,
  overlap_ratio: 0.71,
  outlier,
});
const apart = (ms) => ({
  long: venuesApart(ms, 84.2, 31.7, "okx"),
  short: venuesApart(ms, 12.4, 29.5, null),
});

/** Answer of GET /zones. */
export function zones(scope, clock, query, empty) {
  const map = market(scope, TF);
  const wanted = query.get("at_ms");
  const column = Math.min(clock.column, wanted === null ? clock.column : columnOf(map, Number(wanted)));
  const from = map.t0Ms + FIRST_COLUMN * map.dtMs;
  const none = empty || column < FIRST_COLUMN;
  const found = none ? [] : bodies(scope, column);
  const told = wanted === null && !scope.includes(":");
  const open = found.filter((zone) => zone.ended_ms === null);
  const chain = (zone) =>
    told && zone.ended_ms === null ? chainOf(zone, open, map.t0Ms + column * map.dtMs) : null;
  return {
    scope,
    at_ms: wanted === null ? clock.asOfMs() : Number(wanted),
    price_usd: map.bars[Math.max(0, column)].close,
    tracked_from_ms: from,
    zones: found.map((zone) => ({ ...zone, chain: chain(zone) })),
    divergence: none || !told ? null : apart(map.t0Ms + column * map.dtMs),
  };
}

/** Answer of GET /zones/{id}: what the zone was, column by column. */
export function life(scope, clock, id) {
  const states = [];
  for (let column = Math.max(FIRST_COLUMN, clock.column - 280); column <= clock.column; column++) {
    const found = bodies(scope, column).find((zone) => zone.id === id);
    if (found && (found.ended_ms === null || states.at(-1)?.ended_ms === null)) states.push(found);
  }
  return states.length > 0 ? { scope, id, states } : null;
}

/** GET /zones?scope= and GET /zones/{id}?scope=, in the words of the development server. */
export function answerZones(url, id, clock, scenario, exchange, json, problem) {
  const scope = url.searchParams.get("scope");
  if (scenario === "broken")
    return problem(
      ...exchange,
      503,
      "zones_unavailable",
      "Zones cannot be read now.",
      "Try again in a minute.",
    );
  if (id === undefined)
    return json(...exchange, scenario, zones(scope, clock, url.searchParams, scenario === "empty"));
  const found = life(scope, clock, id);
  return found
    ? json(...exchange, scenario, found)
    : problem(...exchange, 404, "unknown_zone", `There is no zone ${id}.`, null);
}
