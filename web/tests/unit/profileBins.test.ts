import { describe, expect, it } from "vitest";
import type { Profile } from "../../src/api/types";
import { priceToY, yToPrice } from "../../src/pages/map/geometry";
import { binProfile, largestLevels, rowAt } from "../../src/pages/map/profileBins";
import { reproductionShare, reproductionText, whyNot } from "../../src/pages/map/reproduction";

const PANE = { heightPx: 100, top: 110, bottom: 90, isLog: false };
const PROFILE = {
  prices_usd: [95, 96, 97, 98, 99, 100, 101, 102, 103, 104],
  long_usd: [1, 2, 3, 4, null, 0, 0, 0, 0, 0],
  short_usd: [0, 0, 0, 0, 0, 0, 10, 20, 30, 40],
  lo_usd: [0.5, 1, 2, 3, null, null, 8, 16, 20, 30],
  hi_usd: [2, 3, 5, 6, null, null, 15, 30, 40, 60],
} as unknown as Profile;

describe("the exposure profile", () => {
  it("lies on the chart's own price axis, linear and logarithmic", () => {
    expect(priceToY(100, PANE)).toBe(50);
    expect(priceToY(Math.sqrt(110 * 90), { ...PANE, isLog: true })).toBeCloseTo(50, 9);
  });

  it("fills all pixels of a tall row", () => {
    const bins = binProfile(PROFILE, PANE, 100, 1);
    const at = Math.floor(priceToY(102.5, PANE));
    expect([at - 1, at, at + 1].map((bin) => bins.short[bin])).toEqual([20, 20, 20]);
    expect(bins.most).toBe(60);
    expect([bins.lo[at], bins.hi[at]]).toEqual([16, 30]);
  });

  it("shows the hottest of rows that share a pixel", () => {
    const bins = binProfile(PROFILE, { ...PANE, heightPx: 4 }, 100, 4);
    expect([bins.long[0], bins.short[0]]).toEqual([4, 40]);
  });

  it("leaves out what lies above and below the pane", () => {
    const bins = binProfile(PROFILE, { ...PANE, top: 103, bottom: 97 }, 100, 1);
    expect(Math.max(...bins.short)).toBe(20);
    expect([bins.long[0], bins.short[0], bins.long[99]]).toEqual([0, 20, 3]);
  });

  it("accumulates away from price: longs downwards, shorts upwards", () => {
    const bins = binProfile(PROFILE, PANE, 100, 1);
    const at = (price: number) => bins.cumulative[Math.floor(priceToY(price + 0.5, PANE))];
    expect([at(98), at(95), at(101), at(104)]).toEqual([4, 10, 10, 100]);
    expect(bins.total).toBe(100);
  });

  it("as a table lists the largest levels with their intervals", () => {
    expect(largestLevels(PROFILE, 2)).toEqual([
      { priceUsd: 104, side: "short", usd: 40, loUsd: 30, hiUsd: 60, feeding: null },
      { priceUsd: 103, side: "short", usd: 30, loUsd: 20, hiUsd: 40, feeding: null },
    ]);
  });

  it("tells the row under a pixel and what price sets free on the way there", () => {
    for (const isLog of [false, true])
      expect(yToPrice(priceToY(97.3, { ...PANE, isLog }), { ...PANE, isLog })).toBeCloseTo(97.3, 9);
    expect(rowAt(PROFILE, 96.4, 100)).toMatchObject({
      priceUsd: 96,
      topUsd: 97,
      side: "long",
      usd: 2,
      cumulativeUsd: 9,
    });
    expect(rowAt(PROFILE, 103.9, 100)).toMatchObject({ side: "short", usd: 30, cumulativeUsd: 60 });
    expect(rowAt(PROFILE, 94.9, 100)).toBeNull();
    expect(rowAt(PROFILE, 105, 100)).toBeNull();
  });
});

describe("how much a row feeds its own move", () => {
  const value = [0.1, 0.2, 0.3, null, 2, 0, 1, 0.5, 0.4, 0.3];
  const known = {
    value,
    low: value.map(() => 0.05),
    high: value.map(() => 3),
    n_flows: 44,
    established: true,
  };
  const FEEDS: Profile = { ...PROFILE, reproduction: known };
  const few: Profile = { ...PROFILE, reproduction: { ...known, n_flows: 3.2, established: false } };

  it("is the most of the rows that share a pixel, and nothing where it is not known", () => {
    const bins = binProfile(FEEDS, { ...PANE, heightPx: 4 }, 100, 2);
    expect([...bins.reproduction]).toEqual([1, 2]);
    const fine = binProfile(FEEDS, PANE, 100, 1).reproduction;
    expect(fine[Math.floor(priceToY(98.5, PANE))]).toBeNaN();
    expect(fine[Math.floor(priceToY(99.5, PANE))]).toBe(2);
  });

  it("is not drawn before it is established, and says why", () => {
    for (const profile of [few, PROFILE]) {
      expect(binProfile(profile, PANE, 100, 1).reproduction.every(Number.isNaN)).toBe(true);
      expect(rowAt(profile, 99.5, 100)?.feeding).toBeNull();
    }
    expect(whyNot(few)).toContain("30 observed flows at least; so far there were 3.2");
    expect(whyNot(PROFILE)).toContain("whole asset");
    expect(whyNot(FEEDS)).toBeNull();
  });

  it("reads as a figure with its interval", () => {
    expect(reproductionText(rowAt(FEEDS, 99.5, 100)?.feeding ?? null)).toBe("2 (0.05–3)");
    expect(reproductionText(rowAt(FEEDS, 98.5, 100)?.feeding ?? null)).toBe("not established");
  });

  it("lies halfway at 1, and never off the picture", () => {
    expect([0, 1, 3].map(reproductionShare)).toEqual([0, 0.5, 0.75]);
    expect(reproductionShare(1e9)).toBeLessThanOrEqual(1);
  });
});
