/** A drawing with words for those who do not see it, and the same figures as a table on demand. */
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import { ScrollTable } from "./ScrollTable";

interface DrawingProps {
  readonly title: string;
  readonly desc: string;
  readonly class?: string;
  /** Without it the drawing is as wide as its place, and its parts are placed in percent. */
  readonly viewBox?: string;
  readonly height?: number;
  /** Stretch to the place instead of keeping the proportions. */
  readonly stretch?: boolean;
  readonly children: ComponentChildren;
}

export function Drawing({ title, desc, class: name, viewBox, height, stretch, children }: DrawingProps) {
  const id = useId();
  return (
    <svg
      class={name}
      role="img"
      aria-labelledby={`${id}-t`}
      aria-describedby={`${id}-d`}
      {...(viewBox ? { viewBox } : {})}
      {...(stretch ? { preserveAspectRatio: "none" } : {})}
      {...(height ? { height } : {})}
    >
      <title id={`${id}-t`}>{title}</title>
      <desc id={`${id}-d`}>{desc}</desc>
      {children}
    </svg>
  );
}

interface FrameProps {
  readonly title: string;
  /** Beside the title: what is counted, over which time. */
  readonly note?: ComponentChildren;
  readonly table: ComponentChildren;
  /** What the toggle is called. */
  readonly more?: string;
  readonly class?: string;
  readonly children: ComponentChildren;
}

export function Frame({ title, note, table, more = "show as table", class: name, children }: FrameProps) {
  const asTable = useSignal(false);
  return (
    <figure class={`frame ${name ?? ""}`}>
      <figcaption>
        <h3>{title}</h3>
        {note && <span class="quiet">{note}</span>}
        <button
          type="button"
          class="link-button"
          aria-label={`${more}: ${title}`}
          aria-pressed={asTable.value}
          onClick={() => {
            asTable.value = !asTable.value;
          }}
        >
          {more}
        </button>
      </figcaption>
      {asTable.value ? (
        <ScrollTable class="frame-table" label={title}>
          {table}
        </ScrollTable>
      ) : (
        children
      )}
    </figure>
  );
}

/** Diagonal lines that say "not measured"; drawn once, used by every bar of the page. */
export const HATCH = "url(#model-hatch)";
export function Hatch() {
  return (
    <svg class="model-defs" aria-hidden="true" focusable="false">
      <defs>
        <pattern id="model-hatch" width="5" height="5" patternUnits="userSpaceOnUse">
          <path class="hatch-line" d="M-1 6L6 -1M-1 1L1 -1M4 6L6 4" />
        </pattern>
      </defs>
    </svg>
  );
}
