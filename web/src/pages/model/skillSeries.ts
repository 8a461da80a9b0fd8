/** Gains over baselines as lines over time: which maps and refresh intervals there are, and how large the picture is. */
import type { ScorePoint } from "../../api/types";
import { isKnown } from "./figures";

export interface GainPoint {
  readonly fromMs: number;
  readonly toMs: number;
  readonly nScored: number;
  readonly mean: number;
  readonly lo: number;
  readonly hi: number;
}

export interface GainSeries {
  readonly baseline: string;
  /** Oldest first, at least one. */
  readonly points: readonly GainPoint[];
}

/** The map with the mix that is served, with the one that is learned, and with the one that is assumed. */
export const MAPS = [
  { model: "map", label: "served", title: "The map as the engine froze it before the events" },
  { model: "learned", label: "learned mix", title: "The map's kernel with a leverage mix learned online" },
  {
    model: "B3h",
    label: "assumed mix",
    title: "The same kernel with the mix that is assumed before any event",
  },
] as const;
export type MapModel = (typeof MAPS)[number]["model"];

/** The one to beat comes first. */
const ORDER = ["b4", "b3h", "b0"];
const rank = (baseline: string) => {
  const at = ORDER.indexOf(baseline.toLowerCase());
  return at < 0 ? ORDER.length : at;
};

export const refreshesOf = (points: readonly ScorePoint[]): number[] =>
  [...new Set(points.map((point) => point.refresh_s))].sort((a, b) => a - b);

export const mapsOf = (points: readonly ScorePoint[]) =>
  MAPS.filter(({ model }) => points.some(({ gains }) => gains.some((gain) => gain.model === model)));

/** One line per baseline that a model was compared with at a refresh interval; only gains with a whole interval. */
export function seriesOf(points: readonly ScorePoint[], refreshS: number, model: string): GainSeries[] {
  const found = new Map<string, GainPoint[]>();
  const mine = points.filter((point) => point.refresh_s === refreshS).sort((a, b) => a.to_ms - b.to_ms);
  for (const { from_ms: fromMs, to_ms: toMs, n_scored: nScored, gains } of mine)
    for (const gain of gains) {
      const [lo, hi] = gain.ci ?? [null, null];
      if (gain.model !== model || !isKnown(gain.mean) || !isKnown(lo) || !isKnown(hi)) continue;
      const line = found.get(gain.baseline) ?? [];
      line.push({ fromMs, toMs, nScored, mean: gain.mean, lo, hi });
      found.set(gain.baseline, line);
    }
  return [...found]
    .map(([baseline, line]) => ({ baseline, points: line }))
    .sort((a, b) => rank(a.baseline) - rank(b.baseline) || (a.baseline < b.baseline ? -1 : 1));
}

/** From the lowest to the highest end of all intervals, always with zero. */
export function extent(points: readonly GainPoint[]): readonly [number, number] {
  const [low, high] = [
    Math.min(0, ...points.map(({ lo }) => lo)),
    Math.max(0, ...points.map(({ hi }) => hi)),
  ];
  return high > low ? [low, high] : [-1, 1];
}

const [FEWEST_DOUBLINGS, MOST_DOUBLINGS] = [0.5, 3];

/** Doublings of what was observed over what was expected, cut at eightfold; `null` where there is nothing to compare. */
export function doublings(observed: number | null, expected: number | null): number | null {
  if (!isKnown(observed) || !isKnown(expected) || !(expected > 0)) return null;
  return Math.max(-MOST_DOUBLINGS, Math.min(MOST_DOUBLINGS, Math.log2(observed / expected)));
}

/** Doublings that a full bar stands for: small differences are not blown up. */
export const fullBar = (all: readonly (number | null)[]) =>
  Math.max(FEWEST_DOUBLINGS, ...all.map((each) => Math.abs(each ?? 0)));
