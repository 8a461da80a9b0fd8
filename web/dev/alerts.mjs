// Alert rules, targets and deliveries of the development server. Development only: nothing is ever sent.

const EVERYTHING = {
  enabled: true,
  types: [],
  assets: [],
  venues: [],
  sides: [],
  max_distance_ratio: null,
  min_notional_usd: null,
  min_density_level: null,
  priorities: [],
  quiet_hours: [],
  p0_ignores_quiet: true,
  rate_limit: null,
  dedupe_s: 0,
  targets: [],
  modes: ["live"],
};
const rules = new Map([
  ["desk-p0", { ...EVERYTHING, name: "desk-p0", priorities: [0], targets: ["desk"], source: "config" }],
  [
    "big-btc-zones",
    {
      ...EVERYTHING,
      name: "big-btc-zones",
      types: ["ZONE_APPROACHED", "ZONE_HIT"],
      assets: ["BTC"],
      max_distance_ratio: 0.01,
      min_notional_usd: 5e6,
      min_density_level: 5,
      quiet_hours: [{ from: "22:00", to: "07:00", tz: "Europe/Berlin" }],
      rate_limit: { n: 5, per_s: 600 },
      dedupe_s: 1800,
      targets: ["phone"],
      modes: ["live", "simulated"],
      source: "page",
    },
  ],
]);
const targets = [
  { name: "desk", scheme: "slack", ready: true },
  { name: "phone", scheme: "ntfy", ready: true },
  { name: "mail", scheme: "mailtos", ready: false },
];
const deliveries = [];
const STATES = ["sent", "sent", "suppressed", "failed", "pending"];

export function forgetDeliveries() {
  deliveries.length = 0;
}

export function deliver(event) {
  if (event.mode === "rebuilt" || event.priority > 1) return;
  const state = STATES[deliveries.length % STATES.length];
  deliveries.push({
    id: deliveries.length + 1,
    rule: event.priority === 0 ? "desk-p0" : "big-btc-zones",
    target: event.priority === 0 ? "desk" : "phone",
    event_id: event.id,
    event_type: event.type,
    summary: `[SIMULATED] ${event.asset} ${event.type.toLowerCase().replaceAll("_", " ")}`,
    state,
    attempts: state === "failed" ? 5 : state === "suppressed" ? 0 : 1,
    updated_ms: event.detected_at_ns / 1e6 + 800,
    error: state === "failed" ? "The target refused the message: 410 Gone" : null,
  });
}

export const alerts = () => ({
  rules: [...rules.values()],
  targets,
  deliveries: deliveries.slice(-200).reverse(),
  counters: { sent: deliveries.filter(({ state }) => state === "sent").length },
});

function fault(rule) {
  const unknown = rule.targets.find((name) => !targets.some((target) => target.name === name));
  if (unknown) return ["targets", `There is no target named ${unknown}.`, "Add it to targets.toml first."];
  if (rule.min_density_level > 10)
    return ["min_density_level", "A level lies between 1 and 10.", "Use 1 to 10."];
  const zone = rule.quiet_hours.find(
    ({ tz }) => !Intl.supportedValuesOf("timeZone").concat("UTC").includes(tz),
  );
  if (zone)
    return ["quiet_hours[0].tz", `There is no time zone ${zone.tz}.`, "Use a name like Europe/Berlin."];
  return null;
}

export function change(name, method, body, { json, problem }) {
  if (rules.get(name)?.source === "config")
    return problem(400, "rule_read_only", "This rule comes from alerts.toml.", "Change it there.", name);
  if (method === "DELETE") {
    if (!rules.delete(name)) return problem(404, "unknown_rule", `There is no rule ${name}.`, null, name);
    return json(alerts());
  }
  const wrong = fault(body);
  if (wrong) return problem(400, "rule_invalid", wrong[1], wrong[2], wrong[0]);
  rules.set(name, { ...body, name, source: "page" });
  return json(alerts());
}

export function test(body, { json, problem }) {
  const target = targets.find(({ name }) => name === body.target);
  if (body.target && !target)
    return problem(404, "unknown_target", "There is no such target.", null, "target");
  if (target && !target.ready)
    return json({ sent: false, detail: "The target is named but its address is not set." });
  return json({ sent: true, detail: target ? "Delivered in 0.3 s." : "3 of the last 500 events match." });
}
