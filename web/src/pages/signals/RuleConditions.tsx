/** What a rule listens for: type, urgency, asset, side, distance, size, level. */
import { assets } from "../../state/engine";
import { EVENT_TYPES, PRIORITIES, PRIORITY_TEXT, typesOf } from "../../state/eventCatalogue";
import { Checks, Field } from "./fields";
import type { FormErrors, RuleForm } from "./ruleForm";

export interface PartProps {
  readonly form: RuleForm;
  readonly errors: FormErrors;
  readonly set: (change: Partial<RuleForm>) => void;
}

const LEVELS = Array.from({ length: 10 }, (_, i) => String(i + 1));

const together = (known: readonly string[], chosen: readonly string[]) =>
  [...new Set([...known, ...chosen])].sort().map((value) => ({ value, label: value }));

export function RuleConditions({ form, errors, set }: PartProps) {
  const venues = assets.value.flatMap(({ scopes }) =>
    scopes.filter((scope) => scope.includes(":")).map((scope) => scope.split(":")[0]),
  );
  return (
    <>
      <Checks
        label="Priorities"
        hint="None chosen: every priority."
        options={PRIORITIES.map((value) => ({ value, label: `P${value}`, about: PRIORITY_TEXT[value] }))}
        chosen={form.priorities as (0 | 1 | 2)[]}
        onChange={(priorities) => set({ priorities })}
      />
      {PRIORITIES.map((priority) => (
        <Checks
          key={priority}
          label={`Types of P${priority}`}
          hint={priority === 2 ? "None chosen in any of the three: every type." : undefined}
          error={priority === 2 ? errors.types : undefined}
          options={typesOf(priority).map((value) => ({
            value,
            label: EVENT_TYPES[value].label,
            about: EVENT_TYPES[value].meaning,
          }))}
          chosen={form.types.filter((type) => EVENT_TYPES[type]?.priority === priority)}
          onChange={(chosen) =>
            set({
              types: [...form.types.filter((type) => EVENT_TYPES[type]?.priority !== priority), ...chosen],
            })
          }
        />
      ))}
      <Checks
        label="Assets"
        hint="None chosen: every asset."
        error={errors.assets}
        options={together(
          assets.value.map(({ asset }) => asset),
          form.assets,
        )}
        chosen={form.assets}
        onChange={(chosen) => set({ assets: chosen })}
      />
      <Checks
        label="Venues"
        hint="Chosen: only what one of these venues caused. None chosen: everything."
        error={errors.venues}
        options={together(venues, form.venues)}
        chosen={form.venues}
        onChange={(chosen) => set({ venues: chosen })}
      />
      <Checks
        label="Sides"
        hint="Whose positions are at stake. None chosen: both."
        error={errors.sides}
        options={[
          { value: "LONG", label: "L longs" },
          { value: "SHORT", label: "S shorts" },
        ]}
        chosen={form.sides}
        onChange={(sides) => set({ sides })}
      />
      <div class="field-row">
        <Field label="Farthest, %" hint="From price; empty: any." error={errors.max_distance_ratio}>
          {(aria) => (
            <input
              {...aria}
              type="text"
              inputMode="decimal"
              value={form.max_distance_ratio}
              onInput={(event) => set({ max_distance_ratio: event.currentTarget.value })}
            />
          )}
        </Field>
        <Field label="Smallest, USD" hint="e.g. 5M; empty: any." error={errors.min_notional_usd}>
          {(aria) => (
            <input
              {...aria}
              type="text"
              value={form.min_notional_usd}
              onInput={(event) => set({ min_notional_usd: event.currentTarget.value })}
            />
          )}
        </Field>
        <Field label="Lowest level" hint="Density, 1 to 10." error={errors.min_density_level}>
          {(aria) => (
            <select
              {...aria}
              value={form.min_density_level}
              onChange={(event) => set({ min_density_level: event.currentTarget.value })}
            >
              <option value="">any</option>
              {LEVELS.map((level) => (
                <option key={level} value={level}>
                  {level}
                </option>
              ))}
            </select>
          )}
        </Field>
      </div>
    </>
  );
}
