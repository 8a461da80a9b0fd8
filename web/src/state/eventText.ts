/** One event in, one sentence out: what happened, to whom, how much, how far. The same words everywhere. */
import type { SignalEvent } from "../api/eventTypes";
import { typeLabel } from "./eventCatalogue";
import { duration, MISSING, price, signedPercent, usd } from "./format";

export interface EventWords {
  /** Position that is or would be forced out. */
  readonly side: "L" | "S" | null;
  /** What happened. */
  readonly what: string;
  /** Size, distance, level and the like, most telling first. */
  readonly facts: readonly string[];
}

export function numberIn(event: SignalEvent, field: string): number | null {
  const value = event.data[field];
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

export function textIn(event: SignalEvent, field: string): string | null {
  const value = event.data[field];
  return typeof value === "string" && value !== "" ? value : null;
}

export function sideOf(event: SignalEvent): "L" | "S" | null {
  const side = textIn(event, "side");
  return side === "LONG" ? "L" : side === "SHORT" ? "S" : null;
}

/** Without a row height, the size of the number says how many decimals matter. */
function priceOf(value: number | null, rowUsd: number | null): string {
  if (value === null) return MISSING;
  return price(value, rowUsd ?? 10 ** Math.floor(Math.log10(Math.abs(value) || 1) - 3));
}

function listIn(event: SignalEvent, field: string): string[] {
  const value = event.data[field];
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}

const silence = (event: SignalEvent): string => duration(numberIn(event, "silent_s"));
/** The instrument, or the feeds of a venue, that an event is about. */
const sourceIn = (event: SignalEvent): string =>
  `${textIn(event, "instrument")?.replace(":all", ":") ?? "A source"}${listIn(event, "channels").join(", ")}`;
const times = (now: number | null, before: number | null): string | null =>
  now && before && now / before >= 1.05 ? `${(now / before).toFixed(1)}× what it held` : null;

type Build = (event: SignalEvent, zone: string, at: (field: string) => string) => string;
type Facts = (event: SignalEvent) => (string | null)[];

function money(event: SignalEvent, field: string): string {
  const value = numberIn(event, field);
  return value !== null && value > 0 && value < 1 ? "under $1" : usd(value);
}

const flows = (event: SignalEvent): string =>
  `1 h: ${money(event, "opened_usd")} opened, ${money(event, "closed_usd")} closed`;

const depthOf = (event: SignalEvent): string => {
  const [depth, levels] = [numberIn(event, "depth"), numberIn(event, "n_levels")];
  return `level ${depth ?? "?"}${levels === null ? "" : ` of ${levels}`}`;
};

/** "Cascade of longs", with its verb. */
const cascade =
  (verb: string): Build =>
  (event, _, at) => {
    const side = sideOf(event);
    const whose = side === "L" ? " of longs" : side === "S" ? " of shorts" : "";
    return `Cascade${whose} ${verb} ${depthOf(event)} at ${at("price_usd")}`;
  };

function cascadeFacts(event: SignalEvent): (string | null)[] {
  const [next, tail] = [numberIn(event, "next_prob"), numberIn(event, "tail_prob")];
  const over = event.type === "CASCADE_ENDED";
  return [
    `${money(event, "liquidated_usd")} liquidated, est. ${money(event, "expected_usd")}`,
    tail === null ? null : `this deep by chance in ${Number((tail * 100).toPrecision(2))} % of cases`,
    over ? `took ${duration(numberIn(event, "duration_s"))}` : null,
    over || next === null ? null : `next level ${Math.round(next * 100)} %`,
  ];
}

/** How a zone ended that price did not go through. */
function howItEnded(event: SignalEvent): string {
  const touches = numberIn(event, "touches");
  const end = textIn(event, "merged_into") === null ? "Faded" : "Gave way to another";
  if (touches === null) return end;
  if (touches === 0) return `${end}, never reached`;
  return `${end} after price was in it ${touches === 1 ? "once" : `${touches} times`}`;
}

const feedOf = (event: SignalEvent): string => textIn(event, "instrument") ?? "a feed";

const VERDICTS: Readonly<Record<string, string>> = {
  inverted: "are inverted",
  mixed: "are mixed: some are inverted",
  right: "mean what is assumed again",
};

const WHAT: Readonly<Record<string, Build>> = {
  CASCADE_STARTED: cascade("has started:"),
  CASCADE_EXTENDED: cascade("goes on:"),
  CASCADE_EXCESS: cascade("is deeper than volatility explains:"),
  CASCADE_ENDED: cascade("is over:"),
  ZONE_HIT: (_, zone, at) => `Price ${at("price_usd")} hit the ${zone}`,
  ZONE_APPROACHED: (_, zone, at) => `Price ${at("price_usd")} is near the ${zone}`,
  ZONE_CREATED: (_, zone) => `New ${zone}`,
  ZONE_REINFORCED: (_, zone) => `More piled into the ${zone}`,
  ZONE_BUILDING: (_, zone) => `Building up: ${zone}`,
  ZONE_THINNING: (_, zone) => `Thinning out: ${zone}`,
  ZONE_SWEPT: (_, zone) => `Price went through the ${zone}`,
  ZONE_EXPIRED: (event, zone) => `${howItEnded(event)}: ${zone}`,
  LIQUIDATION_LARGE: (event, _, at) => {
    const whose = sideOf(event) === "S" ? "Short" : "Long";
    return `${whose} liquidated for ${money(event, "notional_usd")} at ${at("price_usd")} on ${textIn(event, "instrument") ?? "?"}`;
  },
  SOURCE_DOWN: (event) =>
    `${sourceIn(event)} has ${textIn(event, "detail") ? "failed" : "sent no price"} for ${silence(event)}`,
  SOURCE_RECOVERED: (event) => `${sourceIn(event)} is back after ${silence(event)}`,
  DIVERGENCE: (event) => {
    const whose = sideOf(event) === "S" ? "short" : "long";
    return `${listIn(event, "venues").join(" and ") || "Two venues"} disagree on ${event.asset} ${whose} levels`;
  },
  LEARNER_FELL_BACK: (event) => {
    const [about, taught] = [textIn(event, "learner") ?? "leverage", `what ${feedOf(event)} taught`];
    if (textIn(event, "change") === "restored") return `In use again: ${taught} about ${about}`;
    return `What is assumed about ${about} is in use: ${taught} did worse`;
  },
  ENGINE_CHANGED: (event) => `Liquidation engine of ${feedOf(event)} has changed`,
  SIDE_CONVENTION_ALARM: (event) =>
    `Sides of liquidations of ${feedOf(event)} ${VERDICTS[textIn(event, "verdict") ?? ""] ?? "are in doubt"}`,
};

/** A number with one decimal, its sign and a true minus. */
const signed = (value: number): string => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(1)}`;

const bps = (event: SignalEvent, field: string) => {
  const value = numberIn(event, field);
  return value === null ? MISSING : `${Math.round(value)} bp`;
};

const MORE: Readonly<Record<string, Facts>> = {
  ZONE_REINFORCED: (event) => [times(numberIn(event, "notional_usd"), numberIn(event, "before_usd"))],
  ZONE_BUILDING: (event) => [flows(event)],
  ZONE_THINNING: (event) => [
    flows(event),
    `open interest ${signedPercent(numberIn(event, "interest_change_ratio"), 1)}`,
  ],
  ZONE_SWEPT: (event) => [
    `held est. ${money(event, "before_usd")}`,
    `${money(event, "liquidated_usd")} liquidated in it`,
  ],
  CASCADE_STARTED: cascadeFacts,
  CASCADE_EXTENDED: cascadeFacts,
  CASCADE_EXCESS: cascadeFacts,
  CASCADE_ENDED: cascadeFacts,
  SOURCE_DOWN: (event) => [textIn(event, "detail")?.split(";")[0] ?? null],
  LIQUIDATION_LARGE: (event) => [`large from ${money(event, "threshold_usd")}`],
  DIVERGENCE: (event) => {
    const outlier = textIn(event, "outlier");
    return [
      `${bps(event, "distance_bps")} apart, chance gives ${bps(event, "floor_bps")}`,
      outlier && `outlier ${outlier}`,
    ];
  },
  LEARNER_FELL_BACK: (event) => {
    const score = numberIn(event, "advantage_nats");
    return [score === null ? null : `score ${signed(score)} nats over what is assumed`];
  },
  ENGINE_CHANGED: (event) => {
    const [before, after] = [numberIn(event, "before_bps"), numberIn(event, "after_bps")];
    const part = [textIn(event, "what"), textIn(event, "part")?.toLowerCase()].filter(Boolean).join(", ");
    const events = numberIn(event, "n_events");
    return [
      before === null || after === null
        ? part
        : `${part || "moved"}: ${signed(before)} → ${signed(after)} bp`,
      events === null ? null : `seen on ${events} liquidations`,
    ];
  },
  SIDE_CONVENTION_ALARM: (event) => {
    const before = textIn(event, "before");
    return [before && `${before} before`];
  },
};

/** Zone facts: size, distance, level. A swept zone's distance and rest say nothing; `MORE` has what it held. */
function zoneFacts(event: SignalEvent): (string | null)[] {
  const level = numberIn(event, "density_level");
  const distance = numberIn(event, "distance_ratio");
  const swept = event.type === "ZONE_SWEPT";
  return [
    swept ? null : `est. ${money(event, "notional_usd")}`,
    swept || distance === null ? null : distance === 0 ? "price inside" : `${signedPercent(distance)} away`,
    level === null ? "no level yet" : `level ${level}/10${event.data["loaded"] === true ? " loaded" : ""}`,
  ];
}

/** `rowUsd` is the height of a row of the asset's map: it decides the decimals of prices. */
export function eventWords(event: SignalEvent, rowUsd: number | null = null): EventWords {
  const at = (field: string) => priceOf(numberIn(event, field), rowUsd);
  const side = sideOf(event);
  const whose = side === "L" ? "long zone" : side === "S" ? "short zone" : "zone";
  const zone = `${whose} ${at("low_usd")}–${at("high_usd")}`;
  const facts = event.type.startsWith("ZONE_") ? zoneFacts(event) : [];
  const more = MORE[event.type]?.(event) ?? [];
  const sure = event.confidence === null ? null : `confidence ${Math.round(event.confidence * 100)} %`;
  return {
    side,
    what: WHAT[event.type]?.(event, zone, at) ?? `${typeLabel(event.type)} on ${event.asset}`,
    // A swept zone is told by what it held; others by what they hold.
    facts: [...(event.type === "ZONE_SWEPT" ? [...more, ...facts] : [...facts, ...more]), sure].filter(
      (fact): fact is string => !!fact,
    ),
  };
}

/** The words in one line, for notifications, searches and assistive technology. */
export function eventSentence(event: SignalEvent, rowUsd: number | null = null): string {
  const { side, what, facts } = eventWords(event, rowUsd);
  const head = `${event.asset}${side ? ` [${side}]` : ""}: ${what}`;
  return facts.length > 0 ? `${head} – ${facts.join(", ")}` : head;
}

/** A made-up or replayed event must never be taken for one that happens now. */
export function modeMark(event: SignalEvent): string {
  if (event.mode === "rebuilt") return "REBUILT";
  if (event.mode === "replay") return event.simulated ? "SIMULATED REPLAY" : "REPLAY";
  return event.simulated || event.mode === "simulated" ? "SIMULATED" : "";
}

export interface EventPlace {
  readonly scope: string;
  readonly tMs: number;
  readonly priceUsd: number | null;
}

/** Where on the map the event is: its zone's hottest price, or the price that was printed. */
export function eventPlace(event: SignalEvent): EventPlace {
  const peak = numberIn(event, "peak_usd");
  const [low, high] = [numberIn(event, "low_usd"), numberIn(event, "high_usd")];
  const middle = low !== null && high !== null ? (low + high) / 2 : null;
  return {
    scope: textIn(event, "scope") ?? event.asset,
    tMs: event.detected_at_ns / 1e6,
    priceUsd: event.type.startsWith("ZONE_") ? (peak ?? middle) : numberIn(event, "price_usd"),
  };
}
