/** Numbers and times as text, the same everywhere on screen. */

export const MISSING = "–";

const UNITS: readonly [number, string][] = [
  [1e12, "T"],
  [1e9, "B"],
  [1e6, "M"],
  [1e3, "k"],
];

/** `$31.2M`, `$960`, `–` for a missing value. */
export function usd(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return MISSING;
  const sign = value < 0 ? "−" : "";
  const size = Math.abs(value);
  for (const [unit, letter] of UNITS)
    if (size >= unit * 0.9995) return `${sign}$${Number((size / unit).toPrecision(3))}${letter}`;
  return `${sign}$${size >= 100 ? Math.round(size) : Number(size.toPrecision(2))}`;
}

/** ` (0.8–1.7)` to stand after `$1.2M`: both ends in the unit of the amount; nothing where there is no band. */
export function usdBand(
  value: number | null | undefined,
  low: number | null | undefined,
  high: number | null | undefined,
): string {
  if (value === null || value === undefined || low === null || low === undefined) return "";
  if (high === null || high === undefined || !(high > 0)) return "";
  const unit = UNITS.find(([size]) => Math.abs(value) >= size * 0.9995)?.[0] ?? 1;
  const end = (usdAt: number) => Number((usdAt / unit).toPrecision(3)).toLocaleString("en-US");
  return ` (${end(low)}–${end(high)})`;
}

/** "0.4M", "$2,500,000" or "38m" back to a number; `null` when it is not an amount. */
export function parseUsd(text: string): number | null {
  const match = /^\s*\$?\s*([\d.,]+)\s*([kmbt]?)\s*$/i.exec(text);
  if (!match) return null;
  const unit = UNITS.find(([, letter]) => letter.toLowerCase() === match[2].toLowerCase())?.[0] ?? 1;
  const value = Number(match[1].replaceAll(",", "")) * unit;
  return Number.isFinite(value) && value > 0 ? value : null;
}

/** Decimals that make sense for a row of this height: $50 rows need none, $0.0005 rows need four. */
export function priceDecimals(rowUsd: number): number {
  return rowUsd > 0 ? Math.max(0, Math.min(8, Math.ceil(-Math.log10(rowUsd) - 1e-9))) : 2;
}

export function price(value: number | null | undefined, rowUsd = 1): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return MISSING;
  const digits = priceDecimals(rowUsd);
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** Fixed decimals; what rounds to zero is a zero without a sign. */
export function fixed(value: number, digits: number): string {
  const text = value.toFixed(digits);
  return /[1-9]/.test(text) ? text.replace("-", "−") : text.replace("-", "");
}

/** The same with a plus before what is more than zero. */
export function fixedSigned(value: number, digits: number): string {
  const text = fixed(value, digits);
  return value > 0 && /[1-9]/.test(text) ? `+${text}` : text;
}

export function percent(ratio: number | null | undefined, digits = 0): string {
  if (ratio === null || ratio === undefined || !Number.isFinite(ratio)) return MISSING;
  return `${fixed(ratio * 100, digits)} %`;
}

export function signedPercent(ratio: number | null | undefined, digits = 2): string {
  if (ratio === null || ratio === undefined || !Number.isFinite(ratio)) return MISSING;
  return `${fixedSigned(ratio * 100, digits)} %`;
}

const pad = (value: number) => String(value).padStart(2, "0");

/** `2026-02-05 14:03` UTC. */
export function utcMinute(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return MISSING;
  return new Date(ms).toISOString().slice(0, 16).replace("T", " ");
}

/** `Feb 5 14:03` UTC, for tight places. */
export function utcShort(ms: number): string {
  const at = new Date(ms);
  const month = at.toLocaleString("en-US", { month: "short", timeZone: "UTC" });
  return `${month} ${at.getUTCDate()} ${pad(at.getUTCHours())}:${pad(at.getUTCMinutes())}`;
}

/** `0.4 s`, `42 s`, `7 min`, `3.2 h`, `5 d`. */
export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return MISSING;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Number((seconds / 3600).toPrecision(2))} h`;
  return `${Math.round(seconds / 86_400)} d`;
}
