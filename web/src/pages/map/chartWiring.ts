/** Keeps the chart in step with the state: bars, heat, zones, event marks, focus, theme, visible span. */
import { effect, signal } from "@preact/signals";
import type { ChartObject, ChartPoint, PriceChart } from "../../chart/PriceChart";
import { buildScenes } from "../../chart/scene";
import type { ZoneMark } from "../../chart/ZonePrimitive";
import { hover, readCell } from "../../state/cell";
import { simulated } from "../../state/engine";
import { focus, type Point } from "../../state/focus";
import { usd } from "../../state/format";
import { mapData, mapTick } from "../../state/map";
import { FORWARD_COLUMNS, type MapData } from "../../state/mapData";
import { prefs, resolvedTheme } from "../../state/prefs";
import { scaleOf } from "../../state/scale";
import { mode, span } from "../../state/view";
import { endedZones, openZones, zonesState } from "../../state/zones";
import { revealFocus } from "./actions";
import { marksOf, scopeEvents, sweptZones } from "./eventMarks";
import { measured } from "./measured";
import { skilledColumns } from "./skill";

/** The zone or event mark under the pointer. */
export const hoveredObject = signal<ChartObject | null>(null);

export function pointOf(data: MapData | null, at: ChartPoint | null): Point | null {
  return data && at ? { tMs: data.t0Ms + (at.bar + 0.5) * data.dtMs, priceUsd: at.priceUsd } : null;
}

const rowOf = (data: MapData) => data.grid("synthetic", "long")?.header.rowUsd ?? 1;
const barOf = (data: MapData, tMs: number) => Math.floor((tMs - data.t0Ms) / data.dtMs);

function showSpan(view: PriceChart, data: MapData, wanted: typeof span.value): void {
  if (!wanted) {
    view.showRecent();
    return;
  }
  view.show((wanted.fromMs - data.t0Ms) / data.dtMs - 0.5, (wanted.toMs - data.t0Ms) / data.dtMs - 0.5);
}

/** After a fetch of the same map: stay at the same times, or keep following now. */
function keepView(view: PriceChart, before: MapData, now: MapData): void {
  const range = view.visibleRange();
  if (!range) return;
  const followed = range.to > before.nowIndex;
  const shift = followed ? now.nowIndex - before.nowIndex : (before.t0Ms - now.t0Ms) / now.dtMs;
  view.setBars(now.bars, rowOf(now));
  view.show(range.from + shift, range.to + shift);
}

/** Remember the visible span only when it is not simply "the newest bars". */
export function rememberSpan(data: MapData | null, from: number, to: number): void {
  if (!data) return;
  const followsNow = to > data.nowIndex && to < data.nowIndex + 60 && to - from < 400;
  span.value = followsNow
    ? null
    : { fromMs: data.t0Ms + (from + 0.5) * data.dtMs, toMs: data.t0Ms + (to + 0.5) * data.dtMs };
}

function drawScene(view: PriceChart): void {
  const data = mapData.value;
  const header = data?.grid("synthetic", "long")?.header ?? data?.grid("real", "long")?.header;
  const [estimate, events] = [scaleOf("estimate"), scaleOf("events")];
  const { palette, stretch } = prefs.value;
  const theme = resolvedTheme();
  if (!data || !header) {
    view.heat.setScenes(null, null, null);
    return;
  }
  const scenes = buildScenes(data, { mode: mode.value, palette, stretch, theme, estimate, events });
  const { skill, reachRatio } = measured.value;
  const price = data.lastPrice;
  view.heat.setScenes(scenes.under, scenes.over, {
    columnOffset: data.columnOffset,
    price0Usd: header.price0Usd,
    rowUsd: header.rowUsd,
    nowIndex: data.nowIndex,
    forwardColumns: scenes.under ? FORWARD_COLUMNS : 0,
    skilledColumns: skilledColumns(skill, data.dtMs),
    skilledPrices:
      price && reachRatio !== null
        ? { lowUsd: price * (1 - reachRatio), highUsd: price * (1 + reachRatio) }
        : null,
  });
}

function drawMarks(view: PriceChart): void {
  const data = mapData.value;
  const marks = [
    { point: focus.value, kind: "pinned" as const },
    { point: hover.value, kind: "cursor" as const },
  ].flatMap(({ point, kind }) => {
    if (!data || !point) return [];
    const cell = readCell(point);
    const [lowUsd, highUsd] = cell ? [cell.lowUsd, cell.highUsd] : [point.priceUsd, point.priceUsd];
    return cell || kind === "pinned" ? [{ bar: barOf(data, point.tMs), lowUsd, highUsd, kind }] : [];
  });
  view.marks.setMarks(marks);
}

function zoneMarks(data: MapData): ZoneMark[] {
  const focused = focus.value?.src === "zone" ? focus.value.eventId : null;
  const zones = [...openZones.value, ...endedZones.value.filter((zone) => zone.end_reason === "swept")];
  const drawn = zones.map((zone) => ({
    id: zone.id,
    side: zone.side === "LONG" ? ("long" as const) : ("short" as const),
    lowUsd: zone.low_usd,
    highUsd: zone.high_usd,
    bornBar: barOf(data, zone.born_ms),
    endBar: zone.ended_ms === null ? null : barOf(data, zone.ended_ms - 1),
    swept: zone.end_reason === "swept",
    label: `${zone.side === "LONG" ? "L" : "S"} ${usd(zone.notional_usd)}`,
    weight: zone.notional_usd,
    focused: zone.id === focused,
    ringBar: zone.id === focused ? barOf(data, focus.value?.tMs ?? 0) : null,
    near: zone.state === "approached" || zone.state === "hit",
  }));
  const known = new Set(drawn.map(({ id }) => id));
  return [...drawn, ...sweptZones(scopeEvents.value, known, data)];
}

function drawZones(view: PriceChart): void {
  const data = mapData.value;
  const state = zonesState.value;
  const momentMs = state.kind === "ready" ? state.momentMs : null;
  const anchor = data && momentMs !== null ? barOf(data, momentMs - 1) : null;
  view.zones.setZones(data && prefs.value.zones ? zoneMarks(data) : [], anchor);
}

function drawEvents(view: PriceChart): void {
  const data = mapData.value;
  view.events.setMarks(data ? marksOf(scopeEvents.value, data) : [], prefs.value.events);
}

/** All state-to-chart wiring; returns the way to undo it. */
export function wire(view: PriceChart): () => void {
  let shown: MapData | null = null;
  let barsShown = 0;
  let revealed = "";
  const stops = [
    effect(() => {
      const { candles } = prefs.value;
      const { fontFamily } = getComputedStyle(document.body);
      const mark = simulated.value ? "SIMULATED" : "";
      view.setTheme(resolvedTheme(), candles, fontFamily, mode.value === "raw", mark);
    }),
    effect(() => view.setPriceScale(prefs.value.priceScale)),
    effect(() => view.liquidations.setVisible(prefs.value.liquidations)),
    effect(() => {
      const data = mapData.value;
      if (!data) return;
      const before = shown;
      shown = data;
      barsShown = data.bars.length;
      if (before?.scope === data.scope && before.tf === data.tf) keepView(view, before, data);
      else {
        // Other bars under the old view are a range that nobody has chosen: the chart tells of it, and it is not kept.
        const wanted = span.peek();
        view.setBars(data.bars, rowOf(data));
        showSpan(view, data, wanted);
      }
    }),
    effect(() => {
      mapTick.value;
      const data = mapData.peek();
      if (!data || data !== shown) return;
      view.updateBars(data.bars, barsShown - 1);
      barsShown = data.bars.length;
    }),
    effect(() => {
      mapTick.value;
      drawScene(view);
    }),
    effect(() => drawMarks(view)),
    effect(() => drawZones(view)),
    effect(() => drawEvents(view)),
    effect(() => {
      const [at, data] = [focus.value, mapData.value];
      const key = at && data ? `${data.scope}|${data.tf}|${at.tMs}|${at.priceUsd}|${at.eventId}` : "";
      // Once per jump: a map fetched again leaves the view where the person has moved it.
      if (key !== "" && key !== revealed) revealFocus(at);
      revealed = key;
    }),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}
