/** Turns events that happen now into toasts, notifications and sound, and counts what was not yet seen. */
import { computed, effect } from "@preact/signals";
import type { SeqEvent, SignalEvent } from "../api/eventTypes";
import { assets } from "../state/engine";
import { typeLabel } from "../state/eventCatalogue";
import { eventFeed, eventLoad, recentEvents } from "../state/events";
import { eventSentence, modeMark } from "../state/eventText";
import { noteTitle, notifyPrefs, persistNotify, setNotify, verdictOf } from "../state/notify";
import { playTone, unlockSound } from "../state/sound";
import { showToast } from "../ui/Toast";
import { jumpTo } from "./jump";

/** Urgent events that happened, not those of a rebuilt past; ascending. */
export const urgentEvents = computed(() =>
  recentEvents.value.filter(({ event }) => event.priority <= 1 && event.mode !== "rebuilt"),
);
export const unseenCount = computed(() => {
  const seen = notifyPrefs.value.seenSeq ?? Number.POSITIVE_INFINITY;
  return urgentEvents.value.filter(({ seq }) => seq > seen).length;
});

export function markSeen(): void {
  const last = recentEvents.value.at(-1)?.seq;
  if (last !== undefined && last !== notifyPrefs.value.seenSeq) setNotify({ seenSeq: last });
}

/** The first visit has missed nothing, and a log that starts again starts the count again. */
function settleSeen(): void {
  if (eventLoad.value.kind !== "ready") return;
  const last = recentEvents.value.at(-1)?.seq ?? 0;
  const seen = notifyPrefs.value.seenSeq;
  if (seen === null || seen > last) setNotify({ seenSeq: last });
}

export const rowUsdOf = (asset: string): number | null =>
  assets.value.find((known) => known.asset === asset)?.row_usd ?? null;

export const sentenceOf = (event: SignalEvent): string => eventSentence(event, rowUsdOf(event.asset));

export const permissionNow = (): NotificationPermission =>
  typeof Notification === "undefined" ? "denied" : Notification.permission;

function notify(event: SignalEvent): void {
  const note = new Notification(noteTitle(event, typeLabel(event.type)), {
    body: sentenceOf(event),
    // One notification per asset and type on screen: a newer one takes the place of the older.
    tag: `faultline ${event.asset} ${event.type}`,
  });
  note.onclick = () => {
    window.focus();
    jumpTo(event);
    note.close();
  };
}

function toast(event: SignalEvent): void {
  const mark = modeMark(event);
  showToast({
    tone: "alarm",
    title: `${mark ? `[${mark}] ` : ""}${typeLabel(event.type)}`,
    body: sentenceOf(event),
    action: { label: "Show", run: () => jumpTo(event) },
  });
}

let lastSoundMs = Number.NEGATIVE_INFINITY;
let lastNoteMs = Number.NEGATIVE_INFINITY;

function act({ event }: SeqEvent): void {
  const nowMs = performance.now();
  const visible = document.visibilityState === "visible";
  const around = { visible, permission: permissionNow(), nowMs, lastSoundMs, lastNoteMs };
  const { volume } = notifyPrefs.value;
  const verdict = verdictOf(event, notifyPrefs.value, around);
  if (verdict.toast) toast(event);
  if (verdict.sound) {
    lastSoundMs = nowMs;
    playTone(event.priority, volume);
  }
  if (verdict.browser) {
    lastNoteMs = nowMs;
    notify(event);
  }
}

/** Somebody who chose sound on an earlier visit hears it from the first click on. */
function unlockOnTouch(): () => void {
  const touch = () => {
    if (notifyPrefs.value.sound.length > 0) void unlockSound();
  };
  addEventListener("pointerdown", touch, { passive: true });
  addEventListener("keydown", touch);
  return () => {
    removeEventListener("pointerdown", touch);
    removeEventListener("keydown", touch);
  };
}

export function watchEvents(): () => void {
  eventFeed.start();
  const stops = [eventFeed.onLive(act), effect(settleSeen), persistNotify(), unlockOnTouch()];
  return () => {
    for (const stop of stops) stop();
    eventFeed.stop();
  };
}
