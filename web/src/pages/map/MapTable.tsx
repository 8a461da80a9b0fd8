/** The visible map as a table: for those who cannot see colours, and for anybody who wants figures. */
import { signal } from "@preact/signals";
import { price, usd, utcShort } from "../../state/format";
import { mapData } from "../../state/map";
import { mode, scope, timeframe } from "../../state/view";
import { Dialog } from "../../ui/Dialog";
import { chart } from "./actions";
import { geometry } from "./geometry";
import { MODE_TEXT } from "./modes";
import { type Block, visibleTable } from "./visibleTable";

export const mapTableOpen = signal(false);

function Amount({ block }: { block: Block }) {
  const { longUsd, shortUsd } = block;
  if (longUsd === 0 && shortUsd === 0) return <td class="quiet">–</td>;
  return (
    <td>
      {longUsd > 0 && <span class="is-long">L {usd(longUsd)}</span>}
      {shortUsd > 0 && <span class="is-short">S {usd(shortUsd)}</span>}
    </td>
  );
}

function Table() {
  const [data, range, pane] = [mapData.peek(), chart.peek()?.visibleRange(), geometry.peek()];
  const table =
    data && range && pane
      ? visibleTable(data, mode.peek(), {
          fromBar: range.from,
          toBar: range.to,
          lowUsd: pane.bottom,
          highUsd: pane.top,
        })
      : null;
  if (!data || !table) return <p class="quiet">Nothing of the map is in view.</p>;
  const rowUsd = data.grid("synthetic", "long")?.header.rowUsd ?? 1;
  const last = data.lastPrice;
  const happened = mode.value === "raw";
  return (
    <>
      <p class="quiet">
        {happened ? "Liquidated USD" : "Estimated USD"} of the hottest cell in each block of price and time.
        L: longs, S: shorts. {last && `Last price ${price(last, rowUsd / 10)}.`}
      </p>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keys. */}
      <section class="map-table" tabIndex={0} aria-label="Visible map as a table">
        <table>
          <caption class="visually-hidden">
            {scope.value} {timeframe.value} {MODE_TEXT[mode.value].label}
          </caption>
          <thead>
            <tr>
              <th scope="col">price, USD</th>
              {table.timesMs.map((tMs) => (
                <th key={tMs} scope="col">
                  from {utcShort(tMs)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {table.bands.map((band) => (
              <tr
                key={band.lowUsd}
                class={last && last >= band.lowUsd && last < band.highUsd ? "is-price" : ""}
              >
                <th scope="row">
                  {price(band.lowUsd, rowUsd)}–{price(band.highUsd, rowUsd)}
                </th>
                {band.blocks.map((block, i) => (
                  <Amount key={table.timesMs[i]} block={block} />
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </>
  );
}

export function MapTable() {
  return (
    <Dialog
      title={`${scope.value ?? "Map"} · ${timeframe.value} · ${MODE_TEXT[mode.value].label}, as a table`}
      wide
      open={mapTableOpen.value}
      onClose={() => {
        mapTableOpen.value = false;
      }}
    >
      <Table />
    </Dialog>
  );
}
