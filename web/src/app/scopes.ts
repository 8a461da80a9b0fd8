/** Assets and the venues they are traded on, as words and as search results. */
import type { Asset } from "../api/types";

export interface FoundScope {
  readonly id: string;
  readonly asset: string;
  readonly priceUsd: number | null;
  readonly rowUsd: number | null;
}

/** `All venues`, or `bybit BTCUSDT`. */
export function scopeText(asset: string, id: string): string {
  return id === asset ? "All venues" : id.replace(":", " ");
}

/** `All venues`, or the venue alone where it has one instrument of the asset. */
export function venueText(asset: Asset, id: string): string {
  const [venue] = id.split(":");
  const twins = asset.scopes.filter((other) => other.split(":")[0] === venue).length;
  return id === asset.asset || twins > 1 ? scopeText(asset.asset, id) : venue;
}

/** The same venue on another asset; all venues where it is not traded there. */
export function sameVenue(asset: Asset, now: string | null): string | null {
  const venue = now?.includes(":") ? now.split(":")[0] : null;
  const there = venue ? asset.scopes.find((id) => id.startsWith(`${venue}:`)) : undefined;
  return there ?? asset.scopes.find((id) => id === asset.asset) ?? asset.scopes[0] ?? null;
}

/** Every word of the search must begin a word of the scope; whole assets come first. */
export function searchScopes(assets: readonly Asset[], text: string): FoundScope[] {
  const words = text
    .toLowerCase()
    .split(/[\s:]+/)
    .filter(Boolean);
  const all = assets.flatMap((asset) =>
    asset.scopes.map((id) => ({ id, asset: asset.asset, priceUsd: asset.price_usd, rowUsd: asset.row_usd })),
  );
  const parts = ({ id, asset }: FoundScope) =>
    `${asset} ${id === asset ? "all venues" : ""} ${id}`.toLowerCase().split(/[\s:-]+/);
  return all
    .filter((one) => words.every((word) => parts(one).some((part) => part.startsWith(word))))
    .sort((a, b) => Number(b.id === b.asset) - Number(a.id === a.asset));
}
