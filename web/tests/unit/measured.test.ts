// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";
import { hatchedAreas } from "../../src/chart/hatch";
import { hatchWords, skillHere } from "../../src/pages/map/measured";
import { reachRatio } from "../../src/pages/map/reach";
import type { Skill } from "../../src/pages/map/skill";
import type { Bar } from "../../src/state/mapData";

const FORWARD = { left: 100, top: 0, right: 220, bottom: 500 };
const area = (rects: ReturnType<typeof hatchedAreas>) =>
  rects.reduce((sum, rect) => sum + (rect.right - rect.left) * (rect.bottom - rect.top), 0);

describe("what is hatched", () => {
  it("is everything forward where no skill was measured", () => {
    expect(hatchedAreas(FORWARD, { right: 100, top: null, bottom: null })).toEqual([FORWARD]);
    expect(hatchedAreas(FORWARD, { right: 40, top: 200, bottom: 300 })).toEqual([FORWARD]);
  });

  it("leaves a box out: up to the horizon, within the distance", () => {
    const rects = hatchedAreas(FORWARD, { right: 130, top: 200, bottom: 300 });
    expect(area(rects)).toBe(120 * 500 - 30 * 100);
    for (const rect of rects) expect(rect.left >= 130 || rect.bottom <= 200 || rect.top >= 300).toBe(true);
  });

  it("knows no distance where none is known, and keeps inside the pane", () => {
    expect(area(hatchedAreas(FORWARD, { right: 130, top: null, bottom: null }))).toBe(90 * 500);
    expect(area(hatchedAreas(FORWARD, { right: 900, top: -50, bottom: 9000 }))).toBe(0);
    expect(area(hatchedAreas(FORWARD, { right: 130, top: 600, bottom: 700 }))).toBe(120 * 500);
  });
});

describe("how far from price the measurement reaches", () => {
  const bar = (close: number | null, high = close, low = close): Bar => ({
    tMs: 0,
    open: close,
    high,
    low,
    close,
    volumeUsd: 1,
    longUsd: 0,
    shortUsd: 0,
  });
  const steady = Array.from({ length: 200 }, () => bar(100, 101, 99.5));

  it("is the distance that price usually covers within the horizon", () => {
    expect(reachRatio(steady, 300_000, 300)).toBeCloseTo(0.01, 12);
    expect(reachRatio(steady, 300_000, 900)).toBeCloseTo(0.01, 12);
    const wild = steady.map((one, i) => (i % 10 === 0 ? bar(100, 104, 99) : one));
    expect(reachRatio(wild, 300_000, 300)).toBeCloseTo(0.04, 12);
  });

  it("shrinks with the square root of time where bars are longer than the horizon", () => {
    expect(reachRatio(steady, 1_200_000, 300)).toBeCloseTo(0.005, 12);
  });

  it("is not known from few bars, from gaps or without a horizon", () => {
    expect(reachRatio(steady.slice(0, 20), 300_000, 300)).toBeNull();
    expect(
      reachRatio(
        steady.map(() => bar(null)),
        300_000,
        300,
      ),
    ).toBeNull();
    expect(reachRatio(steady, 300_000, 0)).toBeNull();
  });
});

describe("what is said about skill", () => {
  const figure = { mean: 0.071, lo: 0.042, hi: 0.101 };
  const row = { refreshS: 300, nScored: 1843, fromMs: 0, toMs: 1, t: figure, ig: null };
  const skill: Skill = { rows: [row], horizonS: 300, goneS: 3600 };

  it("that nothing was measured", () => {
    const none = { skill: null, reachRatio: null };
    expect(hatchWords(none)).toContain("not yet measured");
    expect(skillHere(none, 0.01)).toMatchObject({ proven: false });
  });

  it("that it was measured and not found", () => {
    const none = { skill: { ...skill, horizonS: 0 }, reachRatio: null };
    expect(hatchWords(none)).toContain("No skill");
    expect(skillHere(none, 0).words).toContain("None found");
  });

  it("figures with interval and number of events near price, and none beyond what was scored", () => {
    const both = { skill, reachRatio: 0.0042 };
    expect(hatchWords(both)).toBe("Hatched: later than 5 min or beyond ±0.42 % of price, no skill measured.");
    expect(skillHere(both, -0.003)).toEqual({
      proven: true,
      words: "T +0.071 [+0.042, +0.101] over the age table at 5 min refresh, 1,843 events.",
    });
    expect(skillHere(both, 0.02).proven).toBe(false);
    expect(skillHere(both, 0.02).words).toContain("farther than price moves in 5 min (±0.42 %)");
    expect(skillHere({ skill, reachRatio: null }, 0).proven).toBe(false);
  });
});
