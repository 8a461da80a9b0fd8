/** The tables of a zone's card: where its exposure is, and where its change came from. */
import type { Zone } from "../../../api/zones";
import { duration, MISSING, percent, usd } from "../../../state/format";

interface Part {
  readonly name: string;
  readonly usd: number | null;
}

/** Parts of one whole as bars with USD and share. */
function Parts({ caption, parts, side }: { caption: string; parts: readonly Part[] | null; side: string }) {
  if (!parts || parts.length === 0)
    return (
      <p class="quiet">
        {caption}: {MISSING}
      </p>
    );
  const total = parts.reduce((sum, part) => sum + (part.usd ?? 0), 0);
  const most = Math.max(1, ...parts.map((part) => part.usd ?? 0));
  return (
    <table class="facts bands">
      <caption>{caption}</caption>
      <tbody>
        {parts.map((part) => (
          <tr key={part.name}>
            <th scope="row">{part.name}</th>
            <td>
              <div class="meter">
                <i class={side} style={{ width: `${((part.usd ?? 0) / most) * 100}%` }} />
              </div>
            </td>
            <td>{usd(part.usd)}</td>
            <td class="quiet">{total > 0 && part.usd !== null ? percent(part.usd / total) : MISSING}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function ZoneParts({ zone }: { zone: Zone }) {
  const side = zone.side === "LONG" ? "is-long" : "is-short";
  const bands = zone.bands?.map(({ label, usd: amount }) => ({ name: label, usd: amount })) ?? null;
  const venues = zone.venues?.map(({ venue, usd: amount }) => ({ name: venue, usd: amount })) ?? null;
  return (
    <>
      <Parts caption="Leverage" parts={bands} side={side} />
      <Parts caption="Venues" parts={venues} side={side} />
    </>
  );
}

const signed = (value: number | null) => (value === null ? MISSING : `${value > 0 ? "+" : ""}${usd(value)}`);
const minus = (value: number | null) => (value === null ? null : -value);

/** Opened, closed, swept and re-estimated, with their sum: the change of the zone. */
export function ZoneFlowTable({ zone }: { zone: Zone }) {
  const { flows } = zone;
  if (!flows) return <p class="quiet">Flows: no account yet (one is made every five minutes).</p>;
  const rows: readonly (readonly [string, string, number | null])[] = [
    ["opened", "new positions whose liquidation falls into the zone", flows.opened_usd],
    ["closed", "positions given up or paid back, by the model of closes", minus(flows.closed_usd)],
    ["swept", "taken by price", minus(flows.swept_usd)],
    ["re-estimated", "the model changed its mind: no money moved", flows.reestimated_usd],
  ];
  const change = rows.reduce((sum, [, , value]) => sum + (value ?? 0), 0);
  return (
    <table class="facts flows">
      <caption>Change over the last {duration(flows.over_s)}</caption>
      <tbody>
        {rows.map(([name, title, value]) => (
          <tr key={name} title={title}>
            <th scope="row">{name}</th>
            <td>{signed(value)}</td>
          </tr>
        ))}
        <tr class="is-sum">
          <th scope="row">change</th>
          <td>{signed(change)}</td>
        </tr>
      </tbody>
    </table>
  );
}
