// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";
import type { SignalEvent } from "../../src/api/eventTypes";
import type { Asset } from "../../src/api/types";
import { sameVenue, searchScopes, venueText } from "../../src/app/scopes";
import { type EventMark, thin, weightiestFirst } from "../../src/chart/EventPrimitive";
import { belongs, bornMs, marksOf, sweptZones } from "../../src/pages/map/eventMarks";
import { stretches } from "../../src/pages/map/visibleTable";

const T0 = 1_770_000_000_000;
const AXIS = { t0Ms: T0, dtMs: 300_000 };

function event(type: string, data: Record<string, unknown>, tMs = T0 + 650_000): SignalEvent {
  return {
    id: `${type}${tMs}`,
    schema: 1,
    type,
    priority: 0,
    asset: "BTC",
    venue: null,
    confidence: null,
    data,
    detected_at_ns: tMs * 1e6,
    latency_ms: 1,
    simulated: true,
    mode: "simulated",
  };
}

const minute = Math.floor(T0 / 60_000) + 1;
const swept = event("ZONE_SWEPT", {
  scope: "BTC",
  zone_id: `BTC-S-${minute.toString(36)}-0`,
  side: "SHORT",
  low_usd: 97_000,
  high_usd: 97_500,
  before_usd: 8e6,
});
const large = event("LIQUIDATION_LARGE", {
  instrument: "bybit:BTCUSDT",
  side: "LONG",
  price_usd: 94_000,
  notional_usd: 3e6,
});

describe("marks of events", () => {
  it("lie in the bar and at the price where it happened", () => {
    expect(marksOf([swept, large, event("ZONE_CREATED", { price_usd: 1 })], AXIS)).toMatchObject([
      { kind: "swept", side: "short", bar: 2, priceUsd: 97_500, usd: 8e6 },
      { kind: "large", side: "long", bar: 2, priceUsd: 94_000, usd: 3e6 },
    ]);
  });

  it("belong to the map of their scope; a liquidation also to that of its asset", () => {
    expect(belongs(swept, "BTC", "BTC")).toBe(true);
    expect(belongs(swept, "bybit:BTCUSDT", "BTC")).toBe(false);
    expect(belongs(large, "BTC", "BTC")).toBe(true);
    expect(belongs(large, "bybit:BTCUSDT", "BTC")).toBe(true);
    expect(belongs(large, "okx:BTC-USDT-SWAP", "BTC")).toBe(false);
    expect(belongs(large, "ETH", "ETH")).toBe(false);
  });

  it("end a swept zone at the candle that swept it, from its birth on", () => {
    expect(bornMs(String(swept.data["zone_id"]))).toBe(minute * 60_000);
    const [zone] = sweptZones([swept], new Set(), AXIS);
    expect(zone).toMatchObject({ lowUsd: 97_000, highUsd: 97_500, bornBar: 0, endBar: 2, side: "short" });
    expect(sweptZones([swept], new Set([zone.id]), AXIS)).toEqual([]);
  });

  it("make room for the weightiest", () => {
    const mark = (id: string, usd: number, kind: EventMark["kind"] = "large") =>
      ({ id, usd, kind, side: "long", bar: 0, priceUsd: 1 }) as const;
    const marks = weightiestFirst([mark("a", 1), mark("b", 9), mark("c", 9, "hit")]);
    expect(marks.map(({ id }) => id)).toEqual(["c", "b", "a"]);
    const x: Record<string, number> = { c: 3, b: 8, a: 30 };
    const place = ({ id }: EventMark) => [x[id], 5] as const;
    expect(thin(marks, place, 20, 9).map(({ mark: { id } }) => id)).toEqual(["c", "a"]);
    expect(thin(marks, place, 4, 9)).toHaveLength(3);
    expect(thin(marks, place, 4, 1)).toHaveLength(1);
    expect(thin(marks, () => null, 4, 9)).toEqual([]);
  });
});

describe("finding a map", () => {
  const asset = (name: string, scopes: string[]): Asset => ({
    asset: name,
    price_usd: 1,
    row_usd: 1,
    scopes,
    timeframes: [],
  });
  const BTC = asset("BTC", ["BTC", "bybit:BTCUSDT", "okx:BTC-USDT-SWAP", "okx:BTC-USD-SWAP"]);
  const ETH = asset("ETH", ["ETH", "bybit:ETHUSDT"]);
  const found = (text: string) => searchScopes([BTC, ETH], text).map(({ id }) => id);

  it("goes by the beginnings of words, whole assets first", () => {
    expect(found("b").slice(0, 2)).toEqual(["BTC", "bybit:BTCUSDT"]);
    expect(found("byb e")).toEqual(["bybit:ETHUSDT"]);
    expect(found("all")).toEqual(["BTC", "ETH"]);
    expect(found("doge")).toEqual([]);
    expect(found("")).toHaveLength(6);
  });

  it("names venues shortly where that is clear", () => {
    expect(venueText(BTC, "BTC")).toBe("All venues");
    expect(venueText(BTC, "bybit:BTCUSDT")).toBe("bybit");
    expect(venueText(BTC, "okx:BTC-USD-SWAP")).toBe("okx BTC-USD-SWAP");
  });

  it("stays on the venue when the asset changes, where it can", () => {
    expect(sameVenue(ETH, "bybit:BTCUSDT")).toBe("bybit:ETHUSDT");
    expect(sameVenue(ETH, "okx:BTC-USDT-SWAP")).toBe("ETH");
    expect(sameVenue(ETH, "BTC")).toBe("ETH");
  });
});

it("cuts a range into even stretches", () => {
  expect(stretches(0, 10, 4)).toEqual([
    [0, 3],
    [3, 6],
    [6, 9],
    [9, 10],
  ]);
  expect(stretches(5, 7, 9)).toEqual([
    [5, 6],
    [6, 7],
  ]);
  expect(stretches(5, 5, 9)).toEqual([]);
});
