/** The profile's rows summed into pixel rows of the pane, and the cumulative curves away from price. */
import type { Profile } from "../../api/types";
import type { PaneGeometry } from "../../chart/HeatPrimitive";
import { priceToY } from "./geometry";

export interface ProfileBins {
  readonly long: Float64Array;
  readonly short: Float64Array;
  /** USD forced out when price moves from here to the bin; grows away from price. */
  readonly cumulative: Float64Array;
  /** Ends of the band of the row that the bin shows; 0 where there is none. */
  readonly lo: Float64Array;
  readonly hi: Float64Array;
  /** R of the row that feeds its own move most; NaN where it is not established. */
  readonly reproduction: Float64Array;
  readonly most: number;
  readonly total: number;
}

/** Bins of `binPx` pixels from the top of the pane. Each bin shows its hottest row, as the map does. */
export function binProfile(
  profile: Profile,
  pane: PaneGeometry,
  lastPrice: number,
  binPx: number,
): ProfileBins {
  const count = Math.max(1, Math.ceil(pane.heightPx / binPx));
  const long = new Float64Array(count);
  const short = new Float64Array(count);
  const sums = new Float64Array(count);
  const lo = new Float64Array(count);
  const hi = new Float64Array(count);
  const feeds = new Float64Array(count).fill(Number.NaN);
  const known = profile.reproduction?.established ? profile.reproduction.value : [];
  const prices = profile.prices_usd;
  const half = prices.length > 1 ? (prices[1] - prices[0]) / 2 : 0;
  const fromPrice = { below: 0, above: 0 };
  const running = new Float64Array(prices.length);
  for (let i = 0; i < prices.length; i++)
    if (prices[i] + half > lastPrice) running[i] = fromPrice.above += profile.short_usd[i] ?? 0;
  for (let i = prices.length - 1; i >= 0; i--)
    if (prices[i] + half <= lastPrice) running[i] = fromPrice.below += profile.long_usd[i] ?? 0;
  for (let i = 0; i < prices.length; i++) {
    // A row taller than a bin fills all bins it covers.
    const top = Math.floor(priceToY(prices[i] + 2 * half, pane) / binPx);
    const bottom = Math.max(top, Math.ceil(priceToY(prices[i], pane) / binPx) - 1);
    if (bottom < 0 || top >= count) continue;
    const [first, last] = [Math.max(0, top), Math.min(count - 1, bottom)];
    const usd = Math.max(profile.long_usd[i] ?? 0, profile.short_usd[i] ?? 0);
    for (let bin = first; bin <= last; bin++) {
      if (usd > Math.max(long[bin], short[bin])) {
        lo[bin] = profile.lo_usd[i] ?? 0;
        hi[bin] = profile.hi_usd[i] ?? 0;
      }
      long[bin] = Math.max(long[bin], profile.long_usd[i] ?? 0);
      short[bin] = Math.max(short[bin], profile.short_usd[i] ?? 0);
      sums[bin] = Math.max(sums[bin], running[i]);
      const r = known[i] ?? Number.NaN;
      if (!(r <= feeds[bin])) feeds[bin] = Number.isNaN(r) ? feeds[bin] : r;
    }
  }
  const most = Math.max(1, ...long, ...short, ...hi);
  return {
    long,
    short,
    cumulative: sums,
    lo,
    hi,
    reproduction: feeds,
    most,
    total: Math.max(1, fromPrice.above, fromPrice.below),
  };
}

/** R with its interval; `null` where it is not established. */
export type Feeding = { readonly value: number; readonly low: number; readonly high: number } | null;

function feedingAt(profile: Profile, i: number): Feeding {
  const known = profile.reproduction;
  const [value, low, high] = [known?.value[i], known?.low[i], known?.high[i]];
  if (!known?.established || value == null || low == null || high == null) return null;
  return { value, low, high };
}

export interface ProfileRow extends ProfileLevel {
  readonly topUsd: number;
  /** USD forced out on the way from price to the far edge of the row. */
  readonly cumulativeUsd: number;
}

function levelAt(profile: Profile, i: number): ProfileLevel {
  const [long, short] = [profile.long_usd[i] ?? 0, profile.short_usd[i] ?? 0];
  return {
    priceUsd: profile.prices_usd[i],
    side: long >= short ? "long" : "short",
    usd: Math.max(long, short),
    loUsd: profile.lo_usd[i] ?? null,
    hiUsd: profile.hi_usd[i] ?? null,
    feeding: feedingAt(profile, i),
  };
}

/** The row that holds a price; `null` outside. */
export function rowAt(profile: Profile, priceUsd: number, lastPrice: number): ProfileRow | null {
  const prices = profile.prices_usd;
  const height = prices.length > 1 ? prices[1] - prices[0] : 1;
  const i = Math.floor((priceUsd - prices[0]) / height);
  if (!(i >= 0 && i < prices.length)) return null;
  const from = Math.min(prices.length - 1, Math.max(0, Math.floor((lastPrice - prices[0]) / height)));
  const way = i <= from ? profile.long_usd.slice(i, from + 1) : profile.short_usd.slice(from, i + 1);
  const cumulativeUsd = way.reduce<number>((sum, usd) => sum + (usd ?? 0), 0);
  return { ...levelAt(profile, i), topUsd: prices[i] + height, cumulativeUsd };
}

export interface ProfileLevel {
  readonly priceUsd: number;
  readonly side: "long" | "short";
  readonly usd: number;
  readonly loUsd: number | null;
  readonly hiUsd: number | null;
  readonly feeding: Feeding;
}

/** The `count` largest levels, hottest first. */
export function largestLevels(profile: Profile, count: number): ProfileLevel[] {
  return profile.prices_usd
    .map((_, i) => levelAt(profile, i))
    .filter((level) => level.usd > 0)
    .sort((a, b) => b.usd - a.usd)
    .slice(0, count);
}
