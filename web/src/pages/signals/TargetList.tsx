/** Where alerts can go. Only names: the addresses stay where the engine runs. */
import { useSignal } from "@preact/signals";
import type { AlertTarget } from "../../api/eventTypes";
import { alerts, testTarget } from "../../state/alerts";
import { showToast } from "../../ui/Toast";
import { sayTrouble } from "./RuleCard";

function Target({ target: { name, scheme, ready } }: { target: AlertTarget }) {
  const busy = useSignal(false);
  const test = async () => {
    busy.value = true;
    try {
      const { sent, detail } = await testTarget(name);
      showToast({
        tone: sent ? "good" : "bad",
        title: sent ? `Test sent to ${name}` : `${name} did not take the test`,
        body: detail,
      });
    } catch (error) {
      sayTrouble(error);
    } finally {
      busy.value = false;
    }
  };
  return (
    <tr>
      <th scope="row">{name}</th>
      <td>{scheme}</td>
      <td class={ready ? "" : "warn"}>{ready ? "✓ ready" : "✕ not usable"}</td>
      <td>
        <button type="button" class="button" disabled={busy.value} onClick={() => void test()}>
          {busy.value ? "Sending…" : "Send a test"}
          <span class="visually-hidden"> to {name}</span>
        </button>
      </td>
    </tr>
  );
}

export function TargetList() {
  const targets = alerts.value?.targets ?? [];
  return (
    <section class="targets" aria-label="Targets">
      <h2>Targets</h2>
      {targets.length === 0 ? (
        <p>
          None yet. A target is a name with an address (mail, chat, push) that is set up where the engine
          runs, in <code>targets.toml</code> or as <code>FAULTLINE_TARGET_PHONE</code>. Addresses hold
          secrets, so they never come to this page.
        </p>
      ) : (
        <table class="plain-table">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Kind</th>
              <th scope="col">State</th>
              <th scope="col">Test</th>
            </tr>
          </thead>
          <tbody>
            {targets.map((target) => (
              <Target key={target.name} target={target} />
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
