/** A rule in a few words each: what it listens for, when it holds back. */
import type { RuleFields } from "../../api/eventTypes";
import { typeLabel } from "../../state/eventCatalogue";
import { percent, usd } from "../../state/format";
import { spanText } from "./ruleForm";

/** Conditions on events, most general first. */
export function conditionsOf(rule: RuleFields): string[] {
  const { max_distance_ratio: distance, min_notional_usd: notional, min_density_level: level } = rule;
  const found = [
    rule.priorities.map((priority) => `P${priority}`).join(" + "),
    rule.types.map(typeLabel).join(", "),
    rule.assets.join(", "),
    rule.venues.join(", "),
    rule.sides.map((side) => (side === "LONG" ? "longs" : "shorts")).join(" and "),
    distance === null ? "" : `at most ${percent(distance, 2)} away`,
    notional === null ? "" : `from ${usd(notional)}`,
    level === null ? "" : `level ${level} or more`,
  ].filter(Boolean);
  return found.length > 0 ? found : ["every event"];
}

/** What keeps a matching event from being sent. */
export function limitsOf(rule: RuleFields): string[] {
  const { rate_limit: rate, quiet_hours: quiet } = rule;
  const hours = quiet.map(({ from, to, tz }) => `${from}–${to} ${tz}`).join(", ");
  return [
    rule.modes.join(" + "),
    hours && `quiet ${hours}${rule.p0_ignores_quiet ? " except P0" : ""}`,
    rate ? `at most ${rate.n} in ${spanText(rate.per_s)}` : "no limit",
    rule.dedupe_s > 0 ? `repeats after ${spanText(rule.dedupe_s)}` : "every repeat",
  ].filter(Boolean);
}

/** Words for the states of a delivery and for a rule's verdicts. */
export const STATE_TEXT: Readonly<Record<string, { readonly label: string; readonly mark: string }>> = {
  pending: { label: "waiting", mark: "…" },
  sent: { label: "sent", mark: "✓" },
  failed: { label: "failed", mark: "✕" },
  suppressed: { label: "held back", mark: "–" },
};
export const VERDICT_TEXT: Readonly<Record<string, string>> = {
  send: "would be sent",
  duplicate: "held back: repeat",
  quiet: "held back: quiet hours",
  rate: "held back: rate limit",
};
