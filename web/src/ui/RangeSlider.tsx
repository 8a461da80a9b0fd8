/** Two handles on a logarithmic track of USD, filled with the colours they choose. */
import { useRef } from "preact/hooks";
import { usd } from "../state/format";

interface Props {
  readonly label: string;
  readonly minUsd: number;
  readonly maxUsd: number;
  readonly loUsd: number;
  readonly hiUsd: number;
  /** CSS background of the part between the handles. */
  readonly fill: string;
  readonly onChange: (loUsd: number, hiUsd: number) => void;
}

const KEY_STEPS: Readonly<Record<string, number>> = {
  ArrowLeft: -1,
  ArrowDown: -1,
  ArrowRight: 1,
  ArrowUp: 1,
  PageDown: -10,
  PageUp: 10,
};
const STEPS_PER_TRACK = 100;

export function RangeSlider({ label, minUsd, maxUsd, loUsd, hiUsd, fill, onChange }: Props) {
  const track = useRef<HTMLDivElement>(null);
  const width = Math.log(maxUsd / minUsd);
  const share = (value: number) => Math.min(1, Math.max(0, Math.log(value / minUsd) / width));
  const valueAt = (part: number) => minUsd * Math.exp(Math.min(1, Math.max(0, part)) * width);
  const gap = Math.exp(width / STEPS_PER_TRACK);

  const move = (end: "lo" | "hi", value: number) => {
    if (end === "lo") onChange(Math.max(minUsd, Math.min(value, hiUsd / gap)), hiUsd);
    else onChange(loUsd, Math.min(maxUsd, Math.max(value, loUsd * gap)));
  };

  const drag = (end: "lo" | "hi") => (event: PointerEvent) => {
    const handle = event.currentTarget as HTMLElement;
    const box = track.current?.getBoundingClientRect();
    if (!box) return;
    event.preventDefault();
    handle.focus();
    handle.setPointerCapture(event.pointerId);
    handle.onpointermove = (next) => move(end, valueAt((next.clientX - box.left) / box.width));
    handle.onpointerup = () => {
      handle.onpointermove = null;
    };
  };

  const keys = (end: "lo" | "hi") => (event: KeyboardEvent) => {
    const now = end === "lo" ? loUsd : hiUsd;
    const steps = KEY_STEPS[event.key];
    if (steps !== undefined) move(end, now * gap ** steps);
    else if (event.key === "Home") move(end, end === "lo" ? minUsd : loUsd * gap);
    else if (event.key === "End") move(end, end === "lo" ? hiUsd / gap : maxUsd);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  const handle = (end: "lo" | "hi", value: number) => (
    <div
      class="range-handle"
      role="slider"
      tabIndex={0}
      aria-label={`${label}: ${end === "lo" ? "lower" : "upper"} cut-off`}
      aria-valuemin={Math.round(minUsd)}
      aria-valuemax={Math.round(maxUsd)}
      aria-valuenow={Math.round(value)}
      aria-valuetext={usd(value)}
      style={{ left: `${share(value) * 100}%` }}
      onPointerDown={drag(end)}
      onKeyDown={keys(end)}
    />
  );

  const [left, right] = [share(loUsd) * 100, share(hiUsd) * 100];
  return (
    <div class="range" ref={track}>
      <div class="range-fill" style={{ left: `${left}%`, width: `${right - left}%`, background: fill }} />
      <div class="range-top" style={{ left: `${right}%` }} />
      {handle("lo", loUsd)}
      {handle("hi", hiUsd)}
    </div>
  );
}
