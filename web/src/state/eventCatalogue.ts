/** Every type of event the engine emits, in a trader's words. */
import type { Priority } from "../api/eventTypes";

export interface TypeText {
  readonly priority: Priority;
  /** Two or three words for tables and lists. */
  readonly label: string;
  readonly meaning: string;
}

export const EVENT_TYPES: Readonly<Record<string, TypeText>> = {
  ZONE_HIT: { priority: 0, label: "Zone hit", meaning: "price reached the nearest edge of a zone" },
  CASCADE_STARTED: {
    priority: 0,
    label: "Cascade started",
    meaning: "liquidations from a zone that was hit have come with price to the next level",
  },
  CASCADE_EXTENDED: {
    priority: 0,
    label: "Cascade deeper",
    meaning: "a cascade has reached a further level",
  },
  LIQUIDATION_LARGE: {
    priority: 0,
    label: "Large liquidation",
    meaning: "one liquidation larger than 999 in 1,000 of the asset's last 30 days",
  },
  ZONE_APPROACHED: {
    priority: 1,
    label: "Zone near",
    meaning: "price is nearer to a zone than it usually moves in a quarter of an hour",
  },
  CASCADE_ENDED: {
    priority: 1,
    label: "Cascade over",
    meaning: "a cascade did not reach its next level in time, or reached the last one",
  },
  CASCADE_EXCESS: {
    priority: 1,
    label: "Cascade in excess",
    meaning: "a cascade is deeper than volatility alone would make it in 19 of 20 cases",
  },
  SOURCE_DOWN: {
    priority: 1,
    label: "Source silent",
    meaning: "feeds of a venue have failed for half a minute, or an instrument has stopped sending prices",
  },
  SOURCE_RECOVERED: {
    priority: 1,
    label: "Source back",
    meaning: "feeds that failed work again, or a silent instrument sends prices",
  },
  ZONE_CREATED: { priority: 2, label: "New zone", meaning: "a zone has stood out for several minutes" },
  ZONE_REINFORCED: {
    priority: 2,
    label: "Zone reinforced",
    meaning: "a zone holds half as much again as when last reported",
  },
  ZONE_BUILDING: {
    priority: 2,
    label: "Zone building",
    meaning: "a zone's share of all exposure rises beyond what decay explains",
  },
  ZONE_THINNING: {
    priority: 2,
    label: "Zone thinning",
    meaning: "a zone's share of all exposure falls while open interest falls",
  },
  ZONE_SWEPT: { priority: 2, label: "Zone swept", meaning: "price has passed the far edge of a zone" },
  ZONE_EXPIRED: {
    priority: 2,
    label: "Zone faded",
    meaning: "a zone has faded or given way to another before price went through it",
  },
  DIVERGENCE: {
    priority: 2,
    label: "Venues disagree",
    meaning: "the maps of two venues differ by more than chance",
  },
  LEARNER_FELL_BACK: {
    priority: 2,
    label: "Fell back",
    meaning: "what is assumed took over because what was learned did worse, or what was learned is back",
  },
  ENGINE_CHANGED: {
    priority: 2,
    label: "Engine changed",
    meaning: "a venue prints its liquidations elsewhere than it used to",
  },
  SIDE_CONVENTION_ALARM: {
    priority: 2,
    label: "Sides in doubt",
    meaning: "a feed's liquidation sides do not mean what is assumed, or do so again",
  },
};

export const PRIORITIES = [0, 1, 2] as const satisfies readonly Priority[];
export const PRIORITY_TEXT: Readonly<Record<Priority, string>> = {
  0: "act now",
  1: "get ready",
  2: "good to know",
};
/** The engine's own goal from receipt to event, in milliseconds. */
export const LATENCY_GOAL_MS: Readonly<Record<Priority, number>> = { 0: 100, 1: 500, 2: 2000 };

/** `ZONE_HIT` as "Zone hit"; a type this page does not know is made readable. */
export function typeLabel(type: string): string {
  const words = type.replaceAll("_", " ").toLowerCase();
  return EVENT_TYPES[type]?.label ?? words.charAt(0).toUpperCase() + words.slice(1);
}

export const typesOf = (priority: Priority): string[] =>
  Object.keys(EVENT_TYPES).filter((type) => EVENT_TYPES[type].priority === priority);
