/** All assets and, under each, the instruments it is made of. */
import { assets } from "../state/engine";
import { price } from "../state/format";
import { chooseScope, currentAsset, scope } from "../state/view";

function scopeLabel(asset: string, scopeId: string): string {
  return scopeId === asset ? `${asset} · all venues` : scopeId;
}

export function ScopePicker() {
  const asset = currentAsset.value;
  return (
    <div class="scope">
      <label>
        <span class="visually-hidden">Asset and venue</span>
        <select
          value={scope.value ?? ""}
          disabled={assets.value.length === 0}
          onChange={(event) => chooseScope(event.currentTarget.value)}
        >
          {assets.value.length === 0 && <option value={scope.value ?? ""}>{scope.value ?? "…"}</option>}
          {assets.value.map((item) => (
            <optgroup key={item.asset} label={item.asset}>
              {item.scopes.map((id) => (
                <option key={id} value={id}>
                  {scopeLabel(item.asset, id)}
                </option>
              ))}
            </optgroup>
          ))}
        </select>
      </label>
      {asset?.row_usd && <span class="scope-row">${price(asset.row_usd, asset.row_usd)} rows</span>}
    </div>
  );
}
