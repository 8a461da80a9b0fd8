/** What a zone held from its birth on, as a line with its changes of state; or the same as a table. */
import { signal } from "@preact/signals";
import type { Zone } from "../../../api/zones";
import { usd, utcShort } from "../../../state/format";
import { zoneLife } from "../../../state/zones";
import { type LifePoint, lifePoints, stateChanges, thinned } from "./life";
import { stateText } from "./zoneText";

const [WIDTH, HEIGHT, PAD] = [316, 56, 4];
const MOST_ROWS = 14;
const asTable = signal(false);

function Line({ points, side }: { points: readonly LifePoint[]; side: string }) {
  const [first, last] = [points[0], points[points.length - 1]];
  const top = Math.max(1, ...points.map((point) => point.usd));
  const span = Math.max(1, last.tMs - first.tMs);
  const x = (point: LifePoint) => PAD + ((point.tMs - first.tMs) / span) * (WIDTH - 2 * PAD);
  const y = (point: LifePoint) => HEIGHT - PAD - (point.usd / top) * (HEIGHT - 2 * PAD);
  // It held what it held until the next state: steps, not slopes.
  const path = points
    .map((point, i) =>
      i === 0
        ? `M${x(point).toFixed(1)} ${y(point).toFixed(1)}`
        : `H${x(point).toFixed(1)}V${y(point).toFixed(1)}`,
    )
    .join("");
  const words = `Held ${usd(first.usd)} at ${utcShort(first.tMs)} UTC, at most ${usd(top)}, ${usd(last.usd)} at ${utcShort(last.tMs)} UTC, estimated.`;
  return (
    <svg class={`life ${side}`} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={words}>
      <title>{words}</title>
      <path class="life-area" d={`${path}V${HEIGHT - PAD}H${x(first).toFixed(1)}Z`} />
      <path class="life-line" d={path} />
      {stateChanges(points).map((point) => (
        <circle
          key={`${point.tMs}${point.state}`}
          class={`life-dot is-${point.state}`}
          cx={x(point)}
          cy={y(point)}
          r="3"
        >
          <title>{`${stateText({ state: point.state } as Zone)} ${utcShort(point.tMs)}`}</title>
        </circle>
      ))}
    </svg>
  );
}

export function ZoneLife({ zone }: { zone: Zone }) {
  const life = zoneLife.value;
  if (life.kind === "error") return <p class="warn">Life line: {life.message}</p>;
  if (life.kind !== "ready") return <p class="quiet">Life line …</p>;
  const points = lifePoints(life.states, zone);
  if (points.length < 2) return <p class="quiet">Life line: seen once so far.</p>;
  const table = asTable.value;
  return (
    <div>
      <p class="life-head">
        <span>
          Life line <small>est. USD in the zone</small>
        </span>
        <button
          type="button"
          class="chip"
          aria-pressed={table}
          onClick={() => {
            asTable.value = !table;
          }}
        >
          as table
        </button>
      </p>
      {table ? (
        <table class="facts">
          <thead>
            <tr>
              <th>UTC</th>
              <th>state</th>
              <th>est. USD</th>
            </tr>
          </thead>
          <tbody>
            {thinned(points, MOST_ROWS).map((point) => (
              <tr key={`${point.tMs}${point.state}`}>
                <th scope="row">{utcShort(point.tMs)}</th>
                <td>{stateText({ state: point.state } as Zone)}</td>
                <td>{usd(point.usd)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : (
        <>
          <Line points={points} side={zone.side === "LONG" ? "is-long" : "is-short"} />
          <p class="life-ends">
            <span>{utcShort(points[0].tMs)}</span>
            <span>most {usd(Math.max(...points.map((point) => point.usd)))}</span>
            <span>{utcShort(points[points.length - 1].tMs)}</span>
          </p>
        </>
      )}
    </div>
  );
}
