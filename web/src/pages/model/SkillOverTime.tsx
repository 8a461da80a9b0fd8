/** What a map gained over each baseline, evaluation by evaluation: a strip per baseline on one scale. */
import { signal } from "@preact/signals";
import type { ScorePoint } from "../../api/types";
import { duration } from "../../state/format";
import { Segmented } from "../../ui/Segmented";
import { Drawing, Frame } from "./Frame";
import { count, dayOf, signed } from "./figures";
import { nameOf, verdict } from "./SkillTable";
import { extent, type GainPoint, type GainSeries, mapsOf, refreshesOf, seriesOf } from "./skillSeries";
import { runs } from "./strip";

const [HEIGHT, PAD] = [58, 5];
const chosenMap = signal<string>("map");
const chosenRefresh = signal<number | null>(null);

const interval = ({ lo, hi }: GainPoint) => `${signed(lo, 3)} to ${signed(hi, 3)}`;
/** The end of a scored window is exclusive. */
const lastDay = (toMs: number) => dayOf(toMs - 1);
const told = (point: GainPoint) => verdict(point.lo, point.hi);

interface StripProps {
  readonly series: GainSeries;
  readonly times: readonly [number, number];
  readonly map: string;
}

function Strip({ series, times: [first, last], map }: StripProps) {
  const { points, baseline } = series;
  const [low, high] = extent(points);
  const x = (point: GainPoint) =>
    `${(last > first ? 2 + (96 * (point.toMs - first)) / (last - first) : 50).toFixed(2)}%`;
  const y = (value: number) => PAD + (1 - (value - low) / (high - low)) * (HEIGHT - 2 * PAD);
  const newest = points[points.length - 1];
  const lines = runs(
    points.map(({ toMs }) => toMs),
    () => true,
  ).flatMap(([from, to]) => points.slice(from, to - 1).map((point, i) => [point, points[from + i + 1]]));
  return (
    <div class="gain">
      <p class="gain-head">
        <span>over {nameOf(baseline)}</span>
        <b>{signed(newest.mean, 3)}</b>
        <small>{interval(newest)}</small>
        <span>
          <i aria-hidden="true">{told(newest).mark}</i> {told(newest).words}
        </span>
      </p>
      <div class="gain-box">
        <Drawing
          class="gain-strip"
          height={HEIGHT}
          title={`T of ${map} over ${nameOf(baseline)}, over time`}
          desc={`${points.length} evaluations to ${lastDay(newest.toMs)}; the newest ${signed(newest.mean, 3)}, ${interval(newest)}: ${told(newest).words}`}
        >
          <line class="zero" x1="0" x2="100%" y1={y(0)} y2={y(0)} />
          {lines.map(([from, to]) => (
            <line
              key={from.toMs}
              class="gain-line"
              x1={x(from)}
              y1={y(from.mean)}
              x2={x(to)}
              y2={y(to.mean)}
            />
          ))}
          {points.map((point) => (
            <g
              key={point.toMs}
              class={told(point).words === "not told apart" ? "gain-point is-open" : "gain-point"}
            >
              <line x1={x(point)} x2={x(point)} y1={y(point.lo)} y2={y(point.hi)} />
              <circle cx={x(point)} cy={y(point.mean)} r="3">
                <title>{`${dayOf(point.fromMs)} to ${lastDay(point.toMs)}, n ${count(point.nScored)}: ${signed(point.mean, 3)}, ${interval(point)}`}</title>
              </circle>
            </g>
          ))}
        </Drawing>
        <p class="gain-ends" aria-hidden="true">
          <span>{signed(high, 2)}</span>
          <span>{signed(low, 2)}</span>
        </p>
      </div>
    </div>
  );
}

function Table({ series, map }: { series: readonly GainSeries[]; map: string }) {
  const ends = [...new Set(series.flatMap(({ points }) => points.map(({ toMs }) => toMs)))].sort(
    (a, b) => b - a,
  );
  const at = (line: GainSeries, toMs: number) => line.points.find((point) => point.toMs === toMs);
  return (
    <table class="plain-table">
      <caption class="visually-hidden">T of {map} over each baseline, newest evaluation first</caption>
      <thead>
        <tr>
          <th scope="col">Scored until (UTC)</th>
          <th scope="col" class="is-number">
            n
          </th>
          {series.map(({ baseline }) => (
            <th key={baseline} scope="col" class="is-number">
              over {nameOf(baseline)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {ends.map((toMs) => (
          <tr key={toMs}>
            <th scope="row">{lastDay(toMs)}</th>
            <td class="is-number">{count(series.map((line) => at(line, toMs)).find(Boolean)?.nScored)}</td>
            {series.map((line) => {
              const point = at(line, toMs);
              return (
                <td key={line.baseline} class="is-number no-wrap">
                  {point ? signed(point.mean, 3) : "–"}
                  {point && <small>{interval(point)}</small>}
                </td>
              );
            })}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function SkillOverTime({ points }: { points: readonly ScorePoint[] }) {
  const [maps, refreshes] = [mapsOf(points), refreshesOf(points)];
  const map = maps.find(({ model }) => model === chosenMap.value) ?? maps[0];
  const refreshS = refreshes.find((each) => each === chosenRefresh.value) ?? refreshes[0];
  if (!map || refreshS === undefined)
    return (
      <section class="panel">
        <h2>Skill over time</h2>
        <p class="quiet">
          No evaluation with intervals is kept yet. Each one adds a point, the last of every day stays.
        </p>
      </section>
    );
  const series = seriesOf(points, refreshS, map.model);
  const all = series.flatMap((line) => line.points.map(({ toMs }) => toMs));
  const times = [Math.min(...all), Math.max(...all)] as const;
  return (
    <section class="panel skill-over-time">
      <h2>Skill over time</h2>
      <div class="skill-choices">
        <Segmented
          label="Map to score"
          value={map.model as string}
          choices={maps.map(({ model, label, title }) => ({ value: model as string, label, title }))}
          onChange={(next) => {
            chosenMap.value = next;
          }}
        />
        {refreshes.length > 1 && (
          <Segmented
            label="Refresh interval"
            value={String(refreshS)}
            choices={refreshes.map((each) => ({ value: String(each), label: duration(each) }))}
            onChange={(next) => {
              chosenRefresh.value = Number(next);
            }}
          />
        )}
      </div>
      <Frame
        title="T over each baseline"
        note={`of the map (${map.label}) at ${duration(refreshS)} refresh, nats per event, 95 % interval; one point per evaluation, hollow: not told apart from the baseline. Each strip has its own scale`}
        table={<Table series={series} map={map.label} />}
      >
        {series.length === 0 ? (
          <p class="quiet">This map was not compared at this refresh interval.</p>
        ) : (
          <>
            {series.map((line) => (
              <Strip key={line.baseline} series={line} times={times} map={map.label} />
            ))}
            <p class="strip-ends" aria-hidden="true">
              <time>{lastDay(times[0])}</time>
              {times[1] > times[0] && <time>{lastDay(times[1])}</time>}
            </p>
          </>
        )}
      </Frame>
    </section>
  );
}
