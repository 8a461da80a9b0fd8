/** The zones of the shown scope: now, followed as they change, or as they stood at a moment of the past. */
import { batch, computed, effect, signal, untracked } from "@preact/signals";
import { ApiError } from "../api/http";
import { getZoneLife, getZones, type Zone, type ZonesAnswer } from "../api/zones";
import { assets, status } from "./engine";
import { focus } from "./focus";
import { mapData, zonesChanged } from "./map";
import { scope } from "./view";

export type ZonesState =
  | { readonly kind: "loading" }
  | {
      readonly kind: "ready";
      readonly answer: ZonesAnswer;
      readonly momentMs: number | null;
      /** Why these are only the last known; nothing where they are fresh. */
      readonly trouble?: string;
    }
  | { readonly kind: "error"; readonly message: string; readonly hint: string | null };

export const zonesState = signal<ZonesState>({ kind: "loading" });

/** A moment of the past whose zones are shown; `null`: now. */
export const zoneMoment = signal<number | null>(null);
/** The moment follows the pointer. */
export const momentFollows = signal(false);

/** Nearest edge over price, minus 1; 0 inside. */
export function distanceOf({ low_usd: low, high_usd: high }: Zone, priceUsd: number): number {
  if (priceUsd < low) return low / priceUsd - 1;
  return priceUsd > high ? high / priceUsd - 1 : 0;
}

/**
 * Zones of a past moment are told as they were last kept, up to an hour before it: age and distance are brought to
 * the moment itself. Those of now are of now.
 */
export function asOf(body: ZonesAnswer, momentMs: number | null): readonly Zone[] {
  const { price_usd: priceUsd } = body;
  if (momentMs === null) return body.zones;
  return body.zones.map((zone) => ({
    ...zone,
    age_s: Math.max(0, (momentMs - zone.born_ms) / 1000),
    seen_ms: momentMs,
    distance_ratio: priceUsd === null ? null : distanceOf(zone, priceUsd),
  }));
}

const shown = computed<readonly Zone[]>(() => {
  const state = zonesState.value;
  return state.kind === "ready" ? asOf(state.answer, state.momentMs) : [];
});
/** Zones that have not ended at the shown moment. */
export const openZones = computed<readonly Zone[]>(() =>
  shown.value.filter((zone) => zone.ended_ms === null),
);
export const endedZones = computed<readonly Zone[]>(() =>
  shown.value.filter((zone) => zone.ended_ms !== null),
);
/** Price has come close to them, or is inside: nearest first. */
export const approachingZones = computed<readonly Zone[]>(() =>
  openZones.value
    .filter((zone) => zone.state === "approached" || zone.state === "hit")
    .sort((a, b) => Math.abs(a.distance_ratio ?? 1) - Math.abs(b.distance_ratio ?? 1)),
);

/** The zone in focus, as the shown answer has it. */
export const focusedZone = computed<Zone | null>(() => {
  const at = focus.value;
  if (at?.src !== "zone" || at.eventId === null) return null;
  return shown.value.find((zone) => zone.id === at.eventId) ?? null;
});

export type LifeState =
  | { readonly kind: "none" }
  | { readonly kind: "loading" }
  | { readonly kind: "ready"; readonly states: readonly Zone[] }
  | { readonly kind: "error"; readonly message: string };
export const zoneLife = signal<LifeState>({ kind: "none" });

const REFETCH_MS = 1500;
const MOMENT_DELAY_MS = 220;

/** The end of the column that holds a moment; `null` when that is now. Zones are known at the ends of minutes. */
export function momentOf(tMs: number | null): number | null {
  const data = mapData.peek();
  if (tMs === null || !data || data.dtMs <= 0) return null;
  const bar = Math.floor((tMs - data.t0Ms) / data.dtMs);
  return bar < data.nowIndex ? data.t0Ms + (bar + 1) * data.dtMs : null;
}

class ZoneFeed {
  private abort = new AbortController();
  private timer = 0;
  private fetchedAt = 0;

  /** Fetch at once. What is shown stays until the answer comes, unless it is of another scope. */
  async load(): Promise<void> {
    const wanted = scope.peek();
    if (!wanted) return;
    window.clearTimeout(this.timer);
    this.timer = 0;
    this.abort.abort();
    this.abort = new AbortController();
    const { signal: stop } = this.abort;
    const held = zonesState.peek();
    if (held.kind !== "ready" || held.answer.scope !== wanted) zonesState.value = { kind: "loading" };
    const momentMs = zoneMoment.peek();
    this.fetchedAt = performance.now();
    try {
      const body = await getZones(wanted, momentMs, stop);
      if (!stop.aborted) zonesState.value = { kind: "ready", answer: body, momentMs };
    } catch (error) {
      if (stop.aborted) return;
      const hint = error instanceof ApiError ? error.hint : null;
      const message = error instanceof Error ? error.message : String(error);
      const last = held.kind === "ready" && held.answer.scope === wanted && held.momentMs === momentMs;
      // What is known of the same moment stays on screen, as the map does.
      zonesState.value = last ? { ...held, trouble: message } : { kind: "error", message, hint };
    }
  }

  /** The engine says that zones changed: fetch them, at most once in a while. */
  changed(of: string): void {
    if (of !== scope.peek() || zoneMoment.peek() !== null || this.timer) return;
    const wait = Math.max(0, this.fetchedAt + REFETCH_MS - performance.now());
    this.timer = window.setTimeout(() => void this.load(), wait);
  }

  stop(): void {
    window.clearTimeout(this.timer);
    this.timer = 0;
    this.abort.abort();
  }
}

export const zoneFeed = new ZoneFeed();

let lifeAbort = new AbortController();
async function loadLife(zoneScope: string, id: string): Promise<void> {
  lifeAbort.abort();
  lifeAbort = new AbortController();
  const { signal: stop } = lifeAbort;
  zoneLife.value = { kind: "loading" };
  try {
    const { states } = await getZoneLife(zoneScope, id, stop);
    if (!stop.aborted) zoneLife.value = { kind: "ready", states };
  } catch (error) {
    if (stop.aborted) return;
    zoneLife.value = { kind: "error", message: error instanceof Error ? error.message : String(error) };
  }
}

export function showZonesAt(tMs: number | null): void {
  zoneMoment.value = momentOf(tMs);
}

export function showZonesNow(): void {
  batch(() => {
    momentFollows.value = false;
    zoneMoment.value = null;
  });
}

const engineReady = computed(() => status.value?.state === "ready" && assets.value.length > 0);

/** Follow scope, moment and focus; `pointer` is the moment under the pointer. Returns the way to stop. */
export function watchZones(pointer: () => number | null): () => void {
  let timer = 0;
  let lifeOf = "";
  const stops = [
    effect(() => {
      // Another map is looked at as it stands now.
      void scope.value;
      untracked(showZonesNow);
    }),
    effect(() => {
      void [scope.value, zoneMoment.value];
      if (engineReady.value) untracked(() => void zoneFeed.load());
    }),
    effect(() => {
      // A map fetched anew (a lost link, a jump of the replay) means that zones may have changed unheard.
      const scopes = [zonesChanged.value?.scope, mapData.value?.scope];
      untracked(() => {
        for (const of of scopes) if (of) zoneFeed.changed(of);
      });
    }),
    effect(() => {
      window.clearTimeout(timer);
      if (!momentFollows.value) return;
      const tMs = pointer();
      timer = window.setTimeout(() => showZonesAt(tMs), MOMENT_DELAY_MS);
    }),
    effect(() => {
      const at = focus.value;
      const [of, id] = [scope.value, at?.src === "zone" ? at.eventId : null];
      const key = of && id ? `${of}|${id}` : "";
      if (key === lifeOf) return;
      lifeOf = key;
      if (of && id) void loadLife(of, id);
      else zoneLife.value = { kind: "none" };
    }),
  ];
  return () => {
    for (const stop of stops) stop();
    window.clearTimeout(timer);
    lifeAbort.abort();
    zoneFeed.stop();
  };
}
