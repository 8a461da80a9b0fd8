/** The words and figures of a zone, the same in the list, on the card and on the chart. */
import type { Zone } from "../../../api/zones";
import { duration, MISSING, price, signedPercent, usd } from "../../../state/format";

/** Letter and arrow: the position that would be forced out, and where it lies. */
export const sideMark = (zone: Zone) => (zone.side === "LONG" ? "L ↓" : "S ↑");
export const sideClass = (zone: Zone) => (zone.side === "LONG" ? "is-long" : "is-short");
export const sideWords = (zone: Zone) => (zone.side === "LONG" ? "Longs" : "Shorts");

export const rangeText = (zone: Zone, rowUsd: number) =>
  `${price(zone.low_usd, rowUsd)}–${price(zone.high_usd, rowUsd)}`;

/** `$250M–$410M`: the range over the models of leverage. */
export function bandText({ lo_usd: lo, hi_usd: hi }: Zone): string {
  if (lo === null || hi === null) return "no band yet";
  const [from, to] = [usd(lo), usd(hi)];
  // One sign and one unit are enough where both ends share them.
  return from.at(-1) === to.at(-1) && /[A-Za-z]$/.test(to)
    ? `${from.slice(0, -1)}–${to.slice(1)}`
    : `${from}–${to}`;
}

export function distanceText(zone: Zone): string {
  if (zone.distance_ratio === 0) return "inside";
  return signedPercent(zone.distance_ratio);
}

/** `≥ 3 h` where the zone stood before it could be followed. */
export const ageText = (zone: Zone) => `${zone.since_start ? "≥ " : ""}${duration(zone.age_s)}`;

export const levelText = (zone: Zone) => (zone.density_level === null ? MISSING : String(zone.density_level));

export function loadedText({ loaded }: Zone): string {
  if (loaded === null) return "not known yet";
  return loaded ? "loaded" : "not loaded";
}

const TREND_MARK = { building: "▲ building", thinning: "▼ thinning", steady: "steady" } as const;
export const trendText = ({ trend }: Zone) => (trend === null ? MISSING : TREND_MARK[trend]);

const STATE_WORDS: Readonly<Record<string, string>> = {
  standing: "standing",
  approached: "price is near",
  hit: "price is inside",
  swept: "swept",
  expired: "faded",
};
export const stateText = (zone: Zone) => STATE_WORDS[zone.state] ?? zone.state;

/** `>60x 54 %`: the band that holds the most. */
export function mainBand({ bands }: Zone): string {
  const total = bands?.reduce((sum, band) => sum + (band.usd ?? 0), 0) ?? 0;
  if (!bands || total <= 0) return MISSING;
  const most = bands.reduce((a, b) => ((b.usd ?? 0) > (a.usd ?? 0) ? b : a));
  return `${most.label} ${Math.round(((most.usd ?? 0) / total) * 100)} %`;
}

export function venuesText({ venues }: Zone): string {
  if (!venues || venues.length === 0) return MISSING;
  const total = venues.reduce((sum, one) => sum + (one.usd ?? 0), 0);
  const share = (amount: number | null) =>
    total > 0 && amount !== null ? ` ${Math.round((amount / total) * 100)} %` : "";
  return [...venues]
    .sort((a, b) => (b.usd ?? 0) - (a.usd ?? 0))
    .map(({ venue, usd: amount }) => `${venue}${share(amount)}`)
    .join(", ");
}

/** One sentence for assistive technology. */
export function zoneSentence(zone: Zone, rowUsd: number): string {
  const where = zone.distance_ratio === 0 ? "price is inside" : `${distanceText(zone)} from price`;
  return `${sideWords(zone)} zone ${rangeText(zone, rowUsd)}, ${usd(zone.notional_usd)} estimated, ${where}`;
}
