/** Venues that are blocked or have been down for a while: asked for now and then, on every page of a live engine. */
import { computed } from "@preact/signals";
import { getSourcesBriefly, type SourcesAnswer, type SourceVenue } from "../api/sources";
import { status } from "./engine";
import { newestSources } from "./sources";

const ASK_MS = 20_000;
/** A connection that is made again meanwhile is not worth a word. */
const PATIENCE_MS = 30_000;

export interface Troubled {
  readonly blocked: readonly string[];
  readonly down: readonly string[];
}

/** Names of the venues that give nothing. */
export function troubledOf(answer: SourcesAnswer | null): Troubled {
  const named = (isSo: (venue: SourceVenue) => boolean) =>
    (answer?.connected ? answer.venues : []).filter(isSo).map(({ name }) => name);
  return {
    blocked: named((venue) => venue.status === "blocked"),
    down: named(
      ({ status: word, since_ms }) =>
        word === "down" && answer !== null && answer.at_ms - (since_ms ?? answer.at_ms) >= PATIENCE_MS,
    ),
  };
}

const isLive = computed(() => status.value?.mode === "live");
export const troubled = computed(() => troubledOf(isLive.value ? newestSources.value : null));

/** Ask at once and again and again while the engine is live; returns the way to stop. */
export function watchTroubled(): () => void {
  const abort = new AbortController();
  let timer = 0;
  const ask = async () => {
    try {
      const answer = await getSourcesBriefly(abort.signal);
      if (!abort.signal.aborted) newestSources.value = answer;
    } catch {
      // What was known stays; that the engine does not answer is said elsewhere.
    }
    if (!abort.signal.aborted) timer = window.setTimeout(() => void ask(), ASK_MS);
  };
  const stop = isLive.subscribe((live) => {
    window.clearTimeout(timer);
    if (live) void ask();
  });
  return () => {
    stop();
    abort.abort();
    window.clearTimeout(timer);
  };
}
