// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";
import type { Zone, ZonesAnswer } from "../../src/api/zones";
import { lifePoints, stateChanges, thinned } from "../../src/pages/map/zones/life";
import { orderAfter, sortZones, ZONE_COLUMNS } from "../../src/pages/map/zones/zoneOrder";
import * as text from "../../src/pages/map/zones/zoneText";
import { asOf, distanceOf } from "../../src/state/zones";
import { zone } from "./zone";

const ids = (zones: readonly Zone[]) => zones.map(({ id }) => id).join("");

describe("the order of zones", () => {
  const zones = [
    zone({ id: "a", distance_ratio: -0.03, notional_usd: 5, density_level: null, side: "LONG" }),
    zone({ id: "b", distance_ratio: 0.01, notional_usd: 7, density_level: 9, side: "SHORT" }),
    zone({ id: "c", distance_ratio: -0.02, notional_usd: 7, density_level: 2, side: "LONG" }),
  ];

  it("is by distance in either direction from price", () => {
    expect(ids(sortZones(zones, { by: "distance", descending: false }))).toBe("bca");
    expect(ids(sortZones(zones, { by: "distance", descending: true }))).toBe("acb");
  });

  it("breaks ties by distance, and puts what is not known last either way", () => {
    expect(ids(sortZones(zones, { by: "usd", descending: true }))).toBe("bca");
    expect(ids(sortZones(zones, { by: "level", descending: true }))).toBe("bca");
    expect(ids(sortZones(zones, { by: "level", descending: false }))).toBe("cba");
    expect(ids(sortZones(zones, { by: "side", descending: false }))).toBe("cab");
  });

  it("can be by every column, without losing a zone", () => {
    for (const by of ZONE_COLUMNS) expect(sortZones(zones, { by, descending: true })).toHaveLength(3);
  });

  it("starts at the interesting end and turns around when asked again", () => {
    const nearest = orderAfter({ by: "usd", descending: true }, "distance");
    expect(nearest).toEqual({ by: "distance", descending: false });
    expect(orderAfter(nearest, "usd")).toEqual({ by: "usd", descending: true });
    expect(orderAfter(nearest, "distance")).toEqual({ by: "distance", descending: true });
  });
});

describe("the words of a zone", () => {
  it("say what is known", () => {
    const known = zone({});
    expect(text.sideMark(known)).toBe("L ↓");
    expect(text.rangeText(known, 50)).toBe("95,000–95,400");
    expect(text.bandText(known)).toBe("$90–150M");
    expect(text.bandText({ ...known, lo_usd: 9e5 })).toBe("$900k–$150M");
    expect(text.bandText({ ...known, lo_usd: 90, hi_usd: 150 })).toBe("$90–$150");
    expect(text.distanceText(known)).toBe("−1.80 %");
    expect(text.ageText(known)).toBe("3 h");
    expect(text.trendText(known)).toBe("▲ building");
    expect(text.mainBand(known)).toBe(">60x 75 %");
    expect(text.venuesText(known)).toBe("bybit 60 %, okx 40 %");
    expect(text.zoneSentence(known, 50)).toBe(
      "Longs zone 95,000–95,400, $120M estimated, −1.80 % from price",
    );
  });

  it("say that something is not known instead of zero", () => {
    const young = zone({
      lo_usd: null,
      hi_usd: null,
      density_level: null,
      loaded: null,
      trend: null,
      bands: null,
      venues: null,
      since_start: true,
      distance_ratio: 0,
    });
    expect(text.bandText(young)).toBe("no band yet");
    expect(text.levelText(young)).toBe("–");
    expect(text.loadedText(young)).toBe("not known yet");
    expect(text.trendText(young)).toBe("–");
    expect(text.mainBand(young)).toBe("–");
    expect(text.venuesText(young)).toBe("–");
    expect(text.ageText(young)).toBe("≥ 3 h");
    expect(text.distanceText(young)).toBe("inside");
  });
});

describe("zones of a past moment", () => {
  const kept = zone({ born_ms: 1000, age_s: 60, seen_ms: 61_000, distance_ratio: 0.5 });
  const body = { price_usd: 100_000, zones: [kept] } as unknown as ZonesAnswer;

  it("have the age and the distance of that moment, not of the state kept before it", () => {
    const [then] = asOf(body, 601_000);
    expect(then.age_s).toBe(600);
    expect(then.distance_ratio).toBeCloseTo(95_400 / 100_000 - 1, 12);
    expect(asOf({ ...body, price_usd: null }, 601_000)[0].distance_ratio).toBeNull();
  });

  it("are left alone when the moment is now", () => {
    expect(asOf(body, null)[0]).toBe(kept);
  });

  it("measure distance from the nearest edge", () => {
    expect(distanceOf(kept, 95_200)).toBe(0);
    expect(distanceOf(kept, 90_000)).toBeCloseTo(95_000 / 90_000 - 1, 12);
  });
});

describe("the life line", () => {
  const at = (seen_ms: number, notional_usd: number, state: Zone["state"] = "standing") =>
    zone({ seen_ms, notional_usd, state });

  it("ends with the zone as it is shown", () => {
    const shown = at(300, 9, "hit");
    const points = lifePoints([at(100, 5), at(200, 7, "approached"), at(400, 1, "swept")], shown);
    expect(points.map((point) => [point.tMs, point.usd])).toEqual([
      [100, 5],
      [200, 7],
      [300, 9],
    ]);
    expect(stateChanges(points).map((point) => point.state)).toEqual(["approached", "hit"]);
  });

  it("as a table keeps both ends and the changes of state", () => {
    const points = Array.from({ length: 100 }, (_, i) => ({
      tMs: i,
      usd: i,
      state: i < 61 ? ("standing" as const) : ("hit" as const),
    }));
    const rows = thinned(points, 10);
    expect(rows).toHaveLength(10);
    expect(rows.map(({ tMs }) => tMs)).toEqual(expect.arrayContaining([0, 61, 99]));
    expect(thinned(points.slice(0, 4), 10)).toHaveLength(4);
  });
});
