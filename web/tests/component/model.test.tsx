// @vitest-environment happy-dom
import { render } from "preact";
import { act } from "preact/test-utils";
import { describe, expect, it, vi } from "vitest";
import { ModelPage } from "../../src/pages/model/ModelPage";
import { modelFeed, modelState } from "../../src/state/model";
import { feed, model } from "../unit/modelMade";
import { asked, choose, root, say, show, text } from "./modelShown";

describe("the states of the page", () => {
  it("loads, says what failed with a way out, and recovers", async () => {
    await act(() => render(<ModelPage />, root));
    expect(root.querySelector(".is-loading")?.textContent).toContain("Asking what was learned");
    const problem = {
      title: "There is no asset BTC.",
      detail: "There is no asset BTC.",
      hint: "GET /assets",
    };
    await show(() => Response.json(problem, { status: 404 }));
    expect(root.querySelector("[role=alert]")?.textContent).toContain("There is no asset BTC.GET /assets");
    say(() => Response.json(model()));
    await act(async () => {
      root.querySelector<HTMLElement>("[role=alert] button")?.click();
      await vi.waitFor(() => expect(modelState.value.kind).toBe("ready"));
    });
    expect(asked.filter((path) => path.endsWith("/api/v1/model/BTC"))).toHaveLength(2);
    expect(text()).toContain("learned from its events");
  });

  it("keeps what was known when an update fails, and says how old it is", async () => {
    await show(model());
    expect(text()).toContain("as of 2026-02-05 14:03 UTC, 5 min behind the engine");
    say(() => Response.json({ title: "Gone", detail: "The model cannot be read." }, { status: 503 }));
    await act(() => modelFeed.load());
    expect(root.querySelector(".model-notice")?.textContent).toContain(
      "Not being updated: The model cannot be read.",
    );
    expect(text()).toContain("binance:BTCUSDT");
  });

  it("asks for another asset when it is chosen", async () => {
    await show(model());
    say(() => Response.json(model({ asset: "ETH", feeds: [feed({ feed: "bybit:ETHUSDT" })] })));
    const select = root.querySelector("select");
    await act(() => {
      if (select) select.value = "ETH";
      select?.dispatchEvent(new Event("change", { bubbles: true }));
    });
    const shown = () => (modelState.value.kind === "ready" ? modelState.value.answer.asset : null);
    await act(() => vi.waitFor(() => expect(shown()).toBe("ETH")));
    expect(text()).toContain("bybit:ETHUSDT");
    expect(asked.at(-1)).toContain("/api/v1/model/ETH");
  });

  it("says that the data are stale", async () => {
    await show(model({ stale: true }));
    expect(root.querySelector(".model-notice")?.textContent).toContain("stale");
  });

  it("has words for every tab where nothing is known", async () => {
    await show(model({ feeds: [], cascade: null }));
    expect(text()).toContain("No feed of BTC teaches leverage");
    await choose("cascade");
    expect(text()).toContain("No zone was hit yet since the engine began to watch");
    await choose("calibration");
    expect(text()).toContain("No feed of BTC is calibrated");
    await choose("skill");
    expect(text()).toContain("The skill of the map of BTC is not measured yet");
  });
});

describe("leverage", () => {
  it("shows every share with its band, and what is only assumed as such", async () => {
    await show(model());
    const [low, , , high] = root.querySelectorAll(".bin");
    expect(low.textContent).toContain(
      "not identified: too few liquidations there; this is the prior, scaled",
    );
    expect(low.querySelector(".band-bar.is-unknown .bar-fill")?.getAttribute("fill")).toContain("hatch");
    expect(high.textContent).toContain("50 %45–55 %");
    expect(high.textContent).not.toContain("not identified");
    expect(high.textContent).toContain("01-0645 %");
    expect(text()).toContain("1,200 410 effective");
    expect(text()).toContain("seen / expected 1.20");
    expect(root.querySelector(".hypotheses tr")?.textContent).toBe("all as assumed70 %");
  });

  it("blames the distance only where a nearer band is identified", async () => {
    const none = feed().bins.map((bin) => ({ ...bin, identified: false }));
    await show(model({ feeds: [feed({ bins: none })] }));
    expect(root.querySelectorAll(".bin-note")).toHaveLength(4);
    expect(text()).toContain("not identified: too few events so far; this is the prior");
    expect(text()).not.toContain("too few liquidations");
  });

  it("says on which basis a feed speaks", async () => {
    const body = model({
      feeds: [
        feed({ feed: "a:X", basis: "pooled", speaks: false, serves: [], hypotheses: [] }),
        feed({
          feed: "b:X",
          serves: ["c:X", "d:X"],
          basis: "prior",
          frozen: true,
          version: 12,
          advantage_nats: -6,
          path: "a:X",
          reporting: "none",
        }),
      ],
    });
    await show(body);
    const [pooled, prior] = [...root.querySelectorAll("article")].map((one) => one.textContent);
    expect(pooled).toContain("pooled: too few events");
    expect(pooled).toContain("the bank does not speak");
    expect(pooled).toContain("No map is drawn with its mix");
    expect(prior).toContain("Maps drawn with its mix: c:X, d:X");
    expect(prior).toContain("not in use");
    expect(prior).toContain("prior in force: learned scored worse");
    expect(prior).toContain("frozen, version 12");
    expect(pooled).not.toContain("frozen");
    await choose("calibration");
    const [first, second] = [...root.querySelectorAll("article")].map((one) => one.textContent);
    expect(first).not.toContain("frozen");
    expect(second).toContain("frozen, version 12");
    expect(prior).toContain("worse than its prior");
    expect(prior).toContain("nothing is learned here");
    expect(prior).toContain("price path of a:X");
  });

  it("survives every missing figure", async () => {
    const bare = feed();
    const none = {
      events: null,
      expected: null,
      effective_events: null,
      dispersion: null,
      advantage_nats: null,
      learned_share: null,
      before_ms: null,
      mix: [],
      assumed_mix: [],
      hypotheses: [],
      bins: bare.bins.map((bin) => ({
        ...bin,
        share: null,
        low: null,
        high: null,
        iota: null,
        assumed_share: null,
        before_share: null,
      })),
      history: { t_ms: [], shares: [], effective_events: [] },
    };
    await show(model({ feeds: [feed(none)] }));
    expect(root.querySelectorAll(".bar-fill")).toHaveLength(0);
    expect(text()).toContain("nothing older is kept yet");
    expect(text()).toContain("prior: lognormal around 50x");
    expect(text()).toContain("nothing is kept yet");
    expect(text()).not.toMatch(/NaN|null|undefined|\b0 %/);
  });

  it("gives the drawing over time a name, a description and a table", async () => {
    await show(model());
    const drawing = root.querySelector(".history svg[role=img]");
    expect(drawing?.querySelector("title")?.textContent).toContain("binance:BTCUSDT");
    expect(drawing?.querySelector("desc")?.textContent).toContain(">60x from 40 % to 50 %");
    const toggle = root.querySelector<HTMLElement>(".history .link-button");
    await act(() => toggle?.click() as undefined);
    expect(toggle?.getAttribute("aria-pressed")).toBe("true");
    expect(root.querySelector(".history tbody tr")?.textContent).toBe("Jan 20 02:005.0 %15 %30 %50 %410");
  });
});
