/** Events, the alerts made from them, and how this browser tells. */
import type { ComponentType } from "preact";
import { useEffect } from "preact/hooks";
import { Tabs } from "../../ui/Tabs";
import { DeliveryLog } from "./DeliveryLog";
import { EventLog } from "./EventLog";
import { syncFilters, TABS, type Tab, tab } from "./filters";
import { RulesPanel } from "./RulesPanel";
import { ThisBrowser } from "./ThisBrowser";
import "../../styles/signals.css";
import "../../styles/eventlog.css";
import "../../styles/rules.css";
import "../../styles/form.css";

const LABELS: Readonly<Record<Tab, string>> = {
  events: "Events",
  rules: "Alert rules",
  deliveries: "Deliveries",
  browser: "This browser",
};
const PANELS: Readonly<Record<Tab, ComponentType>> = {
  events: EventLog,
  rules: RulesPanel,
  deliveries: DeliveryLog,
  browser: ThisBrowser,
};

export function SignalsPage() {
  useEffect(syncFilters, []);
  const Panel = PANELS[tab.value];
  return (
    <main class="signals">
      <Tabs
        label="Signals"
        tabs={TABS.map((name) => ({ name, label: LABELS[name] }))}
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
