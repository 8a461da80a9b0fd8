/** Keys of the chart, as traders know them. Active only while the chart has focus. */
import { helpOpen } from "../../app/HelpOverlay";
import { searchText } from "../../app/SymbolSearch";
import { prefs } from "../../state/prefs";
import * as act from "./actions";
import { exportPicture } from "./exportPicture";
import { mapTableOpen } from "./MapTable";

type Action = () => void;

const PLAIN: Readonly<Record<string, Action>> = {
  m: act.nextMode,
  "[": () => act.moveCutOff("lo", -1),
  "]": () => act.moveCutOff("lo", 1),
  "{": () => act.moveCutOff("hi", -1),
  "}": () => act.moveCutOff("hi", 1),
  g: () => {
    act.gotoOpen.value = true;
  },
  "/": () => {
    searchText.value = "";
  },
  t: () => {
    mapTableOpen.value = true;
  },
  f: act.fitAll,
  r: act.backToNow,
  l: act.toggleLog,
  " ": act.toggleReplay,
  "?": () => {
    helpOpen.value = true;
  },
};

/** Always active on the chart: they are how it is operated without a pointer. */
const NAVIGATION: Readonly<Record<string, Action>> = {
  arrowleft: () => act.moveCursor(-1, 0),
  arrowright: () => act.moveCursor(1, 0),
  arrowup: () => act.moveCursor(0, 1),
  arrowdown: () => act.moveCursor(0, -1),
  "shift+arrowleft": () => act.chart.value?.pan(-0.15),
  "shift+arrowright": () => act.chart.value?.pan(0.15),
  "ctrl+arrowup": () => act.chart.value?.zoom(0.8),
  "ctrl+arrowdown": () => act.chart.value?.zoom(1.25),
  enter: act.pinHover,
  escape: act.clearCursor,
  "alt+s": exportPicture,
  "alt+r": act.backToNow,
  "alt+g": PLAIN["g"],
  "alt+l": act.toggleLog,
};

/** The action of a key press, or `null` when the press belongs to the browser. */
export function actionOf(event: KeyboardEvent): Action | null {
  if (event.metaKey) return null;
  const key = event.key.toLowerCase();
  const prefix = `${event.ctrlKey ? "ctrl+" : ""}${event.altKey ? "alt+" : ""}`;
  const shifted = event.shiftKey && key.startsWith("arrow") ? "shift+" : "";
  const navigation = NAVIGATION[`${prefix}${shifted}${key}`];
  if (navigation) return navigation;
  if (prefix !== "" || !prefs.value.keys) return null;
  if (/^[1-6]$/.test(key)) return () => act.timeframeByDigit(Number(key));
  if (PLAIN[key]) return PLAIN[key];
  // Any other letter begins the name of an asset.
  if (!/^[a-z]$/.test(key)) return null;
  return () => {
    searchText.value = key;
  };
}

export function onChartKey(event: KeyboardEvent): void {
  const action = actionOf(event);
  if (!action) return;
  event.preventDefault();
  action();
}
