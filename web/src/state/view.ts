/** What is being looked at; kept in the address bar so that a link or a reload restores it. */
import { computed, effect, signal } from "@preact/signals";
import { PALETTES } from "../heat/palettes";
import { assets } from "./engine";
import { focus } from "./focus";
import { prefs, setPrefs } from "./prefs";
import { formatUrl, type Mode, parseUrl, TIMEFRAMES, type UrlState } from "./url";

const initial = parseUrl(location.search);

export const scope = signal<string | null>(initial.scope);
export const timeframe = signal<string>(initial.tf);
export const mode = signal<Mode>(initial.mode);
export const span = signal<{ fromMs: number; toMs: number } | null>(spanOf(initial));
focus.value = initial.focus;
/** Cut-offs a link brought along; a hand-set cut-off replaces them. */
export const linkCutOff = signal(cutOffOf(initial));
/** A cut-off to write into the address bar; set by the scale. */
export const urlCutOff = signal<{ loUsd: number; hiUsd: number } | null>(cutOffOf(initial));

function spanOf(url: UrlState) {
  return url.fromMs !== null && url.toMs !== null ? { fromMs: url.fromMs, toMs: url.toMs } : null;
}

function cutOffOf(url: UrlState) {
  return url.loUsd !== null && url.hiUsd !== null && url.hiUsd > url.loUsd
    ? { loUsd: url.loUsd, hiUsd: url.hiUsd }
    : null;
}

function palettePref(url: UrlState): void {
  const palette = PALETTES.find((name) => name === url.palette);
  if (palette) setPrefs({ palette });
}
palettePref(initial);

export const currentAsset = computed(() => {
  const wanted = scope.value;
  return assets.value.find((asset) => wanted !== null && asset.scopes.includes(wanted)) ?? null;
});

/** Timeframes the engine offers for this scope, in the order of the picker. */
export const timeframes = computed<readonly string[]>(() => {
  const offered = currentAsset.value?.timeframes;
  return offered ? TIMEFRAMES.filter((tf) => offered.includes(tf)) : TIMEFRAMES;
});

/** Settle on something that exists: an unknown scope in a link becomes the first asset, once there is one. */
export function settleScope(): void {
  const first = assets.value.find(({ scopes }) => scopes.length > 0);
  if (!first) return;
  if (currentAsset.value === null) scope.value = first.scopes[0];
  if (!timeframes.value.includes(timeframe.value) && timeframes.value.length > 0)
    timeframe.value = timeframes.value[0];
}

export function chooseScope(next: string): void {
  if (next === scope.value) return;
  pushNext = true;
  span.value = null;
  focus.value = null;
  linkCutOff.value = null;
  scope.value = next;
}

export function chooseTimeframe(next: string): void {
  if (next === timeframe.value || !timeframes.value.includes(next)) return;
  pushNext = true;
  span.value = null;
  linkCutOff.value = null;
  timeframe.value = next;
}

export function chooseMode(next: Mode): void {
  if (next === mode.value) return;
  pushNext = true;
  mode.value = next;
}

const URL_DELAY_MS = 250;
let pushNext = false;

/** The search part of the map's address as things stand now. */
export function urlNow(): string {
  return formatUrl({
    scope: scope.value,
    tf: timeframe.value,
    mode: mode.value,
    fromMs: span.value?.fromMs ?? null,
    toMs: span.value?.toMs ?? null,
    loUsd: urlCutOff.value?.loUsd ?? null,
    hiUsd: urlCutOff.value?.hiUsd ?? null,
    palette: prefs.value.palette === "viridis" ? null : prefs.value.palette,
    focus: focus.value,
  });
}

/** Write the address bar (a new entry for scope, timeframe and mode; in place for the rest) and follow Back. */
export function syncUrl(): () => void {
  let timer = 0;
  const stop = effect(() => {
    const search = urlNow();
    window.clearTimeout(timer);
    timer = window.setTimeout(
      () => {
        if (search !== location.search && location.pathname.endsWith("/map")) {
          const write = pushNext ? history.pushState : history.replaceState;
          write.call(history, history.state, "", `${location.pathname}${search}`);
        }
        pushNext = false;
      },
      pushNext ? 0 : URL_DELAY_MS,
    );
  });
  const back = () => {
    const url = parseUrl(location.search);
    if (!location.pathname.endsWith("/map")) return;
    if (url.scope) scope.value = url.scope;
    timeframe.value = url.tf;
    mode.value = url.mode;
    span.value = spanOf(url);
    focus.value = url.focus;
    linkCutOff.value = cutOffOf(url);
  };
  addEventListener("popstate", back);
  return () => {
    stop();
    window.clearTimeout(timer);
    removeEventListener("popstate", back);
  };
}
