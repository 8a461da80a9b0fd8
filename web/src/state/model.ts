/** What the model has learned of the shown asset: fetched while its page is open, kept in step with the address. */
import { computed, effect, signal, untracked } from "@preact/signals";
import { ApiError } from "../api/http";
import { getModel, type ModelAnswer } from "../api/model";
import { assets, refreshScores, status } from "./engine";
import { currentAsset } from "./view";

export const MODEL_TABS = ["leverage", "cascade", "calibration", "skill"] as const;
export type ModelTab = (typeof MODEL_TABS)[number];

export type ModelState =
  | { readonly kind: "loading" }
  | { readonly kind: "ready"; readonly answer: ModelAnswer; readonly trouble: string | null }
  | { readonly kind: "error"; readonly message: string; readonly hint: string | null };

export const modelState = signal<ModelState>({ kind: "loading" });
export const modelTab = signal<ModelTab>("leverage");
/** Asked for by name; `null` means the asset of the map. */
export const modelAsset = signal<string | null>(null);
export const shownAsset = computed(
  () => modelAsset.value ?? currentAsset.value?.asset ?? assets.value[0]?.asset ?? null,
);

export function parseModelUrl(search: string): { tab: ModelTab; asset: string | null } {
  const query = new URLSearchParams(search);
  const tab = MODEL_TABS.find((name) => name === query.get("tab")) ?? "leverage";
  return { tab, asset: query.get("asset") || null };
}

export function formatModelUrl(tab: ModelTab, asset: string | null): string {
  const query = new URLSearchParams();
  if (tab !== "leverage") query.set("tab", tab);
  if (asset) query.set("asset", asset);
  const text = query.toString();
  return text ? `?${text}` : "";
}

/** The model learns minute by minute. */
const REFETCH_MS = 60_000;

class ModelFeedLoader {
  private abort = new AbortController();
  private timer = 0;

  /** Fetch at once. What is shown stays until the answer comes, unless it is of another asset. */
  async load(): Promise<void> {
    const asset = shownAsset.peek();
    this.stop();
    if (!asset) return;
    this.abort = new AbortController();
    const { signal: stop } = this.abort;
    const held = modelState.peek();
    if (held.kind !== "ready" || held.answer.asset !== asset) modelState.value = { kind: "loading" };
    try {
      const answer = await getModel(asset, stop);
      if (!stop.aborted) modelState.value = { kind: "ready", answer, trouble: null };
    } catch (error) {
      if (stop.aborted) return;
      this.failed(error);
    }
    this.timer = window.setTimeout(() => void this.load(), REFETCH_MS);
  }

  /** Figures that were known stay on screen, marked as not being updated. */
  private failed(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    const held = modelState.peek();
    modelState.value =
      held.kind === "ready"
        ? { ...held, trouble: message }
        : { kind: "error", message, hint: error instanceof ApiError ? error.hint : null };
  }

  stop(): void {
    window.clearTimeout(this.timer);
    this.abort.abort();
  }
}

export const modelFeed = new ModelFeedLoader();

const engineReady = computed(() => status.value?.state === "ready" && assets.value.length > 0);
const here = () => location.pathname.endsWith("/model");

/** Follow asset and address while the page is open. Returns the way to stop. */
export function watchModel(): () => void {
  const read = () => {
    if (!here()) return;
    const url = parseModelUrl(location.search);
    modelTab.value = url.tab;
    modelAsset.value = url.asset;
  };
  read();
  const stops = [
    effect(() => {
      const search = formatModelUrl(modelTab.value, modelAsset.value);
      if (here() && search !== location.search)
        history.replaceState(history.state, "", `${location.pathname}${search}`);
    }),
    effect(() => {
      void shownAsset.value;
      if (engineReady.value) untracked(() => void modelFeed.load());
    }),
    effect(() => {
      const asset = shownAsset.value;
      if (engineReady.value && modelTab.value === "skill") untracked(() => void refreshScores(asset));
    }),
  ];
  addEventListener("popstate", read);
  return () => {
    for (const stop of stops) stop();
    modelFeed.stop();
    removeEventListener("popstate", read);
  };
}
