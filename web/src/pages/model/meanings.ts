/** The engine's names for what it tries and what it calibrates, in words for somebody who has not read its code. */
import { percent } from "../../state/format";

/** What a hypothesis assumes in place of the settings; its value stands where the number of the name was. */
const TRIED: readonly (readonly [RegExp, (value: number) => string])[] = [
  [/^hazard ([\d.e-]+)$/, (value) => `${percent(value, 1)} closed an hour at 10x`],
  [
    /^exponent ([\d.e-]+)$/,
    (value) => (value === 0 ? "closed alike at all x" : `closed by leverage^${value}`),
  ],
  [/^dispersion ([\d.e-]+)$/, (value) => `margins scattered by ${value}`],
  [
    /^margin buffer ([\d.e-]+)$/,
    (value) => (value === 0 ? "no margin buffer" : `margin buffer ${percent(value, 2)}`),
  ],
  [/^deposit exponent ([\d.e-]+)$/, (value) => `opened by volume^${value}`],
  [/^half-life ([\d.e-]+)$/, (value) => `half forgotten in ${value} h`],
];

/** `5.6 % closed an hour at 10x` for `hazard 0.05556`; a name that is not known stays as it is. */
export function hypothesisText(name: string): string {
  if (name === "incumbent") return "all as assumed";
  for (const [pattern, words] of TRIED) {
    const found = pattern.exec(name);
    if (found) return words(Number(found[1]));
  }
  return name;
}

/** `margin correction, up to $300k` for `margin correction <=300k`. */
export const estimateText = (name: string): string =>
  name.replace(/ <=(\S+)$/, ", up to $$$1").replace(/ >(\S+)$/, ", above $$$1");

/** Beginnings of the names of estimates, and what they are. */
export const ESTIMATES: readonly (readonly [string, string])[] = [
  ["print offset", "printed price beside the mark: with a minus below it for longs, above for shorts"],
  ["basis to the mark", "what prints of both sides have in common against the mark"],
  ["delay", "from the trigger to the venue's stamp; only prices by the second tell it"],
  ["stamp to receipt", "from the venue's stamp to our receipt"],
  ["reporting fraction", "share of its liquidations that the venue publishes"],
  ["votes for the sides", "share of prints whose side agrees with how price moved"],
  ["margin correction", "to be added to the margin that the map assumes, by size of position"],
];

/** What an estimate of the calibrator is; empty for one that is not known. */
export const estimateMeaning = (name: string): string =>
  ESTIMATES.find(([start]) => name.startsWith(start))?.[1] ?? "";
