/** One row per venue; its details open below it. */
import { Fragment } from "preact";
import type { SourceStatus, SourcesAnswer, SourceVenue } from "../../api/sources";
import { onlyTrouble, openVenues, toggleVenue } from "../../state/sources";
import { ScrollTable } from "../model/ScrollTable";
import { Spark } from "./Spark";
import { VenueDetails } from "./VenueDetails";
import {
  ago,
  byTrouble,
  count,
  isWell,
  lastRowMs,
  millis,
  perSecond,
  rejected,
  STATUS,
  total,
  worst,
} from "./words";

export function StatusWord({ status }: { readonly status: SourceStatus }) {
  const { mark, tone } = STATUS[status];
  return (
    <span class={`source-status is-${tone}`}>
      <i aria-hidden="true">{mark}</i> {status}
    </span>
  );
}

function Rate({ venue }: { readonly venue: SourceVenue }) {
  const perS = venue.channels.reduce((sum, channel) => sum + (channel.rows_per_s ?? 0), 0);
  const text = perS >= 10 ? count(Math.round(perS)) : perS.toFixed(1);
  return (
    <span class="source-rate">
      <Spark counts={perSecond(venue.channels)} label={`${text} rows a second over the last minute`} />
      <b>{text}/s</b>
    </span>
  );
}

function Row({ venue, nowMs, columns }: { venue: SourceVenue; nowMs: number; columns: number }) {
  const open = openVenues.value.has(venue.venue);
  const id = `venue-${venue.venue}`;
  return (
    <Fragment>
      <tr class={open ? "is-open" : undefined}>
        <th scope="row">
          <button
            type="button"
            aria-expanded={open}
            aria-controls={id}
            onClick={() => toggleVenue(venue.venue)}
          >
            <i aria-hidden="true">{open ? "▾" : "▸"}</i> {venue.name}
          </button>
        </th>
        <td>
          <StatusWord status={venue.status} />
        </td>
        <td class="source-sentence">{venue.sentence}</td>
        <td>
          <Rate venue={venue} />
        </td>
        <td class="is-number">
          {millis(worst(venue.channels, (channel) => channel.lag_p50_ms))}
          <small> / {millis(worst(venue.channels, (channel) => channel.lag_p95_ms))}</small>
        </td>
        <td class="is-number">{ago(lastRowMs(venue.channels), nowMs)}</td>
        <td class="is-number">{count(total(venue.channels, (channel) => channel.n_gaps))}</td>
        <td class="is-number">{count(venue.n_reconnects)}</td>
        <td class="is-number">{count(total(venue.channels, rejected))}</td>
      </tr>
      {open && (
        <tr class="source-more" id={id}>
          <td colSpan={columns}>
            <VenueDetails venue={venue} nowMs={nowMs} />
          </td>
        </tr>
      )}
    </Fragment>
  );
}

const HEADS: readonly (readonly [string, string])[] = [
  ["Venue", ""],
  ["State", ""],
  ["", ""],
  ["Rows", "of the last minute"],
  ["Lag p50 / p95", "receipt minus event, two clocks"],
  ["Last row", ""],
  ["Gaps", "stretches known to be missing"],
  ["Reconnects", ""],
  ["Rejects", "facts that could not be taken"],
];

export function VenueTable({ answer }: { readonly answer: SourcesAnswer }) {
  const shown = byTrouble(answer.venues).filter(({ status }) => !onlyTrouble.value || !isWell(status));
  if (shown.length === 0) return <p class="quiet source-none">Every venue is well.</p>;
  return (
    <ScrollTable label="Venues">
      <table class="source-table">
        <thead>
          <tr>
            {HEADS.map(([head, title]) => (
              <th scope="col" key={head} title={title || undefined}>
                {head || <span class="visually-hidden">What is the matter</span>}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.map((venue) => (
            <Row key={venue.venue} venue={venue} nowMs={answer.at_ms} columns={HEADS.length} />
          ))}
        </tbody>
      </table>
    </ScrollTable>
  );
}
