/** The form of one rule. Errors stand beside their field, the engine's own ones too. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { AlertRule } from "../../api/eventTypes";
import { ApiError } from "../../api/http";
import { alerts, meets, saveRule } from "../../state/alerts";
import { recentEvents } from "../../state/events";
import { Field } from "./fields";
import { RuleConditions } from "./RuleConditions";
import { RuleLimits } from "./RuleLimits";
import { type FormErrors, fieldOf, formErrors, type RuleForm, ruleOf } from "./ruleForm";

interface Props {
  /** The rule as it was; its name is fixed once it exists. */
  readonly start: RuleForm;
  readonly isNew: boolean;
  /** Told of every change, so that the work survives a look at another tab. */
  readonly onDraft: (form: RuleForm) => void;
  readonly onDone: (saved: AlertRule | null) => void;
}

/** How the conditions would have done on what is loaded: a rule that is too loud or deaf shows before it is saved. */
function Preview({ form }: { form: RuleForm }) {
  const held = recentEvents.value;
  const rule = ruleOf(form);
  const found = held.filter(({ event }) => meets(rule, event)).length;
  return (
    <p class="field-hint" role="status">
      {found.toLocaleString("en-US")} of the {held.length.toLocaleString("en-US")} newest events meet these
      conditions, before quiet hours, limits and repeats.
    </p>
  );
}

function problemsOf(error: unknown): FormErrors {
  const text = error instanceof Error ? error.message : String(error);
  if (!(error instanceof ApiError)) return { form: text };
  // The server's checker of bodies says what it expected in the hint.
  if (text.startsWith("Validation failed") && error.hint) return { [fieldOf(error.where)]: error.hint };
  return { [fieldOf(error.where)]: error.hint ? `${text}: ${error.hint}` : text };
}

export function RuleEditor({ start, isNew, onDraft, onDone }: Props) {
  const form = useSignal(start);
  const errors = useSignal<FormErrors>({});
  const saving = useSignal(false);
  const root = useRef<HTMLFormElement>(null);
  useEffect(() => {
    root.current?.querySelector<HTMLElement>("input:not([disabled])")?.focus();
  }, []);
  const set = (change: Partial<RuleForm>) => {
    form.value = { ...form.value, ...change };
    onDraft(form.value);
    // An error goes as soon as its field is touched.
    const touched = Object.keys(change).map((key) => (key.startsWith("rate_") ? "rate_limit" : key));
    errors.value = Object.fromEntries(Object.entries(errors.value).filter(([key]) => !touched.includes(key)));
  };
  const showErrors = (found: FormErrors) => {
    errors.value = found;
    setTimeout(() => root.current?.querySelector<HTMLElement>(".is-wrong input, .is-wrong select")?.focus());
  };
  const submit = async (event: Event) => {
    event.preventDefault();
    const taken = isNew ? (alerts.value?.rules ?? []).map(({ name }) => name) : [];
    const found = formErrors(form.value, taken);
    if (Object.keys(found).length > 0) {
      showErrors(found);
      return;
    }
    saving.value = true;
    try {
      const rule = ruleOf(form.value);
      await saveRule(rule);
      onDone(rule);
    } catch (error) {
      showErrors(problemsOf(error));
    } finally {
      saving.value = false;
    }
  };
  const wrong = Object.keys(errors.value).length;
  return (
    <form class="rule-form" ref={root} noValidate onSubmit={(event) => void submit(event)}>
      <h2>{isNew ? "New alert rule" : `Change ${start.name}`}</h2>
      <Field label="Name" hint={isNew ? undefined : "The name of a rule stays."} error={errors.value.name}>
        {(aria) => (
          <input
            {...aria}
            type="text"
            disabled={!isNew}
            maxLength={64}
            value={form.value.name}
            onInput={(event) => set({ name: event.currentTarget.value })}
          />
        )}
      </Field>
      <h3>Listen for</h3>
      <RuleConditions form={form.value} errors={errors.value} set={set} />
      <Preview form={form.value} />
      <h3>Tell</h3>
      <RuleLimits form={form.value} errors={errors.value} set={set} />
      <div class="rule-form-end">
        {wrong > 0 && (
          <p class="field-error" role="alert">
            {errors.value.form ?? (wrong === 1 ? "One field needs a look." : `${wrong} fields need a look.`)}
          </p>
        )}
        <button type="submit" class="button is-main" disabled={saving.value}>
          {saving.value ? "Saving…" : "Save rule"}
        </button>
        <button type="button" class="button" onClick={() => onDone(null)}>
          Cancel
        </button>
      </div>
    </form>
  );
}
