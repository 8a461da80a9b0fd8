/** The four modes, named by what they show. */
import type { Mode } from "../../state/url";

export interface ModeText {
  readonly label: string;
  readonly short: string;
  readonly explains: string;
}

export const MODE_TEXT: Readonly<Record<Mode, ModeText>> = {
  raw: { label: "Raw", short: "Raw", explains: "Liquidations that happened, by price." },
  synthetic: {
    label: "Synthetic",
    short: "Synth.",
    explains: "Where liquidations would happen: the estimate, cell by cell.",
  },
  smooth: {
    label: "Synthetic heatmap",
    short: "Smooth",
    explains: "The same estimate, smoothed over price and time.",
  },
  hybrid: {
    label: "Hybrid",
    short: "Hybrid",
    explains: "What happened over the dimmed past estimate, and the full estimate from now on.",
  },
};
