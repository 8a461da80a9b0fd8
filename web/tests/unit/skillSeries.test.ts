import { describe, expect, it } from "vitest";
import type { ScorePoint } from "../../src/api/types";
import { doublings, extent, fullBar, mapsOf, refreshesOf, seriesOf } from "../../src/pages/model/skillSeries";

const gain = (model: string, baseline: string, mean: number | null, ci: ScorePoint["gains"][0]["ci"]) => ({
  model,
  baseline,
  mean,
  ci,
});
const at = (to_ms: number, refresh_s: number, gains: ScorePoint["gains"]): ScorePoint => ({
  refresh_s,
  from_ms: 0,
  to_ms,
  n_scored: to_ms,
  gains,
});
const POINTS = [
  at(30, 300, [gain("map", "placebo_shifted", 1, [0.9, 1.1]), gain("map", "B0", 0.4, [0.3, 0.5])]),
  at(10, 300, [gain("map", "B4", 0.1, [-0.1, 0.3]), gain("map", "B3h", 0.1, [null, 0.3])]),
  at(20, 300, [gain("map", "B4", null, [0, 1]), gain("map", "B0", 0.2, null)]),
  at(20, 60, [gain("pool", "B4", 0.2, [0.1, 0.3]), gain("learned", "B4", 0.2, [0.1, 0.3])]),
];

describe("gains over time", () => {
  it("are a line per baseline, the one to beat first, of points with a whole interval only", () => {
    const series = seriesOf(POINTS, 300, "map");
    expect(series.map(({ baseline, points }) => [baseline, points.map(({ toMs }) => toMs)])).toEqual([
      ["B4", [10]],
      ["B0", [30]],
      ["placebo_shifted", [30]],
    ]);
    expect(seriesOf(POINTS, 900, "map")).toEqual([]);
  });

  it("come in time order however they were kept", () => {
    const shuffled = [3, 1, 2].map((ms) => at(ms, 60, [gain("map", "B4", ms, [0, 9])]));
    expect(seriesOf(shuffled, 60, "map")[0].points.map(({ mean }) => mean)).toEqual([1, 2, 3]);
  });

  it("name the maps and refresh intervals that were scored", () => {
    expect(refreshesOf(POINTS)).toEqual([60, 300]);
    expect(mapsOf(POINTS).map(({ model }) => model)).toEqual(["map", "learned"]);
    expect(mapsOf([])).toEqual([]);
  });

  it("are drawn with zero in view", () => {
    const [line] = seriesOf(POINTS, 300, "map").slice(1);
    expect(extent(line.points)).toEqual([0, 0.5]);
    expect(extent([])).toEqual([-1, 1]);
  });
});

describe("residuals", () => {
  it("are doublings, cut at eightfold, and unknown where nothing was expected", () => {
    expect(doublings(20, 10)).toBe(1);
    expect(doublings(5, 10)).toBe(-1);
    expect([doublings(0, 10), doublings(1000, 1)]).toEqual([-3, 3]);
    expect([doublings(3, 0), doublings(3, null), doublings(null, 3)]).toEqual([null, null, null]);
  });

  it("that are small fill no bar", () => {
    expect(fullBar([0.1, -0.05, null])).toBe(0.5);
    expect(fullBar([0.1, -2])).toBe(2);
  });
});
