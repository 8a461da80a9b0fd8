/** Choices a person keeps on this browser, versioned, with a reset. */
import { effect, signal } from "@preact/signals";
import { PALETTES, type PaletteName } from "../heat/palettes";
import type { Stretch } from "../heat/transfer";

export const THEMES = ["system", "dark", "light"] as const;
export const CANDLE_STYLES = ["mono", "classic", "blue-orange"] as const;
export const PRICE_SCALES = ["linear", "log"] as const;
export const EVENT_DENSITIES = ["many", "few", "off"] as const;
export type EventDensity = (typeof EVENT_DENSITIES)[number];
export type Theme = (typeof THEMES)[number];
export type CandleStyle = (typeof CANDLE_STYLES)[number];
export type PriceScale = (typeof PRICE_SCALES)[number];

export interface CutOff {
  readonly loUsd: number;
  readonly hiUsd: number;
}

export interface Prefs {
  readonly theme: Theme;
  readonly palette: PaletteName;
  readonly stretch: Stretch;
  readonly candles: CandleStyle;
  readonly priceScale: PriceScale;
  readonly keys: boolean;
  /** How many marks of events the chart bears. */
  readonly events: EventDensity;
  /** Brackets of the zones on the chart. */
  readonly zones: boolean;
  /** The pane of liquidated USD under the chart. */
  readonly liquidations: boolean;
  /** Colour cut-offs per "scope|timeframe|scale". */
  readonly cutOffs: Readonly<Record<string, CutOff>>;
  /** Ends of a locked scale per "scale" (estimate, events). */
  readonly locked: Readonly<Record<string, CutOff>>;
}

export const DEFAULT_PREFS: Prefs = {
  theme: "system",
  palette: "viridis",
  stretch: "linear",
  candles: "mono",
  priceScale: "linear",
  keys: true,
  events: "few",
  zones: true,
  liquidations: true,
  cutOffs: {},
  locked: {},
};

const STORAGE_KEY = "faultline.prefs";
const VERSION = 1;
const MOST_CUT_OFFS = 100;

function cutOffs(value: unknown): Record<string, CutOff> {
  if (typeof value !== "object" || value === null) return {};
  const kept = Object.entries(value as Record<string, Partial<CutOff> | null>).filter(
    ([, cut]) => cut && Number(cut.loUsd) > 0 && Number(cut.hiUsd) > Number(cut.loUsd),
  );
  return Object.fromEntries(kept.slice(-MOST_CUT_OFFS)) as Record<string, CutOff>;
}

/** Read stored text: unknown versions and unreadable values fall back to the default, field by field. */
export function parsePrefs(text: string | null): Prefs {
  let stored: Record<string, unknown>;
  try {
    stored = (JSON.parse(text ?? "{}") ?? {}) as Record<string, unknown>;
  } catch {
    return DEFAULT_PREFS; // Damaged storage is the same as none.
  }
  if (stored["version"] !== VERSION) return DEFAULT_PREFS;
  const choice = <T extends string>(key: keyof Prefs, allowed: readonly T[], fallback: T): T =>
    allowed.find((name) => name === stored[key]) ?? fallback;
  return {
    theme: choice("theme", THEMES, DEFAULT_PREFS.theme),
    palette: choice("palette", PALETTES, DEFAULT_PREFS.palette),
    stretch: choice<Stretch>("stretch", ["linear", "log"], DEFAULT_PREFS.stretch),
    candles: choice("candles", CANDLE_STYLES, DEFAULT_PREFS.candles),
    priceScale: choice("priceScale", PRICE_SCALES, DEFAULT_PREFS.priceScale),
    keys: stored["keys"] !== false,
    events: choice("events", EVENT_DENSITIES, DEFAULT_PREFS.events),
    zones: stored["zones"] !== false,
    liquidations: stored["liquidations"] !== false,
    cutOffs: cutOffs(stored["cutOffs"]),
    locked: cutOffs(stored["locked"]),
  };
}

export function formatPrefs(prefs: Prefs): string {
  return JSON.stringify({ version: VERSION, ...prefs });
}

/** Storage may be forbidden (private windows, embedded views): choices then last until the page closes. */
function readStorage(): string | null {
  try {
    return localStorage.getItem(STORAGE_KEY);
  } catch {
    return null;
  }
}

export const prefs = signal<Prefs>(parsePrefs(readStorage()));

export function setPrefs(change: Partial<Prefs>): void {
  prefs.value = { ...prefs.value, ...change };
}

export function resetPrefs(): void {
  prefs.value = DEFAULT_PREFS;
}

/** Keep storage in step with the choices; called once at start-up. */
export function persistPrefs(): () => void {
  return effect(() => {
    const text = formatPrefs(prefs.value);
    try {
      localStorage.setItem(STORAGE_KEY, text);
    } catch {
      // Full or forbidden storage: nothing is lost but the memory of these choices.
    }
  });
}

const prefersLight = matchMedia("(prefers-color-scheme: light)");
const systemLight = signal(prefersLight.matches);
prefersLight.addEventListener("change", (event) => {
  systemLight.value = event.matches;
});

export function resolvedTheme(): "dark" | "light" {
  const { theme } = prefs.value;
  if (theme !== "system") return theme;
  return systemLight.value ? "light" : "dark";
}
