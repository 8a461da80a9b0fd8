/** USD to colour: the stretch between the two ends of the scale lives in a 256-entry table. */
import { type CodeRange, codeToUsd } from "./codes";
import type { Rgb } from "./palettes";

/** The two ends of the colour scale in USD per cell. */
export interface ColourScale {
  readonly loUsd: number;
  readonly hiUsd: number;
}

/** `linear` and `log` place estimates; `events` is an even log ramp that keeps the smallest amount visible. */
export type Stretch = "linear" | "log" | "events";

/** Few and small: the ramp of real events starts where a palette has already left the background. */
const EVENT_FLOOR = 0.3;

/** Up to this share of the ramp a colour fades in, so the lower cut-off draws no hard contour. */
export const FADE_DARK = 0.06;
/** On a light page the pale end must stay pale. */
export const FADE_LIGHT = 0.55;

/** Position of an amount on the scale: negative is below the lower end, 1 is the upper end and everything above. */
export function scalePosition(usd: number, scale: ColourScale, stretch: Stretch): number {
  const { loUsd, hiUsd } = scale;
  if (!(usd > 0) || usd < loUsd) return -1;
  if (usd >= hiUsd) return 1;
  if (stretch === "linear" || !(loUsd > 0)) return (usd - loUsd) / (hiUsd - loUsd);
  const even = Math.log(usd / loUsd) / Math.log(hiUsd / loUsd);
  return stretch === "log" ? even ** 1.6 : EVENT_FLOOR + (1 - EVENT_FLOOR) * even;
}

/** RGBA words (little endian: A B G R) for the 256 codes of a range; 0 where nothing is drawn. */
export function buildLut(
  range: CodeRange,
  scale: ColourScale,
  steps: readonly Rgb[],
  stretch: Stretch,
  opacity = 1,
  fade = FADE_DARK,
): Uint32Array {
  const lut = new Uint32Array(256);
  for (let code = 1; code < 256; code++) {
    const position = scalePosition(codeToUsd(code, range), scale, stretch);
    if (position < 0) continue;
    const [red, green, blue] = steps[Math.round(position * 255)];
    const alpha = Math.round(255 * opacity * Math.min(1, 0.3 + (0.7 * position) / fade));
    lut[code] = ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  }
  return lut;
}

/** The p-th share (0..1) of the positive cells of `codes`, in USD; NaN when there are none. */
export function percentileUsd(codes: Uint8Array, range: CodeRange, share: number): number {
  const counts = new Float64Array(256);
  for (let i = 0; i < codes.length; i++) counts[codes[i]]++;
  const total = codes.length - counts[0];
  if (total === 0) return Number.NaN;
  let left = share * total;
  for (let code = 1; code < 256; code++) {
    left -= counts[code];
    if (left <= 0) return codeToUsd(code, range);
  }
  return range.maxUsd;
}
