// @vitest-environment happy-dom
/** The list on screen: filters, older pages that adjoin, and a list that stands still while it is read. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { SeqEvent } from "../../src/api/eventTypes";
import {
  filters,
  formatFilters,
  NO_FILTERS,
  parseFilters,
  passes,
  setFilters,
} from "../../src/pages/signals/filters";
import {
  matching,
  newCount,
  older,
  olderState,
  reading,
  showNew,
  shownEvents,
  showOlder,
  watchLog,
} from "../../src/pages/signals/log";
import { eventGap, recentEvents } from "../../src/state/events";
import { entry } from "./eventsMade";

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const shown = () => shownEvents.value.map(({ seq }) => seq);

describe("filters", () => {
  it("go through the address bar and back", () => {
    const chosen = { type: "ZONE_HIT", asset: "ETH", upTo: 1, text: "loaded 96" } as const;
    expect(parseFilters(formatFilters(chosen, "events"))).toEqual(chosen);
    expect(formatFilters(NO_FILTERS, "events")).toBe("");
    expect(formatFilters(NO_FILTERS, "rules")).toBe("?tab=rules");
    expect(parseFilters("?type=NO_SUCH&p=7")).toEqual(NO_FILTERS);
  });

  it("let through what meets all of them", () => {
    const hit = entry(1, "ZONE_HIT");
    const let_ = (change: Partial<typeof NO_FILTERS>) => passes(hit, { ...NO_FILTERS, ...change }, 50);
    expect(let_({})).toBe(true);
    expect(let_({ type: "ZONE_SWEPT" })).toBe(false);
    expect(let_({ asset: "ETH" })).toBe(false);
    expect(let_({ upTo: 0 })).toBe(true);
    expect(passes(entry(2, "ZONE_CREATED"), { ...NO_FILTERS, upTo: 1 })).toBe(false);
    expect(let_({ text: " LOADED 96,150 zone" })).toBe(true);
    expect(let_({ text: "loaded short" })).toBe(false);
  });
});

describe("the list", () => {
  let log: SeqEvent[];
  let asked: URLSearchParams[];
  let stop: () => void;

  beforeEach(() => {
    log = range(1, 900).map((seq) => entry(seq, seq % 10 === 0 ? "ZONE_HIT" : "ZONE_CREATED"));
    asked = [];
    vi.stubGlobal("fetch", async (url: URL) => {
      asked.push(url.searchParams);
      const [type, before] = [url.searchParams.get("type"), Number(url.searchParams.get("before_id"))];
      const found = log.filter(({ seq, event }) => seq < before && (!type || event.type === type));
      const events = found
        .slice(-Number(url.searchParams.get("limit")))
        .map(({ seq, event }) => ({ ...event, seq }));
      return Response.json({ events: events.reverse(), last_seq: 900, simulated: false, stale: false });
    });
    filters.value = NO_FILTERS;
    eventGap.value = null;
    recentEvents.value = log.slice(-300);
    stop = watchLog();
  });
  afterEach(() => {
    stop();
    recentEvents.value = [];
    vi.unstubAllGlobals();
  });

  it("shows the newest hundred first, then what is loaded, then older pages without a hole", async () => {
    expect(shown()).toEqual(range(801, 900).reverse());
    await showOlder();
    expect(asked).toHaveLength(0);
    expect(shown()).toEqual(range(601, 900).reverse());
    await showOlder();
    expect(shown()).toEqual(range(401, 900).reverse());
    await showOlder();
    await showOlder();
    await showOlder();
    expect(shown()).toEqual(range(1, 900).reverse());
    expect(olderState.value.kind).toBe("end");
  });

  it("asks the engine for the type that is filtered for", async () => {
    setFilters({ type: "ZONE_HIT" });
    expect(shown()).toEqual(
      range(61, 90)
        .map((n) => n * 10)
        .reverse(),
    );
    await showOlder();
    expect(asked[0].get("type")).toBe("ZONE_HIT");
    expect(shown()).toEqual(
      range(1, 90)
        .map((n) => n * 10)
        .reverse(),
    );
    setFilters({ type: null });
    expect(older.value).toEqual([]);
    expect(matching.value).toHaveLength(300);
  });

  it("goes on asking while nothing found passes the other filters", async () => {
    log[4] = entry(5, "ZONE_CREATED", { asset: "ETH" });
    setFilters({ text: "eth" });
    expect(shown()).toEqual([]);
    await showOlder();
    expect(shown()).toEqual([5]);
    expect(asked.length).toBeGreaterThan(2);
  });

  it("events that leave the live list join the older ones", async () => {
    await showOlder();
    await showOlder();
    recentEvents.value = [...recentEvents.value.slice(50), ...range(901, 950).map((seq) => entry(seq))];
    expect(matching.value.map(({ seq }) => seq)).toEqual(range(401, 950).reverse());
  });

  it("after a gap the older pages are forgotten and asked for again from the gap down", async () => {
    await showOlder();
    await showOlder();
    recentEvents.value = [];
    eventGap.value = { fromSeq: 901, toSeq: 950 };
    expect(matching.value).toEqual([]);
    await showOlder();
    expect(asked.at(-1)?.get("before_id")).toBe("951");
  });

  it("stands still while it is read, counts what waits, and brings it on demand", () => {
    reading.hovered.value = true;
    recentEvents.value = [...recentEvents.value, entry(901), entry(902)];
    expect(shown()[0]).toBe(900);
    expect(newCount.value).toBe(2);
    showNew();
    expect(shown()[0]).toBe(902);
    recentEvents.value = [...recentEvents.value, entry(903)];
    expect(newCount.value).toBe(1);
    reading.hovered.value = false;
    expect(shown()[0]).toBe(903);
  });

  it("is in order of time, whatever order the log was written in", () => {
    const at = (seq: number, hour: number) => entry(seq, "ZONE_HIT", { detected_at_ns: hour * 3.6e12 });
    recentEvents.value = [at(1, 10), at(2, 12), at(3, 9), at(4, 12), at(5, 11)];
    expect(shown()).toEqual([4, 2, 5, 1, 3]);
  });

  it("says when an older page cannot be had", async () => {
    vi.stubGlobal("fetch", async () => Promise.reject(new TypeError("down")));
    await showOlder();
    await showOlder();
    expect(olderState.value).toEqual({ kind: "error", message: "The engine does not answer." });
  });
});
