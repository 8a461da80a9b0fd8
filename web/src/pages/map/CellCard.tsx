/** Everything the engine can say about one cell. */
import type { CellAnswer } from "../../api/types";
import { type CellReading, cellDetail, reading } from "../../state/cell";
import { clearFocus, focus } from "../../state/focus";
import { duration, MISSING, percent, price, signedPercent, usd, usdBand, utcShort } from "../../state/format";
import { Icon } from "../../ui/Icon";

function Bands({ answer }: { answer: CellAnswer }) {
  const most = Math.max(...answer.bands.map((band) => (band.long_usd ?? 0) + (band.short_usd ?? 0)), 1);
  return (
    <table class="facts bands">
      <caption>Leverage</caption>
      <thead class="visually-hidden">
        <tr>
          <th>band</th>
          <th>share</th>
          <th>USD</th>
        </tr>
      </thead>
      <tbody>
        {answer.bands.map((band) => {
          const total = (band.long_usd ?? 0) + (band.short_usd ?? 0);
          return (
            <tr key={band.label}>
              <th scope="row">{band.label}</th>
              <td>
                <div class="meter">
                  <i class="is-long" style={{ width: `${((band.long_usd ?? 0) / most) * 100}%` }} />
                  <i class="is-short" style={{ width: `${((band.short_usd ?? 0) / most) * 100}%` }} />
                </div>
              </td>
              <td>{usd(total)}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function Learned({ learned, assumed }: { learned: number | null; assumed: number | null }) {
  if (learned === null) return <dd>{MISSING}</dd>;
  return (
    <dd>
      {percent(learned)} learned, {percent(assumed ?? 1 - learned)} assumed
    </dd>
  );
}

function Answer({ answer }: { answer: CellAnswer }) {
  const window = answer.entry_window;
  return (
    <>
      <Bands answer={answer} />
      <dl class="rows">
        <dt>Venues</dt>
        <dd>
          {answer.venues.length === 0 && MISSING}
          {answer.venues.map(({ venue, usd: amount }) => (
            <span key={venue} class="venue">
              {venue} {usd(amount)}
            </span>
          ))}
        </dd>
        <dt>Entered</dt>
        <dd>{window ? `${utcShort(window.from_ms)} – ${utcShort(window.to_ms)}` : MISSING}</dd>
        <dt>OI source</dt>
        <dd>
          {answer.oi_source?.replaceAll("_", " ") || MISSING}
          {answer.oi_age_s !== null && `, ${duration(answer.oi_age_s)} old`}
        </dd>
        <dt>Basis</dt>
        <Learned learned={answer.learned_share} assumed={answer.assumed_share} />
        {answer.long_hi_usd != null && (
          <>
            <dt>In brackets</dt>
            <dd>
              {answer.learned_share
                ? "over the 95 % band of the learned leverage mix"
                : "over assumed leverage mixes, no credible band"}
            </dd>
          </>
        )}
      </dl>
    </>
  );
}

function Headline({ cell, answer }: { cell: CellReading; answer: CellAnswer | null }) {
  const rowUsd = cell.highUsd - cell.lowUsd;
  const long = answer?.long_usd ?? cell.longUsd;
  const short = answer?.short_usd ?? cell.shortUsd;
  const bands = {
    long: usdBand(long, answer?.long_lo_usd, answer?.long_hi_usd),
    short: usdBand(short, answer?.short_lo_usd, answer?.short_hi_usd),
  };
  const realLong = answer?.real_long_usd ?? cell.realLongUsd;
  const realShort = answer?.real_short_usd ?? cell.realShortUsd;
  return (
    <>
      <p class="cell-price">
        <b>
          {price(cell.lowUsd, rowUsd)} – {price(cell.highUsd, rowUsd)}
        </b>
        <span>{signedPercent(cell.distanceRatio)} from price</span>
      </p>
      <dl class="cell-usd">
        <div class="is-long">
          <dt>longs forced out</dt>
          <dd>
            {usd(long)}
            <small>{bands.long} est.</small>
          </dd>
        </div>
        <div class="is-short">
          <dt>shorts forced out</dt>
          <dd>
            {usd(short)}
            <small>{bands.short} est.</small>
          </dd>
        </div>
      </dl>
      {realLong + realShort > 0 && (
        <p class="happened">
          Happened here: L {usd(realLong)}, S {usd(realShort)}
        </p>
      )}
    </>
  );
}

export function CellCard() {
  const cell = reading.value;
  const detail = cellDetail.value;
  const answer = detail.kind === "ready" ? detail.answer : null;
  return (
    <section class="card" aria-label="Cell">
      <h2 class="visually-hidden">Cell</h2>
      {focus.value?.src === "cell" && (
        <button type="button" class="icon-button card-close" aria-label="Unpin the cell" onClick={clearFocus}>
          <Icon name="close" />
        </button>
      )}
      {!cell && <p class="quiet">Point at the map to see what a cell holds. Click to pin it.</p>}
      {cell && <Headline cell={cell} answer={answer} />}
      {cell && detail.kind === "error" && <p class="warn">{detail.message}</p>}
      {cell && !answer && detail.kind !== "error" && <p class="quiet">…</p>}
      {cell && answer && <Answer answer={answer} />}
    </section>
  );
}
