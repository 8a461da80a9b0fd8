/** What the address bar holds: everything a shared link must restore, and only what differs from the default. */
import { type Focus, formatFocus, parseFocus } from "./focus";

export const MODES = ["raw", "synthetic", "smooth", "hybrid"] as const;
export type Mode = (typeof MODES)[number];
export const TIMEFRAMES = ["1m", "5m", "15m", "1h", "4h", "1d"] as const;

export interface UrlState {
  readonly scope: string | null;
  readonly tf: string;
  readonly mode: Mode;
  /** Visible time span, ms UTC. */
  readonly fromMs: number | null;
  readonly toMs: number | null;
  /** Cut-offs of the colour scale in USD. */
  readonly loUsd: number | null;
  readonly hiUsd: number | null;
  readonly palette: string | null;
  /** What everything is about: a pinned cell, a zone, an event. */
  readonly focus: Focus | null;
}

export const DEFAULT_URL: UrlState = {
  scope: null,
  tf: "5m",
  mode: "hybrid",
  fromMs: null,
  toMs: null,
  loUsd: null,
  hiUsd: null,
  palette: null,
  focus: null,
};

function positive(text: string | null): number | null {
  const value = text === null || text === "" ? Number.NaN : Number(text);
  return Number.isFinite(value) && value > 0 ? value : null;
}

function oneOf<T extends string>(text: string | null, allowed: readonly T[], fallback: T): T {
  return allowed.find((name) => name === text) ?? fallback;
}

/** Anything unreadable in a link becomes the default: a link must never break the page. */
export function parseUrl(search: string): UrlState {
  const query = new URLSearchParams(search);
  const fromMs = positive(query.get("from"));
  const toMs = positive(query.get("to"));
  const span = fromMs !== null && toMs !== null && toMs > fromMs;
  return {
    scope: query.get("scope") || null,
    tf: oneOf(query.get("tf"), TIMEFRAMES, "5m"),
    mode: oneOf(query.get("m"), MODES, "hybrid"),
    fromMs: span ? fromMs : null,
    toMs: span ? toMs : null,
    loUsd: positive(query.get("lo")),
    hiUsd: positive(query.get("hi")),
    palette: query.get("cm"),
    focus: parseFocus(query.get("sel")),
  };
}

const significant = (value: number) => String(Number(value.toPrecision(6)));

export function formatUrl(state: UrlState): string {
  const query = new URLSearchParams();
  if (state.scope) query.set("scope", state.scope);
  if (state.tf !== DEFAULT_URL.tf) query.set("tf", state.tf);
  if (state.mode !== DEFAULT_URL.mode) query.set("m", state.mode);
  if (state.fromMs !== null && state.toMs !== null) {
    query.set("from", String(Math.round(state.fromMs)));
    query.set("to", String(Math.round(state.toMs)));
  }
  if (state.loUsd !== null) query.set("lo", significant(state.loUsd));
  if (state.hiUsd !== null) query.set("hi", significant(state.hiUsd));
  if (state.palette) query.set("cm", state.palette);
  if (state.focus) query.set("sel", formatFocus(state.focus));
  const text = query.toString().replaceAll("%3A", ":");
  return text ? `?${text}` : "";
}
