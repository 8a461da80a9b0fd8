/** What became of every message: sent, waiting, failed, or held back by its rule. */
import { useEffect } from "preact/hooks";
import type { Delivery } from "../../api/eventTypes";
import { alerts, watchAlerts } from "../../state/alerts";
import { typeLabel } from "../../state/eventCatalogue";
import { StateCard } from "../../ui/StateCard";
import { AlertsState } from "./RulesPanel";
import { STATE_TEXT } from "./ruleText";

const second = (ms: number) => new Date(ms).toISOString().slice(0, 19).replace("T", " ");
const localTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

function Row({ delivery }: { delivery: Delivery }) {
  const { rule, target, event_type: type, summary, state, attempts, updated_ms: atMs, error } = delivery;
  const words = STATE_TEXT[state] ?? { label: state, mark: "?" };
  return (
    <tr>
      <td>
        <time dateTime={new Date(atMs).toISOString()} title={localTime.format(atMs)}>
          {second(atMs)}
        </time>
      </td>
      <td>
        <span class={`delivery is-${state}`}>
          <i aria-hidden="true">{words.mark}</i> {words.label}
        </span>
      </td>
      <td>{rule}</td>
      <td>{target}</td>
      <td class="delivery-what">
        <b>{typeLabel(type)}</b> {summary}
        {error && <span class="delivery-error">{error}</span>}
      </td>
      <td class="is-number">{attempts}</td>
    </tr>
  );
}

export function DeliveryLog() {
  useEffect(watchAlerts, []);
  const rows = alerts.value?.deliveries;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys.
    <section class="deliveries" aria-label="Deliveries" tabIndex={0}>
      <AlertsState />
      {rows?.length === 0 && (
        <StateCard kind="empty" title="Nothing was sent yet">
          <p>Messages of alert rules are listed here, with what became of them.</p>
        </StateCard>
      )}
      {rows && rows.length > 0 && (
        <table class="plain-table">
          <caption class="visually-hidden">Deliveries, newest first</caption>
          <thead>
            <tr>
              <th scope="col">Changed (UTC)</th>
              <th scope="col">State</th>
              <th scope="col">Rule</th>
              <th scope="col">Target</th>
              <th scope="col">Message</th>
              <th scope="col" class="is-number">
                Attempts
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map((delivery) => (
              <Row key={delivery.id} delivery={delivery} />
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
