/** Parts of the rule form: a field with its error, a group of choices. */
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

interface FieldProps {
  readonly label: string;
  readonly hint?: ComponentChildren;
  readonly error: string | undefined;
  /** Gets the ids to put on the input. */
  readonly children: (aria: {
    readonly id: string;
    readonly "aria-invalid": boolean;
    readonly "aria-describedby": string;
  }) => ComponentChildren;
}

export function Field({ label, hint, error, children }: FieldProps) {
  const id = useId();
  return (
    <div class={`field ${error ? "is-wrong" : ""}`}>
      <label for={id}>{label}</label>
      {children({ id, "aria-invalid": error !== undefined, "aria-describedby": `${id}-about` })}
      <p id={`${id}-about`} class={error ? "field-error" : "field-hint"}>
        {error ?? hint}
      </p>
    </div>
  );
}

interface Option<T> {
  readonly value: T;
  readonly label: ComponentChildren;
  readonly about?: string | undefined;
}

interface ChecksProps<T> {
  readonly label: string;
  readonly hint?: ComponentChildren;
  readonly error?: string | undefined;
  readonly options: readonly Option<T>[];
  readonly chosen: readonly T[];
  readonly onChange: (chosen: readonly T[]) => void;
}

/** Any number of a few: the order of the options is kept. */
export function Checks<T extends string | number>(props: ChecksProps<T>) {
  const { label, hint, error, options, chosen, onChange } = props;
  const id = useId();
  const toggle = (value: T, on: boolean) =>
    onChange(
      options
        .map((option) => option.value)
        .filter((known) => (known === value ? on : chosen.includes(known))),
    );
  return (
    <fieldset class={`checks ${error ? "is-wrong" : ""}`} aria-describedby={`${id}-about`}>
      <legend>{label}</legend>
      <div class="checks-all">
        {options.map(({ value, label: text, about }) => (
          <label key={value} class={about ? "has-about" : ""}>
            <input
              type="checkbox"
              checked={chosen.includes(value)}
              onChange={(event) => toggle(value, event.currentTarget.checked)}
            />
            <span>
              {text}
              {about && <small>{about}</small>}
            </span>
          </label>
        ))}
      </div>
      <p id={`${id}-about`} class={error ? "field-error" : "field-hint"}>
        {error ?? hint}
      </p>
    </fieldset>
  );
}
