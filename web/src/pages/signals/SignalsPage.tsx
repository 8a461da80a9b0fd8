/** Events, the alerts made from them, and how this browser tells. */
import type { ComponentType } from "preact";
import { useEffect } from "preact/hooks";
import { Tabs } from "../../ui/Tabs";
import { EventLog } from "./EventLog";
import { syncFilters, TABS, type Tab, tab } from "./filters";
import "../../styles/signals.css";
import "../../styles/eventlog.css";

const LABELS: Readonly<Record<Tab, string>> = {
  events: "Events",
  rules: "Alert rules",
  deliveries: "Deliveries",
  browser: "This browser",
};
const PANELS: Readonly<Partial<Record<Tab, ComponentType>>> = { events: EventLog };

export function SignalsPage() {
  useEffect(syncFilters, []);
  const Panel = PANELS[tab.value] ?? EventLog;
  return (
    <main class="signals">
      <Tabs
        label="Signals"
        tabs={TABS.filter((name) => name in PANELS).map((name) => ({ name, label: LABELS[name] }))}
        value={tab.value}
        onChange={(next) => {
          tab.value = next;
        }}
      >
        <Panel />
      </Tabs>
    </main>
  );
}
