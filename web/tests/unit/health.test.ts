/** What stays where it is on the health page, and what is worth a word elsewhere. */
// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";
import type { SourceStatus, SourcesAnswer, SourceVenue } from "../../src/api/sources";
import { orderOf } from "../../src/pages/health/order";
import { bytes, clockBehindMs, clockWords, counted } from "../../src/pages/health/words";
import { troubledOf } from "../../src/state/troubled";

const AT_MS = 1_762_000_000_000;

const venue = (slug: string, status: SourceStatus, fields: Partial<SourceVenue> = {}) =>
  ({
    venue: slug,
    name: slug.toUpperCase(),
    status,
    since_ms: AT_MS - 60_000,
    clock_offset_ms: 3,
    channels: [],
    ...fields,
  }) as unknown as SourceVenue;

const answer = (venues: readonly SourceVenue[], connected = true) =>
  ({ connected, at_ms: AT_MS, venues }) as unknown as SourcesAnswer;

describe("the order of the venues", () => {
  const now = [venue("a", "live"), venue("b", "down"), venue("c", "stale")];

  it("has the troubled first, or alone", () => {
    expect(orderOf(now, false, null)).toEqual(["b", "c", "a"]);
    expect(orderOf(now, true, null)).toEqual(["b", "c"]);
  });

  it("is kept while it is held: who is new comes last, who is gone leaves, who is well stays", () => {
    expect(orderOf(now, false, ["a", "gone", "b"])).toEqual(["a", "b", "c"]);
    expect(orderOf(now, true, ["a"])).toEqual(["a", "b", "c"]);
    expect(orderOf([venue("a", "live")], true, ["a"])).toEqual(["a"]);
    expect(orderOf([], false, ["a"])).toEqual([]);
  });
});

describe("venues that give nothing", () => {
  it("are the blocked ones, and those that are down for half a minute", () => {
    const fresh = venue("c", "down", { since_ms: AT_MS - 29_999 });
    const all = [venue("a", "blocked"), venue("b", "down"), fresh, venue("d", "stale"), venue("e", "live")];
    expect(troubledOf(answer(all))).toEqual({ blocked: ["A"], down: ["B"] });
    expect(troubledOf(answer([venue("a", "down", { since_ms: null })])).down).toEqual([]);
  });

  it("are none where nothing is connected or nothing is known", () => {
    expect(troubledOf(answer([venue("a", "blocked")], false))).toEqual({ blocked: [], down: [] });
    expect(troubledOf(null)).toEqual({ blocked: [], down: [] });
  });
});

describe("our clock", () => {
  const at = (...offsets: (number | null)[]) =>
    clockBehindMs(offsets.map((ms, i) => venue(`v${i}`, "live", { clock_offset_ms: ms })));

  it("is behind when most venues say so, by the one in the middle", () => {
    expect(at(-480, -500, 12)).toBe(480);
    expect(at(-101)).toBe(101);
    expect(at(null, -300, null)).toBe(300);
  });

  it("is not behind for one venue among others, for little, or for nothing known", () => {
    expect(at(-5000, 2, 4)).toBeNull();
    expect(at(-5000, 2)).toBeNull();
    expect(at(-100, -100)).toBeNull();
    expect(at(null)).toBeNull();
    expect(at()).toBeNull();
  });

  it("is compared with one venue in that venue's details", () => {
    expect(clockWords(-480)).toContain("behind this venue's");
    expect([clockWords(-100), clockWords(20), clockWords(null)]).toEqual(["", "", ""]);
  });
});

describe("figures", () => {
  it("are missing for what is played, not 0", () => {
    const one = (transport: string) => ({ transport, n_gaps: 0 }) as unknown as SourceVenue["channels"][0];
    expect(counted([one("tape")], ({ n_gaps }) => n_gaps)).toBeNull();
    expect(counted([one("tape"), one("socket")], ({ n_gaps }) => n_gaps)).toBe(0);
    expect(counted([], () => 1)).toBeNull();
  });

  it("have units that fit", () => {
    expect([999, 1500, 96_400_000, 412e9, 1.2e12].map(bytes)).toEqual([
      "999 B",
      "1.5 kB",
      "96.4 MB",
      "412 GB",
      "1.2 TB",
    ]);
  });
});
