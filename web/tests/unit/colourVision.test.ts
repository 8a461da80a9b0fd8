/**
 * Colours as people with a colour vision deficiency see them: simulated in linear light by the matrices of Machado,
 * Oliveira and Fernandes (2009) at full severity, compared by the CIE 1976 difference in L*a*b*.
 */
import { describe, expect, it } from "vitest";
import { COLOURS } from "../../src/chart/theme";
import { eventPaletteFor, PALETTES, paletteSteps, type Rgb } from "../../src/heat/palettes";

const VISION = {
  protanopia: [0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998],
  deuteranopia: [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.01182, 0.04294, 0.968881],
  tritanopia: [1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.3039],
} as const;
type Vision = keyof typeof VISION;
const VISIONS = Object.keys(VISION) as Vision[];

const linear = (c: number) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);

function lab(colour: Rgb, vision: Vision): [number, number, number] {
  const light = colour.map((c) => linear(c / 255));
  const m = VISION[vision];
  const seen = [0, 3, 6].map((row) => {
    const value = m[row] * light[0] + m[row + 1] * light[1] + m[row + 2] * light[2];
    return Math.min(1, Math.max(0, value));
  });
  const [r, g, b] = seen;
  const f = (t: number) => (t > 216 / 24389 ? Math.cbrt(t) : (24389 / 27 / 116) * t + 16 / 116);
  const x = f((0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.95047);
  const y = f(0.2126729 * r + 0.7151522 * g + 0.072175 * b);
  const z = f((0.0193339 * r + 0.119192 * g + 0.9503041 * b) / 1.08883);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

function difference(a: Rgb, b: Rgb, vision: Vision): number {
  const [one, other] = [lab(a, vision), lab(b, vision)];
  return Math.hypot(one[0] - other[0], one[1] - other[1], one[2] - other[2]);
}

const hex = (text: string): Rgb => {
  const word = Number.parseInt(text.slice(1), 16);
  return [word >> 16, (word >> 8) & 255, word & 255];
};

/** Nine steps of a legend, dark end to bright end. */
const steps = (name: Parameters<typeof paletteSteps>[0]) =>
  Array.from({ length: 9 }, (_, i) => paletteSteps(name)[Math.round((i * 255) / 8)]);

/** A difference of about 2 is just noticed side by side. Legends are read side by side, marks at a glance. */
const NEIGHBOURS = { estimate: 8, events: 4 };
const SIDES = 60;

const EVENTS = [...new Set(PALETTES.map(eventPaletteFor))];

describe.each(VISIONS)("with %s", (vision) => {
  it.each([
    ...PALETTES.map((name) => [name, NEIGHBOURS.estimate] as const),
    ...EVENTS.map((name) => [name, NEIGHBOURS.events] as const),
  ])("neighbouring steps of %s's legend differ by %d", (name, least) => {
    const colours = steps(name);
    for (let i = 1; i < colours.length; i++)
      expect(difference(colours[i], colours[i - 1], vision)).toBeGreaterThanOrEqual(least);
  });

  it.each(Object.entries(COLOURS))("long and short differ in the %s theme", (_, { long, short }) => {
    expect(difference(hex(long), hex(short), vision)).toBeGreaterThanOrEqual(SIDES);
  });

  it.each(Object.entries(COLOURS))("long and short stand off the %s background", (_, colours) => {
    for (const side of [colours.long, colours.short])
      expect(difference(hex(side), hex(colours.background), vision)).toBeGreaterThanOrEqual(SIDES);
  });
});
