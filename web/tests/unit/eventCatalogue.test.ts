/** The catalogue of events is the engine's, and what it does not know is still readable. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { EVENT_TYPES, LATENCY_GOAL_MS, typeLabel } from "../../src/state/eventCatalogue";
import { eventSentence } from "../../src/state/eventText";
import { event } from "./eventsMade";

const PYTHON = readFileSync(new URL("../../../src/faultline/signals/events.py", import.meta.url), "utf8");

describe("the catalogue", () => {
  it("knows the engine's types, and no others, with their priorities", () => {
    const types = [...PYTHON.matchAll(/^ {4}([A-Z_]+) = "\1"$/gm)].map(([, name]) => name);
    expect(types.length).toBeGreaterThan(10);
    expect(Object.keys(EVENT_TYPES).sort()).toEqual([...types].sort());
    for (const type of types) {
      const [, priority] = new RegExp(`EventType\\.${type},\\s*Priority\\.P(\\d)`).exec(PYTHON) ?? [];
      expect(`${type} ${EVENT_TYPES[type].priority}`).toBe(`${type} ${priority}`);
    }
  });

  it("knows the engine's goals for latency", () => {
    for (const [priority, goal] of Object.entries(LATENCY_GOAL_MS))
      expect(PYTHON).toContain(`Priority.P${priority}: ${goal.toFixed(1)}`);
  });

  it("makes an unknown type readable", () => {
    expect(typeLabel("WALL_PULLED")).toBe("Wall pulled");
    expect(eventSentence(event("WALL_PULLED", { side: "LONG" }))).toBe("BTC [L]: Wall pulled on BTC");
  });
});
