/** Sound and browser notifications: what a person opted in to, and the rule that decides for one event. */
import { effect, signal } from "@preact/signals";
import type { Priority, SignalEvent } from "../api/eventTypes";
import { PRIORITIES } from "./eventCatalogue";
import { modeMark } from "./eventText";

export interface NotifyPrefs {
  readonly browser: readonly Priority[];
  readonly sound: readonly Priority[];
  /** Neither sound nor notification while this tab is on screen. */
  readonly quietWhenVisible: boolean;
  /** 0..1 */
  readonly volume: number;
  /** Events up to here were seen in the bell; null before the first visit. */
  readonly seenSeq: number | null;
}

export const DEFAULT_NOTIFY: NotifyPrefs = {
  browser: [],
  sound: [],
  quietWhenVisible: true,
  volume: 0.5,
  seenSeq: null,
};

const STORAGE_KEY = "faultline.notify";
const VERSION = 1;

const priorities = (value: unknown): Priority[] =>
  Array.isArray(value) ? PRIORITIES.filter((priority) => value.includes(priority)) : [];

/** Unknown versions and unreadable values become the default, which is silence. */
export function parseNotify(text: string | null): NotifyPrefs {
  let stored: Record<string, unknown>;
  try {
    stored = (JSON.parse(text ?? "{}") ?? {}) as Record<string, unknown>;
  } catch {
    return DEFAULT_NOTIFY; // Damaged storage is the same as none.
  }
  if (stored["version"] !== VERSION) return DEFAULT_NOTIFY;
  const { volume, seenSeq } = stored;
  return {
    browser: priorities(stored["browser"]),
    sound: priorities(stored["sound"]),
    quietWhenVisible: stored["quietWhenVisible"] !== false,
    volume: typeof volume === "number" && volume >= 0 && volume <= 1 ? volume : DEFAULT_NOTIFY.volume,
    seenSeq: typeof seenSeq === "number" && Number.isSafeInteger(seenSeq) ? seenSeq : null,
  };
}

export const formatNotify = (prefs: NotifyPrefs): string => JSON.stringify({ version: VERSION, ...prefs });

function readStorage(): string | null {
  try {
    return localStorage.getItem(STORAGE_KEY);
  } catch {
    return null; // Forbidden storage: choices last until the page closes.
  }
}

export const notifyPrefs = signal<NotifyPrefs>(parseNotify(readStorage()));

export function setNotify(change: Partial<NotifyPrefs>): void {
  notifyPrefs.value = { ...notifyPrefs.value, ...change };
}

/** Keep storage in step, and take over what another tab has marked as seen. */
export function persistNotify(): () => void {
  const follow = (event: StorageEvent) => {
    if (event.key === STORAGE_KEY) notifyPrefs.value = parseNotify(event.newValue);
  };
  addEventListener("storage", follow);
  const stop = effect(() => {
    const text = formatNotify(notifyPrefs.value);
    try {
      if (localStorage.getItem(STORAGE_KEY) !== text) localStorage.setItem(STORAGE_KEY, text);
    } catch {
      // Full or forbidden storage: nothing is lost but the memory of these choices.
    }
  });
  return () => {
    stop();
    removeEventListener("storage", follow);
  };
}

export interface Surroundings {
  readonly visible: boolean;
  readonly permission: NotificationPermission;
  readonly nowMs: number;
  /** When the last sound and the last notification went out. */
  readonly lastSoundMs: number;
  readonly lastNoteMs: number;
}

export interface Verdict {
  readonly toast: boolean;
  readonly browser: boolean;
  readonly sound: boolean;
}

/** A cascade, or a fast replay, must not become a siren: at most one of a kind in this time. */
export const SOUND_GAP_MS = 1500;
export const NOTE_GAP_MS = 2000;

/** What one event that happened just now may do. An event of a rebuilt past does nothing. */
export function verdictOf(event: SignalEvent, prefs: NotifyPrefs, around: Surroundings): Verdict {
  if (event.mode === "rebuilt") return { toast: false, browser: false, sound: false };
  const loud = !(prefs.quietWhenVisible && around.visible);
  const { nowMs, lastNoteMs, lastSoundMs } = around;
  return {
    toast: event.priority === 0,
    browser:
      loud &&
      around.permission === "granted" &&
      prefs.browser.includes(event.priority) &&
      nowMs - lastNoteMs >= NOTE_GAP_MS,
    sound: loud && prefs.sound.includes(event.priority) && nowMs - lastSoundMs >= SOUND_GAP_MS,
  };
}

/** Title of a notification: what is not live says so first. */
export function noteTitle(event: SignalEvent, label: string): string {
  const mark = modeMark(event);
  return `${mark ? `[${mark}] ` : ""}${event.asset}: ${label}`;
}
