/** How late and how far from price the map was found to beat the age table, for hatching and for words. */
import { computed } from "@preact/signals";
import { scores } from "../../state/engine";
import { duration, percent, signedPercent } from "../../state/format";
import { mapData, mapTick } from "../../state/map";
import type { MapData } from "../../state/mapData";
import { currentAsset } from "../../state/view";
import { reachRatio } from "./reach";
import { figureText, type Skill, skillOf } from "./skill";

export interface Measured {
  readonly skill: Skill | null;
  /** Distance within which an evaluation at the horizon scores; `null`: too few bars to say. */
  readonly reachRatio: number | null;
}

export const skillNow = computed(() => skillOf(scores.value, currentAsset.value?.asset ?? null));

/** The reach changes with a new bar at most: it is not worked out for every redraw. */
let held: { data: MapData; bars: number; horizonS: number; ratio: number | null } | null = null;

function reachOf(data: MapData, horizonS: number): number | null {
  const bars = data.bars.length;
  if (held?.data !== data || held.bars !== bars || held.horizonS !== horizonS)
    held = { data, bars, horizonS, ratio: reachRatio(data.bars, data.dtMs, horizonS) };
  return held.ratio;
}

export const measured = computed<Measured>(() => {
  mapTick.value;
  const [data, skill] = [mapData.value, skillNow.value];
  const horizonS = skill?.horizonS ?? 0;
  return { skill, reachRatio: data && horizonS > 0 ? reachOf(data, horizonS) : null };
});

const reachText = (ratio: number) => `±${percent(ratio, ratio < 0.01 ? 2 : 1)}`;

/** What the hatching means here, in one sentence. */
export function hatchWords({ skill, reachRatio: far }: Measured): string {
  if (!skill) return "Skill of this map: not yet measured. Everything forward is hatched.";
  if (skill.horizonS === 0) return "No skill over the age table was found: everything forward is hatched.";
  const later = `later than ${duration(skill.horizonS)}`;
  return far === null
    ? `Hatched: ${later}, no skill measured.`
    : `Hatched: ${later} or beyond ${reachText(far)} of price, no skill measured.`;
}

export interface SkillHere {
  /** Skill was measured at this distance, and its whole interval is above zero. */
  readonly proven: boolean;
  readonly words: string;
}

/** What is known about the map's skill at a distance from price. */
export function skillHere({ skill, reachRatio: far }: Measured, distanceRatio: number | null): SkillHere {
  if (!skill)
    return {
      proven: false,
      words: "Not measured: nothing has been evaluated here. Take it as a hypothesis.",
    };
  const row = skill.rows.findLast(({ refreshS }) => refreshS <= skill.horizonS) ?? skill.rows[0];
  const gain = `T ${figureText(row.t)} over the age table at ${duration(row.refreshS)} refresh, ${row.nScored.toLocaleString("en-US")} events`;
  if (skill.horizonS === 0) return { proven: false, words: `None found: ${gain}.` };
  const away = distanceRatio === null ? null : Math.abs(distanceRatio);
  if (far === null || away === null)
    return { proven: false, words: `Not known at this distance. Near price: ${gain}.` };
  if (away > far) {
    const where = signedPercent(distanceRatio);
    return {
      proven: false,
      words: `Not measured: ${where} is farther than price moves in ${duration(skill.horizonS)} (${reachText(far)}).`,
    };
  }
  return { proven: true, words: `${gain}.` };
}
