// @vitest-environment happy-dom
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ZoneCard } from "../../src/pages/map/zones/ZoneCard";
import { focus } from "../../src/state/focus";
import { zoneLife, zonesState } from "../../src/state/zones";
import { chain, chainStep, zone } from "../unit/zone";

const T0 = 1_770_000_000_000;

let root: HTMLElement;
beforeEach(() => {
  root = document.body.appendChild(document.createElement("div"));
});
afterEach(() => {
  render(null, root);
  root.remove();
  focus.value = null;
  zonesState.value = { kind: "loading" };
  zoneLife.value = { kind: "none" };
});

function show(change: Parameters<typeof zone>[0], momentMs: number | null = null): string {
  const shown = zone(change);
  const answer = {
    simulated: true,
    stale: false,
    scope: shown.scope,
    at_ms: T0,
    price_usd: 97_000,
    tracked_from_ms: T0,
    zones: [shown],
  };
  zonesState.value = { kind: "ready", answer, momentMs };
  focus.value = { tMs: T0, priceUsd: 95_225, src: "zone", eventId: shown.id };
  act(() => render(<ZoneCard />, root));
  return root.textContent ?? "";
}

const rows = () => [...root.querySelectorAll(".chain tbody tr")];

describe("the chain on the card of a zone", () => {
  it("tells chance with its interval, what to expect and what it takes, how soon, and from how many", () => {
    const text = show({ chain: chain([chainStep(1), chainStep(2)]) });
    expect(rows().map((row) => row.textContent)).toEqual([
      "1 94,30060 % 40–80 %$4Mneeds $30M (book)4 minn 90",
      "2 93,60036 % 16–64 %$2Mneeds $60M (law)8 minn 45",
    ]);
    expect(root.querySelector(".chance b")?.getAttribute("style")).toMatch(/left: 40.0%; width: 40.0%/);
    expect(text).toContain("Chain, were price here now est. Feb 2 02:40 UTC");
    expect(text).not.toContain("Grey:");
    expect(text).not.toContain("frozen");
  });

  it("says where it is foretold with frozen parameters", () => {
    const text = show({ chain: { ...chain([chainStep(1)]), frozen: true } });
    expect(text).toContain("Foretold with frozen parameters.");
  });

  it("says which levels rest on too little, and folds those far out", () => {
    const steps = [1, 2, 3, 4, 5, 6].map((depth) => chainStep(depth));
    const text = show({ chain: chain(steps) });
    expect(rows()).toHaveLength(4);
    expect(rows().map((row) => row.classList.contains("is-greyed"))).toEqual([false, false, false, true]);
    expect(text).toContain("Grey: fewer than 30 such steps seen");
    const more = root.querySelector<HTMLButtonElement>(".chain ~ .chip");
    expect(more?.textContent).toBe("all 6 levels");
    act(() => more?.click());
    expect(rows()).toHaveLength(6);
    act(() => more?.click());
  });

  it("leaves out what is not known instead of showing zero", () => {
    show({ chain: chain([chainStep(1, { delay_s: null, needed_usd: null })]) });
    expect(rows()[0].textContent).toContain("needs ––n 90");
  });

  it("says whose order books it was walked through, how old and deep they are, and how the side pays", () => {
    const book = { instruments: ["binance:BTCUSDT", "okx:BTC-USDT-SWAP"], age_s: 9, depth_ratio: 0.63 };
    const said = (change: Parameters<typeof chain>[1]) => show({ chain: chain([chainStep(1)], change) });
    expect(said({ book, funding_z: 2.34 })).toContain(
      "Order books of binance:BTCUSDT, okx:BTC-USDT-SWAP: up to 9.0 s old, 63 % of usual depth. This side pays 2.3 sd more funding than usual.",
    );
    const many = { instruments: ["a:X", "b:X", "c:X"], age_s: 120, depth_ratio: null };
    expect(said({ book: many, funding_z: -1 })).toContain(
      "Order books of 3 instruments: up to 2 min old. This side pays 1.0 sd less funding than usual.",
    );
    expect(said({})).toContain("No order book is known.");
    expect(said({})).not.toContain("funding");
  });

  it("tells a zone without levels beyond it from one of which nothing was said yet", () => {
    expect(show({ chain: chain([]) })).toContain("a cascade would end here");
    expect(show({ chain: null })).toContain("no chain yet");
  });

  it("is silent where no chain is to be expected", () => {
    for (const change of [
      { loaded: false, share_ratio: 0.01 },
      { scope: "okx:BTCUSDT" },
      { ended_ms: T0, state: "swept" as const, end_reason: "swept" },
    ])
      expect(show({ chain: null, ...change })).not.toContain("Chain");
    expect(show({ chain: null }, T0 - 60_000)).not.toContain("Chain");
  });
});
