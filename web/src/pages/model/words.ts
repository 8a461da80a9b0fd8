/** Words for what the engine says in one. */

export interface Words {
  readonly label: string;
  readonly tone: "good" | "warn" | "bad" | "quiet";
  readonly mark: string;
}

export const BASIS_TEXT: Readonly<Record<string, Words>> = {
  bank: { label: "learned from its events", tone: "good", mark: "●" },
  pooled: { label: "pooled: too few events", tone: "quiet", mark: "◐" },
  prior: { label: "prior in force: learned scored worse", tone: "warn", mark: "○" },
};

/** What the learner takes the feed for: with a path by the minute, also a venue of one report a second. */
export const REPORTING_TEXT: Readonly<Record<string, string>> = {
  all: "Read as publishing every liquidation",
  batched: "Read as publishing every liquidation, in batches",
  latest: "Read as publishing the latest liquidation of each window",
  largest: "Read as publishing the largest liquidation of each window",
  none: "Publishes none: nothing is learned here, the prior stays",
};

export const SIDES_TEXT: Readonly<Record<string, Words & { readonly meaning: string }>> = {
  right: { label: "right", tone: "good", mark: "✓", meaning: "recorded sides agree with how price moved" },
  inverted: {
    label: "inverted",
    tone: "bad",
    mark: "✕",
    meaning: "longs are recorded as shorts: check how this feed was imported",
  },
  mixed: {
    label: "mixed",
    tone: "bad",
    mark: "≠",
    meaning: "neither holds: several venues with different rules may be mixed",
  },
  unknown: { label: "unknown", tone: "quiet", mark: "?", meaning: "too few prints have voted" },
};

export const FACT_TEXT: Readonly<Record<string, string>> = {
  insurance_fund: "Insurance fund",
  adl: "Auto-deleveraging",
  partial_liquidation: "Partial liquidation",
  reporting: "Reporting",
};

/** Price comes to high leverage first: where that is known and lower is not, it is the distance that lacks. */
export const TOO_FEW = "not identified: too few events so far; this is the prior";
export const NOT_IDENTIFIED = "not identified: too few liquidations there; this is the prior";

/** Shares add up: where others were learned, what is not identified keeps the prior's proportions only. */
export const SCALED = ", scaled to what the other bands leave";
