import { describe, expect, it } from "vitest";
import type { Profile } from "../../src/api/types";
import { priceToY } from "../../src/pages/map/geometry";
import { binProfile, largestLevels } from "../../src/pages/map/profileBins";

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
      { priceUsd: 104, side: "short", usd: 40, loUsd: 30, hiUsd: 60 },
      { priceUsd: 103, side: "short", usd: 30, loUsd: 20, hiUsd: 40 },
    ]);
  });
});
