/** One share as a bar from 0 to 100 %, with the band it lies in. Decorative: the figures stand beside it as text. */
import type { Maybe } from "../../api/model";
import { HATCH } from "./Frame";
import { isKnown } from "./figures";

export type BarKind = "now" | "before" | "assumed" | "unknown" | "greyed";

interface Props {
  readonly kind: BarKind;
  readonly value: Maybe;
  readonly low?: Maybe;
  readonly high?: Maybe;
  /** What the whole width stands for. */
  readonly most?: number;
}

const [HEIGHT, MIDDLE] = [14, 7];

export function BandBar({ kind, value, low = null, high = null, most = 1 }: Props) {
  const at = (x: number) => `${((100 * Math.min(most, Math.max(0, x))) / most).toFixed(2)}%`;
  const banded = isKnown(low) && isKnown(high);
  return (
    <svg class={`band-bar is-${kind}`} height={HEIGHT} aria-hidden="true" focusable="false">
      <rect class="bar-track" x="0" y="1" width="100%" height={HEIGHT - 2} />
      {isKnown(value) && (
        <rect
          class="bar-fill"
          x="0"
          y="2.5"
          width={at(value)}
          height={HEIGHT - 5}
          {...(kind === "unknown" ? { fill: HATCH } : {})}
        />
      )}
      {banded && (
        <g class="bar-band">
          <line class="bar-halo" x1={at(low)} x2={at(high)} y1={MIDDLE} y2={MIDDLE} />
          <line x1={at(low)} x2={at(high)} y1={MIDDLE} y2={MIDDLE} />
          <line x1={at(low)} x2={at(low)} y1="3" y2={HEIGHT - 3} />
          <line x1={at(high)} x2={at(high)} y1="3" y2={HEIGHT - 3} />
        </g>
      )}
    </svg>
  );
}
