/** Notional liquidated per day over open interest: a column a day, a gap where open interest is not known. */
import type { StripDay } from "../../api/model";
import { usd } from "../../state/format";
import { Drawing, Frame, HATCH } from "./Frame";
import { dayOf, isKnown } from "./figures";

const HEIGHT = 84;
const GAP = 0.16;
const MOST_DAY_PX = 46;

/** Ratios here are far below a percent. */
export const perMille = (ratio: number | null): string =>
  isKnown(ratio) ? `${(ratio * 100).toFixed(2)} %` : "not known";

function Table({ days }: { days: readonly StripDay[] }) {
  return (
    <table class="plain-table">
      <caption class="visually-hidden">Liquidated over open interest by day</caption>
      <thead>
        <tr>
          <th scope="col">Day (UTC)</th>
          <th scope="col" class="is-number">
            Liquidated
          </th>
          <th scope="col" class="is-number">
            Open interest
          </th>
          <th scope="col" class="is-number">
            Share
          </th>
        </tr>
      </thead>
      <tbody>
        {[...days].reverse().map((day) => (
          <tr key={day.day_ms}>
            <th scope="row">{dayOf(day.day_ms)}</th>
            <td class="is-number">{usd(day.liquidated_usd)}</td>
            <td class="is-number">{usd(day.oi_usd)}</td>
            <td class="is-number">{perMille(day.ratio)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function DailyStrip({ days, asset }: { days: readonly StripDay[]; asset: string }) {
  const ratios = days.map(({ ratio }) => ratio).filter(isKnown);
  const most = Math.max(0, ...ratios);
  const step = 100 / Math.max(1, days.length);
  const top = days.find(({ ratio }) => isKnown(ratio) && ratio === most);
  return (
    <section class="panel">
      <Frame
        title="Liquidated over open interest, by day"
        note="of a side; a lower bound where a venue reports one liquidation a second. Hatched: nothing was heard, or open interest is not known"
        table={<Table days={days} />}
      >
        {ratios.length === 0 ? (
          <p class="quiet">No day with liquidations and known open interest yet.</p>
        ) : (
          <div class="daily" style={{ maxWidth: `${Math.max(120, MOST_DAY_PX * days.length)}px` }}>
            <span class="daily-most quiet">{perMille(most)}</span>
            <Drawing
              class="daily-strip"
              height={HEIGHT}
              title={`Liquidated over open interest by day, ${asset}`}
              desc={`${days.length} days from ${dayOf(days[0].day_ms)}; at most ${perMille(most)}${
                top ? ` on ${dayOf(top.day_ms)}` : ""
              }; ${days.length - ratios.length} days are not known`}
            >
              <line class="grid" x1="0" x2="100%" y1="0.5" y2="0.5" />
              {days.map((day, i) => {
                const known = isKnown(day.ratio);
                const high = known && most > 0 ? Math.max(1, (day.ratio / most) * HEIGHT) : HEIGHT;
                return (
                  <rect
                    key={day.day_ms}
                    class={known ? "day" : "day is-missing"}
                    x={`${(i + GAP / 2) * step}%`}
                    width={`${(1 - GAP) * step}%`}
                    y={HEIGHT - high}
                    height={high}
                    {...(known ? {} : { fill: HATCH })}
                  >
                    <title>{`${dayOf(day.day_ms)}: ${perMille(day.ratio)}, ${usd(day.liquidated_usd)} of ${usd(day.oi_usd)}`}</title>
                  </rect>
                );
              })}
            </Drawing>
            <p class="strip-ends" aria-hidden="true">
              <time>{dayOf(days[0].day_ms)}</time>
              {days.length > 1 && <time>{dayOf(days[days.length - 1].day_ms)}</time>}
            </p>
          </div>
        )}
      </Frame>
    </section>
  );
}
