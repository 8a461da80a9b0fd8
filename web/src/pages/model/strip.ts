/** Paths of the strips over time, in a box that is stretched to its place. */
import type { LeverageHistory, Maybe } from "../../api/model";
import { isKnown } from "./figures";

export const [WIDTH, HEIGHT, EVENTS_HEIGHT] = [1000, 100, 24];

/** Hours missing between two rows leave a hole instead of a line. */
const HOLE_STEPS = 3;

/** Index ranges [from, to) without a missing value and without a hole in time. */
export function runs(tMs: readonly number[], known: (i: number) => boolean): [number, number][] {
  const steps = tMs
    .slice(1)
    .map((t, i) => t - tMs[i])
    .sort((a, b) => a - b);
  const usual = steps[Math.floor(steps.length / 2)] ?? 0;
  const found: [number, number][] = [];
  let from = -1;
  for (let i = 0; i <= tMs.length; i++) {
    const joins = i < tMs.length && known(i) && (from < 0 || tMs[i] - tMs[i - 1] <= HOLE_STEPS * usual);
    if (joins && from < 0) from = i;
    if (joins || from < 0) continue;
    found.push([from, i]);
    from = i < tMs.length && known(i) ? i : -1;
  }
  return found;
}

function scaleX(tMs: readonly number[]): (t: number) => number {
  const [first, last] = [tMs[0], tMs[tMs.length - 1]];
  return (t) => (last > first ? ((t - first) / (last - first)) * WIDTH : 0);
}

/** Places from the bottom up, moved apart until each label has room; the whole is 0 to 1. */
export function apart(wanted: readonly number[], room: number): number[] {
  const places: number[] = [];
  for (const want of wanted) {
    const below = places.at(-1);
    places.push(below === undefined ? Math.max(want, room / 2) : Math.max(want, below + room));
  }
  let limit = 1 - room / 2;
  for (let i = places.length - 1; i >= 0; i--) {
    places[i] = Math.min(places[i], limit);
    limit = places[i] - room;
  }
  return places;
}

const point = (x: number, y: number) => `${x.toFixed(1)} ${y.toFixed(2)}`;

/** One closed area per band, the first at the bottom. */
export function stackPaths({ t_ms: tMs, shares }: LeverageHistory, n: number): string[] {
  const x = scaleX(tMs);
  const stretches = runs(tMs, (i) => shares[i]?.length === n && shares[i].every(isKnown));
  return Array.from({ length: n }, (_, k) => {
    const edge = (i: number, upTo: number) => {
      const sum = shares[i].slice(0, upTo).reduce<number>((total, value) => total + (value ?? 0), 0);
      return point(x(tMs[i]), HEIGHT * (1 - Math.min(1, sum)));
    };
    return stretches
      .map(([from, to]) => {
        const rows = Array.from({ length: to - from }, (_, i) => from + i);
        const upper = rows.map((i) => edge(i, k + 1));
        const lower = rows.reverse().map((i) => edge(i, k));
        return `M${[...upper, ...lower].join("L")}Z`;
      })
      .join("");
  });
}

/** Lines over the stretches that are known, scaled to the most. */
export function pieces(tMs: readonly number[], values: readonly Maybe[], most: number): string[] {
  if (most <= 0) return [];
  const x = scaleX(tMs);
  return runs(tMs, (i) => isKnown(values[i])).map(([from, to]) => {
    const rows = Array.from({ length: to - from }, (_, i) => from + i);
    const text = rows.map((i) => {
      return point(x(tMs[i]), (EVENTS_HEIGHT - 1) * (1 - (values[i] ?? 0) / most) + 0.5);
    });
    return `M${text.join("L")}`;
  });
}
