/** Time control of a replay: where it is, how fast it runs, pause. Shown only while the engine replays a tape. */
import { useState } from "preact/hooks";
import { status } from "../../state/engine";
import { utcMinute } from "../../state/format";
import { Icon } from "../../ui/Icon";
import { replayCommand, toggleReplay } from "./actions";

const SPEEDS = [1, 10, 60, 300, 1800, 7200];
const NS_PER_MS = 1e6;

export function ReplayBar() {
  const replay = status.value?.replay;
  const [dragMs, setDragMs] = useState<number | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  if (!replay) return null;
  // Nanoseconds arrive as doubles here; a millisecond survives the rounding.
  const [fromMs, toMs] = [replay.from_ns / NS_PER_MS, replay.to_ns / NS_PER_MS];
  const atMs = dragMs ?? replay.at_ns / NS_PER_MS;
  const send = (command: Parameters<typeof replayCommand>[0]) => {
    setProblem(null);
    replayCommand(command)
      .catch((error: Error) => setProblem(error.message))
      .finally(() => setDragMs(null));
  };
  const speeds = SPEEDS.includes(replay.speed) ? SPEEDS : [...SPEEDS, replay.speed].sort((a, b) => a - b);
  return (
    <section class="replay" aria-label="Replay">
      <button
        type="button"
        class="icon-button"
        aria-label={replay.paused ? "Resume" : "Pause"}
        onClick={toggleReplay}
      >
        <Icon name={replay.paused ? "play" : "pause"} />
      </button>
      <span class="replay-time">{utcMinute(atMs)}</span>
      <input
        type="range"
        aria-label="Time of the replay"
        aria-valuetext={`${utcMinute(atMs)} UTC`}
        min={fromMs}
        max={toMs}
        step={60_000}
        value={atMs}
        onInput={(event) => setDragMs(Number(event.currentTarget.value))}
        onChange={(event) => send({ at_ms: Math.round(Number(event.currentTarget.value)) })}
      />
      <span class="replay-time quiet wide-only">{utcMinute(toMs)}</span>
      <label>
        <span class="visually-hidden">Replay speed</span>
        <select
          value={String(replay.speed)}
          onChange={(event) => send({ speed: Number(event.currentTarget.value) })}
        >
          {speeds.map((speed) => (
            <option key={speed} value={String(speed)}>
              {speed}×
            </option>
          ))}
        </select>
      </label>
      {problem && <span class="warn">{problem}</span>}
    </section>
  );
}
