// @vitest-environment happy-dom
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ZoneCard } from "../../src/pages/map/zones/ZoneCard";
import { Approaching, ZonePanel } from "../../src/pages/map/zones/ZonePanel";
import { zoneOrder } from "../../src/pages/map/zones/zoneOrder";
import { assets, link, status } from "../../src/state/engine";
import { focus } from "../../src/state/focus";
import { mapData } from "../../src/state/map";
import { scope } from "../../src/state/view";
import { watchZones, zoneFeed, zoneLife, zoneMoment, zonesState } from "../../src/state/zones";
import { zone } from "../unit/zone";

const T0 = 1_770_000_000_000;
const ENVELOPE = { simulated: true, stale: false, as_of_ms: T0 };

function ready(zones: ReturnType<typeof zone>[], stale = false): void {
  const answer = {
    ...ENVELOPE,
    stale,
    scope: "BTC",
    at_ms: T0,
    price_usd: 97_000,
    tracked_from_ms: T0,
    zones,
  };
  zonesState.value = { kind: "ready", answer, momentMs: null };
}

let root: HTMLElement;
beforeEach(() => {
  root = document.body.appendChild(document.createElement("div"));
  zoneOrder.value = { by: "distance", descending: false };
});
afterEach(() => {
  render(null, root);
  root.remove();
  focus.value = null;
  zoneMoment.value = null;
  zonesState.value = { kind: "loading" };
  zoneLife.value = { kind: "none" };
  vi.unstubAllGlobals();
});

const rows = () => [...root.querySelectorAll("tbody tr")];
const firsts = () => rows().map((row) => row.querySelector(".zone-name")?.textContent?.trim().slice(0, 10));

describe("the list of zones", () => {
  it("says that it loads, that nothing stands out, and what went wrong with a way out", () => {
    render(<ZonePanel />, root);
    expect(root.querySelector("[role=status]")?.getAttribute("aria-label")).toBe("Loading zones");
    act(() => ready([]));
    expect(root.textContent).toContain("No zone stands out right now");
    act(() => {
      zonesState.value = { kind: "error", message: "The zones of BTC are not known yet.", hint: "Wait." };
    });
    expect(root.querySelector("[role=alert]")?.textContent).toContain("not known yet");
    expect(root.querySelector("[role=alert] button")?.textContent).toBe("Try again");
    act(() => ready([zone({})], true));
    expect(root.textContent).toContain("stale");
  });

  it("is a table that its headings sort", () => {
    render(<ZonePanel />, root);
    act(() =>
      ready([
        zone({ id: "near", peak_usd: 96_000, distance_ratio: -0.01, notional_usd: 5e6 }),
        zone({ id: "big", peak_usd: 99_000, distance_ratio: 0.02, notional_usd: 9e6, side: "SHORT" }),
      ]),
    );
    expect(firsts()).toEqual(["L ↓ 96,000", "S ↑ 99,000"]);
    const heading = [...root.querySelectorAll("thead th")].find((cell) => cell.textContent?.includes("USD"));
    act(() => heading?.querySelector("button")?.click());
    expect(firsts()).toEqual(["S ↑ 99,000", "L ↓ 96,000"]);
    expect(heading?.getAttribute("aria-sort")).toBe("descending");
  });

  it("keeps ended zones out until asked", () => {
    render(<ZonePanel />, root);
    act(() => ready([zone({}), zone({ id: "x", ended_ms: T0, end_reason: "swept", state: "swept" })]));
    expect(rows()).toHaveLength(1);
    act(() => root.querySelector<HTMLInputElement>(".ended-toggle input")?.click());
    expect(rows()).toHaveLength(2);
    expect(root.querySelector(".is-ended")?.textContent).toContain("swept");
    act(() => root.querySelector<HTMLInputElement>(".ended-toggle input")?.click());
  });

  it("counts what price comes close to, and jumps to the nearest", () => {
    act(() =>
      ready([
        zone({ id: "far", state: "approached", distance_ratio: 0.02 }),
        zone({ id: "near", state: "approached", distance_ratio: -0.004 }),
        zone({ id: "still" }),
      ]),
    );
    render(<Approaching />, root);
    expect(root.textContent).toContain("Zones approaching: 2");
    act(() => root.querySelector("button")?.click());
    expect(focus.value).toMatchObject({ src: "zone", eventId: "near", priceUsd: 95_225 });
  });
});

describe("the card of a zone", () => {
  it("tells every field, and calls the model's figures estimates", () => {
    const shown = zone({});
    ready([shown]);
    focus.value = { tMs: T0, priceUsd: 95_225, src: "zone", eventId: shown.id };
    zoneLife.value = { kind: "ready", states: [zone({ seen_ms: T0, notional_usd: 60e6 }), shown] };
    render(<ZoneCard />, root);
    const text = root.textContent ?? "";
    for (const part of [
      "L ↓ 95,000–95,400",
      "$120M est.",
      "between $90M and $150M",
      "Measured skill here",
      "−1.80 % from price",
      "7 of 10, loaded",
      "1.4× hourly turnover",
      "▲ building",
      "12.0 %",
      "$140M",
      "2 times",
      ">60x",
      "bybit",
      "opened+$9M",
      "closed−$4M",
      "swept−$1M",
      "re-estimated−$500k",
      "change+$3.5M",
    ])
      expect(text).toContain(part);
    const life = root.querySelector(".life");
    expect(life?.getAttribute("aria-label")).toContain("Held $60M");
    act(() => root.querySelector<HTMLButtonElement>(".life-head .chip")?.click());
    expect(root.querySelector(".life")).toBeNull();
    expect(root.textContent).toContain("as table");
  });

  it("says that a zone is not among those of the moment", () => {
    ready([zone({})]);
    focus.value = { tMs: T0, priceUsd: 1, src: "zone", eventId: "gone" };
    render(<ZoneCard />, root);
    expect(root.textContent).toContain("not among those of the shown moment");
  });
});

describe("the feed of zones", () => {
  it("fetches once for many notes, goes to a moment and back, and keeps what it shows meanwhile", async () => {
    const asked: string[] = [];
    vi.stubGlobal("fetch", async (url: URL) => {
      asked.push(url.search);
      return Response.json({
        ...ENVELOPE,
        scope: "BTC",
        at_ms: T0,
        price_usd: 1,
        tracked_from_ms: T0,
        zones: [],
      });
    });
    assets.value = [{ asset: "BTC", price_usd: 1, row_usd: 50, scopes: ["BTC"], timeframes: ["5m"] }];
    status.value = { ...ENVELOPE, state: "ready" } as unknown as typeof status.value;
    scope.value = "BTC";
    const stop = watchZones(() => null);
    await vi.waitFor(() => expect(zonesState.value.kind).toBe("ready"));
    expect(asked).toEqual(["?scope=BTC"]);
    status.value = { ...status.value } as typeof status.value;
    expect(asked).toHaveLength(1);
    for (let i = 0; i < 5; i++) zoneFeed.changed("BTC");
    zoneFeed.changed("ETH");
    await vi.waitFor(() => expect(asked).toHaveLength(2), { timeout: 3000 });
    zoneMoment.value = T0 - 60_000;
    await vi.waitFor(() => expect(asked.at(-1)).toBe(`?scope=BTC&at_ms=${T0 - 60_000}`));
    zoneFeed.changed("BTC");
    expect(asked).toHaveLength(3);
    zoneMoment.value = null;
    expect(zonesState.value.kind).toBe("ready");
    await vi.waitFor(() => expect(asked).toHaveLength(4));
    vi.stubGlobal("fetch", async () => {
      throw new TypeError("no way there");
    });
    await zoneFeed.load();
    // What is known of now stays, with a word; of another moment nothing is known.
    expect(zonesState.value).toMatchObject({ kind: "ready", momentMs: null, trouble: expect.any(String) });
    link.value = "open";
    render(<ZonePanel />, root);
    expect(root.textContent).toContain("Not being updated: ");
    zoneMoment.value = T0 - 60_000;
    await vi.waitFor(() => expect(zonesState.value.kind).toBe("error"));
    stop();
    status.value = null;
    mapData.value = null;
  });
});
