/** What evaluations on recorded data measured: the gain of a model over each baseline, with its interval. */
import type { ScoreDifference, ScoreReport } from "../../api/types";
import { scores } from "../../state/engine";
import { duration } from "../../state/format";
import { StateCard } from "../../ui/StateCard";
import { count, dayOf, isKnown, signed } from "./figures";
import { ScrollTable } from "./ScrollTable";

const METRICS: Readonly<Record<string, string>> = {
  t: "T: when, which side",
  ig: "IG: when and where",
};

/** Models that stand behind a letter. */
const NAMES: Readonly<Record<string, string>> = {
  "map+inflow": "map with inflow",
  pool: "pool of models",
  pool15m: "full engine",
  learned: "learned mix",
  "learned+inflow": "learned mix with inflow",
  "learned+assumed": "learned mix, range assumed",
  b0: "B0, one rate",
  b1: "B1, volume profile",
  b2: "B2, equal spikes",
  b3h: "B3h, fixed mix",
  b4: "B4, freshness alone",
  placebo_shifted: "placebo, a week late",
};
export const nameOf = (model: string) => NAMES[model.toLowerCase()] ?? model;

interface Known {
  readonly row: ScoreDifference;
  readonly mean: number;
  readonly lo: number;
  readonly hi: number;
}

function known(row: ScoreDifference): Known | null {
  const [lo, hi] = row.ci ?? [null, null];
  return isKnown(row.mean) && isKnown(lo) && isKnown(hi) ? { row, mean: row.mean, lo, hi } : null;
}

/** Above zero with its whole interval, below it, or neither. */
export function verdict(lo: number, hi: number): { readonly mark: string; readonly words: string } {
  if (lo > 0) return { mark: "▲", words: "better" };
  return hi < 0 ? { mark: "▼", words: "worse" } : { mark: "≈", words: "not told apart" };
}

function Whisker({ one, most }: { one: Known; most: number }) {
  const at = (value: number) => `${(50 + (48 * value) / most).toFixed(2)}%`;
  return (
    <svg class="whisker" height="14" aria-hidden="true" focusable="false">
      <line class="zero" x1="50%" x2="50%" y1="0" y2="14" />
      <line x1={at(one.lo)} x2={at(one.hi)} y1="7" y2="7" />
      <line x1={at(one.lo)} x2={at(one.lo)} y1="4" y2="10" />
      <line x1={at(one.hi)} x2={at(one.hi)} y1="4" y2="10" />
      <circle cx={at(one.mean)} cy="7" r="3.5" />
    </svg>
  );
}

function Row({ one, most }: { one: Known; most: number }) {
  const { row, mean, lo, hi } = one;
  const found = verdict(lo, hi);
  return (
    <tr>
      <th scope="row">
        {nameOf(row.a)} over {nameOf(row.b)}
        <small>{METRICS[row.metric.toLowerCase()] ?? row.metric}</small>
      </th>
      <td class="whisker-cell">
        <Whisker one={one} most={most} />
      </td>
      <td class="is-number no-wrap">
        <b>{signed(mean, 3)}</b>
        <small>
          {signed(lo, 3)} to {signed(hi, 3)}
        </small>
      </td>
      <td>
        <i aria-hidden="true">{found.mark}</i> {found.words}
      </td>
    </tr>
  );
}

function Report({ report, most }: { report: ScoreReport; most: number }) {
  const rows = report.differences.flatMap((row) => known(row) ?? []);
  return (
    <tbody>
      <tr class="report-head">
        <th colSpan={4} scope="rowgroup">
          {duration(report.refresh_s)} refresh{" "}
          <span class="quiet">
            {dayOf(report.from_ms)} to {dayOf(report.to_ms)}, n {count(report.n_scored)}
          </span>
        </th>
      </tr>
      {rows.length === 0 && (
        <tr>
          <td colSpan={4} class="quiet">
            No difference with an interval was kept.
          </td>
        </tr>
      )}
      {rows.map((one) => (
        <Row key={`${one.row.a}|${one.row.b}|${one.row.metric}`} one={one} most={most} />
      ))}
    </tbody>
  );
}

export function SkillTable({ asset }: { asset: string }) {
  const answer = scores.value;
  const reports = (answer?.available ? answer.reports : [])
    .filter((report) => report.asset === asset)
    .sort((a, b) => b.to_ms - a.to_ms || a.refresh_s - b.refresh_s);
  if (reports.length === 0)
    return (
      <StateCard kind="empty" title={`The skill of the map of ${asset} is not measured yet`}>
        <p>
          An evaluation on recorded data says how much better than each baseline the map foretells
          liquidations. Until one has run, read the map as a hypothesis.
        </p>
      </StateCard>
    );
  const ends = reports.flatMap(({ differences }) =>
    differences.flatMap((row) => {
      const one = known(row);
      return one ? [Math.abs(one.lo), Math.abs(one.hi)] : [];
    }),
  );
  const most = Math.max(1e-9, ...ends);
  return (
    <section class="panel">
      <h2>Measured skill</h2>
      <p class="quiet">
        Gain per event in nats over each baseline, 95 % interval; newest evaluation first. Right of the line
        is better than the baseline.
      </p>
      <ScrollTable label="Measured skill">
        <table class="plain-table skill-table">
          <caption class="visually-hidden">Measured skill over baselines, {asset}</caption>
          <thead>
            <tr>
              <th scope="col">Model</th>
              <th scope="col">
                <span class="visually-hidden">Difference as a mark</span>
              </th>
              <th scope="col" class="is-number">
                Difference
              </th>
              <th scope="col">Verdict</th>
            </tr>
          </thead>
          {reports.map((report) => (
            <Report key={`${report.refresh_s}|${report.to_ms}`} report={report} most={most} />
          ))}
        </table>
      </ScrollTable>
    </section>
  );
}
