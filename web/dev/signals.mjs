// Events of the development server: a made-up log, its stream, and the routes of the signals page. Development only.
import { createHash } from "node:crypto";
import { alerts, change, deliver, forgetDeliveries, test } from "./alerts.mjs";
import { clock } from "./clock.mjs";
import { ASSETS, barAt, market, random } from "./market.mjs";

const PRIORITY = {
  ZONE_HIT: 0,
  LIQUIDATION_LARGE: 0,
  ZONE_APPROACHED: 1,
  SOURCE_DOWN: 1,
  SOURCE_RECOVERED: 1,
};
const ZONE_TYPES = [
  "ZONE_CREATED",
  "ZONE_APPROACHED",
  "ZONE_HIT",
  "ZONE_SWEPT",
  "ZONE_REINFORCED",
  "ZONE_BUILDING",
  "ZONE_THINNING",
  "ZONE_EXPIRED",
];
const PAST = 340;
const EVENT_MS = Number(process.env.MOCK_EVENT_MS ?? 5000);
const SEED = 20260205;
let rng = random(SEED);
const pick = (list) => list[Math.floor(rng.uniform() * list.length)];
const log = [];
const listeners = new Set();

function zoneData(type, asset, price) {
  const { row, scale } = ASSETS[asset];
  const long = rng.uniform() < 0.5;
  const touching = type === "ZONE_HIT" || type === "ZONE_SWEPT";
  const away = (touching ? 0 : 0.002 + 0.02 * rng.uniform()) * (long ? -1 : 1);
  const near = Math.round((price * (1 + away)) / row) * row;
  const far = near + (long ? -1 : 1) * row * (2 + Math.floor(5 * rng.uniform()));
  const notional = scale * 4e6 * Math.exp(1.2 * rng.normal() + 1);
  const level = rng.uniform() < 0.15 ? null : 1 + Math.floor(10 * rng.uniform());
  const more = {
    ZONE_HIT: { price_usd: price },
    ZONE_APPROACHED: { price_usd: price },
    ZONE_REINFORCED: { before_usd: notional / (1.5 + rng.uniform()) },
    ZONE_BUILDING: { opened_usd: notional * 0.3, closed_usd: notional * 0.08 },
    ZONE_THINNING: { opened_usd: notional * 0.02, closed_usd: notional * 0.4, interest_change_ratio: -0.021 },
    ZONE_SWEPT: { before_usd: notional, liquidated_usd: notional * 0.22 },
  };
  return {
    zone_id: `${asset}-${long ? "L" : "S"}-${Math.floor(1e6 * rng.uniform()).toString(36)}-0`,
    scope: asset,
    side: long ? "LONG" : "SHORT",
    low_usd: Math.min(near, far),
    high_usd: Math.max(near, far),
    peak_usd: (near + far) / 2,
    notional_usd: type === "ZONE_SWEPT" ? 0 : notional,
    distance_ratio: touching ? 0 : away,
    density_level: level,
    loaded: level === null ? null : level >= 5,
    ...more[type],
  };
}

function dataOf(type, asset, price) {
  const instrument = ASSETS[asset].scopes[1];
  if (type === "SOURCE_DOWN" || type === "SOURCE_RECOVERED") return { instrument, silent_s: 41.5 };
  if (type === "DIVERGENCE")
    return { side: "LONG", distance_bps: 84.2, floor_bps: 31.7, venues: ["binance", "bybit"], outlier: null };
  if (type !== "LIQUIDATION_LARGE") return zoneData(type, asset, price);
  return {
    instrument,
    side: rng.uniform() < 0.5 ? "LONG" : "SHORT",
    price_usd: price,
    trigger_usd: price * 1.0004,
    notional_usd: 2.4e6 * ASSETS[asset].scale * (1 + 3 * rng.uniform()),
    threshold_usd: 2.1e6 * ASSETS[asset].scale,
  };
}

/** Put one event into the log and tell who follows. */
export function happen({ type, asset = "BTC", mode = "simulated", atMs = clock.asOfMs(), price, ...more }) {
  const map = market(asset, "5m");
  const bar = Math.max(0, Math.min(clock.column, Math.floor((atMs - map.t0Ms) / map.dtMs)));
  const at = price ?? barAt(map, bar, clock.k).close;
  const seq = (log.at(-1)?.seq ?? 0) + 1;
  const event = {
    id: createHash("sha256").update(`${type}${asset}${seq}`).digest("hex").slice(0, 24),
    schema: 1,
    type,
    priority: PRIORITY[type] ?? 2,
    asset,
    venue: null,
    confidence: null,
    data: { ...dataOf(type, asset, Number(at.toFixed(2))), ...more.data },
    detected_at_ns: Math.round(atMs) * 1e6,
    latency_ms: mode === "rebuilt" ? null : 4 + 60 * rng.uniform(),
    simulated: true,
    mode,
  };
  const entry = { seq, event };
  log.push(entry);
  for (const tell of listeners) tell(entry);
  deliver(event);
  return entry;
}

const KINDS = [
  ...ZONE_TYPES,
  ...ZONE_TYPES,
  "LIQUIDATION_LARGE",
  "DIVERGENCE",
  "SOURCE_DOWN",
  "SOURCE_RECOVERED",
];

/** The log as it stands when the server starts: the same events every time. */
export function refill() {
  const step = 400_000;
  rng = random(SEED);
  log.length = 0;
  forgetDeliveries();
  for (let i = 0; i < PAST; i++) {
    const mode = i < 90 ? "rebuilt" : "simulated";
    const asset = pick(["BTC", "BTC", "ETH", "SOL"]);
    happen({ type: pick(KINDS), asset, mode, atMs: clock.asOfMs() - (PAST - i) * step });
  }
}

function events(url) {
  const number = (name) => (url.searchParams.has(name) ? Number(url.searchParams.get(name)) : null);
  const [after, before] = [number("after_id"), number("before_id")];
  const [type, asset] = [url.searchParams.get("type"), url.searchParams.get("asset")];
  const found = log.filter(
    ({ seq, event }) =>
      (after === null || seq > after) &&
      (before === null || seq < before) &&
      (!type || event.type === type) &&
      (!asset || event.asset === asset),
  );
  const limit = number("limit") ?? 100;
  const chosen = after === null ? found.slice(-limit) : found.slice(0, limit);
  return {
    events: chosen.map(({ seq, event }) => ({ ...event, seq })),
    last_seq: log.at(-1)?.seq ?? 0,
  };
}

/** Answer `subscribe_events`; `gap` pretends that too much was missed. */
export function followEvents(socket, { after_seq: after }, scenario) {
  const say = (message) => socket.readyState === 1 && socket.send(JSON.stringify(message));
  const last = log.at(-1)?.seq ?? 0;
  if (scenario === "empty") return say({ type: "events_subscribed", last_seq: 0 });
  say({ type: "events_subscribed", last_seq: last });
  let missed = after === null ? [] : log.filter(({ seq }) => seq > after);
  if (scenario === "gap" && missed.length > 2) {
    const lost = missed.slice(0, -1);
    say({ type: "event_gap", from_seq: lost[0].seq, to_seq: lost.at(-1).seq });
    missed = missed.slice(-1);
  }
  for (const entry of missed) say({ type: "event", ...entry });
  const tell = (entry) => say({ type: "event", ...entry });
  listeners.add(tell);
  socket.on("close", () => listeners.delete(tell));
}

/** `true` when the path was one of ours. */
export function answerSignals(request, url, scenario, reply) {
  const [route, part, name] = url.pathname.split("/").slice(3).map(decodeURIComponent);
  if (route === "events") {
    if (scenario === "broken")
      reply.problem(
        503,
        "events_unavailable",
        "The event log cannot be read.",
        "Try again in a minute.",
        null,
      );
    else reply.json(scenario === "empty" ? { events: [], last_seq: 0 } : events(url));
    return true;
  }
  if (route === "dev-event" || (route === "alerts" && part)) {
    let text = "";
    request.on("data", (chunk) => {
      text += chunk;
    });
    request.on("end", () => {
      const body = text ? JSON.parse(text) : {};
      if (route === "dev-event") reply.json(happen(body));
      else if (part === "test") test(body, reply);
      else change(name, request.method, body, reply);
    });
    return true;
  }
  if (route !== "alerts") return false;
  reply.json(scenario === "empty" ? { rules: [], targets: [], deliveries: [], counters: {} } : alerts());
  return true;
}

refill();
if (EVENT_MS > 0)
  setInterval(() => happen({ type: pick(KINDS), asset: pick(["BTC", "ETH", "SOL"]) }), EVENT_MS);
