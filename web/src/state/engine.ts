/** What the engine says about itself: status, assets, measured scores, the state of the link. */
import { computed, signal } from "@preact/signals";
import { getAssets, getScores, getStatus } from "../api/endpoints";
import { ApiError } from "../api/http";
import type { LinkState } from "../api/socket";
import type { Asset, ScorePoint, Scores, Status } from "../api/types";

export const status = signal<Status | null>(null);
export const statusError = signal<ApiError | null>(null);
/** When the last status arrived, on this browser's clock. */
export const statusAt = signal(0);
export const assets = signal<readonly Asset[]>([]);
const assetsKnown = signal(false);
/** The engine runs, and has heard of no market yet. */
export const noMarket = computed(
  () => assetsKnown.value && assets.value.every(({ scopes }) => scopes.length === 0),
);
export const scores = signal<Scores | null>(null);
/** Scores of one asset over time, once somebody looked at them. */
export const scoreHistory = signal<{
  readonly asset: string;
  readonly points: readonly ScorePoint[];
} | null>(null);
export const link = signal<LinkState>("idle");
/** Ticks once a second so that ages on screen count up. */
export const secondTick = signal(Date.now());

export const simulated = computed(() => status.value?.simulated === true);

const MOST_AHEAD_S = 5;

/** Age of the newest market message, counting on while nothing arrives. `null` when unknown. */
export const dataAgeS = computed(() => {
  const age = status.value?.data_age_s;
  // Messages far ahead of the engine's clock have no age: a loading or failed engine says such things.
  if (age === null || age === undefined || age < -MOST_AHEAD_S) return null;
  return Math.max(0, age) + Math.max(0, (secondTick.value - statusAt.value) / 1000);
});

export type Freshness = "live" | "stale" | "offline" | "paused" | "loading" | "error";

/** Two silent heartbeats, a stale flag or a dead link: the person looking must know. */
export const freshness = computed<Freshness>(() => {
  const engine = status.value;
  if (statusError.value) return "offline";
  if (!engine || engine.state === "loading") return "loading";
  if (engine.state === "error") return "error";
  if (link.value === "closed") return "offline";
  if (engine.replay?.paused) return "paused";
  if (link.value === "stale" || engine.stale) return "stale";
  return "live";
});

export function acceptStatus(next: Status): void {
  status.value = next;
  statusAt.value = Date.now();
  secondTick.value = statusAt.value;
  statusError.value = null;
}

const asApiError = (error: unknown) =>
  error instanceof ApiError ? error : new ApiError(error instanceof Error ? error.message : String(error), 0);

export async function refreshStatus(): Promise<void> {
  try {
    acceptStatus(await getStatus());
  } catch (error) {
    statusError.value = asApiError(error);
  }
}

export async function refreshAssets(): Promise<void> {
  try {
    assets.value = (await getAssets()).assets;
    assetsKnown.value = true;
  } catch (error) {
    // What was known stays; it is asked for again.
    if (!(error instanceof ApiError)) throw error;
  }
}

/** Scores are an extra: the map stands without them, and says that skill is not measured. */
export async function refreshScores(historyOf: string | null = null): Promise<void> {
  try {
    const answer = await getScores(historyOf);
    scores.value = answer;
    // Who asks for the scores of now alone does not take away what somebody else asked for.
    if (historyOf) scoreHistory.value = { asset: historyOf, points: answer.history ?? [] };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    scores.value = null;
  }
}

const POLL_MS = { loading: 1000, noMarket: 3000, ready: 10_000 };

/** While an engine is live, venues come and bring maps that were not there before. */
const mayGrow = () => status.value?.mode === "live" || !assetsKnown.value || noMarket.value;

/**
 * Poll the status (fast while the engine loads) and tick the clock; returns the way to stop. `onReady` is called when
 * the engine becomes ready, `onGrown` at every poll after which there may be more to see.
 */
export function watchEngine(onReady: () => void, onGrown: () => void): () => void {
  let timer = 0;
  let wasReady = false;
  let stopped = false;
  const clock = window.setInterval(() => {
    secondTick.value = Date.now();
  }, 1000);
  const poll = async () => {
    await refreshStatus();
    if (stopped) return;
    const ready = status.value?.state === "ready" && !statusError.value;
    if (ready && !wasReady) onReady();
    else if (ready && mayGrow()) onGrown();
    wasReady = ready;
    const pace = !ready ? "loading" : noMarket.value || !assetsKnown.value ? "noMarket" : "ready";
    timer = window.setTimeout(poll, POLL_MS[pace]);
  };
  void poll();
  return () => {
    stopped = true;
    window.clearTimeout(timer);
    window.clearInterval(clock);
  };
}
