// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";
import { formatFocus, parseFocus } from "../../src/state/focus";
import * as text from "../../src/state/format";
import { DEFAULT_PREFS, formatPrefs, parsePrefs } from "../../src/state/prefs";
import { DEFAULT_URL, formatUrl, parseUrl, type UrlState } from "../../src/state/url";

describe("the address bar", () => {
  const full: UrlState = {
    scope: "okx:BTC-USDT-SWAP",
    tf: "1h",
    mode: "raw",
    fromMs: 1_770_000_000_000,
    toMs: 1_770_090_000_000,
    loUsd: 250_000,
    hiUsd: 38_000_000,
    palette: "inferno",
    focus: { tMs: 1_770_010_000_000, priceUsd: 96_225, src: "zone", eventId: "BTC-L-abc1-0" },
  };

  it("restores everything it holds", () => {
    expect(parseUrl(formatUrl(full))).toEqual(full);
  });

  it("holds only what differs from the default", () => {
    expect(formatUrl(DEFAULT_URL)).toBe("");
    expect(formatUrl({ ...DEFAULT_URL, scope: "ETH", mode: "smooth" })).toBe("?scope=ETH&m=smooth");
    expect(parseUrl("")).toEqual(DEFAULT_URL);
  });

  it("never breaks the page: what cannot be read becomes the default", () => {
    expect(parseUrl("?tf=7m&m=x&from=9&to=3&lo=abc&hi=-2&sel=1&scope=")).toEqual(DEFAULT_URL);
    expect(parseUrl("?from=5").fromMs).toBeNull();
  });
});

describe("preferences", () => {
  const chosen = {
    ...DEFAULT_PREFS,
    theme: "light" as const,
    palette: "cividis" as const,
    keys: false,
    cutOffs: { "BTC|5m|estimate": { loUsd: 1e5, hiUsd: 1e7 } },
  };

  it("survive storage", () => {
    expect(parsePrefs(formatPrefs(chosen))).toEqual(chosen);
  });

  it("of another version, damaged or absent are the defaults", () => {
    expect(parsePrefs(formatPrefs(chosen).replace('"version":1', '"version":0'))).toEqual(DEFAULT_PREFS);
    for (const bad of [null, "", "{", "null", "3"]) expect(parsePrefs(bad)).toEqual(DEFAULT_PREFS);
  });

  it("drop single values they do not know and keep the rest", () => {
    const stored = {
      version: 1,
      palette: "jet",
      theme: "dark",
      cutOffs: { a: { loUsd: 5, hiUsd: 1 }, b: null },
    };
    expect(parsePrefs(JSON.stringify(stored))).toEqual({ ...DEFAULT_PREFS, theme: "dark" });
  });
});

describe("numbers on screen", () => {
  it.each([
    [31_200_000, "$31.2M"],
    [999_900, "$1M"],
    [1_204, "$1.2k"],
    [960.4, "$960"],
    [0, "$0"],
    [-2_500, "−$2.5k"],
    [6.1e9, "$6.1B"],
    [null, "–"],
    [Number.NaN, "–"],
  ])("%s USD is %s", (value, shown) => {
    expect(text.usd(value)).toBe(shown);
  });

  it("a band takes the unit of its amount where it can, and is left out where there is none", () => {
    expect(text.usdBand(1.2e6, 0.8e6, 1.7e6)).toBe(" (0.8–1.7)");
    expect(text.usdBand(1.2e6, 0.96e6, 1.7e6)).toBe(" (0.96–1.7)");
    expect(text.usdBand(1.2e6, 0.4e6, 1.7e6)).toBe(" (0.4–1.7)");
    expect(text.usdBand(960, 700, 1_700)).toBe(" (700–1,700)");
    expect(text.usdBand(12e6, null, 14e6)).toBe("");
    expect(text.usdBand(0, 0, 0)).toBe("");
  });

  it("typed amounts are read back", () => {
    expect(text.parseUsd("$2,500,000")).toBe(2_500_000);
    expect(text.parseUsd("0.4m")).toBe(400_000);
    expect(text.parseUsd(text.usd(31_200_000))).toBe(31_200_000);
    for (const bad of ["", "abc", "-3", "0", "1.2.3"]) expect(text.parseUsd(bad)).toBeNull();
  });

  it("prices have the decimals of their rows", () => {
    expect(text.price(96_225, 50)).toBe("96,225");
    expect(text.price(186.95, 0.1)).toBe("187.0");
    expect(text.price(0.000_123, 0.000_005)).toBe("0.000123");
    expect(text.price(null, 50)).toBe("–");
  });

  it("durations and times are short and in UTC", () => {
    expect([0.42, 42, 420, 10_800, 200_000, null].map(text.duration)).toEqual([
      "0.4 s",
      "42 s",
      "7 min",
      "3 h",
      "2 d",
      "–",
    ]);
    expect(text.utcMinute(Date.UTC(2026, 1, 5, 14, 3))).toBe("2026-02-05 14:03");
    expect(text.utcShort(Date.UTC(2026, 1, 5, 4, 3))).toBe("Feb 5 04:03");
    expect(text.signedPercent(-0.018)).toBe("−1.80 %");
    expect(text.signedPercent(0.018)).toBe("+1.80 %");
  });
});

describe("what everything is about", () => {
  it("goes into a link and comes back, with what it was chosen from", () => {
    for (const at of [
      { tMs: 1_770_000_000_000, priceUsd: 96_225, src: "cell", eventId: null },
      { tMs: 1_770_000_000_000, priceUsd: 0.001_234_5, src: "event", eventId: "a1b2_c3" },
    ] as const)
      expect(parseFocus(formatFocus(at))).toEqual(at);
    expect(formatFocus({ tMs: 5, priceUsd: 2, src: "cell", eventId: null })).toBe("5_2");
  });

  it("is nothing when the link cannot be read", () => {
    for (const bad of [null, "", "5", "5_", "x_3", "5_-3", "5_3_other_1"]) expect(parseFocus(bad)).toBeNull();
  });
});
