/** Parts of the day in which a rule stays silent, each by the clock of a time zone. */
import type { QuietHours } from "../../api/eventTypes";
import { Icon } from "../../ui/Icon";

interface Props {
  readonly hours: readonly QuietHours[];
  readonly error: string | undefined;
  readonly onChange: (hours: readonly QuietHours[]) => void;
}

const MOST = 8;
const zones = () => ["UTC", ...Intl.supportedValuesOf("timeZone").filter((name) => name !== "UTC")];
const here = () => Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

export function QuietHoursField({ hours, error, onChange }: Props) {
  const change = (at: number, part: Partial<QuietHours>) =>
    onChange(hours.map((row, i) => (i === at ? { ...row, ...part } : row)));
  return (
    <fieldset class={`checks ${error ? "is-wrong" : ""}`} aria-describedby="quiet-about">
      <legend>Quiet hours</legend>
      {hours.map((row, i) => (
        <div class="quiet-row" key={i}>
          <input
            type="time"
            aria-label={`Quiet hours ${i + 1}: from`}
            value={row.from}
            onInput={(event) => change(i, { from: event.currentTarget.value })}
          />
          <span>to</span>
          <input
            type="time"
            aria-label={`Quiet hours ${i + 1}: to`}
            value={row.to}
            onInput={(event) => change(i, { to: event.currentTarget.value })}
          />
          <input
            type="text"
            list="time-zones"
            aria-label={`Quiet hours ${i + 1}: time zone`}
            value={row.tz}
            onInput={(event) => change(i, { tz: event.currentTarget.value })}
          />
          <button
            type="button"
            class="icon-button"
            aria-label={`Remove quiet hours ${i + 1}`}
            onClick={() => onChange(hours.filter((_, other) => other !== i))}
          >
            <Icon name="close" />
          </button>
        </div>
      ))}
      <datalist id="time-zones">
        {zones().map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
      {hours.length < MOST && (
        <button
          type="button"
          class="button"
          onClick={() => onChange([...hours, { from: "22:00", to: "07:00", tz: here() }])}
        >
          Add quiet hours
        </button>
      )}
      <p id="quiet-about" class={error ? "field-error" : "field-hint"}>
        {error ?? "By the wall clock of the time zone. An earlier end is on the next day."}
      </p>
    </fieldset>
  );
}
