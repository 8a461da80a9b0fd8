/** What stands in place of content: loading with progress, nothing there, something broken. */
import type { ComponentChildren } from "preact";

interface Props {
  readonly kind: "loading" | "empty" | "error";
  readonly title: string;
  readonly children?: ComponentChildren;
  /** Share done, 0..1; without it a loading card shows an endless bar. */
  readonly progress?: number | null;
  readonly action?: { readonly label: string; readonly run: () => void };
}

export function StateCard({ kind, title, children, progress, action }: Props) {
  const known = progress !== undefined && progress !== null;
  return (
    <div class={`state-card is-${kind}`} role={kind === "error" ? "alert" : "status"}>
      <h2>{title}</h2>
      {kind === "loading" && (
        <div
          class={`progress ${known ? "" : "is-endless"}`}
          role="progressbar"
          aria-label={title}
          aria-valuemin={0}
          aria-valuemax={100}
          {...(known ? { "aria-valuenow": Math.round(progress * 100) } : {})}
        >
          <div style={known ? { width: `${progress * 100}%` } : {}} />
        </div>
      )}
      {children}
      {action && (
        <button type="button" class="button" onClick={action.run}>
          {action.label}
        </button>
      )}
    </div>
  );
}
