/** One row per venue; its details open below it. */
import { useRef } from "preact/hooks";
import type { SourceStatus, SourcesAnswer, SourceVenue } from "../../api/sources";
import { onlyTrouble, openVenues, toggleVenue } from "../../state/sources";
import { isNarrow } from "../../state/viewport";
import { ScrollTable } from "../model/ScrollTable";
import { isInUse, orderOf } from "./order";
import { Spark } from "./Spark";
import { VenueDetails } from "./VenueDetails";
import { ago, count, counted, lastRowMs, millis, perSecond, rejected, STATUS, total, worst } from "./words";

export function StatusWord({ status }: { readonly status: SourceStatus }) {
  const { mark, tone } = STATUS[status];
  return (
    <span class={`source-status is-${tone}`}>
      <i aria-hidden="true">{mark}</i> {status}
    </span>
  );
}

function Rate({ venue }: { readonly venue: SourceVenue }) {
  const rows = total(venue.channels, ({ n_rows }) => n_rows);
  if (venue.status === "played") return <span class="source-rate">{count(rows)} rows</span>;
  const perS = venue.channels.reduce((sum, channel) => sum + (channel.rows_per_s ?? 0), 0);
  const text = perS >= 10 ? count(Math.round(perS)) : perS.toFixed(1);
  return (
    <span class="source-rate">
      <Spark counts={perSecond(venue.channels)} label={`${text} rows a second over the last minute`} />
      <b>{text}/s</b>
    </span>
  );
}

interface Figure {
  readonly head: string;
  readonly title: string;
  readonly of: (venue: SourceVenue, nowMs: number) => string;
}

const lagOf = ({ channels }: SourceVenue) =>
  `${millis(worst(channels, (channel) => channel.lag_p50_ms))} / ${millis(worst(channels, (channel) => channel.lag_p95_ms))}`;

const FIGURES: readonly Figure[] = [
  { head: "Lag p50 / p95", title: "receipt minus event, two clocks", of: lagOf },
  { head: "Last row", title: "", of: ({ channels }, nowMs) => ago(lastRowMs(channels), nowMs) },
  {
    head: "Gaps",
    title: "stretches known to be missing",
    of: ({ channels }) => count(counted(channels, (channel) => channel.n_gaps)),
  },
  { head: "Reconnects", title: "", of: (venue) => count(venue.n_reconnects) },
  {
    head: "Rejects",
    title: "facts that could not be taken",
    of: ({ channels }) => count(counted(channels, rejected)),
  },
];

/** What a narrow row has no room for. */
function Figures({ venue, nowMs }: { venue: SourceVenue; nowMs: number }) {
  return (
    <dl class="source-figures">
      {FIGURES.map(({ head, of }) => (
        <div key={head}>
          <dt>{head}</dt>
          <dd>{of(venue, nowMs)}</dd>
        </div>
      ))}
    </dl>
  );
}

function Row({ venue, nowMs }: { venue: SourceVenue; nowMs: number }) {
  const open = openVenues.value.has(venue.venue);
  const narrow = isNarrow.value;
  const id = `venue-${venue.venue}`;
  return (
    <>
      <tr class={open ? "is-open" : undefined}>
        <th scope="row">
          <button
            type="button"
            aria-expanded={open}
            aria-controls={open ? id : undefined}
            onClick={() => toggleVenue(venue.venue)}
          >
            <i aria-hidden="true">{open ? "▾" : "▸"}</i> {venue.name}
          </button>
        </th>
        <td>
          <StatusWord status={venue.status} />
          {narrow && <small class="source-why">{venue.sentence}</small>}
        </td>
        {!narrow && <td class="source-sentence">{venue.sentence}</td>}
        <td>
          <Rate venue={venue} />
        </td>
        {!narrow &&
          FIGURES.map(({ head, of }) => (
            <td class="is-number" key={head}>
              {of(venue, nowMs)}
            </td>
          ))}
      </tr>
      {open && (
        <tr class="source-more" id={id}>
          <td colSpan={narrow ? 3 : HEADS.length}>
            {narrow && <Figures venue={venue} nowMs={nowMs} />}
            <VenueDetails venue={venue} nowMs={nowMs} />
          </td>
        </tr>
      )}
    </>
  );
}

const NARROW_HEADS: readonly (readonly [string, string])[] = [
  ["Venue", ""],
  ["State", ""],
  ["Rows", "of the last minute"],
];
const HEADS: readonly (readonly [string, string])[] = [
  ["Venue", ""],
  ["State", ""],
  ["", ""],
  ["Rows", "of the last minute"],
  ...FIGURES.map(({ head, title }) => [head, title] as const),
];

/** The order of the newest answer, or the one that is held while somebody reads. */
function useOrder(venues: readonly SourceVenue[], box: { readonly current: HTMLElement | null }): string[] {
  const last = useRef<{ readonly order: string[]; readonly onlyTroubled: boolean } | null>(null);
  const onlyTroubled = onlyTrouble.value;
  const reads = openVenues.value.size > 0 || isInUse(box.current);
  const held = reads && last.current?.onlyTroubled === onlyTroubled ? last.current.order : null;
  const order = orderOf(venues, onlyTroubled, held);
  last.current = { order, onlyTroubled };
  return order;
}

export function VenueTable({ answer }: { readonly answer: SourcesAnswer }) {
  const box = useRef<HTMLDivElement>(null);
  const order = useOrder(answer.venues, box);
  const bySlug = new Map(answer.venues.map((venue) => [venue.venue, venue]));
  const shown = order.flatMap((slug) => bySlug.get(slug) ?? []);
  if (shown.length === 0) return <p class="quiet source-none">Every venue is well.</p>;
  return (
    <div ref={box}>
      <ScrollTable label="Venues">
        <table class="source-table">
          <thead>
            <tr>
              {(isNarrow.value ? NARROW_HEADS : HEADS).map(([head, title]) => (
                <th scope="col" key={head} title={title || undefined}>
                  {head || <span class="visually-hidden">What is the matter</span>}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {shown.map((venue) => (
              <Row key={venue.venue} venue={venue} nowMs={answer.at_ms} />
            ))}
          </tbody>
        </table>
      </ScrollTable>
    </div>
  );
}
