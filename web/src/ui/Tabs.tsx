/** Panels of one page behind tabs: arrow keys choose, Tab goes into the panel. */
import type { ComponentChildren } from "preact";

interface Props<T extends string> {
  readonly label: string;
  readonly tabs: readonly { readonly name: T; readonly label: string }[];
  readonly value: T;
  readonly onChange: (next: T) => void;
  readonly children: ComponentChildren;
}

const STEPS: Readonly<Record<string, number>> = { ArrowRight: 1, ArrowLeft: -1 };

export function Tabs<T extends string>({ label, tabs, value, onChange, children }: Props<T>) {
  const byKey = (event: KeyboardEvent) => {
    const now = tabs.findIndex(({ name }) => name === value);
    const step = STEPS[event.key];
    const wanted =
      step !== undefined
        ? (now + step + tabs.length) % tabs.length
        : ({ Home: 0, End: tabs.length - 1 } as Record<string, number>)[event.key];
    if (wanted === undefined) return;
    event.preventDefault();
    onChange(tabs[wanted].name);
    (event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>("[role=tab]")[wanted]?.focus();
  };
  return (
    <>
      <div class="tabs" role="tablist" aria-label={label} onKeyDown={byKey}>
        {tabs.map(({ name, label: text }) => (
          <button
            key={name}
            type="button"
            role="tab"
            id={`tab-${name}`}
            aria-selected={name === value}
            aria-controls="tab-panel"
            tabIndex={name === value ? 0 : -1}
            onClick={() => onChange(name)}
          >
            {text}
          </button>
        ))}
      </div>
      <div class="tab-panel" role="tabpanel" id="tab-panel" aria-labelledby={`tab-${value}`}>
        {children}
      </div>
    </>
  );
}
