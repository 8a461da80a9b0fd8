/** Zones as a sortable table: two lines a row beside the chart, every column in the wide one. */
import type { ComponentChildren } from "preact";
import type { Zone } from "../../../api/zones";
import { focus } from "../../../state/focus";
import { price, usd } from "../../../state/format";
import { currentAsset } from "../../../state/view";
import { focusZone } from "./focusZone";
import { orderAfter, sortZones, type ZoneColumn, zoneOrder } from "./zoneOrder";
import * as text from "./zoneText";

interface ColumnText {
  readonly by: ZoneColumn;
  readonly label: string;
  readonly title: string;
}

const PRICE: ColumnText = { by: "price", label: "Price", title: "Hottest price of the zone, and its edges" };
const USD: ColumnText = {
  by: "usd",
  label: "USD est.",
  title: "Estimated exposure, and its range over the models of leverage",
};
const DISTANCE: ColumnText = {
  by: "distance",
  label: "Away",
  title: "Distance of the nearest edge from price",
};
const AGE: ColumnText = { by: "age", label: "Age", title: "Time since it was first seen" };
const LEVEL: ColumnText = {
  by: "level",
  label: "Level",
  title:
    "Density from 1 to 10: the tenth of this asset's zones of 30 days that it belongs to; 5 and more is loaded",
};

const COMPACT: readonly ColumnText[] = [PRICE, USD, DISTANCE, AGE, LEVEL];
const WIDE: readonly ColumnText[] = [
  { by: "side", label: "Side", title: "Position that would be forced out" },
  PRICE,
  USD,
  DISTANCE,
  AGE,
  LEVEL,
  { by: "loaded", label: "Loaded", title: "Density level of 5 or more" },
  {
    by: "trend",
    label: "Trend",
    title: "Does its share of all exposure rise or fall beyond what decay explains?",
  },
  { by: "leverage", label: "Leverage", title: "Sorted by the share in the highest band" },
  { by: "venues", label: "Venues", title: "Where the positions are" },
];

function Head({ columns }: { columns: readonly ColumnText[] }) {
  const order = zoneOrder.value;
  return (
    <tr>
      {columns.map(({ by, label, title }) => {
        const on = order.by === by;
        const sort = on ? (order.descending ? "descending" : "ascending") : undefined;
        return (
          <th key={by} scope="col" class={`col-${by}`} aria-sort={sort}>
            <button
              type="button"
              title={title}
              onClick={() => {
                zoneOrder.value = orderAfter(order, by);
              }}
            >
              {label}
              <span aria-hidden="true">{on ? (order.descending ? " ▾" : " ▴") : ""}</span>
            </button>
          </th>
        );
      })}
    </tr>
  );
}

/** The bands of leverage as four steps of one bar. */
function Leverage({ zone }: { zone: Zone }) {
  const total = zone.bands?.reduce((sum, band) => sum + (band.usd ?? 0), 0) ?? 0;
  return (
    <>
      {zone.bands && total > 0 && (
        <span class="stack" aria-hidden="true">
          {zone.bands.map((band) => (
            <i key={band.label} title={band.label} style={{ width: `${((band.usd ?? 0) / total) * 100}%` }} />
          ))}
        </span>
      )}
      <small>{text.mainBand(zone)}</small>
    </>
  );
}

function cells(zone: Zone, rowUsd: number, wide: boolean): Readonly<Record<ZoneColumn, ComponentChildren>> {
  const ended = zone.ended_ms !== null;
  const word = ended ? text.stateText(zone) : text.trendText(zone);
  return {
    side: <span class={text.sideClass(zone)}>{text.sideMark(zone)}</span>,
    price: (
      <button
        type="button"
        class="zone-name"
        onClick={() => focusZone(zone)}
        title={text.zoneSentence(zone, rowUsd)}
      >
        {!wide && <b class={text.sideClass(zone)}>{text.sideMark(zone)}</b>} {price(zone.peak_usd, rowUsd)}
        <small>{text.rangeText(zone, rowUsd)}</small>
      </button>
    ),
    usd: (
      <>
        {usd(zone.notional_usd)}
        <small>{text.bandText(zone)}</small>
      </>
    ),
    distance: (
      <>
        {ended ? "–" : text.distanceText(zone)}
        {!wide && <small class={`trend is-${zone.trend}`}>{word}</small>}
      </>
    ),
    age: text.ageText(zone),
    level: (
      <>
        {text.levelText(zone)}
        {!wide && zone.loaded && <small>loaded</small>}
      </>
    ),
    loaded: zone.loaded === null ? "–" : zone.loaded ? "yes" : "no",
    trend: word,
    leverage: <Leverage zone={zone} />,
    venues: text.venuesText(zone),
  };
}

interface Props {
  readonly zones: readonly Zone[];
  readonly caption: string;
  readonly wide?: boolean;
  /** Called after a zone was chosen. */
  readonly onChoose?: () => void;
}

export function ZoneTable({ zones, caption, wide = false, onChoose }: Props) {
  const columns = wide ? WIDE : COMPACT;
  const rowUsd = currentAsset.value?.row_usd ?? 1;
  const focused = focus.value?.src === "zone" ? focus.value.eventId : null;
  const choose = (zone: Zone) => {
    focusZone(zone);
    onChoose?.();
  };
  return (
    <table class={`zone-table ${wide ? "is-wide" : ""}`}>
      <caption class="visually-hidden">{caption}</caption>
      <thead>
        <Head columns={columns} />
      </thead>
      <tbody>
        {sortZones(zones, zoneOrder.value).map((zone) => {
          const shown = cells(zone, rowUsd, wide);
          const near = zone.state === "approached" || zone.state === "hit";
          return (
            <tr
              key={zone.id}
              class={`${near ? "is-near" : ""} ${zone.ended_ms === null ? "" : "is-ended"}`}
              aria-current={zone.id === focused ? "true" : undefined}
              onClick={() => choose(zone)}
            >
              {columns.map(({ by }) =>
                by === "price" ? (
                  <th key={by} scope="row" class="col-price">
                    {shown.price}
                  </th>
                ) : (
                  <td key={by} class={`col-${by}`}>
                    {shown[by]}
                  </td>
                ),
              )}
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
