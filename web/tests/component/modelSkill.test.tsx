// @vitest-environment happy-dom
import { act } from "preact/test-utils";
import { describe, expect, it, vi } from "vitest";
import type { ScorePoint } from "../../src/api/types";
import { scoreHistory, scores } from "../../src/state/engine";
import { modelState } from "../../src/state/model";
import { model } from "../unit/modelMade";
import { asked, choose, root, show, text } from "./modelShown";

const DAY_MS = 86_400_000;
const LAST_MS = Date.UTC(2026, 1, 5);

const gain = (model: string, baseline: string, mean: number, wide = 0.02) => ({
  model,
  baseline,
  mean,
  ci: [mean - wide, mean + wide] as const,
});
const point = (daysAgo: number, gains: ScorePoint["gains"], refresh_s = 300): ScorePoint => ({
  refresh_s,
  from_ms: LAST_MS - (daysAgo + 7) * DAY_MS,
  to_ms: LAST_MS - daysAgo * DAY_MS,
  n_scored: 400 + daysAgo,
  gains,
});
const HISTORY = [
  point(2, [gain("map", "B4", 0.05), gain("map", "B0", 0.4), gain("learned", "B4", 0.08)]),
  point(1, [gain("map", "B4", 0.01), gain("map", "B0", 0.5), gain("B3h", "B0", 0.3)]),
  point(0, [gain("map", "B4", -0.04)], 3600),
];
const DAYS = [
  { day: "2026-02-03", observed: 20, predicted: 10 },
  { day: "2026-02-04", observed: 0, predicted: 8 },
  { day: "2026-02-05", observed: 3, predicted: null },
];
const REPORT = {
  asset: "BTC",
  from_ms: Date.UTC(2026, 0, 5),
  to_ms: LAST_MS,
  refresh_s: 300,
  n_scored: 1843,
  models: [],
  differences: [
    { a: "map", b: "B4", metric: "t", mean: 0.07, ci: [0.04, 0.1] },
    { a: "map", b: "B4", metric: "ig", mean: 0.01, ci: null },
  ],
  days: DAYS,
  places: [
    { model: "map", shares: [0.4, 0.6], low: [0.3, 0.5], high: [0.5, 0.7], distance: 0.1 },
    { model: "B0", shares: [0.1, null], low: [0.05, null], high: [0.2, null], distance: null },
  ],
};

async function open(history: readonly ScorePoint[] = HISTORY): Promise<void> {
  vi.stubGlobal("fetch", async (url: URL) => {
    asked.push(`${url.pathname}${url.search}`);
    return Response.json(
      url.pathname.endsWith("/scores") ? { available: true, reports: [REPORT], history } : model(),
    );
  });
  await show(model());
  await choose("skill");
  await act(() => vi.waitFor(() => expect(scores.value?.available).toBe(true)));
}

const press = (name: string) => {
  const label = [...root.querySelectorAll("label")].find((each) => each.textContent === name);
  return act(() => label?.querySelector("input")?.click() as undefined);
};
const heads = () => [...root.querySelectorAll(".gain-head")].map((head) => head.textContent);

describe("skill", () => {
  it("shows the difference to each baseline with its interval", async () => {
    await open();
    const rows = [...root.querySelectorAll(".skill-table tbody tr")].map((row) => row.textContent);
    expect(rows[0]).toBe("5 min refresh 2026-01-05 to 2026-02-05, n 1,843");
    expect(rows[1]).toContain("map over B4, freshness alone");
    expect(rows[1]).toContain("+0.070+0.040 to +0.100▲ better");
    expect(rows).toHaveLength(2);
  });

  it("draws a strip per baseline, the one to beat first, and tells the newest in words", async () => {
    await open();
    expect(asked.at(-1)).toMatch(/scores\?history_of=BTC$/);
    expect(heads()).toEqual([
      "over B4, freshness alone+0.010−0.010 to +0.030≈ not told apart",
      "over B0, one rate+0.500+0.480 to +0.520▲ better",
    ]);
    const marks = [...root.querySelectorAll(".gain")].map((strip) =>
      [...strip.querySelectorAll(".gain-point")].map((mark) => mark.classList.contains("is-open")),
    );
    expect(marks).toEqual([
      [false, true],
      [false, false],
    ]);
    expect(root.querySelector(".gain-point title")?.textContent).toBe(
      "2026-01-27 to 2026-02-02, n 402: +0.050, +0.030 to +0.070",
    );
  });

  it("switches between the maps and refresh intervals that were scored", async () => {
    await open();
    await press("learned mix");
    expect(heads()).toEqual(["over B4, freshness alone+0.080+0.060 to +0.100▲ better"]);
    await press("assumed mix");
    expect(heads()).toEqual(["over B0, one rate+0.300+0.280 to +0.320▲ better"]);
    await press("1 h");
    expect(text()).toContain("not compared at this refresh interval");
    await press("served");
    expect(heads()).toEqual(["over B4, freshness alone−0.040−0.060 to −0.020▼ worse"]);
    await press("5 min");
  });

  it("has the same figures as a table", async () => {
    await open();
    await act(
      () =>
        root
          .querySelector<HTMLElement>("[aria-label='show as table: T over each baseline']")
          ?.click() as undefined,
    );
    const rows = [...root.querySelectorAll(".skill-over-time tbody tr")].map((row) => row.textContent);
    expect(rows).toEqual([
      "2026-02-03401+0.010−0.010 to +0.030+0.500+0.480 to +0.520",
      "2026-02-02402+0.050+0.030 to +0.070+0.400+0.380 to +0.420",
    ]);
  });

  it("sets what came beside what was expected, day by day", async () => {
    await open();
    expect(text()).toContain("23 seen, 18 expected");
    const bars = [...root.querySelectorAll(".residuals rect")];
    expect(bars.map((bar) => bar.querySelector("title")?.textContent)).toEqual([
      "2026-02-03: 20 seen, 10 expected, 2.00×",
      "2026-02-04: 0 seen, 8 expected, 0.00×",
      "2026-02-05: 3 seen, – expected, not known",
    ]);
    expect(bars.map((bar) => Number(bar.getAttribute("height")))).toEqual([16, 48, 48]);
    expect(text()).toContain("a full bar is 8.0×");
    expect(bars[2].classList.contains("is-missing")).toBe(true);
  });

  it("sets where liquidations lay beside where each model expected them", async () => {
    await open();
    const bars = () => [...root.querySelectorAll(".places rect")];
    expect(bars().map((bar) => bar.querySelector("title")?.textContent)).toEqual([
      "part 1, near end: 40 % of the liquidations (30–50 %)",
      "part 2, far end: 60 % of the liquidations (50–70 %)",
    ]);
    expect(bars().map((bar) => Number(bar.getAttribute("height")))).toEqual([48, 72]);
    expect(text()).toContain("Largest gap 0.100");
    await press("B0, one rate");
    expect(bars()).toHaveLength(1);
    expect(text()).toContain("Largest gap –");
    await press("map");
  });

  it("tells how much of the map is drawn as learned, where the engine says so", async () => {
    await open();
    expect(text()).not.toContain("Learned against assumed");
    const answer = model();
    act(() => {
      const feeds = answer.feeds.map((feed) => ({ ...feed, map_trust: 0.76 }));
      modelState.value = { kind: "ready", answer: { ...answer, feeds }, trouble: null };
    });
    expect(text()).toContain("Learned against assumed, now76 %Weight of the learned maps of BTC");
  });

  it("says that nothing is kept over time yet, and takes no other asset's", async () => {
    await open([]);
    expect(text()).toContain("No evaluation with intervals is kept yet");
    act(() => {
      scoreHistory.value = { asset: "ETH", points: HISTORY };
    });
    expect(text()).not.toContain("Skill over time");
  });
});
