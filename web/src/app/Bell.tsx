/** The bell in the top bar: how many urgent events were not seen yet, and the last ten. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { typeLabel } from "../state/eventCatalogue";
import { eventMs, recentEvents } from "../state/events";
import { eventWords } from "../state/eventText";
import { utcShort } from "../state/format";
import { notifyPrefs } from "../state/notify";
import { Icon } from "../ui/Icon";
import { SideMark } from "../ui/SideMark";
import { markSeen, rowUsdOf, unseenCount, urgentEvents } from "./BellWatch";
import { followTo, mapHref } from "./jump";
import { goTo, hrefOf } from "./router";

const SHOWN = 10;

function Panel({ seenSeq, onLeave }: { seenSeq: number; onLeave: () => void }) {
  const rows = urgentEvents.value.slice(-SHOWN).reverse();
  return (
    <>
      {rows.length === 0 ? (
        <p class="quiet bell-empty">
          Nothing urgent yet. Zones that price reaches or nears, large liquidations and silent sources show
          here.
        </p>
      ) : (
        <ol class="bell-list">
          {rows.map(({ seq, event }) => {
            const { side, what, facts } = eventWords(event, rowUsdOf(event.asset));
            return (
              <li key={seq} class={seq > seenSeq ? "is-unseen" : ""}>
                <a
                  href={mapHref(event)}
                  onClick={(click) => {
                    followTo(event)(click);
                    onLeave();
                  }}
                >
                  <span class="bell-head">
                    <b class={`prio is-p${event.priority}`}>P{event.priority}</b>
                    <b>{event.asset}</b>
                    <SideMark side={side} />
                    <span>{typeLabel(event.type)}</span>
                    <time dateTime={new Date(eventMs(event)).toISOString()}>{utcShort(eventMs(event))}</time>
                  </span>
                  <span>{what}</span>
                  <span class="quiet">{facts.slice(0, 3).join(", ")}</span>
                </a>
              </li>
            );
          })}
        </ol>
      )}
      <a
        class="bell-all"
        href={hrefOf("signals")}
        onClick={(click) => {
          click.preventDefault();
          onLeave();
          goTo("signals");
        }}
      >
        All events and alert rules
      </a>
    </>
  );
}

export function Bell() {
  const open = useSignal(false);
  /** What counted as seen when the panel was opened: the newer ones stay marked while it is open. */
  const seenThen = useSignal(0);
  const root = useRef<HTMLDivElement>(null);
  const count = unseenCount.value;
  const close = () => {
    open.value = false;
  };
  const toggle = () => {
    seenThen.value = notifyPrefs.value.seenSeq ?? 0;
    open.value = !open.value;
  };
  const last = recentEvents.value.at(-1)?.seq;
  useEffect(() => {
    if (open.value && last !== undefined) markSeen();
  }, [open.value, last]);
  useEffect(() => {
    if (!open.value) return;
    const outside = (event: Event) => {
      if (!root.current?.contains(event.target as Node)) close();
    };
    const onEscape = (event: KeyboardEvent) => {
      if (event.key !== "Escape") return;
      close();
      root.current?.querySelector("button")?.focus();
    };
    addEventListener("pointerdown", outside);
    addEventListener("focusin", outside);
    addEventListener("keydown", onEscape);
    return () => {
      removeEventListener("pointerdown", outside);
      removeEventListener("focusin", outside);
      removeEventListener("keydown", onEscape);
    };
  }, [open.value]);
  return (
    <div class="bell" ref={root}>
      <button
        type="button"
        class="icon-button"
        aria-label={count > 0 ? `Urgent events: ${count} not seen` : "Urgent events"}
        aria-expanded={open.value}
        onClick={toggle}
      >
        <Icon name="bell" />
        {count > 0 && (
          <span class="bell-count" aria-hidden="true">
            {count > 99 ? "99+" : count}
          </span>
        )}
      </button>
      {open.value && (
        <section class="bell-panel" aria-label="Last urgent events">
          <Panel seenSeq={seenThen.value} onLeave={close} />
        </section>
      )}
    </div>
  );
}
