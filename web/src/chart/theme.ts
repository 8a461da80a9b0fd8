/** Colours the canvas needs; the rest of the page takes them from tokens.css. */
import type { CandleStyle } from "../state/prefs";

export type ThemeName = "dark" | "light";

export interface ChartColours {
  readonly background: string;
  readonly text: string;
  readonly grid: string;
  readonly border: string;
  readonly crosshair: string;
  readonly label: string;
  readonly now: string;
  readonly hatch: string;
  readonly long: string;
  readonly short: string;
  readonly ring: string;
  readonly watermark: string;
  /** Rim around thin lines over the heat. */
  readonly halo: string;
  readonly markRim: string;
  /** The range of an estimate over its bar. */
  readonly band: string;
}

export const COLOURS: Record<ThemeName, ChartColours> = {
  dark: {
    background: "#0a0e15",
    text: "#94a1b5",
    grid: "rgba(148, 163, 184, 0.07)",
    border: "#1f2938",
    crosshair: "rgba(226, 232, 240, 0.55)",
    label: "#2b3a52",
    now: "rgba(226, 232, 240, 0.45)",
    hatch: "rgba(226, 232, 240, 0.16)",
    long: "#f0883e",
    short: "#58a6ff",
    ring: "#ffffff",
    watermark: "rgba(251, 191, 36, 0.13)",
    halo: "rgba(4, 8, 15, 0.75)",
    markRim: "#f8fafc",
    band: "rgba(148, 161, 181, 0.38)",
  },
  light: {
    background: "#ffffff",
    text: "#4a5568",
    grid: "rgba(30, 41, 59, 0.07)",
    border: "#d5dce6",
    crosshair: "rgba(30, 41, 59, 0.55)",
    label: "#46566e",
    now: "rgba(30, 41, 59, 0.5)",
    hatch: "rgba(30, 41, 59, 0.18)",
    long: "#b4540a",
    short: "#1d63c4",
    ring: "#0f172a",
    watermark: "rgba(122, 75, 0, 0.12)",
    halo: "rgba(255, 255, 255, 0.85)",
    markRim: "#0f172a",
    band: "rgba(80, 93, 114, 0.3)",
  },
};

export interface CandleColours {
  readonly upColor: string;
  readonly downColor: string;
  readonly borderUpColor: string;
  readonly borderDownColor: string;
  readonly wickUpColor: string;
  readonly wickDownColor: string;
}

function candles(up: string, down: string, upLine: string, downLine: string): CandleColours {
  return {
    upColor: up,
    downColor: down,
    borderUpColor: upLine,
    borderDownColor: downLine,
    wickUpColor: upLine,
    wickDownColor: downLine,
  };
}

/** White up, hollow down reads over every palette and for colour-blind eyes; the classics are a choice. */
export function candleColours(style: CandleStyle, theme: ThemeName, ghost: boolean): CandleColours {
  // Where the picture is made of real events, they lie under the candles: those become outlines.
  if (ghost) {
    const [line, body] =
      theme === "dark"
        ? ["rgba(248, 250, 252, 0.45)", "rgba(248, 250, 252, 0.06)"]
        : ["rgba(30, 41, 59, 0.5)", "rgba(30, 41, 59, 0.05)"];
    return candles(body, body, line, line);
  }
  if (style === "classic") return candles("#26a69a", "#ef5350", "#26a69a", "#ef5350");
  if (style === "blue-orange") return candles("#4c9be8", "#f0883e", "#4c9be8", "#f0883e");
  return theme === "dark"
    ? candles("#f8fafc", "#0b1220", "#f8fafc", "#f8fafc")
    : candles("#ffffff", "#1e293b", "#1e293b", "#1e293b");
}
