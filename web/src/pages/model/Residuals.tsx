/** Events of every day beside what the map expected: bars up where more came, down where fewer did. */
import type { DayTotal, ScoreReport } from "../../api/types";
import { duration } from "../../state/format";
import { Drawing, Frame, HATCH } from "./Frame";
import { count, figure, isKnown } from "./figures";
import { doublings, fullBar } from "./skillSeries";

const [HEIGHT, GAP] = [96, 0.2];
const MOST_DAY_PX = 46;
const middle = HEIGHT / 2;

function ratioText({ observed, predicted }: DayTotal): string {
  if (!isKnown(observed) || !isKnown(predicted) || predicted <= 0) return "not known";
  return `${figure(observed / predicted)}×`;
}

const words = (day: DayTotal) =>
  `${day.day}: ${count(day.observed)} seen, ${count(day.predicted)} expected, ${ratioText(day)}`;

function Table({ days }: { days: readonly DayTotal[] }) {
  return (
    <table class="plain-table">
      <caption class="visually-hidden">Events seen and expected by day</caption>
      <thead>
        <tr>
          <th scope="col">Day (UTC)</th>
          <th scope="col" class="is-number">
            Seen
          </th>
          <th scope="col" class="is-number">
            Expected
          </th>
          <th scope="col" class="is-number">
            Seen over expected
          </th>
        </tr>
      </thead>
      <tbody>
        {[...days].reverse().map((day) => (
          <tr key={day.day}>
            <th scope="row">{day.day}</th>
            <td class="is-number">{count(day.observed)}</td>
            <td class="is-number">{count(day.predicted)}</td>
            <td class="is-number">{ratioText(day)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Bar({ day, i, step, most }: { day: DayTotal; i: number; step: number; most: number }) {
  const high = doublings(day.observed, day.predicted);
  const px = high === null ? middle : Math.max(1, (Math.abs(high) / most) * middle);
  return (
    <rect
      class={high === null ? "day is-missing" : high < 0 ? "day is-fewer" : "day"}
      x={`${(i + GAP / 2) * step}%`}
      width={`${(1 - GAP) * step}%`}
      y={high === null ? middle / 2 : high < 0 ? middle : middle - px}
      height={px}
      {...(high === null ? { fill: HATCH } : {})}
    >
      <title>{words(day)}</title>
    </rect>
  );
}

export function Residuals({ report }: { report: ScoreReport }) {
  const days = report.days ?? [];
  if (days.length === 0) return null;
  const step = 100 / days.length;
  const most = fullBar(days.map((day) => doublings(day.observed, day.predicted)));
  const [seen, expected] = [
    days.reduce((sum, day) => sum + (day.observed ?? 0), 0),
    days.reduce((sum, day) => sum + (day.predicted ?? 0), 0),
  ];
  return (
    <section class="panel">
      <h2>Residuals</h2>
      <Frame
        title="Seen over expected, by day"
        note={`the served map at ${duration(report.refresh_s)} refresh; ${count(seen)} seen, ${count(expected)} expected. Up: more came than expected, a full bar is ${figure(2 ** most, 1)}×`}
        table={<Table days={days} />}
      >
        <div class="residuals" style={{ maxWidth: `${Math.max(120, MOST_DAY_PX * days.length)}px` }}>
          <Drawing
            class="daily-strip"
            height={HEIGHT}
            title="Events seen over events expected, by day"
            desc={days.map(words).join("; ")}
          >
            <line class="zero" x1="0" x2="100%" y1={middle} y2={middle} />
            {days.map((day, i) => (
              <Bar key={day.day} day={day} i={i} step={step} most={most} />
            ))}
          </Drawing>
          <p class="strip-ends" aria-hidden="true">
            <time>{days[0].day}</time>
            {days.length > 1 && <time>{days[days.length - 1].day}</time>}
          </p>
        </div>
      </Frame>
    </section>
  );
}
