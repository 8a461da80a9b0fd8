/** What of the log is shown: four filters, kept in the address bar. */
import { effect, signal } from "@preact/signals";
import type { Priority, SeqEvent } from "../../api/eventTypes";
import { EVENT_TYPES, typeLabel } from "../../state/eventCatalogue";
import { eventSentence } from "../../state/eventText";

export interface Filters {
  readonly type: string | null;
  readonly asset: string | null;
  /** Show this priority and everything more urgent. */
  readonly upTo: Priority;
  readonly text: string;
}

export const NO_FILTERS: Filters = { type: null, asset: null, upTo: 2, text: "" };
export const TABS = ["events", "rules", "deliveries", "browser"] as const;
export type Tab = (typeof TABS)[number];

/** Anything unreadable in a link becomes "everything". */
export function parseFilters(search: string): Filters {
  const query = new URLSearchParams(search);
  const type = query.get("type");
  const upTo = query.get("p");
  return {
    type: type !== null && type in EVENT_TYPES ? type : null,
    asset: query.get("asset") || null,
    upTo: upTo === "0" || upTo === "1" ? (Number(upTo) as Priority) : 2,
    text: query.get("q") ?? "",
  };
}

export function formatFilters(filters: Filters, tab: Tab): string {
  const query = new URLSearchParams();
  if (tab !== "events") query.set("tab", tab);
  if (filters.type) query.set("type", filters.type);
  if (filters.asset) query.set("asset", filters.asset);
  if (filters.upTo !== 2) query.set("p", String(filters.upTo));
  if (filters.text.trim()) query.set("q", filters.text.trim());
  const text = query.toString();
  return text ? `?${text}` : "";
}

const parseTab = (search: string): Tab =>
  TABS.find((name) => name === new URLSearchParams(search).get("tab")) ?? "events";

export const filters = signal<Filters>(NO_FILTERS);
export const tab = signal<Tab>("events");

export function setFilters(change: Partial<Filters>): void {
  filters.value = { ...filters.value, ...change };
}

export const isFiltering = (now: Filters): boolean => formatFilters(now, "events") !== "";

/** Every word of the search must be somewhere in what the row says. */
export function passes({ event }: SeqEvent, now: Filters, rowUsd: number | null = null): boolean {
  if (now.type && event.type !== now.type) return false;
  if (now.asset && event.asset !== now.asset) return false;
  if (event.priority > now.upTo) return false;
  const words = now.text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return true;
  const row =
    `${typeLabel(event.type)} ${event.type} p${event.priority} ${event.mode} ${event.venue ?? ""} ${eventSentence(event, rowUsd)}`.toLowerCase();
  return words.every((word) => row.includes(word));
}

const here = () => location.pathname.endsWith("/signals");

/** Read the address bar, follow it on Back, and keep it in step. */
export function syncFilters(): () => void {
  const read = () => {
    if (!here()) return;
    filters.value = parseFilters(location.search);
    tab.value = parseTab(location.search);
  };
  read();
  let timer = 0;
  const stop = effect(() => {
    const search = formatFilters(filters.value, tab.value);
    window.clearTimeout(timer);
    timer = window.setTimeout(() => {
      if (here() && search !== location.search)
        history.replaceState(history.state, "", `${location.pathname}${search}`);
    }, 200);
  });
  addEventListener("popstate", read);
  return () => {
    stop();
    window.clearTimeout(timer);
    removeEventListener("popstate", read);
  };
}
