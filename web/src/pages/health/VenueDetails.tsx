/** A venue's channels, connections, rejects, and what it gives and cannot give. */
import type { CoverageLine, SourceChannel, SourceVenue } from "../../api/sources";
import { utcMinute } from "../../state/format";
import { isNarrow } from "../../state/viewport";
import { Spark } from "./Spark";
import { StatusWord } from "./VenueTable";
import { ago, bytes, clockWords, count, counted, millis } from "./words";

const gapsOf = (channel: SourceChannel) => channel.n_gaps;
const plain = (words: readonly string[]) => words.map((word) => word.replaceAll("_", " ")).join(", ");

function ChannelList({ channels, nowMs }: { channels: readonly SourceChannel[]; nowMs: number }) {
  return (
    <section>
      <h3>Channels</h3>
      <ul class="source-channels">
        {channels.map((one) => (
          <li key={one.channel}>
            <b>{one.channel}</b> <StatusWord status={one.status} />
            <small class="quiet">
              {one.sentence} · {one.transport}: {plain(one.kinds)}
            </small>
            <small>
              {count(one.n_rows)} rows, last {ago(one.last_row_ms, nowMs)} · lag {millis(one.lag_p50_ms)} /{" "}
              {millis(one.lag_p95_ms)} · {count(counted([one], gapsOf))} gaps
            </small>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Channels({ channels, nowMs }: { channels: readonly SourceChannel[]; nowMs: number }) {
  return (
    <table class="plain-table">
      <caption>Channels</caption>
      <thead>
        <tr>
          <th scope="col">Channel</th>
          <th scope="col">State</th>
          <th scope="col">Gives</th>
          <th scope="col">Rows</th>
          <th scope="col">Lag p50 / p95</th>
          <th scope="col">Last row</th>
          <th scope="col">Gaps</th>
        </tr>
      </thead>
      <tbody>
        {channels.map((one) => (
          <tr key={one.channel}>
            <th scope="row">
              {one.channel} <small class="quiet">{one.transport}</small>
            </th>
            <td title={one.since_ms ? `since ${utcMinute(one.since_ms)} UTC` : undefined}>
              <StatusWord status={one.status} /> <small class="quiet">{one.sentence}</small>
            </td>
            <td>{plain(one.kinds)}</td>
            <td class="source-rate">
              {one.per_second.length > 0 && (
                <Spark counts={one.per_second} label={`rows a second on ${one.channel}`} />
              )}
              <b>{count(one.n_rows)}</b>
            </td>
            <td class="is-number">
              {millis(one.lag_p50_ms)} / {millis(one.lag_p95_ms)}
            </td>
            <td class="is-number">{ago(one.last_row_ms, nowMs)}</td>
            <td class="is-number">{count(counted([one], gapsOf))}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Rejects({ channels }: { channels: readonly SourceChannel[] }) {
  const found = channels.flatMap((one) => one.rejects.map((reject) => ({ ...reject, channel: one.channel })));
  if (found.length === 0) return null;
  return (
    <section>
      <h3>Could not be taken</h3>
      <ul class="source-rejects">
        {found.map((reject) => (
          <li key={`${reject.channel} ${reject.reason}`}>
            <b>{count(reject.n)}</b> on {reject.channel}: {reject.reason}{" "}
            <span class="quiet">first: {reject.detail}</span>
            <code title={`sha256 ${reject.digest}`}>{reject.sample}</code>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Connections({ venue, nowMs }: { venue: SourceVenue; nowMs: number }) {
  if (venue.sockets.length === 0) return null;
  return (
    <section>
      <h3>Connections</h3>
      <ul class="source-sockets">
        {venue.sockets.map((socket) => (
          <li key={socket.name}>
            <b>{socket.name}</b> {socket.state} for {ago(socket.since_ms, nowMs).replace(" ago", "")},{" "}
            {count(socket.n_frames)} frames, {bytes(socket.n_bytes)}
          </li>
        ))}
      </ul>
      <p class="quiet">
        contracts {count(venue.n_contracts)} · planned renewals {count(venue.n_renewals)} · repeated facts
        dropped {count(venue.n_duplicates)} · failed requests {count(venue.n_request_failures)} · clock{" "}
        {millis(venue.clock_offset_ms)}
        {clockWords(venue.clock_offset_ms)}
      </p>
      {venue.refusals.map((words) => (
        <p class="is-bad" key={words}>
          refused: {words}
        </p>
      ))}
    </section>
  );
}

function CoverageList({ lines }: { lines: readonly CoverageLine[] }) {
  return (
    <ul>
      {lines.map((line) => (
        <li key={`${line.kind} ${line.channel} ${line.from_ms}`}>
          <b>{plain([line.kind])}</b> from {line.channel}: {line.throttle}
          {line.window_ms > 0 && `, ${millis(line.window_ms)}`}
          {line.side !== "-" && `; side is ${line.side}`}
          {line.kind === "liquidation" && `; price is ${line.price}`}; unit {line.unit}; {line.evidence}
          {line.note && <span class="quiet">. {line.note}</span>}
        </li>
      ))}
    </ul>
  );
}

function CoverageTable({ lines }: { lines: readonly CoverageLine[] }) {
  return (
    <table class="plain-table">
      <thead>
        <tr>
          {["Kind", "Channel", "Shows", "Side is", "Price is", "Unit", "Evidence", "Note"].map((head) => (
            <th scope="col" key={head}>
              {head}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {lines.map((line) => (
          <tr key={`${line.kind} ${line.channel} ${line.from_ms}`}>
            <th scope="row">{plain([line.kind])}</th>
            <td>{line.channel}</td>
            <td>
              {line.throttle}
              {line.window_ms > 0 && `, ${millis(line.window_ms)}`}
            </td>
            <td>{line.side}</td>
            <td>{line.kind === "liquidation" ? line.price : "–"}</td>
            <td>{line.unit}</td>
            <td class={line.evidence === "recorded" ? undefined : "quiet"}>{line.evidence}</td>
            <td class="quiet">{line.note}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Coverage({ venue }: { venue: SourceVenue }) {
  if (venue.coverage.length === 0) return null;
  return (
    <details class="source-coverage">
      <summary>What it gives, what the fields mean, and how sure that is</summary>
      {isNarrow.value ? <CoverageList lines={venue.coverage} /> : <CoverageTable lines={venue.coverage} />}
    </details>
  );
}

export function VenueDetails({ venue, nowMs }: { readonly venue: SourceVenue; readonly nowMs: number }) {
  return (
    <div class="source-details">
      {isNarrow.value ? (
        <ChannelList channels={venue.channels} nowMs={nowMs} />
      ) : (
        <Channels channels={venue.channels} nowMs={nowMs} />
      )}
      <Rejects channels={venue.channels} />
      <Connections venue={venue} nowMs={nowMs} />
      {venue.absent.length > 0 && (
        <section>
          <h3>Not given</h3>
          <ul class="source-absent">
            {venue.absent.map(({ kind, reason }) => (
              <li key={kind}>
                <b>{kind.replaceAll("_", " ")}</b>: {reason}
              </li>
            ))}
          </ul>
        </section>
      )}
      <Coverage venue={venue} />
    </div>
  );
}
