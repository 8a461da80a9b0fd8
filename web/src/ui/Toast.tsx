/** Short notices over the page: said politely to assistive technology, gone by themselves, never over a lifted finger. */
import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { Icon } from "./Icon";

export interface ToastAction {
  readonly label: string;
  readonly run: () => void;
}

export interface ToastText {
  readonly tone: "alarm" | "good" | "bad";
  readonly title: string;
  readonly body?: ComponentChildren;
  readonly action?: ToastAction;
}

interface Shown extends ToastText {
  readonly id: number;
}

const MOST = 3;
const LASTS_MS = 10_000;

export const toasts = signal<readonly Shown[]>([]);
let nextId = 1;

/** Show a notice; the oldest goes when there are too many. */
export function showToast(toast: ToastText): number {
  const id = nextId++;
  toasts.value = [...toasts.value, { ...toast, id }].slice(-MOST);
  return id;
}

export function dismissToast(id: number): void {
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
}

const TONE_TEXT = { alarm: "Alert", good: "Done", bad: "Problem" } as const;

function Toast({ toast, held }: { toast: Shown; held: boolean }) {
  const { id, tone, title, body, action } = toast;
  useEffect(() => {
    if (held) return;
    const timer = setTimeout(() => dismissToast(id), LASTS_MS);
    return () => clearTimeout(timer);
  }, [id, held]);
  return (
    <li class={`toast is-${tone}`}>
      <div class="toast-text">
        <b>
          <span class="visually-hidden">{TONE_TEXT[tone]}: </span>
          {title}
        </b>
        {body && <p>{body}</p>}
      </div>
      {action && (
        <button
          type="button"
          class="button"
          onClick={() => {
            dismissToast(id);
            action.run();
          }}
        >
          {action.label}
        </button>
      )}
      <button
        type="button"
        class="icon-button"
        aria-label={`Dismiss: ${title}`}
        onClick={() => dismissToast(id)}
      >
        <Icon name="close" />
      </button>
    </li>
  );
}

/** While a pointer or the focus is on one, none goes away. */
const holding = signal(false);
const hold = () => {
  holding.value = true;
};
const release = () => {
  holding.value = false;
};

export function Toasts() {
  return (
    // Hovering only keeps the notices in place; they act by buttons.
    <div
      class="toasts"
      aria-live="polite"
      onPointerEnter={hold}
      onPointerLeave={release}
      onFocusIn={hold}
      onFocusOut={release}
    >
      <ol>
        {toasts.value.map((toast) => (
          <Toast key={toast.id} toast={toast} held={holding.value} />
        ))}
      </ol>
    </div>
  );
}
