/** Whether the venues of an asset agree on where its levels lie: distance, what chance alone gives, who stands apart. */
import type { VenueDivergence, ZonesAnswer } from "../../../api/zones";
import { percent, utcShort } from "../../../state/format";

const bps = (value: number) => `${Math.round(value)} bp`;

/** A distance within what chance gives is no finding, and is said to be none. */
export function spreadText(side: VenueDivergence): string {
  const { pair, distance_bps: distance, floor_bps: floor, excess_bps: excess, outlier } = side;
  const names = pair.join(" and ");
  const common = `${percent(side.overlap_ratio)} in common`;
  if (floor === null || excess === null)
    return `${names} ${bps(distance)} apart, ${common}; what chance gives is not known`;
  if (excess <= 0) return `venues agree: ${bps(distance)} apart at most, chance gives ${bps(floor)}`;
  const who = outlier === null ? "" : `; ${outlier} stands apart`;
  return `${names} ${bps(distance)} apart, chance gives ${bps(floor)}, ${common}${who}`;
}

const SIDES = [
  ["long", "L ↓", "is-long"],
  ["short", "S ↑", "is-short"],
] as const;

export function VenueSpread({ sides }: { sides: ZonesAnswer["divergence"] }) {
  const known = SIDES.flatMap(([name, mark, tone]) => {
    const side = sides?.[name];
    return side ? [{ name, mark, tone, side }] : [];
  });
  if (known.length === 0) return null;
  return (
    <div class="pad spread">
      <h3>
        Levels of the venues <small>est. · compared {utcShort(known[0].side.at_ms)} UTC</small>
      </h3>
      {known.map(({ name, mark, tone, side }) => (
        <p key={name} class={side.excess_bps !== null && side.excess_bps > 0 ? "" : "quiet"}>
          <b class={tone}>{mark}</b> {spreadText(side)}
        </p>
      ))}
    </div>
  );
}
