/** The colours of a scale between its two ends, on a logarithmic track of USD. */
import { eventPaletteFor, paletteSteps } from "../../heat/palettes";
import { type ColourScale, scalePosition } from "../../heat/transfer";
import { prefs, resolvedTheme } from "../../state/prefs";
import type { ScaleKind } from "../../state/scale";
import { mode } from "../../state/view";

const STOPS = 24;

/** CSS colours at even steps from the lower end to the upper. */
export function scaleColours(kind: ScaleKind, { loUsd, hiUsd }: ColourScale): string[] {
  const overlay = kind === "events" && mode.value === "hybrid";
  const name = overlay ? eventPaletteFor(prefs.value.palette) : prefs.value.palette;
  const steps = paletteSteps(name, resolvedTheme() === "light");
  const stretch = kind === "events" ? "events" : prefs.value.stretch;
  return Array.from({ length: STOPS + 1 }, (_, i) => {
    const amount = loUsd * (hiUsd / loUsd) ** (i / STOPS);
    const at = Math.max(0, scalePosition(amount, { loUsd, hiUsd }, stretch));
    return `rgb(${steps[Math.round(at * 255)].join(" ")})`;
  });
}
