/** The shell: rail, top bar, banner, the page, footer. */
import { useEffect } from "preact/hooks";
import { AboutPage } from "../pages/about/AboutPage";
import { MapPage } from "../pages/map/MapPage";
import { freshness, refreshAssets, refreshScores, simulated, status, watchEngine } from "../state/engine";
import { persistPrefs, resolvedTheme } from "../state/prefs";
import { watchTroubled } from "../state/troubled";
import { scope, settleScope, syncUrl } from "../state/view";
import { StateCard } from "../ui/StateCard";
import { Toasts } from "../ui/Toast";
import { watchEvents } from "./BellWatch";
import { Footer } from "./Footer";
import { HelpOverlay } from "./HelpOverlay";
import { LazyHealth, LazyModel, LazySignals } from "./LazyPage";
import { NavRail } from "./NavRail";
import { goTo, page } from "./router";
import { SimulatedBanner } from "./SimulatedBanner";
import { TopBar } from "./TopBar";

async function lookAround(): Promise<void> {
  await refreshAssets();
  settleScope();
}

async function onReady(): Promise<void> {
  await lookAround();
  await refreshScores();
}

function useDocumentTitle(): void {
  const mark = simulated.value ? "[SIMULATED] " : "";
  const where = page.value === "map" ? (scope.value ?? "map") : (page.value ?? "no such page");
  const late = ["live", "paused", "loading"].includes(freshness.value) ? "" : ` (${freshness.value})`;
  const title = `${mark}${where}${late} – Faultline`;
  useEffect(() => {
    document.title = title;
  }, [title]);
}

export function App() {
  useEffect(() => {
    const stops = [
      watchEngine(
        () => void onReady(),
        () => void lookAround(),
      ),
      persistPrefs(),
      syncUrl(),
      watchEvents(),
      watchTroubled(),
    ];
    return () => {
      for (const stop of stops) stop();
    };
  }, []);
  const theme = resolvedTheme();
  useEffect(() => {
    document.documentElement.dataset["theme"] = theme;
  }, [theme]);
  useDocumentTitle();
  return (
    <div class="shell" data-mode={status.value?.mode}>
      <NavRail />
      <div class="shell-main">
        <TopBar />
        <SimulatedBanner />
        {page.value === "map" && <MapPage />}
        {page.value === "signals" && <LazySignals />}
        {page.value === "model" && <LazyModel />}
        {page.value === "health" && <LazyHealth />}
        {page.value === "about" && <AboutPage />}
        {page.value === null && (
          <main class="page-centre">
            <StateCard
              kind="empty"
              title="There is no such page"
              action={{ label: "Open the map", run: () => goTo("map") }}
            />
          </main>
        )}
        <Footer />
      </div>
      <HelpOverlay />
      <Toasts />
    </div>
  );
}
