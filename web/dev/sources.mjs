// How the made-up venues fare: GET /sources. SIMULATED, development only.
import { random } from "./market.mjs";

const KINDS = [
  ["publicTrade", ["trade"], 42, 31],
  ["allLiquidation", ["liquidation"], 0.05, 480],
  ["orderbook", ["book_level"], 610, 24],
  ["tickers", ["mark", "funding", "open_interest"], 9, 55],
];
const RING = 60;

function ring(rng, perS) {
  return Array.from({ length: RING }, () => Math.max(0, Math.round(perS * (1 + 0.4 * rng.normal()))));
}

function channel(rng, nowMs, [name, kinds, perS, lag], status = "live", sentence = "rows come") {
  const works = ["live", "quiet"].includes(status);
  const per_second = works ? ring(rng, perS) : Array(RING).fill(0);
  return {
    channel: name,
    kinds,
    transport: "socket",
    status,
    sentence,
    since_ms: nowMs - 5_400_000,
    n_rows: Math.round(perS * 5400),
    rows_per_s: per_second.reduce((sum, n) => sum + n, 0) / RING,
    per_second,
    per_minute: per_second.map((n) => n * 60),
    last_row_ms: works ? nowMs - 200 : status === "stale" ? nowMs - 74_000 : null,
    lag_p50_ms: works ? lag : null,
    lag_p95_ms: works ? lag * 3.4 : null,
    n_gaps: status === "stale" ? 2 : 0,
    rejects: [],
  };
}

const COVERAGE = [
  ["trade", "publicTrade", "all", "taker", "unknown", "base", "recorded", ""],
  [
    "liquidation",
    "allLiquidation",
    "all, in batches",
    "position",
    "bankruptcy",
    "base",
    "recorded",
    "A Buy is a long that was liquidated.",
  ],
  ["book_level", "orderbook", "state at intervals", "-", "unknown", "base", "documentation", "200 levels"],
].map(([kind, name, throttle, side, price, unit, evidence, note]) => ({
  kind,
  channel: name,
  transport: "socket",
  evidence,
  throttle,
  side,
  price,
  unit,
  window_ms: throttle === "all" ? 0 : 500,
  note,
  source: "https://docs.example/",
  from_ms: 0,
  until_ms: 4102444800000,
}));

function venue(nowMs, slug, name, status, sentence, channels, more = {}) {
  return {
    venue: slug,
    name,
    status,
    sentence,
    since_ms: nowMs - 5_400_000,
    docs: "https://docs.example/",
    channels,
    sockets: [
      {
        name: "linear-0",
        state: status === "down" ? "waiting to try again" : "ready",
        since_ms: nowMs - 5_400_000,
        n_frames: 402_118,
        n_bytes: 96_400_000,
        last_frame_ms: nowMs - 120,
      },
    ],
    coverage: COVERAGE,
    absent: [{ kind: "adl", reason: "Single closures are not public." }],
    refusals: [],
    n_contracts: 4,
    n_connects: 3,
    n_reconnects: status === "live" ? 0 : 2,
    n_renewals: 1,
    n_refusals: 0,
    n_duplicates: 12,
    n_frames: 402_118,
    n_bytes: 96_400_000,
    n_requests: 90,
    n_request_failures: 0,
    rows_waiting: 0,
    clock_offset_ms: 3.2,
    ...more,
  };
}

const REJECT = {
  reason: "unknown symbol",
  n: 3,
  digest: "4be1c7d0a92f5538",
  detail: "'BTCUSDX' is not a contract that was asked for",
  sample: '{"topic":"publicTrade.BTCUSDX","type":"snapshot","data":[{"s":"BTCUSDX"}]}',
};

function connected(nowMs) {
  const rng = random(7);
  const all = (status, sentence) => KINDS.map((kind) => channel(rng, nowMs, kind, status, sentence));
  const [trades, ...rest] = all();
  const quiet = channel(rng, nowMs, KINDS[1], "quiet", "subscribed; nothing is normal there");
  return [
    venue(nowMs, "bybit", "Bybit", "live", "every channel is live", [
      { ...trades, rejects: [REJECT] },
      ...rest,
    ]),
    venue(nowMs, "okx", "OKX", "live", "every channel is live", [trades, quiet, ...rest.slice(1)]),
    venue(nowMs, "deribit", "Deribit", "partial", "orderbook: silent for 74 s", [
      trades,
      rest[0],
      channel(rng, nowMs, KINDS[2], "stale", "silent for 74 s"),
      rest[2],
    ]),
    venue(
      nowMs,
      "binance",
      "Binance USD-M",
      "blocked",
      "403: the venue refuses this address",
      all("blocked", "403: the venue refuses this address"),
      { refusals: ["403 Forbidden: Service unavailable from a restricted location"] },
    ),
    venue(
      nowMs,
      "gate",
      "Gate",
      "down",
      "no connection; trying again in 21 s",
      all("down", "no connection; trying again in 21 s"),
    ),
  ];
}

const played = (nowMs) =>
  ["bar", "liquidation", "open_interest"].map((kind) => ({
    channel: kind,
    kinds: [kind],
    transport: "tape",
    status: "played",
    sentence: "3 symbols",
    n_rows: 184_220,
    last_row_ms: nowMs - 1000,
    rows_per_s: null,
    per_second: [],
    per_minute: [],
    since_ms: null,
    lag_p50_ms: null,
    lag_p95_ms: null,
    n_gaps: 0,
    rejects: [],
  }));

/** Only the scenarios `live`, `silent` and `empty` have connections; the others play what was made up. */
function sources(clock, scenario, brief) {
  const nowMs = clock.asOfMs();
  if (scenario === "empty") return { connected: true, at_ms: nowMs, venues: [], writer: null };
  if (!["live", "silent"].includes(scenario)) {
    const sentence =
      scenario === "replay"
        ? "Played from a tape; nothing is connected."
        : "Made by the simulator; nothing is connected.";
    const one = venue(nowMs, "binance", "binance", "played", sentence, played(nowMs));
    return {
      connected: false,
      at_ms: nowMs,
      venues: [{ ...one, sockets: [], coverage: [], absent: [], n_reconnects: null }],
      writer: null,
    };
  }
  const writer = {
    rows_waiting: 184,
    rows_waiting_max: 1_000_000,
    n_rows_acknowledged: 3_582_904,
    is_paused: false,
    n_pauses: 0,
    paused_s: 0,
    failure: "",
  };
  const disk = { free_bytes: 412e9, total_bytes: 1e12 };
  const long = brief ? { channels: [], sockets: [], coverage: [], absent: [], refusals: [] } : {};
  const venues = connected(nowMs).map((one) => ({ ...one, ...long }));
  return { connected: true, at_ms: nowMs, venues, writer, disk };
}

export function answerSources(url, clock, scenario, reply) {
  if (["loading", "error"].includes(scenario))
    return reply.problem(503, "not_ready", "no source is known yet", "wait until the engine is ready");
  return reply.json(sources(clock, scenario, url.searchParams.get("brief") === "true"));
}
