/** Short synthesised tones, one per priority. Browsers allow sound only after a person has acted on the page. */
import { signal } from "@preact/signals";
import type { Priority } from "../api/eventTypes";

interface Tone {
  /** Pitches in Hz, one after the other. */
  readonly pitches: readonly number[];
  readonly noteS: number;
}

/** The more urgent, the higher and the more notes: told apart without looking. */
export const TONES: Readonly<Record<Priority, Tone>> = {
  0: { pitches: [880, 1320, 880], noteS: 0.13 },
  1: { pitches: [660, 880], noteS: 0.12 },
  2: { pitches: [440], noteS: 0.1 },
};

let context: AudioContext | null = null;

/** Whether the browser lets us be heard now. */
export const soundReady = signal(false);

const noteReady = () => {
  soundReady.value = context?.state === "running";
};

/** Call from a click or a key: opens the way for sound. */
export async function unlockSound(): Promise<void> {
  if (typeof AudioContext === "undefined") return;
  if (!context) {
    context = new AudioContext();
    context.onstatechange = noteReady;
  }
  if (context.state === "suspended") await context.resume();
  noteReady();
}

export function playTone(priority: Priority, volume: number): void {
  if (context?.state !== "running") return;
  const { pitches, noteS } = TONES[priority];
  const gain = context.createGain();
  gain.connect(context.destination);
  const start = context.currentTime + 0.01;
  pitches.forEach((hz, i) => {
    const tone = new OscillatorNode(context as AudioContext, { type: "triangle", frequency: hz });
    const from = start + i * noteS;
    // Rise and fall in a few milliseconds: a hard edge would click.
    gain.gain.setValueAtTime(0, from);
    gain.gain.linearRampToValueAtTime(0.4 * volume, from + 0.012);
    gain.gain.linearRampToValueAtTime(0, from + noteS - 0.008);
    tone.connect(gain);
    tone.start(from);
    tone.stop(from + noteS);
  });
}
