/** Figures of the model as text: shares with their bands, counts, ratios. */
import type { Maybe } from "../../api/model";
import { duration, fixed, fixedSigned, MISSING, percent } from "../../state/format";

export const isKnown = (value: Maybe | undefined): value is number =>
  value !== null && value !== undefined && Number.isFinite(value);

/** Percent without a sign; one decimal below ten, "<0.1" instead of a zero that is none. */
export function share(value: Maybe | undefined): string {
  if (!isKnown(value)) return MISSING;
  const size = Math.abs(value);
  if (size > 0 && size < 0.0005) return "<0.1 %";
  return percent(value, size < 0.0995 ? 1 : 0);
}

/** `53–62 %`; a band of which an end is missing is no band. */
export function band(low: Maybe | undefined, high: Maybe | undefined): string {
  if (!isKnown(low) || !isKnown(high)) return "no band";
  const ends = [share(low), share(high)].map((text) => text.replace(" %", ""));
  return `${ends[0]}–${ends[1]} %`;
}

export function count(value: Maybe | undefined): string {
  if (!isKnown(value)) return MISSING;
  return value.toLocaleString("en-US", { maximumFractionDigits: Math.abs(value) < 10 ? 1 : 0 });
}

export function figure(value: Maybe | undefined, digits = 2): string {
  return isKnown(value) ? fixed(value, digits) : MISSING;
}

/** `1.74×`, `123×`: three digits are all that such a quotient is good for. */
export const times = (value: Maybe | undefined): string =>
  isKnown(value) ? `${Number(value.toPrecision(3))}×` : MISSING;

export function signed(value: Maybe | undefined, digits = 1): string {
  return isKnown(value) ? fixedSigned(value, digits) : MISSING;
}

export const ratio = (part: Maybe, whole: Maybe): Maybe =>
  isKnown(part) && isKnown(whole) && whole > 0 ? part / whole : null;

/** Times from microseconds to seconds: where one is short, seconds would show a zero that is none. */
function stamp(seconds: number): string {
  if (Math.abs(seconds) >= 0.0995) return `${fixed(seconds, 2)} s`;
  const ms = seconds * 1000;
  return ms > 0 && ms < 0.01 ? "<0.01 ms" : `${Number(ms.toPrecision(2))} ms`;
}

/** A value in the unit the engine names. */
export function inUnit(value: Maybe | undefined, unit: string): string {
  if (!isKnown(value)) return MISSING;
  if (unit === "ratio") return share(value);
  if (unit === "s") return stamp(value);
  return `${figure(value, Math.abs(value) < 10 ? 2 : 1)} ${unit}`;
}

export function rangeInUnit(low: Maybe, high: Maybe, unit: string): string {
  if (!isKnown(low) || !isKnown(high)) return "no range";
  if (unit === "ratio") return band(low, high);
  if (unit === "s") return `${stamp(low)} to ${stamp(high)}`;
  return `${figure(low, 1)} to ${figure(high, 1)}`;
}

/** `2.1 min`, and the range it lies in. */
export const span = (seconds: Maybe | undefined): string => (isKnown(seconds) ? duration(seconds) : MISSING);

export const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
