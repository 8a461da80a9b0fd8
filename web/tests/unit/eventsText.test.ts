/** The words for events: every type of the engine's catalogue has a sentence, and nothing missing is made up. */
import { describe, expect, it } from "vitest";
import type { SignalEvent } from "../../src/api/eventTypes";
import { EVENT_TYPES } from "../../src/state/eventCatalogue";
import { eventPlace, eventSentence, eventWords, modeMark } from "../../src/state/eventText";
import { event, ZONE } from "./eventsMade";

const CASCADE = {
  side: "LONG",
  price_usd: 95_100,
  depth: 2,
  n_levels: 6,
  liquidated_usd: 1.2e6,
  expected_usd: 3.4e6,
  tail_prob: 0.0312,
  duration_s: 1330,
  next_prob: 0.174,
};

const SAID: readonly [string, Record<string, unknown>, string][] = [
  [
    "ZONE_HIT",
    { ...ZONE, distance_ratio: 0, price_usd: 96_250 },
    "BTC [L]: Price 96,250 hit the long zone 96,150–96,250 – est. $31.2M, price inside, level 7/10 loaded",
  ],
  [
    "ZONE_APPROACHED",
    { ...ZONE, side: "SHORT", price_usd: 95_900, distance_ratio: 0.0026 },
    "BTC [S]: Price 95,900 is near the short zone 96,150–96,250 – est. $31.2M, +0.26 % away, level 7/10 loaded",
  ],
  [
    "ZONE_CREATED",
    ZONE,
    "BTC [L]: New long zone 96,150–96,250 – est. $31.2M, −0.50 % away, level 7/10 loaded",
  ],
  [
    "ZONE_REINFORCED",
    { ...ZONE, before_usd: 2e7 },
    "BTC [L]: More piled into the long zone 96,150–96,250 – est. $31.2M, −0.50 % away, level 7/10 loaded, 1.6× what it held",
  ],
  [
    "ZONE_BUILDING",
    { ...ZONE, opened_usd: 4e6, closed_usd: 1e6 },
    "BTC [L]: Building up: long zone 96,150–96,250 – est. $31.2M, −0.50 % away, level 7/10 loaded, 1 h: $4M opened, $1M closed",
  ],
  [
    "ZONE_THINNING",
    { ...ZONE, opened_usd: 1e5, closed_usd: 9e6, interest_change_ratio: -0.021 },
    "BTC [L]: Thinning out: long zone 96,150–96,250 – est. $31.2M, −0.50 % away, level 7/10 loaded, 1 h: $100k opened, $9M closed, open interest −2.1 %",
  ],
  [
    "ZONE_SWEPT",
    { ...ZONE, notional_usd: 0, before_usd: 28e6, liquidated_usd: 6.4e6 },
    "BTC [L]: Price went through the long zone 96,150–96,250 – held est. $28M, $6.4M liquidated in it, level 7/10 loaded",
  ],
  [
    "ZONE_EXPIRED",
    { ...ZONE, density_level: 2, loaded: false, touches: 0, merged_into: null },
    "BTC [L]: Faded, never reached: long zone 96,150–96,250 – est. $31.2M, −0.50 % away, level 2/10",
  ],
  [
    "LIQUIDATION_LARGE",
    {
      instrument: "binance:BTCUSDT",
      side: "SHORT",
      price_usd: 96_001,
      trigger_usd: 96_000,
      notional_usd: 4.53e6,
      threshold_usd: 2.1e6,
    },
    "BTC [S]: Short liquidated for $4.53M at 96,001 on binance:BTCUSDT – large from $2.1M",
  ],
  [
    "CASCADE_STARTED",
    { ...CASCADE, depth: 1, tail_prob: 0.25 },
    "BTC [L]: Cascade of longs has started: level 1 of 6 at 95,100 – $1.2M liquidated, est. $3.4M, this deep by chance in 25 % of cases, next level 17 %",
  ],
  [
    "CASCADE_EXTENDED",
    { ...CASCADE, side: "SHORT", next_prob: null },
    "BTC [S]: Cascade of shorts goes on: level 2 of 6 at 95,100 – $1.2M liquidated, est. $3.4M, this deep by chance in 3.1 % of cases",
  ],
  [
    "CASCADE_EXCESS",
    CASCADE,
    "BTC [L]: Cascade of longs is deeper than volatility explains: level 2 of 6 at 95,100 – $1.2M liquidated, est. $3.4M, this deep by chance in 3.1 % of cases, next level 17 %",
  ],
  [
    "CASCADE_ENDED",
    CASCADE,
    "BTC [L]: Cascade of longs is over: level 2 of 6 at 95,100 – $1.2M liquidated, est. $3.4M, this deep by chance in 3.1 % of cases, took 22 min",
  ],
  [
    "SOURCE_DOWN",
    { instrument: "okx:X", silent_s: 41.5, status: "silent" },
    "BTC: okx:X has sent no price for 42 s",
  ],
  ["SOURCE_RECOVERED", { instrument: "okx:X", silent_s: 300 }, "BTC: okx:X is back after 5 min"],
  [
    "SOURCE_DOWN",
    {
      instrument: "okx:all",
      silent_s: 30,
      channels: ["books", "trades"],
      status: "blocked",
      detail: "HTTP 451",
    },
    "BTC: okx:books, trades has failed for 30 s – HTTP 451",
  ],
  [
    "SOURCE_RECOVERED",
    { instrument: "okx:all", silent_s: 300, channels: ["trades"], status: "live", detail: "rows come" },
    "BTC: okx:trades is back after 5 min",
  ],
  [
    "DIVERGENCE",
    { side: "LONG", distance_bps: 84.2, floor_bps: 31.7, venues: ["binance", "okx"], outlier: "okx" },
    "BTC [L]: binance and okx disagree on BTC long levels – 84 bp apart, chance gives 32 bp, outlier okx",
  ],
  [
    "LEARNER_FELL_BACK",
    {
      instrument: "binance:BTCUSDT",
      learner: "leverage",
      change: "fallback",
      advantage_nats: -5.04,
      threshold_nats: -5,
    },
    "BTC: What is assumed about leverage is in use: what binance:BTCUSDT taught did worse – score −5.0 nats over what is assumed",
  ],
  [
    "ENGINE_CHANGED",
    {
      instrument: "binance:BTCUSDT",
      what: "print offset",
      part: "BANKRUPTCY",
      before_bps: -38.6,
      after_bps: -48.6,
      evidence_nats: 15.4,
      n_events: 31,
    },
    "BTC: Liquidation engine of binance:BTCUSDT has changed – print offset, bankruptcy: −38.6 → −48.6 bp, seen on 31 liquidations",
  ],
  [
    "SIDE_CONVENTION_ALARM",
    { instrument: "mixed:BTC", verdict: "mixed", before: "right", log_odds_nats: 1.2 },
    "BTC: Sides of liquidations of mixed:BTC are mixed: some are inverted – right before",
  ],
];

describe("sentences", () => {
  it.each(SAID)("%s", (type, data, sentence) => {
    expect(eventSentence(event(type, data), 50)).toBe(sentence);
  });

  it("there is one here for every type of the catalogue", () => {
    expect([...new Set(SAID.map(([type]) => type))].sort()).toEqual(Object.keys(EVENT_TYPES).sort());
  });

  it.each(Object.keys(EVENT_TYPES))("%s with nothing known makes nothing up", (type) => {
    const text = eventSentence(event(type, {}));
    expect(text).not.toMatch(/NaN|null|undefined|Infinity|\$0\b/);
  });

  it("a level that is not known yet is said to be so, and a confidence only when there is one", () => {
    const young = event("ZONE_CREATED", { ...ZONE, density_level: null, loaded: null });
    expect(eventWords(young, 50).facts).toContain("no level yet");
    expect(eventSentence(young)).not.toContain("confidence");
    expect(eventSentence({ ...young, confidence: 0.62 })).toContain("confidence 62 %");
  });

  it.each([
    [{ touches: 0 }, "Faded, never reached: long zone"],
    [{ touches: 1, merged_into: null }, "Faded after price was in it once: long zone"],
    [
      { touches: 3, merged_into: "BTC-L-0-1" },
      "Gave way to another after price was in it 3 times: long zone",
    ],
    [{}, "Faded: long zone"],
  ])("a zone that ended with %o says whether price was in it", (data, words) => {
    expect(eventWords(event("ZONE_EXPIRED", { ...ZONE, ...data }), 50).what).toMatch(new RegExp(`^${words}`));
  });

  it("what was in doubt and is no longer is told as such", () => {
    const restored = event("LEARNER_FELL_BACK", {
      instrument: "okx:X",
      change: "restored",
      advantage_nats: 0.2,
    });
    expect(eventSentence(restored)).toBe(
      "BTC: In use again: what okx:X taught about leverage – score +0.2 nats over what is assumed",
    );
    const right = event("SIDE_CONVENTION_ALARM", {
      instrument: "okx:X",
      verdict: "right",
      before: "inverted",
    });
    expect(eventSentence(right)).toContain("mean what is assumed again – inverted before");
  });

  it("prices of small coins keep their digits, with and without the height of a row", () => {
    const small = { ...ZONE, low_usd: 0.12344, high_usd: 0.1239 };
    expect(eventSentence(event("ZONE_CREATED", small), 0.0001)).toContain("0.1234–0.1239");
    expect(eventSentence(event("ZONE_CREATED", small))).toContain("0.1234–0.1239");
    expect(eventSentence(event("ZONE_CREATED", ZONE))).toContain("96,150–96,250");
  });
});

describe("what an event is", () => {
  const marked = (change: Partial<SignalEvent>) => modeMark({ ...event("ZONE_HIT", ZONE), ...change });

  it("says simulated, replayed and rebuilt, and nothing for a live market", () => {
    expect(marked({ mode: "simulated", simulated: true })).toBe("SIMULATED");
    expect(marked({ mode: "replay", simulated: false })).toBe("REPLAY");
    expect(marked({ mode: "replay", simulated: true })).toBe("SIMULATED REPLAY");
    expect(marked({ mode: "rebuilt", simulated: true })).toBe("REBUILT");
    expect(marked({ mode: "live", simulated: false })).toBe("");
    expect(marked({ mode: "live", simulated: true })).toBe("SIMULATED");
  });

  it("is at its zone's peak, at its print, or at a moment only", () => {
    const at = event("ZONE_HIT", { ...ZONE, scope: "binance:BTCUSDT" });
    expect(eventPlace(at)).toEqual({ scope: "binance:BTCUSDT", tMs: 1_770_300_000_000, priceUsd: 96_200 });
    expect(eventPlace(event("LIQUIDATION_LARGE", { price_usd: 5 })).priceUsd).toBe(5);
    expect(eventPlace(event("SOURCE_DOWN", {}))).toMatchObject({ scope: "BTC", priceUsd: null });
    expect(eventPlace(event("ZONE_HIT", { low_usd: 10, high_usd: 12 })).priceUsd).toBe(11);
  });
});
