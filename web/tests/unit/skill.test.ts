import { describe, expect, it } from "vitest";
import type { ScoreReport, Scores } from "../../src/api/types";
import { figureText, skilledColumns, skillOf } from "../../src/pages/map/skill";

function report(refreshS: number, mean: number, lo: number, hi: number, asset = "BTC"): ScoreReport {
  const difference = (metric: string) => ({ a: "map", b: "B4", metric, mean, ci: [lo, hi] as const });
  return {
    asset,
    from_ms: 0,
    to_ms: 1,
    refresh_s: refreshS,
    n_scored: 9,
    models: [],
    differences: [difference("T"), difference("ig"), { ...difference("T"), b: "B3h", mean: 9 }],
  };
}

const scores = (...reports: ScoreReport[]): Scores => ({
  available: true,
  reports,
  simulated: false,
  stale: false,
});

describe("the measured skill", () => {
  it("is the gain over the age table and nothing else", () => {
    const skill = skillOf(scores(report(300, 0.085, 0.05, 0.12)), "BTC");
    expect(skill?.rows[0].t).toEqual({ mean: 0.085, lo: 0.05, hi: 0.12 });
    expect(skill?.rows[0].ig?.mean).toBe(0.085);
  });

  it("reaches to the longest refresh whose whole interval is above zero, up to the first that is not", () => {
    const skill = skillOf(
      scores(report(3600, -0.01, -0.03, 0.01), report(300, 0.08, 0.05, 0.1), report(900, 0.03, 0.01, 0.05)),
      "BTC",
    );
    expect([skill?.horizonS, skill?.goneS]).toEqual([900, 3600]);
    expect(skilledColumns(skill, 300_000)).toBe(3);
    expect(skilledColumns(skill, 3_600_000)).toBe(0);
  });

  it("is no skill when the first interval already touches zero", () => {
    const skill = skillOf(scores(report(300, 0.02, -0.01, 0.05), report(900, 0.03, 0.01, 0.05)), "BTC");
    expect([skill?.horizonS, skill?.goneS]).toEqual([0, 300]);
  });

  it("is not measured without scores, for another asset, or without an interval", () => {
    expect(skillOf(null, "BTC")).toBeNull();
    expect(skillOf({ ...scores(report(300, 1, 1, 1)), available: false }, "BTC")).toBeNull();
    expect(skillOf(scores(report(300, 1, 1, 1, "ETH")), "BTC")).toBeNull();
    const bare = report(300, 1, 1, 1);
    const noInterval = bare.differences.map((row) => ({ ...row, ci: null }));
    expect(skillOf(scores({ ...bare, differences: noInterval }), "BTC")).toBeNull();
    expect(skilledColumns(null, 60_000)).toBe(0);
  });

  it("always shows its interval", () => {
    expect(figureText({ mean: 0.071, lo: -0.02, hi: 0.1 })).toBe("+0.071 [−0.020, +0.100]");
    expect(figureText(null)).toBe("not measured");
  });
});
