/** Alert rules: the list, or the form of one of them beside it. */
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { alerts, alertsTrouble, refreshAlerts, watchAlerts } from "../../state/alerts";
import { StateCard } from "../../ui/StateCard";
import { showToast } from "../../ui/Toast";
import { RuleCard } from "./RuleCard";
import { RuleEditor } from "./RuleEditor";
import { EMPTY_FORM, formOf, type RuleForm } from "./ruleForm";
import { TargetList } from "./TargetList";

/** Loading, broken or out of date; nothing when the alerts are there. */
export function AlertsState() {
  const trouble = alertsTrouble.value;
  if (!trouble) return alerts.value ? null : <StateCard kind="loading" title="Loading the alerts" />;
  if (alerts.value)
    return (
      <p class="sig-notice" role="status">
        This may be out of date: {trouble.message} Trying again every five seconds.
      </p>
    );
  return (
    <StateCard
      kind="error"
      title={trouble.message}
      action={{ label: "Try again", run: () => void refreshAlerts() }}
    >
      {trouble.hint && <p>{trouble.hint}</p>}
    </StateCard>
  );
}

/** The rule being written; it outlives a look at another tab. */
const editing = signal<{ readonly form: RuleForm; readonly isNew: boolean } | null>(null);

export function RulesPanel() {
  useEffect(watchAlerts, []);
  const rules = alerts.value?.rules;
  const now = editing.value;
  return (
    <div class={`rules ${now ? "is-editing" : ""}`}>
      <AlertsState />
      {rules && (
        <div class="rules-list">
          <div class="rules-head">
            <h2>Alert rules</h2>
            <button
              type="button"
              class="button is-main"
              onClick={() => {
                editing.value = { form: EMPTY_FORM, isNew: true };
              }}
            >
              New rule
            </button>
          </div>
          {rules.length === 0 && (
            <StateCard kind="empty" title="No alert rules yet">
              <p>A rule sends chosen events to a phone, a mailbox or a chat, also while no page is open.</p>
            </StateCard>
          )}
          <ul>
            {rules.map((rule) => (
              <RuleCard
                key={rule.name}
                rule={rule}
                onEdit={() => {
                  editing.value = { form: formOf(rule), isNew: false };
                }}
              />
            ))}
          </ul>
          <TargetList />
        </div>
      )}
      {now && (
        <RuleEditor
          key={now.isNew ? "new" : `rule ${now.form.name}`}
          start={now.form}
          isNew={now.isNew}
          onDraft={(form) => {
            editing.value = { form, isNew: now.isNew };
          }}
          onDone={(saved) => {
            editing.value = null;
            if (saved) showToast({ tone: "good", title: `Rule ${saved.name} saved` });
          }}
        />
      )}
    </div>
  );
}
