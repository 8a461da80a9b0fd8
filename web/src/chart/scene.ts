/** Mode, scale and palette in, what the heat layer draws out. The whole difference between modes is here. */
import type { CodeRange } from "../heat/codes";
import type { ComposedGrid } from "../heat/compose";
import { eventPaletteFor, type PaletteName, paletteSteps } from "../heat/palettes";
import { buildLut, type ColourScale, FADE_DARK, FADE_LIGHT, type Stretch } from "../heat/transfer";
import type { MapData } from "../state/mapData";
import type { Mode } from "../state/url";
import type { HeatScene } from "./HeatLayer";
import type { ThemeName } from "./theme";

/** In Hybrid the past belongs to what happened: what was expected there steps back to this opacity. */
const PAST_OPACITY = 0.6;
/** Over candles, events leave the bodies behind them readable. */
const EVENT_OPACITY = 0.8;

export interface SceneChoice {
  readonly mode: Mode;
  readonly palette: PaletteName;
  readonly stretch: Stretch;
  readonly theme: ThemeName;
  /** `null`: nothing measured, so nothing is coloured. */
  readonly estimate: ColourScale | null;
  readonly events: ColourScale | null;
}

function lut(
  range: CodeRange,
  scale: ColourScale | null,
  choice: SceneChoice,
  isEvents: boolean,
  opacity = 1,
) {
  if (!scale) return new Uint32Array(256);
  const overlay = isEvents && choice.mode === "hybrid";
  const name = overlay ? eventPaletteFor(choice.palette) : choice.palette;
  const steps = paletteSteps(name, choice.theme === "light");
  const fade = choice.theme === "light" && !overlay ? FADE_LIGHT : FADE_DARK;
  return buildLut(range, scale, steps, isEvents ? "events" : choice.stretch, opacity, fade);
}

export interface MapScenes {
  /** Below the candles: the estimate. */
  readonly under: HeatScene | null;
  /** Above the candles: what happened, where it happened. */
  readonly over: HeatScene | null;
}

function scene(
  grid: ComposedGrid | null,
  live: (range: CodeRange) => Uint32Array,
  smooth = false,
): HeatScene | null {
  if (!grid) return null;
  const table = live(grid.range);
  return { grid, live: table, past: table, firstLiveCol: 0, smooth };
}

/** What a mode draws; a plane that is not there is left out. */
export function buildScenes(data: MapData, choice: SceneChoice): MapScenes {
  const events = () =>
    scene(data.plane("real"), (range) =>
      lut(range, choice.events, choice, true, choice.mode === "raw" ? 1 : EVENT_OPACITY),
    );
  const estimate = (range: CodeRange) => lut(range, choice.estimate, choice, false);
  if (choice.mode === "raw") return { under: null, over: events() };
  if (choice.mode === "smooth") return { under: scene(data.plane("smooth"), estimate, true), over: null };
  const under = scene(data.plane("synthetic"), estimate);
  if (choice.mode === "synthetic" || !under) return { under, over: null };
  const past = lut(under.grid.range, choice.estimate, choice, false, PAST_OPACITY);
  return { under: { ...under, past, firstLiveCol: data.firstLiveCol }, over: events() };
}

/** Prices that autoscaling should show: the candles, and enough around them to see what is near. */
export function fitAround(
  data: MapData,
  fromBar: number,
  toBar: number,
  mode: Mode,
): { min: number; max: number } | null {
  let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = Math.max(0, fromBar); i <= Math.min(toBar, data.bars.length - 1); i++) {
    const { low, high } = data.bars[i];
    if (low !== null && low < min) min = low;
    if (high !== null && high > max) max = high;
  }
  if (min > max) return null;
  // What happened lies on the path itself; what may happen lies around it.
  const room = mode === "raw" ? (max - min) * 0.04 : Math.max((max - min) * 0.35, max * 0.025);
  return { min: min - room, max: max + room };
}

/** Lowest and highest price with anything visible in the estimate's last column or in the events. */
export function heatExtent(data: MapData, scale: ColourScale): { min: number; max: number } | null {
  const grid = data.plane("synthetic");
  if (!grid) return null;
  const { base, columns, rows } = grid.pyramid;
  const usdOf = buildLut(grid.range, scale, paletteSteps("viridis"), "linear");
  let [low, high] = [rows, -1];
  for (let t = 0; t < columns; t++) {
    const at = t * rows;
    for (let p = 0; p < low; p++) if (usdOf[base[at + p]]) low = p;
    for (let p = rows - 1; p > high; p--) if (usdOf[base[at + p]]) high = p;
  }
  if (high < low) return null;
  return { min: grid.price0Usd + (low - 1) * grid.rowUsd, max: grid.price0Usd + (high + 2) * grid.rowUsd };
}
