/** One rule: what it does in words, its switch, and what can be done with it. */
import { useSignal } from "@preact/signals";
import type { ListedRule, TestAnswer } from "../../api/eventTypes";
import { plainRule, removeRule, saveRule, testRule, troubleOf } from "../../state/alerts";
import { utcShort } from "../../state/format";
import { showToast } from "../../ui/Toast";
import { conditionsOf, limitsOf, VERDICT_TEXT } from "./ruleText";

export function sayTrouble(error: unknown): void {
  const { message, hint } = troubleOf(error);
  showToast({ tone: "bad", title: message, body: hint });
}

async function remove(rule: ListedRule): Promise<void> {
  try {
    await removeRule(rule.name);
  } catch (error) {
    sayTrouble(error);
    return;
  }
  showToast({
    tone: "good",
    title: `Rule ${rule.name} deleted`,
    action: { label: "Undo", run: () => void saveRule(plainRule(rule)).catch(sayTrouble) },
  });
}

function DryRun({ answer }: { answer: TestAnswer }) {
  return (
    <div class="dry-run" role="status">
      <p>{answer.detail.replace(/\.$/, "")}. Nothing was sent.</p>
      {answer.examples && answer.examples.length > 0 && (
        <table class="facts">
          <caption>Newest matches</caption>
          <tbody>
            {answer.examples.map(({ seq, at_ms, verdict, summary }) => (
              <tr key={seq}>
                <th scope="row">{utcShort(at_ms)}</th>
                <td class="dry-run-what">{summary}</td>
                <td>{VERDICT_TEXT[verdict] ?? verdict}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </div>
  );
}

export function RuleCard({ rule, onEdit }: { rule: ListedRule; onEdit: () => void }) {
  const answer = useSignal<TestAnswer | null>(null);
  const busy = useSignal(false);
  const mine = rule.source === "page";
  const run = async (work: () => Promise<void>) => {
    busy.value = true;
    try {
      await work();
    } catch (error) {
      sayTrouble(error);
    } finally {
      busy.value = false;
    }
  };
  const test = () =>
    run(async () => {
      answer.value = await testRule(rule.name);
    });
  const toggle = () => run(() => saveRule({ ...plainRule(rule), enabled: !rule.enabled }));
  return (
    <li class={`rule ${rule.enabled ? "" : "is-off"}`}>
      <div class="rule-head">
        <h3>{rule.name}</h3>
        {!mine && (
          <span class="tag" title="Stands in alerts.toml where the engine runs; it cannot be changed here">
            from config
          </span>
        )}
        <label class="switch">
          <input
            type="checkbox"
            role="switch"
            aria-label={`Rule ${rule.name} in force`}
            checked={rule.enabled}
            aria-checked={rule.enabled}
            disabled={!mine || busy.value}
            onChange={() => void toggle()}
          />
          <span aria-hidden="true">{rule.enabled ? "on" : "off"}</span>
        </label>
      </div>
      <p>
        {conditionsOf(rule).join(" · ")} → <b>{rule.targets.join(", ")}</b>
      </p>
      <p class="quiet">{limitsOf(rule).join(" · ")}</p>
      <div class="rule-acts">
        <button type="button" class="button" disabled={busy.value} onClick={() => void test()}>
          Test <span class="visually-hidden">rule {rule.name}</span>
        </button>
        {mine && (
          <>
            <button type="button" class="button" onClick={onEdit}>
              Edit <span class="visually-hidden">rule {rule.name}</span>
            </button>
            <button type="button" class="button" disabled={busy.value} onClick={() => void remove(rule)}>
              Delete <span class="visually-hidden">rule {rule.name}</span>
            </button>
          </>
        )}
      </div>
      {answer.value && <DryRun answer={answer.value} />}
    </li>
  );
}
