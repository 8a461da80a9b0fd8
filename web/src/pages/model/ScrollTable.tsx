/** A table that may be larger than its place: where it is, it scrolls, and keys can reach it to do so. */
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

interface Props {
  readonly label: string;
  readonly class?: string;
  readonly children: ComponentChildren;
}

export function ScrollTable({ label, class: name, children }: Props) {
  const box = useRef<HTMLElement>(null);
  const larger = useSignal(false);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const look = new ResizeObserver(() => {
      larger.value = element.scrollWidth > element.clientWidth || element.scrollHeight > element.clientHeight;
    });
    look.observe(element);
    return () => look.disconnect();
  }, []);
  return (
    <section
      class={`scroll-x ${name ?? ""}`}
      ref={box}
      aria-label={label}
      {...(larger.value ? { tabIndex: 0 } : {})}
    >
      {children}
    </section>
  );
}
