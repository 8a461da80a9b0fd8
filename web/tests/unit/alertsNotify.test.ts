// @vitest-environment happy-dom
/** Nobody is disturbed who did not ask for it, and nothing that did not just happen disturbs anybody. */
import { describe, expect, it } from "vitest";
import type { SignalEvent } from "../../src/api/eventTypes";
import {
  DEFAULT_NOTIFY,
  formatNotify,
  NOTE_GAP_MS,
  type NotifyPrefs,
  noteTitle,
  parseNotify,
  SOUND_GAP_MS,
  type Surroundings,
  verdictOf,
} from "../../src/state/notify";
import { TONES } from "../../src/state/sound";
import { event } from "./eventsMade";

const LOUD: NotifyPrefs = { ...DEFAULT_NOTIFY, browser: [0, 1], sound: [0], quietWhenVisible: false };
const NEVER = Number.NEGATIVE_INFINITY;
const AWAY: Surroundings = {
  visible: false,
  permission: "granted",
  nowMs: 100_000,
  lastSoundMs: NEVER,
  lastNoteMs: NEVER,
};
const HIT = event("ZONE_HIT");

const verdict = (prefs: NotifyPrefs, around: Partial<Surroundings> = {}, what: SignalEvent = HIT) =>
  verdictOf(what, prefs, { ...AWAY, ...around });

describe("what an event may do", () => {
  it("without a choice: a toast for P0, and nothing else", () => {
    expect(verdict(DEFAULT_NOTIFY)).toEqual({ toast: true, browser: false, sound: false });
    expect(verdict(DEFAULT_NOTIFY, {}, event("ZONE_APPROACHED")).toast).toBe(false);
    expect(verdict(DEFAULT_NOTIFY, {}, event("ZONE_CREATED")).toast).toBe(false);
  });

  it("what was chosen, by priority", () => {
    expect(verdict(LOUD)).toEqual({ toast: true, browser: true, sound: true });
    expect(verdict(LOUD, {}, event("ZONE_APPROACHED"))).toEqual({
      toast: false,
      browser: true,
      sound: false,
    });
    expect(verdict(LOUD, {}, event("ZONE_CREATED"))).toEqual({ toast: false, browser: false, sound: false });
  });

  it("nothing at all for a rebuilt past", () => {
    const past = event("ZONE_HIT", undefined, { mode: "rebuilt" });
    expect(verdict(LOUD, {}, past)).toEqual({ toast: false, browser: false, sound: false });
  });

  it("no notification without permission", () => {
    for (const permission of ["default", "denied"] as const)
      expect(verdict(LOUD, { permission })).toEqual({ toast: true, browser: false, sound: true });
  });

  it("quiet while the tab is on screen, when so chosen", () => {
    const quiet = { ...LOUD, quietWhenVisible: true };
    expect(verdict(quiet, { visible: true })).toEqual({ toast: true, browser: false, sound: false });
    expect(verdict(quiet, { visible: false })).toMatchObject({ browser: true, sound: true });
    expect(verdict(LOUD, { visible: true })).toMatchObject({ browser: true, sound: true });
  });

  it("a cascade is not a siren", () => {
    const { nowMs } = AWAY;
    expect(
      verdict(LOUD, { lastSoundMs: nowMs - SOUND_GAP_MS + 1, lastNoteMs: nowMs - NOTE_GAP_MS + 1 }),
    ).toEqual({
      toast: true,
      browser: false,
      sound: false,
    });
    expect(
      verdict(LOUD, { lastSoundMs: nowMs - SOUND_GAP_MS, lastNoteMs: nowMs - NOTE_GAP_MS }),
    ).toMatchObject({
      browser: true,
      sound: true,
    });
  });

  it("what is made up or replayed says so first", () => {
    const titled = (change: Partial<SignalEvent>) => noteTitle({ ...HIT, ...change }, "Zone hit");
    expect(titled({})).toBe("BTC: Zone hit");
    expect(titled({ simulated: true, mode: "simulated" })).toBe("[SIMULATED] BTC: Zone hit");
    expect(titled({ mode: "replay" })).toBe("[REPLAY] BTC: Zone hit");
  });
});

describe("choices kept on this browser", () => {
  it("come back", () => {
    const chosen: NotifyPrefs = { ...LOUD, volume: 0.2, seenSeq: 4711 };
    expect(parseNotify(formatNotify(chosen))).toEqual(chosen);
  });

  it.each([
    ["nothing", null],
    ["damaged", "{"],
    ["null", "null"],
    ["another version", JSON.stringify({ version: 9, sound: [0], browser: [0] })],
    ["odd values", JSON.stringify({ version: 1, sound: "all", browser: [7], volume: 3, seenSeq: "x" })],
  ])("%s is silence", (_, text) => {
    expect(parseNotify(text)).toEqual(DEFAULT_NOTIFY);
  });
});

it("tones can be told apart without looking", () => {
  const notes = Object.values(TONES).map(({ pitches }) => pitches.join());
  expect(new Set(notes).size).toBe(3);
  for (const { pitches, noteS } of Object.values(TONES)) expect(pitches.length * noteS).toBeLessThan(0.5);
});
