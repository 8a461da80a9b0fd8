/** Whom a rule tells, and when it holds back. */
import { alerts } from "../../state/alerts";
import { status } from "../../state/engine";
import { Checks, Field } from "./fields";
import { QuietHoursField } from "./QuietHoursField";
import type { PartProps } from "./RuleConditions";

const MODES = [
  { value: "live", label: "live", about: "a real market, now" },
  { value: "simulated", label: "simulated", about: "messages begin with [SIMULATED]" },
  { value: "replay", label: "replay", about: "a tape that is played again" },
];

export function RuleLimits({ form, errors, set }: PartProps) {
  const targets = alerts.value?.targets ?? [];
  const deaf = status.value && !form.modes.includes(status.value.mode);
  return (
    <>
      <Checks
        label="Targets"
        hint={
          targets.length === 0
            ? "There are none yet: they are set up where the engine runs, by name."
            : "Their addresses stay where the engine runs."
        }
        error={errors.targets}
        options={[
          ...targets.map(({ name, scheme, ready }) => ({
            value: name,
            label: name,
            about: ready ? scheme : `${scheme}, not usable now`,
          })),
          ...form.targets
            .filter((name) => !targets.some((target) => target.name === name))
            .map((name) => ({ value: name, label: name, about: "not set up" })),
        ]}
        chosen={form.targets}
        onChange={(chosen) => set({ targets: chosen })}
      />
      <Checks
        label="Alert about events that are"
        hint={
          deaf ? `This engine is ${status.value?.mode}: so chosen, the rule stays silent here.` : undefined
        }
        error={errors.modes}
        options={MODES}
        chosen={form.modes}
        onChange={(modes) => set({ modes })}
      />
      <QuietHoursField
        hours={form.quiet_hours}
        error={errors.quiet_hours}
        onChange={(quiet_hours) => set({ quiet_hours })}
      />
      <label class="check-line">
        <input
          type="checkbox"
          checked={form.p0_ignores_quiet}
          onChange={(event) => set({ p0_ignores_quiet: event.currentTarget.checked })}
        />
        <span>P0 breaks through quiet hours</span>
      </label>
      <div class="field-row">
        <Field label="At most, messages" hint="Empty: no limit." error={errors.rate_limit}>
          {(aria) => (
            <input
              {...aria}
              type="text"
              inputMode="numeric"
              value={form.rate_n}
              onInput={(event) => set({ rate_n: event.currentTarget.value })}
            />
          )}
        </Field>
        <Field label="within" hint="e.g. 10 min" error={undefined}>
          {(aria) => (
            <input
              {...aria}
              type="text"
              value={form.rate_per}
              onInput={(event) => set({ rate_per: event.currentTarget.value })}
            />
          )}
        </Field>
        <Field label="Repeats only after" hint="Same type, same subject." error={errors.dedupe_s}>
          {(aria) => (
            <input
              {...aria}
              type="text"
              value={form.dedupe_s}
              onInput={(event) => set({ dedupe_s: event.currentTarget.value })}
            />
          )}
        </Field>
      </div>
    </>
  );
}
