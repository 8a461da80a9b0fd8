/** Where liquidations lay in what price swept, beside where a model expected them: level bars are honest places. */
import { useSignal } from "@preact/signals";
import type { Places as PlacesOf, ScoreReport } from "../../api/types";
import { duration } from "../../state/format";
import { Segmented } from "../../ui/Segmented";
import { Drawing, Frame } from "./Frame";
import { band, figure, isKnown, share } from "./figures";
import { nameOf } from "./SkillTable";

const [HEIGHT, GAP] = [120, 0.16];

const where = (k: number, n: number) =>
  k === 0 ? "1, near end" : k === n - 1 ? `${n}, far end` : `${k + 1}`;

const words = (row: PlacesOf, k: number) =>
  `part ${where(k, row.shares.length)}: ${share(row.shares[k])} of the liquidations (${band(row.low[k], row.high[k])})`;

function Table({ row }: { row: PlacesOf }) {
  return (
    <table class="plain-table">
      <caption class="visually-hidden">Places of liquidations</caption>
      <thead>
        <tr>
          <th scope="col">Part of what was expected</th>
          <th scope="col" class="is-number">
            Liquidations
          </th>
          <th scope="col" class="is-number">
            95 %
          </th>
        </tr>
      </thead>
      <tbody>
        {row.shares.map((value, k) => (
          <tr key={k}>
            <th scope="row">{where(k, row.shares.length)}</th>
            <td class="is-number">{share(value)}</td>
            <td class="is-number">{band(row.low[k], row.high[k])}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Bars({ row }: { row: PlacesOf }) {
  const n = row.shares.length;
  const most = Math.max(2 / n, ...[...row.shares, ...row.high].filter(isKnown));
  const y = (value: number) => HEIGHT * (1 - value / most);
  const at = (k: number) => `${((k + 0.5) * 100) / n}%`;
  return (
    <Drawing
      class="daily-strip"
      height={HEIGHT}
      title={`Places of liquidations beside those of ${nameOf(row.model)}`}
      desc={row.shares.map((_, k) => words(row, k)).join("; ")}
    >
      {row.shares.map((value, k) => {
        if (!isKnown(value)) return null;
        const [low, high] = [row.low[k], row.high[k]];
        return (
          <g key={k}>
            <rect
              class="day"
              x={`${((k + GAP / 2) * 100) / n}%`}
              width={`${((1 - GAP) * 100) / n}%`}
              y={y(value)}
              height={HEIGHT - y(value)}
            >
              <title>{words(row, k)}</title>
            </rect>
            {isKnown(low) && isKnown(high) && (
              <line class="place-band" x1={at(k)} x2={at(k)} y1={y(low)} y2={y(high)} />
            )}
          </g>
        );
      })}
      <line class="zero" x1="0" x2="100%" y1={y(1 / n)} y2={y(1 / n)} />
    </Drawing>
  );
}

export function Places({ report }: { report: ScoreReport }) {
  const rows = report.places ?? [];
  const chosen = useSignal("map");
  if (rows.length === 0) return null;
  const row = rows.find(({ model }) => model === chosen.value) ?? rows[0];
  return (
    <section class="panel">
      <h2>Places</h2>
      <div class="skill-choices">
        <Segmented
          label="Model whose places are shown"
          choices={rows.map(({ model }) => ({ value: model, label: nameOf(model) }))}
          value={row.model}
          onChange={(model) => {
            chosen.value = model;
          }}
        />
      </div>
      <Frame
        title="Liquidations by what was expected nearer"
        note={`${duration(report.refresh_s)} refresh; the range that price swept is cut into ${row.shares.length} parts in which the model expects alike, near end first. Level with the dashed line: places as foretold. Largest gap ${figure(row.distance, 3)}`}
        table={<Table row={row} />}
      >
        <div class="places">
          <Bars row={row} />
          <p class="strip-ends" aria-hidden="true">
            <span>near end</span>
            <span>far end</span>
          </p>
        </div>
      </Frame>
    </section>
  );
}
