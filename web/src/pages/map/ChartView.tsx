/** Keeps the chart in step with the state: data, mode, scale, theme, marks, visible span. */
import { effect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { type ChartPoint, PriceChart } from "../../chart/PriceChart";
import { buildScenes } from "../../chart/scene";
import { hover, readCell } from "../../state/cell";
import { scores, simulated } from "../../state/engine";
import { focus, focusOn, type Point } from "../../state/focus";
import { mapData, mapTick } from "../../state/map";
import { FORWARD_COLUMNS, type MapData } from "../../state/mapData";
import { prefs, resolvedTheme } from "../../state/prefs";
import { scaleOf } from "../../state/scale";
import { currentAsset, mode, span } from "../../state/view";
import { chart, fitRange } from "./actions";
import { geometry } from "./geometry";
import { onChartKey } from "./keys";
import { skilledColumns, skillOf } from "./skill";
import { summary } from "./summary";

function pointOf(data: MapData | null, at: ChartPoint | null): Point | null {
  return data && at ? { tMs: data.t0Ms + (at.bar + 0.5) * data.dtMs, priceUsd: at.priceUsd } : null;
}

const rowOf = (data: MapData) => data.grid("synthetic", "long")?.header.rowUsd ?? 1;
const barOf = (data: MapData, tMs: number) => Math.floor((tMs - data.t0Ms) / data.dtMs);

function showSpan(view: PriceChart, data: MapData): void {
  const wanted = span.peek();
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
function rememberSpan(data: MapData | null, from: number, to: number): void {
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
  const skill = skillOf(scores.value, currentAsset.value?.asset ?? null);
  view.heat.setScenes(scenes.under, scenes.over, {
    columnOffset: data.columnOffset,
    price0Usd: header.price0Usd,
    rowUsd: header.rowUsd,
    nowIndex: data.nowIndex,
    forwardColumns: scenes.under ? FORWARD_COLUMNS : 0,
    skilledColumns: skilledColumns(skill, data.dtMs),
  });
}

function drawMarks(view: PriceChart): void {
  const data = mapData.value;
  const marks = [
    { point: focus.value, kind: "pinned" as const },
    { point: hover.value, kind: "cursor" as const },
  ].flatMap(({ point, kind }) => {
    const cell = point && data ? readCell(point) : null;
    if (!cell || !data || !point) return [];
    return [{ bar: barOf(data, point.tMs), lowUsd: cell.lowUsd, highUsd: cell.highUsd, kind }];
  });
  view.marks.setMarks(marks);
}

/** All state-to-chart wiring; returns the way to undo it. */
function wire(view: PriceChart): () => void {
  let shown: MapData | null = null;
  let barsShown = 0;
  const stops = [
    effect(() => {
      const { candles } = prefs.value;
      const { fontFamily } = getComputedStyle(document.body);
      const mark = simulated.value ? "SIMULATED" : "";
      view.setTheme(resolvedTheme(), candles, fontFamily, mode.value === "raw", mark);
    }),
    effect(() => view.setPriceScale(prefs.value.priceScale)),
    effect(() => {
      const data = mapData.value;
      if (!data) return;
      const before = shown;
      shown = data;
      barsShown = data.bars.length;
      if (before?.scope === data.scope && before.tf === data.tf) keepView(view, before, data);
      else {
        view.setBars(data.bars, rowOf(data));
        showSpan(view, data);
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
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

export function ChartView() {
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!element.current) return;
    const view = new PriceChart(element.current, {
      hover: (at) => {
        hover.value = pointOf(mapData.peek(), at);
      },
      click: (at) => {
        const point = pointOf(mapData.peek(), at);
        if (point) focusOn(point);
      },
      range: (from, to) => rememberSpan(mapData.peek(), from, to),
    });
    view.heat.fit = fitRange;
    view.heat.onGeometry = (next) => {
      const held = geometry.peek();
      const same =
        held && held.top === next.top && held.bottom === next.bottom && held.heightPx === next.heightPx;
      if (!same || held.isLog !== next.isLog) geometry.value = next;
    };
    chart.value = view;
    const unwire = wire(view);
    return () => {
      unwire();
      chart.value = null;
      view.remove();
    };
  }, []);
  return (
    <div
      class="chart"
      role="application"
      aria-label="Price chart over the liquidation map. Arrow keys move the cell cursor, Enter pins a cell, question mark lists all keys."
      // biome-ignore lint/a11y/noNoninteractiveTabindex: an application region is operated by keys and must take focus.
      tabIndex={0}
      onKeyDown={onChartKey}
      onPointerDown={(event) => event.currentTarget.focus({ preventScroll: true })}
    >
      <div class="chart-canvas" ref={element} />
      <p class="visually-hidden" aria-live="polite">
        {summary.value}
      </p>
    </div>
  );
}
