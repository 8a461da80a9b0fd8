// @vitest-environment happy-dom
/** Alert rules: form and JSON say the same, errors find their field, conditions mean what the engine means. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { deleteRule, postTest, putRule } from "../../src/api/endpoints";
import type { AlertRule } from "../../src/api/eventTypes";
import { ApiError } from "../../src/api/http";
import {
  amountText,
  EMPTY_FORM,
  fieldOf,
  formErrors,
  formOf,
  type RuleForm,
  ruleOf,
  spanOf,
  spanText,
} from "../../src/pages/signals/ruleForm";
import { conditionsOf, limitsOf } from "../../src/pages/signals/ruleText";
import { meets } from "../../src/state/alerts";
import { event, ZONE } from "./eventsMade";

const FULL: AlertRule = {
  name: "big zones",
  enabled: false,
  types: ["ZONE_HIT", "ZONE_APPROACHED"],
  assets: ["BTC", "ETH"],
  venues: ["binance"],
  sides: ["LONG"],
  max_distance_ratio: 0.0123,
  min_notional_usd: 5e6,
  min_density_level: 5,
  priorities: [0, 1],
  quiet_hours: [{ from: "22:00", to: "07:00", tz: "Europe/Berlin" }],
  p0_ignores_quiet: true,
  rate_limit: { n: 5, per_s: 600 },
  dedupe_s: 1800,
  targets: ["phone"],
  modes: ["live", "simulated"],
};
const OPEN: AlertRule = {
  ...FULL,
  types: [],
  assets: [],
  venues: [],
  sides: [],
  max_distance_ratio: null,
  min_notional_usd: null,
  min_density_level: null,
  priorities: [],
  quiet_hours: [],
  rate_limit: null,
  dedupe_s: 0,
};
const GOOD: RuleForm = { ...EMPTY_FORM, name: "desk", targets: ["phone"] };

describe("form and rule", () => {
  it.each([
    ["every field", FULL],
    ["nothing asked for", OPEN],
    ["odd values", { ...FULL, max_distance_ratio: 0.333, min_notional_usd: 1_234_567.89, dedupe_s: 91 }],
    ["zero size", { ...FULL, min_notional_usd: 0, rate_limit: { n: 1000, per_s: 86_400 } }],
  ])("come back the same: %s", (_, rule) => {
    expect(formErrors(formOf(rule))).toEqual({});
    expect(ruleOf(formOf(rule))).toEqual(rule);
  });

  it("amounts and times read back exactly, in the shortest form", () => {
    expect([5e6, 2.5e6, 4e5, 950, 1_234_567.89, 0].map(amountText)).toEqual([
      "5M",
      "2.5M",
      "400k",
      "950",
      "1234567.89",
      "0",
    ]);
    expect([600, 3600, 86_400, 90, 0].map(spanText)).toEqual(["10 min", "1 h", "1 d", "90 s", "0 s"]);
    expect(["10 min", "1h", "2 hours", "90", "1.5 min", "soon", "5 parsecs"].map(spanOf)).toEqual([
      600,
      3600,
      7200,
      90,
      90,
      null,
      null,
    ]);
  });
});

describe("errors", () => {
  it("a filled form has none, an empty one says what is needed", () => {
    expect(formErrors(GOOD)).toEqual({});
    expect(Object.keys(formErrors({ ...EMPTY_FORM, modes: [] })).sort()).toEqual([
      "modes",
      "name",
      "targets",
    ]);
    expect(formErrors(GOOD, ["desk"]).name).toContain("Another rule");
  });

  const quiet = (from: string, to: string, tz = "UTC") => ({ quiet_hours: [{ from, to, tz }] });
  it.each([
    ["name", { name: " desk" }],
    ["name", { name: "desk " }],
    ["max_distance_ratio", { max_distance_ratio: "0" }],
    ["max_distance_ratio", { max_distance_ratio: "101" }],
    ["max_distance_ratio", { max_distance_ratio: "near" }],
    ["min_notional_usd", { min_notional_usd: "-5M" }],
    ["min_notional_usd", { min_notional_usd: "5 X" }],
    ["quiet_hours", quiet("22:00", "22:00")],
    ["quiet_hours", quiet("", "07:00")],
    ["quiet_hours", quiet("24:00", "07:00")],
    ["quiet_hours", quiet("22:00", "07:00", "Europe/Atlantis")],
    ["rate_limit", { rate_n: "0" }],
    ["rate_limit", { rate_n: "1001" }],
    ["rate_limit", { rate_n: "" }],
    ["rate_limit", { rate_per: "2 d" }],
    ["rate_limit", { rate_per: "" }],
    ["dedupe_s", { dedupe_s: "" }],
    ["dedupe_s", { dedupe_s: "2 d" }],
    ["targets", { targets: [] }],
  ])("%s: %j", (field, change) => {
    expect(Object.keys(formErrors({ ...GOOD, ...change }))).toEqual([field]);
  });

  it("a limit may be left out altogether", () => {
    expect(formErrors({ ...GOOD, rate_n: "", rate_per: "" })).toEqual({});
  });

  it.each([
    ["$.quiet_hours[0].tz", "quiet_hours"],
    ["targets", "targets"],
    ["rate_limit.n", "rate_limit"],
    ["body, key 'min_notional_usd'", "min_notional_usd"],
    ["/api/v1/alerts/rules/desk", "form"],
    [null, "form"],
  ])("the engine's %s belongs to %s", (where, field) => {
    expect(fieldOf(where)).toBe(field);
  });
});

describe("conditions", () => {
  const open = { ...OPEN };
  it("an open rule wants every event, of whatever mode", () => {
    expect(meets(open, event("ZONE_HIT"))).toBe(true);
    expect(meets(open, event("SOURCE_DOWN", {}, { mode: "rebuilt" }))).toBe(true);
  });

  it.each<[Partial<AlertRule>, boolean]>([
    [{ types: ["ZONE_HIT"] }, true],
    [{ types: ["ZONE_SWEPT"] }, false],
    [{ assets: ["ETH"] }, false],
    [{ venues: ["binance"] }, false],
    [{ sides: ["LONG"] }, true],
    [{ sides: ["SHORT"] }, false],
    [{ priorities: [0] }, true],
    [{ priorities: [1, 2] }, false],
    [{ max_distance_ratio: 0.005 }, true],
    [{ max_distance_ratio: 0.004 }, false],
    [{ min_notional_usd: 31.2e6 }, true],
    [{ min_notional_usd: 31.3e6 }, false],
    [{ min_density_level: 7 }, true],
    [{ min_density_level: 8 }, false],
  ])("%j on a long zone hit: %s", (change, wanted) => {
    expect(meets({ ...open, ...change }, event("ZONE_HIT"))).toBe(wanted);
  });

  it("a condition about what the event does not have is not met", () => {
    const down = event("SOURCE_DOWN", { instrument: "okx:X", silent_s: 5 });
    for (const change of [{ max_distance_ratio: 1 }, { min_notional_usd: 0 }, { min_density_level: 1 }])
      expect(meets({ ...open, ...change }, down)).toBe(false);
    expect(
      meets({ ...open, min_density_level: 1 }, event("ZONE_HIT", { ...ZONE, density_level: null })),
    ).toBe(false);
  });

  it("are told in words", () => {
    expect(conditionsOf(open)).toEqual(["every event"]);
    expect(conditionsOf(FULL).join(" | ")).toBe(
      "P0 + P1 | Zone hit, Zone near | BTC, ETH | binance | longs | at most 1.23 % away | from $5M | level 5 or more",
    );
    expect(limitsOf(FULL).join(" | ")).toBe(
      "live + simulated | quiet 22:00–07:00 Europe/Berlin except P0 | at most 5 in 10 min | repeats after 30 min",
    );
    expect(limitsOf(open).join(" | ")).toBe("live + simulated | no limit | every repeat");
  });
});

describe("what is sent to the engine", () => {
  afterEach(() => vi.unstubAllGlobals());

  it("a rule by name without repeating the name, a deletion, a test", async () => {
    const calls: [string, RequestInit][] = [];
    vi.stubGlobal("fetch", async (url: URL, init: RequestInit) => {
      calls.push([url.pathname, init]);
      return Response.json({});
    });
    await putRule(FULL);
    await deleteRule("big zones");
    await postTest({ target: "phone" });
    expect(calls.map(([path, { method }]) => `${method} ${path}`)).toEqual([
      "PUT /api/v1/alerts/rules/big%20zones",
      "DELETE /api/v1/alerts/rules/big%20zones",
      "POST /api/v1/alerts/test",
    ]);
    const body = JSON.parse(String(calls[0][1].body));
    expect(body).not.toHaveProperty("name");
    expect({ name: FULL.name, ...body }).toEqual(FULL);
    expect(JSON.parse(String(calls[2][1].body))).toEqual({ target: "phone" });
  });

  it("a problem says where it is", async () => {
    const problem = {
      status: 422,
      title: "No",
      detail: "There is no target x.",
      where: "targets",
      hint: "Add it.",
    };
    vi.stubGlobal("fetch", async () => new Response(JSON.stringify(problem), { status: 422 }));
    const error = await putRule(FULL).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ message: "There is no target x.", where: "targets", hint: "Add it." });
  });
});
