/** The liquidation map: chart, profile, cell inspector, colour scale; or the state that stands in their place. */
import { untracked, useComputed, useSignalEffect } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { SymbolSearch } from "../../app/SymbolSearch";
import { focusPoint, watchCell } from "../../state/cell";
import { assets, noMarket, status, statusError } from "../../state/engine";
import { mapFeed, mapState } from "../../state/map";
import { measuredEnds } from "../../state/scale";
import { mode, scope, timeframe } from "../../state/view";
import { isNarrow } from "../../state/viewport";
import { approachingZones, showZonesNow, watchZones } from "../../state/zones";
import { EngineLoading } from "../../ui/EngineLoading";
import { StateCard } from "../../ui/StateCard";
import { ChartView } from "./ChartView";
import { MarkTip } from "./EventCard";
import { GotoDialog } from "./GotoDialog";
import { Inspector } from "./Inspector";
import { LegendStrip } from "./LegendStrip";
import { MapTable } from "./MapTable";
import { NoMarket } from "./NoMarket";
import { ProfilePanel } from "./ProfilePanel";
import { ReplayBar } from "./ReplayBar";
import { ScaleBar } from "./ScaleBar";
import { Approaching } from "./zones/ZonePanel";

/** What stands over the chart instead of a map; `null` when the map itself can be seen. */
function Instead() {
  const engine = status.value;
  const map = mapState.value;
  if (!engine) {
    const trouble = statusError.value;
    if (!trouble) return <StateCard kind="loading" title="Connecting to the engine" />;
    return (
      <StateCard kind="error" title={trouble.message}>
        {trouble.hint && <p>{trouble.hint}</p>}
        <p class="quiet">Trying again every second.</p>
      </StateCard>
    );
  }
  if (engine.state === "error")
    return (
      <StateCard kind="error" title={engine.error?.message ?? "The engine has stopped."}>
        {engine.error?.hint && <p>{engine.error.hint}</p>}
        {engine.error && <p class="quiet">code: {engine.error.code}</p>}
      </StateCard>
    );
  if (engine.state === "loading") return <EngineLoading progress={engine.progress} />;
  if (noMarket.value) return <NoMarket />;
  if (map.kind === "error")
    return (
      <StateCard kind="error" title={map.message} action={{ label: "Try again", run: () => mapFeed.retry() }}>
        {map.hint && <p>{map.hint}</p>}
      </StateCard>
    );
  if (map.kind === "empty")
    return (
      <StateCard kind="empty" title="No map for this scope yet">
        <p>
          The engine has seen no trades and no open interest for {scope.value} at {timeframe.value}. The map
          appears by itself with the first closed column.
        </p>
      </StateCard>
    );
  if (map.kind === "ready") return null;
  return <StateCard kind="loading" title={`Loading ${scope.value ?? "the map"} ${timeframe.value}`} />;
}

/** Candles and events may be there while the estimate is not: then the reason must stand where heat is expected. */
function MissingEstimate() {
  if (mode.value === "raw" || measuredEnds.value.estimate !== null) return null;
  return (
    <p class="notice" role="status">
      No estimate for {scope.value} yet: it needs open interest. Only what happened is shown.
    </p>
  );
}

export function MapPage() {
  const [sheetOpen, setSheetOpen] = useState(false);
  const ready = useComputed(
    () =>
      status.value?.state === "ready" && assets.value.length > 0 && !noMarket.value && scope.value !== null,
  );
  useSignalEffect(() => {
    const [scopeNow, tf] = [scope.value, timeframe.value];
    if (ready.value && scopeNow) untracked(() => mapFeed.open(scopeNow, tf));
  });
  useEffect(() => {
    const stops = [watchCell(), watchZones(() => focusPoint.value?.tMs ?? null)];
    return () => {
      for (const stop of stops) stop();
      showZonesNow();
      mapFeed.close();
    };
  }, []);
  const instead = Instead();
  return (
    <main class={`map ${instead ? "is-covered" : ""} ${sheetOpen ? "has-sheet" : ""}`}>
      <h1 class="visually-hidden">Liquidation map</h1>
      <div class="map-chart">
        <LegendStrip />
        {isNarrow.value && !instead && approachingZones.value.length > 0 && <Approaching />}
        <div class="map-stage">
          <ChartView />
          <ProfilePanel />
          {!instead && <MarkTip />}
          {!instead && <MissingEstimate />}
          {instead && <div class="cover">{instead}</div>}
        </div>
      </div>
      <Inspector />
      <button
        type="button"
        class="sheet-toggle"
        aria-expanded={sheetOpen}
        onClick={() => setSheetOpen(!sheetOpen)}
      >
        {sheetOpen ? "Hide details" : "Zones, cell, skill"}
      </button>
      <div class="map-foot">
        <ScaleBar />
        <ReplayBar />
      </div>
      <GotoDialog />
      <MapTable />
      <SymbolSearch />
    </main>
  );
}
