/** The bar over the log: type, asset, urgency, words. */
import { useComputed } from "@preact/signals";
import type { Priority } from "../../api/eventTypes";
import { assets } from "../../state/engine";
import { EVENT_TYPES, PRIORITIES, PRIORITY_TEXT, typesOf } from "../../state/eventCatalogue";
import { recentEvents } from "../../state/events";
import { Segmented } from "../../ui/Segmented";
import { filters, isFiltering, NO_FILTERS, setFilters } from "./filters";

const UP_TO = [
  { value: "2", label: "All" },
  { value: "1", label: "P0 + P1", title: "act now, get ready" },
  { value: "0", label: "P0", title: "act now" },
] as const;

export function EventFilters() {
  const now = filters.value;
  const names = useComputed(() => {
    const known = new Set(assets.value.map(({ asset }) => asset));
    for (const { event } of recentEvents.value) known.add(event.asset);
    if (filters.value.asset) known.add(filters.value.asset);
    return [...known].sort();
  });
  return (
    <search class="sig-filters" aria-label="Filter events">
      <label>
        <span>Type</span>
        <select
          value={now.type ?? ""}
          onChange={(event) => setFilters({ type: event.currentTarget.value || null })}
        >
          <option value="">all types</option>
          {PRIORITIES.map((priority) => (
            <optgroup key={priority} label={`P${priority}: ${PRIORITY_TEXT[priority]}`}>
              {typesOf(priority).map((type) => (
                <option key={type} value={type}>
                  {EVENT_TYPES[type].label}
                </option>
              ))}
            </optgroup>
          ))}
        </select>
      </label>
      <label>
        <span>Asset</span>
        <select
          value={now.asset ?? ""}
          onChange={(event) => setFilters({ asset: event.currentTarget.value || null })}
        >
          <option value="">all assets</option>
          {names.value.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <Segmented
        label="Priority"
        choices={UP_TO}
        value={String(now.upTo) as "0" | "1" | "2"}
        onChange={(value) => setFilters({ upTo: Number(value) as Priority })}
      />
      <label class="sig-search">
        <span>Words</span>
        <input
          type="search"
          placeholder="96,200 long loaded"
          value={now.text}
          onInput={(event) => setFilters({ text: event.currentTarget.value })}
        />
      </label>
      {isFiltering(now) && (
        <button type="button" class="button" onClick={() => setFilters(NO_FILTERS)}>
          Clear filters
        </button>
      )}
    </search>
  );
}
