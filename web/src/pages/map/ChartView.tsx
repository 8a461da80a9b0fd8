/** The chart region: made once, operated by pointer and keys, kept in step by its wiring. */
import { useEffect, useRef } from "preact/hooks";
import { type ChartObject, PriceChart } from "../../chart/PriceChart";
import { hover } from "../../state/cell";
import { focusOn } from "../../state/focus";
import { mapData } from "../../state/map";
import { endedZones, openZones } from "../../state/zones";
import { chart, fitRange } from "./actions";
import { hoveredObject, pointOf, rememberSpan, wire } from "./chartWiring";
import { scopeEvents, timeOf } from "./eventMarks";
import { geometry } from "./geometry";
import { onChartKey } from "./keys";
import { summary } from "./summary";
import { focusZone } from "./zones/focusZone";

/** A click on a mark is about what it stands for; `false` when nothing is known of it any more. */
function focusObject({ kind, id }: ChartObject, priceUsd: number): boolean {
  if (kind === "zone") {
    const zone = [...openZones.value, ...endedZones.value].find((one) => one.id === id);
    if (zone) focusZone(zone);
    return zone !== undefined;
  }
  const event = scopeEvents.value.find((one) => one.id === id);
  if (event) focusOn({ tMs: timeOf(event), priceUsd }, "event", id);
  return event !== undefined;
}

export function ChartView() {
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!element.current) return;
    const view = new PriceChart(element.current, {
      hover: (at, object) => {
        hover.value = pointOf(mapData.peek(), at);
        hoveredObject.value = object;
      },
      click: (at, object) => {
        const point = pointOf(mapData.peek(), at);
        if (point && !(object && focusObject(object, at.priceUsd))) focusOn(point);
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
