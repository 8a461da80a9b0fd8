/** The event in focus, and the small card beside the pointer when it is over a mark. */
import type { SignalEvent } from "../../api/eventTypes";
import { typeLabel } from "../../state/eventCatalogue";
import { eventWords, modeMark } from "../../state/eventText";
import { clearFocus, focus } from "../../state/focus";
import { utcShort } from "../../state/format";
import { currentAsset } from "../../state/view";
import { isTouch } from "../../state/viewport";
import { endedZones, openZones } from "../../state/zones";
import { Icon } from "../../ui/Icon";
import { hoveredObject } from "./chartWiring";
import { scopeEvents, timeOf } from "./eventMarks";
import { zoneSentence } from "./zones/zoneText";

function Words({ event }: { event: SignalEvent }) {
  const { what, facts, side } = eventWords(event, currentAsset.value?.row_usd ?? null);
  const mark = modeMark(event);
  return (
    <>
      <b class={side === "S" ? "is-short" : "is-long"}>
        {side && `${side} `}
        {typeLabel(event.type)}
      </b>
      <span>{what}</span>
      <span class="quiet">{facts.join(", ")}</span>
      <span class="quiet">
        {utcShort(timeOf(event))} UTC{mark && ` · ${mark}`}
      </span>
    </>
  );
}

const eventById = (id: string | null) => scopeEvents.value.find((event) => event.id === id) ?? null;

export function EventCard() {
  const at = focus.value;
  const event = at?.src === "event" ? eventById(at.eventId) : null;
  if (!event) return null;
  return (
    <section class="card event-card" aria-label="Event">
      <h2 class="visually-hidden">Event</h2>
      <button type="button" class="icon-button card-close" aria-label="Leave the event" onClick={clearFocus}>
        <Icon name="close" />
      </button>
      <Words event={event} />
    </section>
  );
}

const TIP_WIDTH_PX = 250;

/** What the mark under the pointer is. A finger hides it: there, a tap opens the card instead. */
export function MarkTip() {
  const object = hoveredObject.value;
  if (!object || isTouch.value) return null;
  const event = object.kind === "event" ? eventById(object.id) : null;
  const zone =
    object.kind === "zone"
      ? [...openZones.value, ...endedZones.value].find((one) => one.id === object.id)
      : undefined;
  if (!event && !zone) return null;
  const left = object.xPx > TIP_WIDTH_PX + 40 ? object.xPx - TIP_WIDTH_PX - 14 : object.xPx + 14;
  return (
    <div
      class="mark-tip"
      role="tooltip"
      style={{ left: `${left}px`, top: `${Math.max(4, object.yPx - 20)}px` }}
    >
      {event && <Words event={event} />}
      {zone && (
        <>
          <span>{zoneSentence(zone, currentAsset.value?.row_usd ?? 1)}</span>
          <span class="quiet">click for everything about it</span>
        </>
      )}
    </div>
  );
}
