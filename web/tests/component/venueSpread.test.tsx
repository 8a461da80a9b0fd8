// @vitest-environment happy-dom
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { VenueDivergence } from "../../src/api/zones";
import { VenueSpread } from "../../src/pages/map/zones/VenueSpread";

const APART: VenueDivergence = {
  at_ms: Date.UTC(2026, 1, 5, 14),
  pair: ["binance", "okx"],
  distance_bps: 84.2,
  floor_bps: 31.7,
  excess_bps: 52.5,
  overlap_ratio: 0.71,
  outlier: "okx",
};

let root: HTMLElement;
beforeEach(() => {
  root = document.body.appendChild(document.createElement("div"));
});
afterEach(() => {
  render(null, root);
  root.remove();
});

const show = (sides: Parameters<typeof VenueSpread>[0]["sides"]) =>
  act(() => render(<VenueSpread sides={sides} />, root));

describe("the levels of the venues", () => {
  it("says who disagrees by how much, and what chance alone gives", async () => {
    await show({ long: APART, short: null });
    expect(root.textContent).toContain("compared Feb 5 14:00 UTC");
    expect(root.textContent).toContain(
      "binance and okx 84 bp apart, chance gives 32 bp, 71 % in common; okx stands apart",
    );
    expect(root.querySelectorAll("p")).toHaveLength(1);
  });

  it("calls a distance within chance an agreement", async () => {
    await show({ long: null, short: { ...APART, distance_bps: 12, excess_bps: -19.7 } });
    expect(root.textContent).toContain("venues agree: 12 bp apart at most, chance gives 32 bp");
    expect(root.querySelector("p")?.className).toBe("quiet");
  });

  it("claims nothing where chance is not known", async () => {
    await show({ long: { ...APART, floor_bps: null, excess_bps: null }, short: null });
    expect(root.textContent).toContain("what chance gives is not known");
    expect(root.querySelector("p")?.className).toBe("quiet");
  });

  it("is not there where nothing was compared", async () => {
    await show(null);
    await show({ long: null, short: null });
    expect(root.textContent).toBe("");
  });
});
