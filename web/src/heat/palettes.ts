/** Colour maps that rise evenly in brightness, also for colour-blind eyes: 17 stops each, 256 steps out. */

const STOPS = {
  viridis:
    "440154 48186a 472d7b 424086 3b528b 33638d 2c728e 26828e 21918c 1f9f88 27ad81 3dbc74 5cc863 81d34d aadc32 d5e21a fde725",
  inferno:
    "000004 0b0724 210c4a 3d0965 57106e 71196e 8a226a a32c61 bc3754 d04545 e35933 f1711f f98c0a fcaa0f f9c932 f2e865 fcffa4",
  cividis:
    "002051 012b65 11366c 26426e 3c4d6e 51586e 62646f 727071 7f7c75 8c8877 9a9478 a9a177 bbaf71 cebd68 e2cb5c f3da4f fdea45",
  // Marks of real events over an estimate: hues the maps above do not use.
  magenta: "5a1040 7a1452 9c1a62 bd2470 d8347d ea4c8b f5699c fb86ae fda3c1 febcd2 ffd3e2",
  cyan: "0a4a5c 0d6276 107b90 1695a9 27aec0 45c4d2 6cd6e0 92e4eb b4eff3 d2f7f9 ecfdfe",
} as const;

export type PaletteName = "viridis" | "inferno" | "cividis";
export const PALETTES: readonly PaletteName[] = ["viridis", "inferno", "cividis"];

export type Rgb = readonly [red: number, green: number, blue: number];

/** 256 colours, dark end first; `reversed` puts the bright end first, as a light background needs. */
export function paletteSteps(name: keyof typeof STOPS, reversed = false): Rgb[] {
  const stops = STOPS[name].split(" ").map(parseHex);
  if (reversed) stops.reverse();
  return Array.from({ length: 256 }, (_, i) => {
    const at = (i / 255) * (stops.length - 1);
    const low = Math.min(stops.length - 2, Math.floor(at));
    return mix(stops[low], stops[low + 1], at - low);
  });
}

/** Event marks must stand out from the estimate's own palette. */
export function eventPaletteFor(name: PaletteName): keyof typeof STOPS {
  return name === "inferno" ? "cyan" : "magenta";
}

function parseHex(hex: string): Rgb {
  const word = Number.parseInt(hex, 16);
  return [word >> 16, (word >> 8) & 255, word & 255];
}

function mix(a: Rgb, b: Rgb, share: number): Rgb {
  const channel = (i: 0 | 1 | 2) => Math.round(a[i] + (b[i] - a[i]) * share);
  return [channel(0), channel(1), channel(2)];
}
