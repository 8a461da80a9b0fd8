/** States in words and order, and the sums of a venue's channels. */
import type { SourceChannel, SourceStatus, SourceVenue } from "../../api/sources";
import { duration, MISSING } from "../../state/format";

/** A shape beside the colour: states are told apart without seeing colours. */
export const STATUS: Readonly<
  Record<SourceStatus, { readonly mark: string; readonly tone: "good" | "warn" | "bad" | "none" }>
> = {
  live: { mark: "●", tone: "good" },
  quiet: { mark: "○", tone: "good" },
  partial: { mark: "◐", tone: "warn" },
  stale: { mark: "◔", tone: "warn" },
  blocked: { mark: "✕", tone: "bad" },
  down: { mark: "▼", tone: "bad" },
  absent: { mark: "–", tone: "none" },
  played: { mark: "▶", tone: "none" },
};

const WORST: readonly SourceStatus[] = [
  "down",
  "blocked",
  "stale",
  "partial",
  "quiet",
  "live",
  "played",
  "absent",
];

export const isWell = (status: SourceStatus) => ["live", "quiet", "played"].includes(status);

/** Troubled venues first; within a state by name. */
export function byTrouble(venues: readonly SourceVenue[]): SourceVenue[] {
  return [...venues].sort(
    (a, b) => WORST.indexOf(a.status) - WORST.indexOf(b.status) || a.name.localeCompare(b.name),
  );
}

/** "18 live, 2 partial, 1 blocked". */
export function tally(venues: readonly SourceVenue[]): string {
  const counts = new Map<SourceStatus, number>();
  for (const { status } of venues) counts.set(status, (counts.get(status) ?? 0) + 1);
  return [...WORST]
    .reverse()
    .filter((status) => counts.has(status))
    .map((status) => `${counts.get(status)} ${status}`)
    .join(", ");
}

/** Rows of all channels, second by second. */
export function perSecond(channels: readonly SourceChannel[]): number[] {
  const length = Math.max(0, ...channels.map((channel) => channel.per_second.length));
  return Array.from({ length }, (_, i) =>
    channels.reduce((sum, { per_second }) => sum + (per_second[i - length + per_second.length] ?? 0), 0),
  );
}

export const total = (channels: readonly SourceChannel[], of: (channel: SourceChannel) => number) =>
  channels.reduce((sum, channel) => sum + of(channel), 0);

/** A sum that nobody keeps for what is played: it is missing, not 0. */
export const counted = (channels: readonly SourceChannel[], of: (channel: SourceChannel) => number) =>
  channels.some(({ transport }) => transport !== "tape") ? total(channels, of) : null;

export const rejected = (channel: SourceChannel) => channel.rejects.reduce((sum, { n }) => sum + n, 0);

export function lastRowMs(channels: readonly SourceChannel[]): number | null {
  const known = channels.map((channel) => channel.last_row_ms).filter((ms) => ms !== null);
  return known.length ? Math.max(...known) : null;
}

/** The largest of a figure over channels that tell it. */
export function worst(
  channels: readonly SourceChannel[],
  of: (channel: SourceChannel) => number | null,
): number | null {
  const known = channels
    .filter((channel) => channel.transport === "socket")
    .map(of)
    .filter((value) => value !== null);
  return known.length ? Math.max(...known) : null;
}

const BEHIND_MS = 100;

/**
 * How far our clock is behind, by the median of the venues: a row cannot come before its event. `null` where it is not.
 */
export function clockBehindMs(venues: readonly SourceVenue[]): number | null {
  const offsets = venues.map(({ clock_offset_ms }) => clock_offset_ms).filter((ms) => ms !== null);
  if (offsets.length === 0) return null;
  offsets.sort((a, b) => a - b);
  const middle = offsets[Math.floor(offsets.length / 2)] ?? 0;
  return middle < -BEHIND_MS ? -middle : null;
}

/** What the difference of the clocks of one venue means, where it means something. */
export const clockWords = (ms: number | null) =>
  ms !== null && ms < -BEHIND_MS ? " (ours is behind this venue's)" : "";

export const count = (n: number | null | undefined) =>
  n === null || n === undefined ? MISSING : n.toLocaleString("en-US");

export function millis(ms: number | null): string {
  if (ms === null) return MISSING;
  if (Math.abs(ms) >= 10_000) return duration(ms / 1000);
  return `${Math.abs(ms) < 10 ? ms.toFixed(1) : Math.round(ms)} ms`.replace("-", "−");
}

export const ago = (ms: number | null, nowMs: number) =>
  ms === null ? MISSING : `${duration(Math.max(0, (nowMs - ms) / 1000))} ago`;

export function bytes(n: number): string {
  for (const [unit, letter] of [
    [1e12, "TB"],
    [1e9, "GB"],
    [1e6, "MB"],
    [1e3, "kB"],
  ] as const)
    if (n >= unit) return `${Number((n / unit).toPrecision(3))} ${letter}`;
  return `${n} B`;
}
