/** Said against seen: points on the diagonal are honest forecasts. */
import type { ReliabilityBin } from "../../api/model";
import { Drawing, Frame } from "./Frame";
import { band, count, isKnown, share } from "./figures";

const [SIZE, LEFT, TOP, FOOT] = [220, 36, 8, 36];
const TICKS = [0, 0.25, 0.5, 0.75, 1];
const x = (value: number) => LEFT + value * SIZE;
const y = (value: number) => TOP + (1 - value) * SIZE;
const FEW = 30;

function Table({ bins }: { bins: readonly ReliabilityBin[] }) {
  return (
    <table class="plain-table">
      <caption class="visually-hidden">Reliability of the chances</caption>
      <thead>
        <tr>
          <th scope="col" class="is-number">
            Said
          </th>
          <th scope="col" class="is-number">
            Seen
          </th>
          <th scope="col" class="is-number">
            95 %
          </th>
          <th scope="col" class="is-number">
            n
          </th>
        </tr>
      </thead>
      <tbody>
        {bins.map((bin, i) => (
          <tr key={i}>
            <td class="is-number">{share(bin.forecast)}</td>
            <td class="is-number">{share(bin.observed)}</td>
            <td class="is-number">{band(bin.low, bin.high)}</td>
            <td class="is-number">{count(bin.n)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Axes() {
  return (
    <g class="axis">
      {TICKS.map((tick) => (
        <g key={tick}>
          <line class="grid" x1={x(0)} x2={x(1)} y1={y(tick)} y2={y(tick)} />
          <text x={x(0) - 11} y={y(tick) + 3.5} text-anchor="end">
            {tick * 100}
          </text>
          <text x={x(tick)} y={y(0) + 19} text-anchor="middle">
            {tick * 100}
          </text>
        </g>
      ))}
      <text x={x(0.5)} y={y(0) + 32} text-anchor="middle">
        said, %
      </text>
      <text x={x(0) + 4} y={y(1) + 10}>
        seen, %
      </text>
      <line class="diagonal" x1={x(0)} y1={y(0)} x2={x(1)} y2={y(1)} />
    </g>
  );
}

function Point({ bin, most }: { bin: ReliabilityBin; most: number }) {
  if (!isKnown(bin.forecast) || !isKnown(bin.observed)) return null;
  const at = x(bin.forecast);
  const radius = 2.5 + 5 * Math.sqrt(bin.n / Math.max(1, most));
  return (
    <g class={`point ${bin.n < FEW ? "is-few" : ""}`}>
      {isKnown(bin.low) && isKnown(bin.high) && <line x1={at} x2={at} y1={y(bin.low)} y2={y(bin.high)} />}
      <circle cx={at} cy={y(bin.observed)} r={radius} />
      <text x={at + radius + 3} y={y(bin.observed) + 3.5}>
        {count(bin.n)}
      </text>
    </g>
  );
}

export function Reliability({ bins }: { bins: readonly ReliabilityBin[] }) {
  const filled = bins.filter(({ n, forecast, observed }) => n > 0 && isKnown(forecast) && isKnown(observed));
  const total = bins.reduce((sum, { n }) => sum + n, 0);
  const most = Math.max(1, ...filled.map(({ n }) => n));
  return (
    <section class="panel">
      <Frame
        title="Reliability"
        note={`chances of reaching a level as said at the hit; n ${count(total)}, hollow below ${FEW}`}
        table={<Table bins={bins} />}
      >
        {filled.length === 0 ? (
          <p class="quiet">No chance was said and settled yet.</p>
        ) : (
          <Drawing
            class="reliability"
            viewBox={`0 0 ${LEFT + SIZE + 22} ${TOP + SIZE + FOOT}`}
            title="Reliability of the chances: said against seen"
            desc={filled
              .map((bin) => `said ${share(bin.forecast)}, seen ${share(bin.observed)} (n ${bin.n})`)
              .join("; ")}
          >
            <Axes />
            {filled.map((bin, i) => (
              <Point key={i} bin={bin} most={most} />
            ))}
          </Drawing>
        )}
      </Frame>
    </section>
  );
}
