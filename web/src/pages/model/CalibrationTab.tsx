/** What each venue's feed really tells: offsets, delays, shares, sides; and what is known only from its rules. */
import type { Calibration, CalibrationRow, ModelAnswer, ModelFeed } from "../../api/model";
import { MISSING } from "../../state/format";
import { StateCard } from "../../ui/StateCard";
import { BandBar } from "./BandBar";
import { Frozen } from "./Frozen";
import { count, inUnit, isKnown, rangeInUnit, share } from "./figures";
import { estimateMeaning, estimateText } from "./meanings";
import { ScrollTable } from "./ScrollTable";
import { FACT_TEXT, SIDES_TEXT } from "./words";

function Row({ row }: { row: CalibrationRow }) {
  const assumed = !isKnown(row.data_share) || row.data_share < 0.05;
  return (
    <tr class={assumed ? "is-greyed" : ""}>
      <th scope="row">
        {estimateText(row.name)} <small class="meaning">{estimateMeaning(row.name)}</small>
      </th>
      <td class="is-number">{inUnit(row.value, row.unit)}</td>
      <td class="is-number">{rangeInUnit(row.low, row.high, row.unit)}</td>
      <td class="is-number">{count(row.n_events)}</td>
      <td class="meter-cell">
        <BandBar kind={assumed ? "unknown" : "now"} value={row.data_share} />
      </td>
      <td class="is-number">
        {share(row.data_share)}
        {assumed && <small>assumed</small>}
      </td>
    </tr>
  );
}

function Rows({ rows, feed }: { rows: readonly CalibrationRow[]; feed: string }) {
  if (rows.length === 0) return <p class="quiet">No print was read yet.</p>;
  return (
    <ScrollTable label={`Calibration of ${feed}`}>
      <table class="plain-table calibration-table">
        <caption class="visually-hidden">Calibration of {feed}</caption>
        <thead>
          <tr>
            <th scope="col">What</th>
            <th scope="col" class="is-number">
              Value
            </th>
            <th scope="col" class="is-number">
              95 % range
            </th>
            <th scope="col" class="is-number">
              n
            </th>
            <th scope="col" colSpan={2} class="is-number">
              Data share
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <Row key={row.name} row={row} />
          ))}
        </tbody>
      </table>
    </ScrollTable>
  );
}

function Sides({ sides }: { sides: string }) {
  const words = SIDES_TEXT[sides] ?? { label: sides, tone: "quiet", mark: "?", meaning: "" };
  return (
    <p class="sides">
      <span class={`basis is-${words.tone}`}>
        <i aria-hidden="true">{words.mark}</i> sides {words.label}
      </span>{" "}
      <span class="quiet">{words.meaning}</span>
    </p>
  );
}

function factValue(value: string | number | boolean | null): string {
  if (typeof value === "boolean") return value ? "yes" : "no";
  return value === null ? MISSING : String(value);
}

function Published({ published }: { published: Calibration["published"] }) {
  return (
    <section class="published">
      <h3>What the venue says</h3>
      {published === null ? (
        <p class="quiet">Nothing was found about this venue.</p>
      ) : (
        <dl>
          {Object.entries(published).map(([name, fact]) => (
            <div key={name}>
              <dt>{FACT_TEXT[name] ?? name.replaceAll("_", " ")}</dt>
              <dd>
                {fact ? (
                  <>
                    {factValue(fact.value)} <span class="tag">{fact.evidence}</span>
                  </>
                ) : (
                  <span class="quiet">nothing was found, which is not "none"</span>
                )}
              </dd>
            </div>
          ))}
        </dl>
      )}
    </section>
  );
}

function Feed({ feed }: { feed: ModelFeed }) {
  const found = feed.calibration;
  return (
    <article class="feed" aria-label={feed.feed}>
      <header>
        <h2>{feed.feed}</h2>
        <Frozen served={feed} />
        {found && <Sides sides={found.sides} />}
      </header>
      {found ? (
        <div class="calibration">
          <Rows rows={found.rows} feed={feed.feed} />
          <Published published={found.published} />
        </div>
      ) : (
        <p class="quiet">Not calibrated: no liquidation of this feed was printed with a price yet.</p>
      )}
    </article>
  );
}

export function CalibrationTab({ answer }: { answer: ModelAnswer }) {
  return (
    <div class="feeds">
      {answer.feeds.length === 0 ? (
        <StateCard kind="empty" title={`No feed of ${answer.asset} is calibrated`}>
          <p>A feed's offset, delay and reported share are learned from its printed liquidations.</p>
        </StateCard>
      ) : (
        answer.feeds.map((feed) => <Feed key={feed.feed} feed={feed} />)
      )}
    </div>
  );
}
