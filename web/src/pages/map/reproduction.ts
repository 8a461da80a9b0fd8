/** The local reproduction number in words and as a place in the profile. */
import type { Profile } from "../../api/types";
import { count } from "../model/figures";
import type { Feeding } from "./profileBins";

export const NOT_ESTABLISHED = "not established";

/** Why R(p) is not shown; `null` where it is. */
export function whyNot(now: Profile | null): string | null {
  const known = now?.reproduction;
  if (!known) return "R(p) is told of a whole asset, once volatility and volume are known";
  if (known.established) return null;
  return `R(p) rests on 30 observed flows at least; so far there were ${count(known.n_flows)}`;
}

export function reproductionText(feeding: Feeding): string {
  if (!feeding) return NOT_ESTABLISHED;
  const [value, low, high] = [feeding.value, feeding.low, feeding.high].map((r) => r.toPrecision(2));
  return `${Number(value)} (${Number(low)}–${Number(high)})`;
}

/** R from 0 at the left over 1 halfway to infinity at the right: no scale to choose, and never off the picture. */
export const reproductionShare = (r: number) => r / (1 + r);
