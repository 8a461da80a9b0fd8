/** A rule as a form of texts and back, and which field an error belongs to. */
import type { AlertRule, QuietHours } from "../../api/eventTypes";

export interface RuleForm {
  readonly name: string;
  readonly enabled: boolean;
  readonly types: readonly string[];
  readonly assets: readonly string[];
  readonly venues: readonly string[];
  readonly sides: readonly string[];
  readonly priorities: readonly number[];
  /** Percent. */
  readonly max_distance_ratio: string;
  /** `5M`, `400k`. */
  readonly min_notional_usd: string;
  readonly min_density_level: string;
  readonly quiet_hours: readonly QuietHours[];
  readonly p0_ignores_quiet: boolean;
  readonly rate_n: string;
  /** `10 min`. */
  readonly rate_per: string;
  readonly dedupe_s: string;
  readonly targets: readonly string[];
  readonly modes: readonly string[];
}

/** Fields that can carry an error; `form` is about the whole. */
export const FIELDS = [
  "name",
  "types",
  "assets",
  "venues",
  "sides",
  "priorities",
  "max_distance_ratio",
  "min_notional_usd",
  "min_density_level",
  "quiet_hours",
  "rate_limit",
  "dedupe_s",
  "targets",
  "modes",
] as const;
export type Field = (typeof FIELDS)[number];
export type FormErrors = Readonly<Partial<Record<Field | "form", string>>>;

export const EMPTY_FORM: RuleForm = {
  name: "",
  enabled: true,
  types: [],
  assets: [],
  venues: [],
  sides: [],
  priorities: [0, 1],
  max_distance_ratio: "",
  min_notional_usd: "",
  min_density_level: "",
  quiet_hours: [],
  p0_ignores_quiet: false,
  rate_n: "10",
  rate_per: "10 min",
  dedupe_s: "15 min",
  targets: [],
  modes: ["live"],
};

const AMOUNTS: readonly [number, string][] = [
  [1e9, "B"],
  [1e6, "M"],
  [1e3, "k"],
];

/** The shortest text that reads back as exactly this amount. */
export function amountText(value: number): string {
  for (const [unit, letter] of AMOUNTS) {
    const short = Number((value / unit).toPrecision(6));
    if (value >= unit && short * unit === value) return `${short}${letter}`;
  }
  return String(value);
}

function amountOf(text: string): number | null {
  const match = /^\s*\$?\s*(\d[\d,]*\.?\d*|\.\d+)\s*([kmb]?)\s*$/i.exec(text);
  if (!match) return null;
  const unit = AMOUNTS.find(([, letter]) => letter.toLowerCase() === match[2].toLowerCase())?.[0] ?? 1;
  return Number(match[1].replaceAll(",", "")) * unit;
}

const SPANS: readonly [number, string, RegExp][] = [
  [86_400, "d", /^d(ays?)?$/i],
  [3600, "h", /^h(ours?)?$/i],
  [60, "min", /^m(in(utes?)?)?$/i],
  [1, "s", /^(s(ec(onds?)?)?)?$/i],
];

export function spanText(seconds: number): string {
  const [unit, name] = SPANS.find(([size]) => seconds >= size && seconds % size === 0) ?? SPANS[3];
  return `${seconds / unit} ${name}`;
}

/** Whole seconds; a bare number means seconds. */
export function spanOf(text: string): number | null {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(text);
  const unit = match && SPANS.find(([, , names]) => names.test(match[2]));
  return match && unit ? Math.round(Number(match[1]) * unit[0]) : null;
}

/** Ratio as percent without the dust of binary fractions. */
const tidy = (value: number) => Number(value.toPrecision(12));

export function formOf(rule: AlertRule): RuleForm {
  const { max_distance_ratio: distance, min_notional_usd: notional, min_density_level: level } = rule;
  return {
    name: rule.name,
    enabled: rule.enabled,
    types: rule.types,
    assets: rule.assets,
    venues: rule.venues,
    sides: rule.sides,
    priorities: rule.priorities,
    max_distance_ratio: distance === null ? "" : String(tidy(distance * 100)),
    min_notional_usd: notional === null ? "" : amountText(notional),
    min_density_level: level === null ? "" : String(level),
    quiet_hours: rule.quiet_hours,
    p0_ignores_quiet: rule.p0_ignores_quiet,
    rate_n: rule.rate_limit ? String(rule.rate_limit.n) : "",
    rate_per: rule.rate_limit ? spanText(rule.rate_limit.per_s) : "",
    dedupe_s: spanText(rule.dedupe_s),
    targets: rule.targets,
    modes: rule.modes,
  };
}

const DAY_S = 86_400;
const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9 _.-]{0,62}[A-Za-z0-9_.-])?$/;
const CLOCK = /^([01]\d|2[0-3]):[0-5]\d$/;

function isZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return name.trim() !== "";
  } catch {
    return false; // RangeError: this browser knows no such zone.
  }
}

function quietError(hours: readonly QuietHours[]): string | null {
  for (const { from, to, tz } of hours) {
    if (!CLOCK.test(from) || !CLOCK.test(to)) return "Give both times as HH:MM.";
    if (from === to) return `From ${from} to ${to} is empty. Switch the rule off instead.`;
    if (!isZone(tz)) return `“${tz}” is not a time zone. Use a name like Europe/Berlin or UTC.`;
  }
  return null;
}

/** What can be told without the engine. `taken`: names of other rules. */
export function formErrors(form: RuleForm, taken: readonly string[] = []): FormErrors {
  const errors: Partial<Record<Field, string>> = {};
  if (!NAME.test(form.name))
    errors.name = "Up to 64 letters, digits, spaces and _ . - ; the first a letter or digit.";
  else if (taken.includes(form.name)) errors.name = "Another rule has this name.";
  const distance = form.max_distance_ratio.trim();
  if (distance && !(Number(distance) > 0 && Number(distance) <= 100))
    errors.max_distance_ratio = "A percentage above 0, up to 100, or nothing.";
  if (form.min_notional_usd.trim() && amountOf(form.min_notional_usd) === null)
    errors.min_notional_usd = "An amount such as 5M, 400k or 2,500,000, or nothing.";
  const quiet = quietError(form.quiet_hours);
  if (quiet) errors.quiet_hours = quiet;
  const [n, per] = [Number(form.rate_n), spanOf(form.rate_per)];
  if (form.rate_n.trim() || form.rate_per.trim()) {
    if (!(Number.isInteger(n) && n >= 1 && n <= 1000)) errors.rate_limit = "1 to 1,000 messages.";
    else if (per === null || per < 1 || per > DAY_S)
      errors.rate_limit = "A time such as 10 min or 1 h, at most a day.";
  }
  const again = spanOf(form.dedupe_s);
  if (again === null || again > DAY_S) errors.dedupe_s = "A time such as 15 min or 0 s, at most a day.";
  if (form.targets.length === 0) errors.targets = "Choose at least one target.";
  if (form.modes.length === 0) errors.modes = "Choose at least one.";
  return errors;
}

/** The rule of a form without errors. */
export function ruleOf(form: RuleForm): AlertRule {
  const { rate_n, rate_per, ...same } = form;
  const distance = form.max_distance_ratio.trim();
  return {
    ...same,
    max_distance_ratio: distance ? tidy(Number(distance) / 100) : null,
    min_notional_usd: form.min_notional_usd.trim() ? amountOf(form.min_notional_usd) : null,
    min_density_level: form.min_density_level ? Number(form.min_density_level) : null,
    rate_limit: rate_n.trim() ? { n: Number(rate_n), per_s: spanOf(rate_per) ?? 0 } : null,
    dedupe_s: spanOf(form.dedupe_s) ?? 0,
  };
}

/** The field that the engine's `where` names, e.g. `$.quiet_hours[0].tz`; else the whole form. */
export function fieldOf(where: string | null): Field | "form" {
  return (
    FIELDS.find((field) => where !== null && new RegExp(`(^|[^a-z_])${field}([^a-z_]|$)`).test(where)) ??
    "form"
  );
}
