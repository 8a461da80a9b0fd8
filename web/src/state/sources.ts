/** How every venue fares: fetched while the health page is open. */
import { signal } from "@preact/signals";
import { ApiError } from "../api/http";
import { getSources, type SourcesAnswer } from "../api/sources";

export type SourcesState =
  | { readonly kind: "loading" }
  | { readonly kind: "ready"; readonly answer: SourcesAnswer; readonly trouble: string | null }
  | { readonly kind: "error"; readonly message: string; readonly hint: string | null };

export const sourcesState = signal<SourcesState>({ kind: "loading" });
/** The newest answer, whoever asked for it. */
export const newestSources = signal<SourcesAnswer | null>(null);
/** Venues whose details are open. */
export const openVenues = signal<ReadonlySet<string>>(new Set());
/** Only venues that are not well. */
export const onlyTrouble = signal(false);

const REFETCH_MS = 2_000;

let timer = 0;
let abort = new AbortController();

/** Fetch at once, and again and again; what was known stays on screen when an answer fails. */
export async function loadSources(): Promise<void> {
  stopSources();
  abort = new AbortController();
  const { signal: stop } = abort;
  try {
    const answer = await getSources(stop);
    if (stop.aborted) return;
    newestSources.value = answer;
    sourcesState.value = { kind: "ready", answer, trouble: null };
  } catch (error) {
    if (stop.aborted) return;
    const message = error instanceof Error ? error.message : String(error);
    const held = sourcesState.peek();
    sourcesState.value =
      held.kind === "ready"
        ? { ...held, trouble: message }
        : { kind: "error", message, hint: error instanceof ApiError ? error.hint : null };
  }
  timer = window.setTimeout(() => void loadSources(), REFETCH_MS);
}

export function stopSources(): void {
  window.clearTimeout(timer);
  abort.abort();
}

export function watchSources(): () => void {
  void loadSources();
  return stopSources;
}

export function toggleVenue(venue: string): void {
  const next = new Set(openVenues.peek());
  if (!next.delete(venue)) next.add(venue);
  openVenues.value = next;
}
