/** Which asset, and which of its venues; the magnifier finds both by typing. */
import { assets } from "../state/engine";
import { price } from "../state/format";
import { chooseScope, currentAsset, scope } from "../state/view";
import { Icon } from "../ui/Icon";
import { searchText } from "./SymbolSearch";
import { sameVenue, venueText } from "./scopes";

export function ScopePicker() {
  const asset = currentAsset.value;
  const known = assets.value;
  const chooseAsset = (name: string) => {
    const found = known.find((one) => one.asset === name);
    const next = found ? sameVenue(found, scope.peek()) : null;
    if (next) chooseScope(next);
  };
  return (
    <div class="scope">
      <label>
        <span class="visually-hidden">Asset</span>
        <select
          class="scope-asset"
          value={asset?.asset ?? ""}
          disabled={known.length === 0}
          onChange={(event) => chooseAsset(event.currentTarget.value)}
        >
          {!asset && <option value="">{scope.value ?? "…"}</option>}
          {known.map((one) => (
            <option key={one.asset} value={one.asset}>
              {one.asset}
            </option>
          ))}
        </select>
      </label>
      <label>
        <span class="visually-hidden">Venues</span>
        <select
          class="scope-venues"
          value={scope.value ?? ""}
          disabled={!asset}
          onChange={(event) => chooseScope(event.currentTarget.value)}
        >
          {!asset && <option value={scope.value ?? ""}>…</option>}
          {asset?.scopes.map((id) => (
            <option key={id} value={id}>
              {venueText(asset, id)}
            </option>
          ))}
        </select>
      </label>
      <button
        type="button"
        class="icon-button phone-hidden"
        aria-label="Find a map"
        title="Find a map: type on the chart, or /"
        onClick={() => {
          searchText.value = "";
        }}
      >
        <Icon name="search" />
      </button>
      {asset?.row_usd && <span class="scope-row">${price(asset.row_usd, asset.row_usd)} rows</span>}
    </div>
  );
}
