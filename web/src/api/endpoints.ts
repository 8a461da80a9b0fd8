/** The routes the dashboard uses, by name. */
import { decodeSnapshot, type HeatSnapshot, type Plane, type Side } from "../heat/format";
import type { AlertRule, AlertsAnswer, EventsAnswer, TestAnswer } from "./eventTypes";
import { deleteJson, getBytes, getJson, postJson, putJson } from "./http";
import type { Assets, Candles, CellAnswer, Legend, Profile, Scores, Status } from "./types";

const at = (scope: string, tf: string) => `${encodeURIComponent(scope)}/${encodeURIComponent(tf)}`;

export const getStatus = (signal?: AbortSignal) => getJson<Status>("status", signal);
export const getAssets = (signal?: AbortSignal) => getJson<Assets>("assets", signal);
/** The last scores of everything, and those of one asset over time where it is named. */
export const getScores = (historyOf: string | null = null, signal?: AbortSignal) =>
  getJson<Scores>(historyOf ? `scores?${new URLSearchParams({ history_of: historyOf })}` : "scores", signal);

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

export interface EventQuery {
  readonly limit: number;
  readonly beforeSeq?: number;
  readonly type?: string | null;
  readonly asset?: string | null;
}

/** A page of the event log, newest events of the range; `beforeSeq` goes further back. */
export function getEvents(query: EventQuery, signal?: AbortSignal): Promise<EventsAnswer> {
  const search = new URLSearchParams({ limit: String(query.limit) });
  if (query.beforeSeq !== undefined) search.set("before_id", String(query.beforeSeq));
  if (query.type) search.set("type", query.type);
  if (query.asset) search.set("asset", query.asset);
  return getJson<EventsAnswer>(`events?${search}`, signal);
}

const ruleAt = (name: string) => `alerts/rules/${encodeURIComponent(name)}`;

export const getAlerts = (signal?: AbortSignal) => getJson<AlertsAnswer>("alerts", signal);
/** The name stands in the path. Both answer with everything there is then. */
export const putRule = ({ name, ...fields }: AlertRule) => putJson<AlertsAnswer>(ruleAt(name), fields);
export const deleteRule = (name: string) => deleteJson<AlertsAnswer>(ruleAt(name));
export const postTest = (what: { readonly target: string } | { readonly rule: string }) =>
  postJson<TestAnswer>("alerts/test", what);
