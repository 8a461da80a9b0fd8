/** Loads the map of the chosen scope and timeframe once and keeps it current from the stream. */
import { batch, signal } from "@preact/signals";
import { getCandles, getHeat, getLegend, getProfile } from "../api/endpoints";
import { ApiError } from "../api/http";
import { Stream } from "../api/socket";
import type { Legend, Profile, StreamMessage } from "../api/types";
import type { ColumnFrame } from "../heat/delta";
import type { ColourScale } from "../heat/transfer";
import { acceptStatus, link } from "./engine";
import { MAP_PLANES, MAP_SIDES, MapData } from "./mapData";
import { measuredEnds, measuredSpan } from "./scale";

export type MapState =
  | { readonly kind: "idle" }
  | { readonly kind: "loading" }
  | { readonly kind: "ready" }
  | { readonly kind: "empty" }
  | { readonly kind: "error"; readonly message: string; readonly hint: string | null };

export const mapState = signal<MapState>({ kind: "idle" });
export const mapData = signal<MapData | null>(null);
/** Counts redraws owed to live data; at most one per animation frame. */
export const mapTick = signal(0);
/** The engine said that the zones of a scope changed: fetch them again. */
export const zonesChanged = signal<{ readonly scope: string; readonly version: number } | null>(null);
export const profile = signal<Profile | null>(null);
export const profileError = signal<string | null>(null);

/** The engine's ends, but never below the smallest amount that its codes can tell apart. */
function estimateEnds(data: MapData, legend: Legend | null): ColourScale | null {
  const floorUsd = data.plane("synthetic")?.range.minUsd ?? 0;
  const loUsd = Math.max(legend?.lo_usd ?? 0, floorUsd);
  const hiUsd = legend?.hi_usd ?? 0;
  return loUsd > 0 && hiUsd > loUsd ? { loUsd, hiUsd } : data.endsOf("synthetic", 0.3, 0.998);
}

/** Small and large events alike are facts: nearly all of them stay above the lower end. */
const eventEnds = (data: MapData) => data.endsOf("real", 0.02, 0.998);

const PENDING_LIMIT = 512;
const RELOAD_DELAY_MS = 250;
const PROFILE_DELAY_MS = 2000;

class MapFeed {
  private abort = new AbortController();
  private wanted: { scope: string; tf: string } | null = null;
  private subs = new Set<number>();
  /** The map the stream is subscribed to. */
  private followed: string | null = null;
  private pending: (ColumnFrame | StreamMessage)[] = [];
  private loading = false;
  private reloadTimer = 0;
  private profileTimer = 0;
  private frame = 0;
  private readonly stream = new Stream({
    message: (message) => this.message(message),
    frame: (frame) => this.columnFrame(frame),
    garbled: () => this.reloadSoon(),
    reconnected: () => this.reloadSoon(),
    link: (state) => {
      link.value = state;
    },
  });

  open(scope: string, tf: string): void {
    if (this.wanted?.scope !== scope || this.wanted.tf !== tf) {
      this.stream.stop();
      this.followed = null;
      batch(() => {
        mapData.value = null;
        profile.value = null;
        profileError.value = null;
        mapState.value = { kind: "loading" };
      });
    }
    this.wanted = { scope, tf };
    void this.load();
  }

  close(): void {
    this.abort.abort();
    this.stream.stop();
    this.wanted = null;
    this.followed = null;
    window.clearTimeout(this.reloadTimer);
    window.clearTimeout(this.profileTimer);
  }

  retry(): void {
    if (this.wanted) void this.load();
  }

  private async load(): Promise<void> {
    if (!this.wanted) return;
    const { scope, tf } = this.wanted;
    this.abort.abort();
    this.abort = new AbortController();
    const { signal: stop } = this.abort;
    this.loading = true;
    this.pending = [];
    if (mapData.value === null) mapState.value = { kind: "loading" };
    try {
      const heats = MAP_PLANES.flatMap((plane) =>
        MAP_SIDES.map((side) => getHeat(scope, tf, plane, side, stop)),
      );
      const [candles, legend, ...snapshots] = await Promise.all([
        getCandles(scope, tf, stop),
        getLegend(scope, tf, stop),
        ...heats,
      ]);
      if (stop.aborted) return;
      this.loading = false;
      this.accept(new MapData(scope, tf, candles, snapshots), legend);
    } catch (error) {
      if (stop.aborted) return;
      this.loading = false;
      this.fail(error);
    }
    void this.refreshProfile();
  }

  private accept(data: MapData, legend: Legend): void {
    const { from_ms: fromMs, to_ms: toMs } = legend;
    batch(() => {
      measuredEnds.value = {
        estimate: estimateEnds(data, legend),
        events: eventEnds(data),
      };
      measuredSpan.value = fromMs && toMs ? { fromMs, toMs } : null;
      mapData.value = data;
      mapState.value = { kind: data.empty ? "empty" : "ready" };
    });
    const waiting = this.pending;
    this.pending = [];
    this.follow(data);
    for (const item of waiting)
      if ("rows" in item) this.columnFrame(item);
      else this.message(item);
  }

  /** Subscribe from what is held on: the engine adds what came between the snapshot and the subscription. */
  private follow({ scope, tf }: MapData): void {
    const key = `${scope}|${tf}`;
    if (this.followed === key) return;
    this.followed = key;
    this.subs.clear();
    this.stream.subscribe(() => ({ scope, tf, planes: MAP_PLANES, after_seq: mapData.peek()?.seqs() ?? {} }));
  }

  private fail(error: unknown): void {
    const known = error instanceof ApiError ? error : null;
    mapState.value = {
      kind: "error",
      message: error instanceof Error ? error.message : String(error),
      hint: known?.hint ?? null,
    };
  }

  private message(message: StreamMessage): void {
    if (message.type === "status") acceptStatus(message);
    if (message.type === "subscribed") {
      if (message.scope === this.wanted?.scope && message.tf === this.wanted.tf) this.subs.add(message.sub);
    } else if (message.type === "resync") {
      if (this.subs.has(message.sub)) this.reloadSoon();
    } else if (message.type === "zones") {
      zonesChanged.value = { scope: message.scope, version: message.version };
    } else if (message.type === "candle") {
      this.candle(message);
    }
  }

  private candle(message: Extract<StreamMessage, { type: "candle" }>): void {
    if (message.scope !== this.wanted?.scope || message.tf !== this.wanted.tf) return;
    const data = mapData.value;
    if (this.loading) this.keep(message);
    else if (data && (!data.applyCandle(message) || (message.closed && !data.hasClosed))) this.reloadSoon();
    else this.redrawSoon(message.closed);
  }

  private columnFrame(frame: ColumnFrame): void {
    if (!this.subs.has(frame.sub)) return;
    const data = mapData.value;
    if (this.loading) this.keep(frame);
    if (this.loading || !data) return;
    const applied = data.applyFrame(frame);
    if (applied === "gap") this.reloadSoon();
    if (applied !== "applied") return;
    this.measureFirst(data);
    this.redrawSoon(false);
  }

  /** While nothing had been measured, what is forming is; later the ends stay until the map is fetched again. */
  private measureFirst(data: MapData): void {
    const { estimate, events } = measuredEnds.peek();
    if (estimate && events) return;
    const found = {
      estimate: estimate ?? estimateEnds(data, null),
      events: events ?? eventEnds(data),
    };
    if (found.estimate !== estimate || found.events !== events) measuredEnds.value = found;
  }

  private keep(item: ColumnFrame | StreamMessage): void {
    // Beyond the bound a sequence gap shows when the rest is applied, and the map is fetched again.
    if (this.pending.length < PENDING_LIMIT) this.pending.push(item);
  }

  private reloadSoon(): void {
    window.clearTimeout(this.reloadTimer);
    this.reloadTimer = window.setTimeout(() => void this.load(), RELOAD_DELAY_MS);
  }

  private redrawSoon(barClosed: boolean): void {
    if (!this.frame) {
      this.frame = requestAnimationFrame(() => {
        this.frame = 0;
        mapTick.value += 1;
      });
    }
    if (!this.profileTimer)
      this.profileTimer = window.setTimeout(
        () => void this.refreshProfile(),
        barClosed ? 0 : PROFILE_DELAY_MS,
      );
  }

  private async refreshProfile(): Promise<void> {
    this.profileTimer = 0;
    const scope = this.wanted?.scope;
    if (!scope) return;
    try {
      const answer = await getProfile(scope, this.abort.signal);
      if (scope === this.wanted?.scope)
        batch(() => {
          profile.value = answer;
          profileError.value = null;
        });
    } catch (error) {
      if (error instanceof ApiError && scope === this.wanted?.scope) profileError.value = error.message;
    }
  }
}

export const mapFeed = new MapFeed();
