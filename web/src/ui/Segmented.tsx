/** One choice of a few, side by side: a radio group that looks like buttons. */
import type { ComponentChildren } from "preact";

export interface Choice<T extends string> {
  readonly value: T;
  readonly label: ComponentChildren;
  readonly title?: string;
}

interface Props<T extends string> {
  readonly label: string;
  readonly choices: readonly Choice<T>[];
  readonly value: T;
  readonly onChange: (value: T) => void;
  readonly class?: string;
}

export function Segmented<T extends string>({ label, choices, value, onChange, class: name }: Props<T>) {
  const group = label.replaceAll(" ", "-").toLowerCase();
  return (
    <fieldset class={`segmented ${name ?? ""}`}>
      <legend class="visually-hidden">{label}</legend>
      {choices.map((choice) => (
        <label key={choice.value} title={choice.title} class={choice.value === value ? "is-on" : ""}>
          <input
            type="radio"
            class="visually-hidden"
            name={group}
            value={choice.value}
            checked={choice.value === value}
            onChange={() => onChange(choice.value)}
          />
          <span>{choice.label}</span>
        </label>
      ))}
    </fieldset>
  );
}
