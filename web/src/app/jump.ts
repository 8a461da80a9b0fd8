/** From an event to its moment and price on the map. */
import { batch } from "@preact/signals";
import type { SignalEvent } from "../api/eventTypes";
import { goToTime } from "../pages/map/actions";
import { assets, status } from "../state/engine";
import { eventPlace } from "../state/eventText";
import { clearFocus, type Focus, focusOn } from "../state/focus";
import { DEFAULT_URL, formatUrl, TIMEFRAMES } from "../state/url";
import { chooseScope, mode, span, timeframe } from "../state/view";
import { goTo, hrefOf, page } from "./router";

const UNIT_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };
const barMs = (tf: string) => Number.parseInt(tf, 10) * UNIT_MS[tf.slice(-1)];

/** Columns a map surely reaches back, and bars shown before and after the event. */
const REACH = 1800;
const [BEFORE, AFTER] = [110, 50];

interface View {
  readonly scope: string;
  readonly tf: string;
  readonly span: { readonly fromMs: number; readonly toMs: number } | null;
  readonly focus: Focus | null;
}

/** What the map must show: the finest timeframe from the chosen one on that reaches back, centred unless it is now. */
export function viewOf(event: SignalEvent, tfNow: string, nowMs: number): View {
  const { scope, tMs, priceUsd } = eventPlace(event);
  const ageMs = Math.max(0, nowMs - tMs);
  const names: readonly string[] = TIMEFRAMES;
  const coarser = names.slice(names.indexOf(tfNow));
  const tf = coarser.find((name) => ageMs < REACH * barMs(name)) ?? "1d";
  const dtMs = barMs(tf);
  return {
    scope,
    tf,
    span: ageMs < AFTER * dtMs ? null : { fromMs: tMs - BEFORE * dtMs, toMs: tMs + AFTER * dtMs },
    focus: priceUsd === null ? null : { tMs, priceUsd, src: "event", eventId: event.id },
  };
}

/** A scope that no map has becomes the asset's own. */
function known(scope: string, asset: string): string {
  const found = assets.value.some(({ scopes }) => scopes.includes(scope));
  return found || assets.value.length === 0 ? scope : asset;
}

const viewNow = (event: SignalEvent): View => {
  const view = viewOf(event, timeframe.value, status.value?.as_of_ms ?? Date.now());
  return { ...view, scope: known(view.scope, event.asset) };
};

/** A link that can be opened in another tab or sent to somebody. */
export function mapHref(event: SignalEvent): string {
  const { scope, tf, span: wanted, focus } = viewNow(event);
  const times = { fromMs: wanted?.fromMs ?? null, toMs: wanted?.toMs ?? null };
  return hrefOf("map") + formatUrl({ ...DEFAULT_URL, mode: mode.value, scope, tf, ...times, focus });
}

export function jumpTo(event: SignalEvent): void {
  const view = viewNow(event);
  batch(() => {
    chooseScope(view.scope);
    timeframe.value = view.tf;
    span.value = view.span;
    if (view.focus) focusOn(view.focus, "event", event.id);
    else clearFocus();
  });
  if (page.value === "map") goToTime(event.detected_at_ns / 1e6);
  else goTo("map");
}

/** For `onClick` of such a link: a plain click stays in this page. */
export const followTo = (event: SignalEvent) => (click: MouseEvent) => {
  if (click.metaKey || click.ctrlKey || click.shiftKey || click.button !== 0) return;
  click.preventDefault();
  jumpTo(event);
};
