// @vitest-environment happy-dom
/** Figures and paths of the model page, and its address. */
import { describe, expect, it } from "vitest";
import { beforeText } from "../../src/pages/model/BinPanels";
import { perMille } from "../../src/pages/model/DailyStrip";
import { tailText } from "../../src/pages/model/Episodes";
import * as figures from "../../src/pages/model/figures";
import { estimateMeaning, estimateText, hypothesisText } from "../../src/pages/model/meanings";
import { verdict } from "../../src/pages/model/SkillTable";
import { apart, HEIGHT, pieces, runs, stackPaths, WIDTH } from "../../src/pages/model/strip";
import { signedPercent } from "../../src/state/format";
import { formatModelUrl, parseModelUrl } from "../../src/state/model";

describe("names of the engine", () => {
  it("become words, and stay where they are not known", () => {
    expect(hypothesisText("incumbent")).toBe("all as assumed");
    expect(hypothesisText("hazard 0.05556")).toBe("5.6 % closed an hour at 10x");
    expect(hypothesisText("margin buffer 0.002")).toBe("margin buffer 0.20 %");
    expect(hypothesisText("margin buffer 0")).toBe("no margin buffer");
    expect(hypothesisText("exponent 0")).toBe("closed alike at all x");
    expect(hypothesisText("deposit exponent 1.5")).toContain("1.5");
    expect(hypothesisText("something else 3")).toBe("something else 3");
    expect(estimateText("margin correction <=300k")).toBe("margin correction, up to $300k");
    expect(estimateText("margin correction >3M")).toBe("margin correction, above $3M");
    expect(estimateText("print offset, mark")).toBe("print offset, mark");
    expect(estimateMeaning("margin correction <=300k")).toContain("margin that the map assumes");
    expect(estimateMeaning("something else")).toBe("");
  });
});

describe("figures", () => {
  it("never show a zero or a bar for what is not known", () => {
    for (const text of [figures.share, figures.count, figures.figure, figures.signed])
      expect([text(null), text(undefined), text(Number.NaN)]).toEqual(["–", "–", "–"]);
    expect(figures.band(null, 0.4)).toBe("no band");
    expect(figures.inUnit(null, "bp")).toBe("–");
    expect(figures.rangeInUnit(null, 1, "bp")).toBe("no range");
    expect(figures.ratio(4, 0)).toBeNull();
    expect(perMille(null)).toBe("not known");
    expect(tailText(null)).toBe("–");
  });

  it("keep small shares apart from none", () => {
    expect(figures.share(0)).toBe("0.0 %");
    expect(figures.share(0.0002)).toBe("<0.1 %");
    expect(figures.share(0.031)).toBe("3.1 %");
    expect(figures.share(0.58)).toBe("58 %");
    expect(figures.band(0.031, 0.58)).toBe("3.1–58 %");
    expect(tailText(0.0004)).toBe("<0.001");
    expect(tailText(0.21)).toBe("0.210");
  });

  it("give no sign to what rounds to zero", () => {
    expect(figures.figure(-0.04, 1)).toBe("0.0");
    expect([figures.signed(-0.04), figures.signed(0.04), figures.signed(0)]).toEqual(["0.0", "0.0", "0.0"]);
    expect([signedPercent(-0.00002), signedPercent(0.00002)]).toEqual(["0.00 %", "0.00 %"]);
    expect([signedPercent(-0.0123), signedPercent(0.0123)]).toEqual(["−1.23 %", "+1.23 %"]);
  });

  it("come in the unit that the engine names", () => {
    expect(figures.inUnit(-38.6, "bp")).toBe("−38.6 bp");
    expect(figures.inUnit(0.31, "ratio")).toBe("31 %");
    expect(figures.rangeInUnit(-39.2, -38, "bp")).toBe("−39.2 to −38.0");
    expect(figures.signed(12.34)).toBe("+12.3");
    expect(figures.signed(-6.1)).toBe("−6.1");
    expect(figures.inUnit(0.3, "s")).toBe("0.30 s");
    expect(figures.inUnit(5e-5, "s")).toBe("0.05 ms");
    expect(figures.rangeInUnit(2.5e-6, 9.75e-5, "s")).toBe("<0.01 ms to 0.098 ms");
    expect(figures.rangeInUnit(0, 1.781, "s")).toBe("0 ms to 1.78 s");
    expect([figures.times(1.737), figures.times(122.8)]).toEqual(["1.74×", "123×"]);
    expect(figures.count(17_340.5)).toBe("17,341");
  });

  it("call a difference one only when its whole interval is on one side", () => {
    expect(verdict(0.01, 0.1).words).toBe("better");
    expect(verdict(-0.1, -0.01).words).toBe("worse");
    expect(verdict(-0.01, 0.1).words).toBe("not told apart");
    expect(verdict(0, 0.1).words).toBe("not told apart");
  });
});

describe("the mix before", () => {
  it("is named by its day, or by its hour where it is hardly older than now", () => {
    const at = Date.UTC(2026, 1, 5, 14, 3);
    expect(beforeText(at, at + 30 * 86_400_000)).toBe("02-05");
    expect(beforeText(at, at + 3_600_000)).toBe("14:03");
    expect(beforeText(at, null)).toBe("02-05");
  });
});

describe("the strip over time", () => {
  it("breaks where a value is missing and where hours are missing", () => {
    expect(runs([0, 1, 2, 3, 4], (i) => i !== 2)).toEqual([
      [0, 2],
      [3, 5],
    ]);
    expect(runs([0, 1, 2, 9, 10], () => true)).toEqual([
      [0, 3],
      [3, 5],
    ]);
    expect(runs([0, 1], () => false)).toEqual([]);
    expect(runs([], () => true)).toEqual([]);
  });

  it("stacks the bands from the bottom to the top without a gap", () => {
    const history = {
      t_ms: [0, 10],
      shares: [
        [0.25, 0.75],
        [0.5, 0.5],
      ],
      effective_events: [1, 2],
    };
    const [lower, upper] = stackPaths(history, 2);
    expect(lower).toBe(`M0.0 75.00L${WIDTH}.0 50.00L${WIDTH}.0 ${HEIGHT}.00L0.0 ${HEIGHT}.00Z`);
    expect(upper).toBe(`M0.0 0.00L${WIDTH}.0 0.00L${WIDTH}.0 50.00L0.0 75.00Z`);
    expect(stackPaths({ ...history, shares: [[0.25, null], [0.5]] }, 2)).toEqual(["", ""]);
  });

  it("draws no line for events that nobody counted", () => {
    expect(pieces([0, 1, 2], [1, null, 2], 2)).toHaveLength(2);
    expect(pieces([0, 1, 2], [0, 0, 0], 0)).toEqual([]);
  });

  it("moves labels apart and keeps them inside", () => {
    const places = apart([0.01, 0.02, 0.9, 0.99], 0.2);
    for (let i = 1; i < places.length; i++)
      expect(places[i] - places[i - 1]).toBeGreaterThanOrEqual(0.2 - 1e-9);
    expect(places[0]).toBeCloseTo(0.1);
    expect(places.at(-1)).toBeLessThanOrEqual(0.9 + 1e-9);
    expect(apart([0.2, 0.8], 0.1)).toEqual([0.2, 0.8]);
  });
});

describe("the address", () => {
  it("keeps tab and asset, and only those that differ from the usual", () => {
    expect(formatModelUrl("leverage", null)).toBe("");
    expect(formatModelUrl("cascade", "ETH")).toBe("?tab=cascade&asset=ETH");
    expect(parseModelUrl("?tab=cascade&asset=ETH")).toEqual({ tab: "cascade", asset: "ETH" });
    expect(parseModelUrl("?tab=nonsense&asset=")).toEqual({ tab: "leverage", asset: null });
  });
});
