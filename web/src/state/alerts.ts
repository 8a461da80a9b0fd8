/** Alert rules, targets and deliveries as the engine has them, and the changes a person makes. */
import { signal } from "@preact/signals";
import { deleteRule, getAlerts, postTest, putRule } from "../api/endpoints";
import type {
  AlertRule,
  AlertsAnswer,
  ListedRule,
  RuleFields,
  SignalEvent,
  TestAnswer,
} from "../api/eventTypes";
import { ApiError } from "../api/http";
import { numberIn, textIn } from "./eventText";

export const alerts = signal<AlertsAnswer | null>(null);
export interface Trouble {
  readonly message: string;
  readonly hint: string | null;
}
/** Why what is shown may be out of date, or is missing. */
export const alertsTrouble = signal<Trouble | null>(null);

export const troubleOf = (error: unknown): Trouble => ({
  message: error instanceof Error ? error.message : String(error),
  hint: error instanceof ApiError ? error.hint : null,
});

export async function refreshAlerts(): Promise<void> {
  try {
    alerts.value = await getAlerts();
    alertsTrouble.value = null;
  } catch (error) {
    alertsTrouble.value = troubleOf(error);
  }
}

const POLL_MS = 5000;

/** Deliveries change by themselves: ask again while somebody looks. */
export function watchAlerts(): () => void {
  void refreshAlerts();
  const timer = window.setInterval(() => {
    if (document.visibilityState === "visible") void refreshAlerts();
  }, POLL_MS);
  return () => window.clearInterval(timer);
}

/** A rule without what only a list knows about it. */
export function plainRule({ source: _source, ...rule }: ListedRule): AlertRule {
  return rule;
}

/** Throws the engine's `ApiError`, which names the field at fault. */
export async function saveRule(rule: AlertRule): Promise<void> {
  alerts.value = await putRule(rule);
}

export async function removeRule(name: string): Promise<void> {
  alerts.value = await deleteRule(name);
}

export const testRule = (name: string): Promise<TestAnswer> => postTest({ rule: name });
export const testTarget = (name: string): Promise<TestAnswer> => postTest({ target: name });

const asked = <T>(wanted: readonly T[], found: T | null): boolean =>
  wanted.length === 0 || (found !== null && wanted.includes(found));

/**
 * Whether an event meets the conditions of a rule, in whatever mode it happened. Quiet hours, limits and repeats are
 * the engine's to judge. A condition about a field that the event does not have is not met.
 */
export function meets(rule: RuleFields, event: SignalEvent): boolean {
  const distance = numberIn(event, "distance_ratio");
  const notional = numberIn(event, "notional_usd");
  const level = numberIn(event, "density_level");
  return (
    asked(rule.types, event.type) &&
    asked(rule.assets, event.asset) &&
    asked(rule.venues, event.venue) &&
    asked(rule.sides, textIn(event, "side")) &&
    asked(rule.priorities, event.priority) &&
    (rule.max_distance_ratio === null ||
      (distance !== null && Math.abs(distance) <= rule.max_distance_ratio)) &&
    (rule.min_notional_usd === null || (notional !== null && notional >= rule.min_notional_usd)) &&
    (rule.min_density_level === null || (level !== null && level >= rule.min_density_level))
  );
}
