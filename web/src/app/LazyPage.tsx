/** A page that is fetched when it is first opened: the map does not wait for it. */
import { signal } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect } from "preact/hooks";
import { StateCard } from "../ui/StateCard";

/** A component that fetches its page when it is first shown; `name` completes "Opening the ...". */
function lazyPage(name: string, fetchPage: () => Promise<ComponentType>): ComponentType {
  const loaded = signal<ComponentType | null>(null);
  const failed = signal(false);

  async function load(): Promise<void> {
    failed.value = false;
    try {
      loaded.value = await fetchPage();
    } catch {
      failed.value = true; // The part is not there any more (an update) or the engine is gone.
    }
  }

  return function LazyPage() {
    useEffect(() => {
      if (!loaded.value) void load();
    }, []);
    const Page = loaded.value;
    if (Page) return <Page />;
    return (
      <main class="page-centre">
        {failed.value ? (
          <StateCard
            kind="error"
            title="This page could not be loaded"
            action={{ label: "Reload", run: () => location.reload() }}
          >
            <p>The engine may have been updated or stopped.</p>
          </StateCard>
        ) : (
          <StateCard kind="loading" title={`Opening the ${name}`} />
        )}
      </main>
    );
  };
}

export const LazyModel = lazyPage("model", async () => (await import("../pages/model/ModelPage")).ModelPage);
export const LazySignals = lazyPage(
  "signals",
  async () => (await import("../pages/signals/SignalsPage")).SignalsPage,
);
export const LazyHealth = lazyPage(
  "health of the venues",
  async () => (await import("../pages/health/HealthPage")).HealthPage,
);
