/** The routes the dashboard uses, by name. */
import { decodeSnapshot, type HeatSnapshot, type Plane, type Side } from "../heat/format";
import { getBytes, getJson, postJson } from "./http";
import type { Assets, Candles, CellAnswer, Legend, Profile, Scores, Status } from "./types";

const at = (scope: string, tf: string) => `${encodeURIComponent(scope)}/${encodeURIComponent(tf)}`;

export const getStatus = (signal?: AbortSignal) => getJson<Status>("status", signal);
export const getAssets = (signal?: AbortSignal) => getJson<Assets>("assets", signal);
export const getScores = (signal?: AbortSignal) => getJson<Scores>("scores", signal);

export const getCandles = (scope: string, tf: string, signal?: AbortSignal) =>
  getJson<Candles>(`candles/${at(scope, tf)}`, signal);

export const getLegend = (scope: string, tf: string, signal?: AbortSignal) =>
  getJson<Legend>(`legend/${at(scope, tf)}`, signal);

export const getProfile = (scope: string, signal?: AbortSignal) =>
  getJson<Profile>(`profile/${encodeURIComponent(scope)}`, signal);

export const getCell = (scope: string, tf: string, tMs: number, priceUsd: number, signal?: AbortSignal) =>
  getJson<CellAnswer>(`cell/${at(scope, tf)}?t_ms=${Math.round(tMs)}&price=${priceUsd}`, signal);

export async function getHeat(
  scope: string,
  tf: string,
  plane: Plane,
  side: Side,
  signal?: AbortSignal,
): Promise<HeatSnapshot> {
  return decodeSnapshot(await getBytes(`heat/${at(scope, tf)}/${plane}.bin?side=${side}`, signal));
}

export interface ReplayCommand {
  readonly at_ms?: number;
  readonly speed?: number;
  readonly pause?: boolean;
}

export const postReplay = (command: ReplayCommand) => postJson<unknown>("replay", command);
