// @vitest-environment happy-dom
import { render } from "preact";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ApiError } from "../../src/api/http";
import type { Status } from "../../src/api/types";
import { Footer } from "../../src/app/Footer";
import { SimulatedBanner } from "../../src/app/SimulatedBanner";
import { MapPage } from "../../src/pages/map/MapPage";
import { SkillCard, SkillLine } from "../../src/pages/map/SkillLine";
import { assets, scores, status, statusError } from "../../src/state/engine";
import { mapState } from "../../src/state/map";
import { measuredEnds } from "../../src/state/scale";
import { scope } from "../../src/state/view";
import { RangeSlider } from "../../src/ui/RangeSlider";
import { Segmented } from "../../src/ui/Segmented";
import { StateCard } from "../../src/ui/StateCard";

vi.mock("../../src/pages/map/ChartView", () => ({ ChartView: () => null }));

const STATUS: Status = {
  simulated: true,
  stale: false,
  as_of_ms: Date.UTC(2026, 1, 5, 14, 3),
  version: "0.1.0",
  mode: "simulated",
  world: "calm",
  state: "ready",
  progress: null,
  error: null,
  data_age_s: 3,
  replay: null,
};

let root: HTMLElement;
beforeEach(() => {
  root = document.body.appendChild(document.createElement("div"));
});
afterEach(() => {
  render(null, root);
  root.remove();
  status.value = null;
  statusError.value = null;
  scores.value = null;
  mapState.value = { kind: "idle" };
});

const press = (element: Element, key: string) =>
  element.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));

describe("the cut-off slider", () => {
  const draw = (onChange: (lo: number, hi: number) => void) =>
    render(
      <RangeSlider
        label="Estimate"
        minUsd={100}
        maxUsd={1e8}
        loUsd={1e4}
        hiUsd={1e6}
        fill="red"
        onChange={onChange}
      />,
      root,
    );

  it("moves either handle by keys, in even steps of the logarithmic track", () => {
    const moved = vi.fn();
    draw(moved);
    const [lo, hi] = root.querySelectorAll("[role=slider]");
    const step = (1e8 / 100) ** (1 / 100);
    press(lo, "ArrowRight");
    press(hi, "ArrowLeft");
    expect(moved.mock.calls[0][0]).toBeCloseTo(1e4 * step, 6);
    expect(moved.mock.calls[0][1]).toBe(1e6);
    expect(moved.mock.calls[1][1]).toBeCloseTo(1e6 / step, 4);
  });

  it("never lets the handles cross or leave the track", () => {
    const moved = vi.fn();
    draw(moved);
    const [lo, hi] = root.querySelectorAll("[role=slider]");
    press(lo, "End");
    expect(moved.mock.calls[0][0]).toBeLessThan(1e6);
    press(hi, "End");
    expect(moved.mock.calls[1][1]).toBe(1e8);
    press(lo, "Home");
    expect(moved.mock.calls[2][0]).toBe(100);
  });

  it("names its handles and speaks USD", () => {
    draw(() => undefined);
    const [lo] = root.querySelectorAll("[role=slider]");
    expect(lo.getAttribute("aria-label")).toBe("Estimate: lower cut-off");
    expect(lo.getAttribute("aria-valuetext")).toBe("$10k");
  });
});

it("a choice of a few is a radio group", () => {
  const chosen = vi.fn();
  const choices = [
    { value: "a", label: "A" },
    { value: "b", label: "B" },
  ];
  render(<Segmented label="Mode" choices={choices} value="a" onChange={chosen} />, root);
  const radios = root.querySelectorAll<HTMLInputElement>("input[type=radio]");
  expect([...radios].map((radio) => radio.checked)).toEqual([true, false]);
  radios[1].click();
  expect(chosen).toHaveBeenCalledWith("b");
});

it("progress tells assistive technology how far it is", () => {
  render(<StateCard kind="loading" title="Rebuilding" progress={0.34} />, root);
  expect(root.querySelector("[role=progressbar]")?.getAttribute("aria-valuenow")).toBe("34");
});

describe("the map page says what stands in the map's place", () => {
  const cover = () => root.querySelector(".cover")?.textContent ?? null;

  it("connecting, then no engine", () => {
    render(<MapPage />, root);
    expect(cover()).toContain("Connecting to the engine");
    render(null, root);
    statusError.value = new ApiError("The engine does not answer.", 0, null, "Is it running?");
    render(<MapPage />, root);
    expect(cover()).toContain("The engine does not answer.");
    expect(cover()).toContain("Is it running?");
  });

  it("loading with progress", () => {
    status.value = {
      ...STATUS,
      state: "loading",
      progress: { done: 5.4, total: 20, label: "hours rebuilt" },
    };
    render(<MapPage />, root);
    expect(cover()).toContain("5 of 20 hours rebuilt");
    expect(root.querySelector("[role=progressbar]")?.getAttribute("aria-valuenow")).toBe("27");
  });

  it("loading before anything is done, without a share that would stand still", () => {
    status.value = { ...STATUS, state: "loading", progress: { done: 0, total: 6, label: "hours rebuilt" } };
    render(<MapPage />, root);
    expect(cover()).toContain("Preparing the market");
    expect(root.querySelector("[role=progressbar]")?.hasAttribute("aria-valuenow")).toBe(false);
  });

  it("an engine that has failed, with what to do", () => {
    const error = { code: "tape_unreadable", message: "The tape is damaged.", hint: "Verify it." };
    status.value = { ...STATUS, state: "error", error };
    render(<MapPage />, root);
    for (const part of ["The tape is damaged.", "Verify it.", "tape_unreadable"])
      expect(cover()).toContain(part);
  });

  it("an empty map, a broken map, and nothing over a map that is there", () => {
    status.value = STATUS;
    scope.value = "BTC";
    mapState.value = { kind: "empty" };
    render(<MapPage />, root);
    expect(cover()).toContain("No map for this scope yet");
    render(null, root);
    mapState.value = { kind: "error", message: "The map fails its checksum.", hint: null };
    render(<MapPage />, root);
    expect(cover()).toContain("The map fails its checksum.");
    expect(root.querySelector(".cover button")?.textContent).toBe("Try again");
    render(null, root);
    mapState.value = { kind: "ready" };
    render(<MapPage />, root);
    expect(cover()).toBeNull();
    expect(root.querySelector(".notice")?.textContent).toContain("No estimate for BTC yet");
    render(null, root);
    measuredEnds.value = { estimate: { loUsd: 1, hiUsd: 2 }, events: null };
    render(<MapPage />, root);
    expect(root.querySelector(".notice")).toBeNull();
  });

  it("the replay bar only while a tape is replayed", () => {
    status.value = STATUS;
    render(<MapPage />, root);
    expect(root.querySelector(".replay")).toBeNull();
    render(null, root);
    status.value = {
      ...STATUS,
      replay: { at_ns: 2e18, from_ns: 1e18, to_ns: 3e18, speed: 60, paused: true },
    };
    render(<MapPage />, root);
    expect(root.querySelector(".replay button")?.getAttribute("aria-label")).toBe("Resume");
  });
});

describe("what must always be said", () => {
  it("that the market is made up, and only then", () => {
    status.value = STATUS;
    render(<SimulatedBanner />, root);
    expect(root.textContent).toContain("SIMULATED MARKET");
    expect(root.textContent).toContain("calm");
    render(null, root);
    status.value = { ...STATUS, simulated: false };
    render(<SimulatedBanner />, root);
    expect(root.textContent).toBe("");
  });

  it("what the map is, in the footer", () => {
    status.value = STATUS;
    render(<Footer />, root);
    expect(root.textContent).toContain("Model estimates - not exchange data, not advice");
    expect(root.textContent).toContain("2026-02-05 14:03 UTC");
  });

  it("that skill has not been measured yet", () => {
    render(<SkillLine />, root);
    expect(root.textContent).toContain("not yet measured");
    render(<SkillCard />, root);
    expect(root.textContent).toContain("Not yet measured");
  });

  it("that skill is gone after an hour without refresh, when the scores say so", () => {
    const asset = { asset: "BTC", price_usd: 1, row_usd: 1, scopes: ["BTC"], timeframes: ["5m"] };
    assets.value = [asset];
    scope.value = "BTC";
    const row = (refresh_s: number, mean: number, ci: readonly [number, number]) => ({
      asset: "BTC",
      from_ms: 0,
      to_ms: 1,
      refresh_s,
      n_scored: 5,
      models: [],
      differences: [{ a: "map", b: "B4", metric: "t", mean, ci }],
    });
    const reports = [row(300, 0.08, [0.05, 0.1]), row(3600, -0.01, [-0.03, 0.01])];
    scores.value = { available: true, reports, simulated: true, stale: false };
    render(<SkillLine />, root);
    expect(root.textContent).toContain("T +0.080 [+0.050, +0.100] at 5 min refresh");
    expect(root.textContent).toContain("Gone after 1 h without refresh");
  });
});
