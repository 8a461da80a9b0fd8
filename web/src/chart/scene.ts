/** Mode, scale and palette in, what the heat layer draws out. The whole difference between modes is here. */
import type { CodeRange } from "../heat/codes";
import type { ComposedGrid } from "../heat/compose";
import { eventPaletteFor, type PaletteName, paletteSteps } from "../heat/palettes";
import { buildLut, type ColourScale, type Stretch } from "../heat/transfer";
import type { MapData } from "../state/mapData";
import type { Mode } from "../state/url";
import type { HeatScene } from "./HeatLayer";
import type { ThemeName } from "./theme";

/** In Hybrid the past belongs to what happened: what was expected there steps back to this opacity. */
const PAST_OPACITY = 0.42;

export interface SceneChoice {
  readonly mode: Mode;
  readonly palette: PaletteName;
  readonly stretch: Stretch;
  readonly theme: ThemeName;
  readonly estimate: ColourScale;
  readonly events: ColourScale;
}

function lut(range: CodeRange, scale: ColourScale, choice: SceneChoice, isEvents: boolean, opacity = 1) {
  const overlay = isEvents && choice.mode === "hybrid";
  const name = overlay ? eventPaletteFor(choice.palette) : choice.palette;
  const steps = paletteSteps(name, choice.theme === "light" && !overlay);
  // Events are few and span decades: a log ramp keeps the small ones visible.
  return buildLut(range, scale, steps, isEvents ? "log" : choice.stretch, opacity);
}

/** `null` when the plane of this mode is not there. */
export function buildScene(data: MapData, choice: SceneChoice): HeatScene | null {
  const { mode } = choice;
  const isRaw = mode === "raw";
  const base: ComposedGrid | null = data.plane(isRaw ? "real" : mode === "smooth" ? "smooth" : "synthetic");
  if (!base) return null;
  const scale = isRaw ? choice.events : choice.estimate;
  const live = lut(base.range, scale, choice, isRaw);
  const overlay = mode === "hybrid" ? data.plane("real") : null;
  const sameShape = overlay !== null && overlay.rows === base.rows && overlay.columns === base.columns;
  return {
    estimate: base,
    events: sameShape ? overlay : null,
    luts: {
      live,
      past: mode === "hybrid" ? lut(base.range, scale, choice, false, PAST_OPACITY) : live,
      events: overlay ? lut(overlay.range, choice.events, choice, true) : live,
    },
    firstLiveCol: mode === "hybrid" ? data.firstLiveCol : 0,
    smooth: mode === "smooth",
  };
}

/** Prices that autoscaling should show: the candles, and enough around them to see what is near. */
export function fitAround(
  data: MapData,
  fromBar: number,
  toBar: number,
): { min: number; max: number } | null {
  let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = Math.max(0, fromBar); i <= Math.min(toBar, data.bars.length - 1); i++) {
    const { low, high } = data.bars[i];
    if (low !== null && low < min) min = low;
    if (high !== null && high > max) max = high;
  }
  if (min > max) return null;
  const room = Math.max((max - min) * 0.35, max * 0.025);
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
