/** The colour scale in USD: ends from the engine, cut-offs by hand, a lock that freezes both. */
import { computed, signal } from "@preact/signals";
import type { ColourScale } from "../heat/transfer";
import { prefs, setPrefs } from "./prefs";
import type { Mode } from "./url";
import { linkCutOff, mode, scope, timeframe, urlCutOff } from "./view";

export type ScaleKind = "estimate" | "events";

/** Ends of the scale as measured: trailing closed days, never the view. */
export const measuredEnds = signal<Record<ScaleKind, ColourScale | null>>({ estimate: null, events: null });
/** Days the ends were measured on, for the legend. */
export const measuredSpan = signal<{ fromMs: number; toMs: number } | null>(null);

const SHOWN: Readonly<Record<Mode, readonly ScaleKind[]>> = {
  raw: ["events"],
  synthetic: ["estimate"],
  smooth: ["estimate"],
  hybrid: ["estimate", "events"],
};

/** Scales the colours on screen belong to. */
export const shownKinds = computed(() => SHOWN[mode.value]);

const key = (kind: ScaleKind) => `${scope.value}|${timeframe.value}|${kind}`;

/** The scale the address bar speaks about: events in Raw, else the estimate. */
export const mainKind = computed<ScaleKind>(() => (mode.value === "raw" ? "events" : "estimate"));

/** Locked ends, else the measured ones; `null` while nothing has been measured. */
export function endsOf(kind: ScaleKind): ColourScale | null {
  return prefs.value.locked[kind] ?? measuredEnds.value[kind];
}

/** What the colours run between: a link's cut-off, else the hand-set one, else the ends. */
export function scaleOf(kind: ScaleKind): ColourScale | null {
  if (kind === mainKind.value && linkCutOff.value) return linkCutOff.value;
  return prefs.value.cutOffs[key(kind)] ?? endsOf(kind);
}

export function isCut(kind: ScaleKind): boolean {
  return (kind === mainKind.value && linkCutOff.value !== null) || key(kind) in prefs.value.cutOffs;
}

export function setCutOff(kind: ScaleKind, cut: ColourScale): void {
  if (!(cut.loUsd > 0) || !(cut.hiUsd > cut.loUsd)) return;
  if (kind === mainKind.value) {
    linkCutOff.value = null;
    urlCutOff.value = cut;
  }
  setPrefs({ cutOffs: { ...prefs.value.cutOffs, [key(kind)]: cut } });
}

export function clearCutOff(kind: ScaleKind): void {
  const { [key(kind)]: _removed, ...rest } = prefs.value.cutOffs;
  if (kind === mainKind.value) {
    linkCutOff.value = null;
    urlCutOff.value = null;
  }
  setPrefs({ cutOffs: rest });
}

export function isLocked(kind: ScaleKind): boolean {
  return kind in prefs.value.locked;
}

/** Freeze the present ends of a scale across scopes, timeframes and time, or let them follow again. */
export function toggleLock(kind: ScaleKind): void {
  const { [kind]: held, ...rest } = prefs.value.locked;
  const ends = endsOf(kind);
  if (held) setPrefs({ locked: rest });
  else if (ends) setPrefs({ locked: { ...rest, [kind]: ends } });
}

/** Move one cut-off by a tenth of the scale's log width; `steps` may be negative. */
export function nudgeCutOff(kind: ScaleKind, end: "lo" | "hi", steps: number): void {
  const now = scaleOf(kind);
  if (!now) return;
  const factor = (now.hiUsd / now.loUsd) ** (steps / 10);
  setCutOff(kind, {
    loUsd: end === "lo" ? now.loUsd * factor : now.loUsd,
    hiUsd: end === "hi" ? now.hiUsd * factor : now.hiUsd,
  });
}
