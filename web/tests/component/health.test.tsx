// @vitest-environment happy-dom
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { SourceChannel, SourceStatus, SourcesAnswer, SourceVenue } from "../../src/api/sources";
import { HealthPage } from "../../src/pages/health/HealthPage";
import { byTrouble, millis, perSecond, tally, worst } from "../../src/pages/health/words";
import { loadSources, onlyTrouble, openVenues, sourcesState, stopSources } from "../../src/state/sources";

const NOW_MS = 1_762_000_000_000;

function channel(fields: Partial<SourceChannel> = {}): SourceChannel {
  return {
    channel: "publicTrade",
    kinds: ["trade"],
    transport: "socket",
    status: "live",
    sentence: "rows come",
    since_ms: NOW_MS - 60_000,
    n_rows: 1234,
    rows_per_s: 4,
    per_second: [1, 2, 3],
    per_minute: [],
    last_row_ms: NOW_MS - 400,
    lag_p50_ms: 12,
    lag_p95_ms: 48,
    n_gaps: 1,
    rejects: [],
    ...fields,
  };
}

function venue(fields: Partial<SourceVenue> = {}): SourceVenue {
  return {
    venue: "bybit",
    name: "Bybit",
    status: "live",
    sentence: "every channel is live",
    since_ms: NOW_MS,
    docs: null,
    channels: [channel()],
    sockets: [],
    coverage: [],
    absent: [],
    refusals: [],
    n_contracts: 3,
    n_reconnects: 0,
    n_renewals: 0,
    n_refusals: 0,
    n_duplicates: 0,
    n_frames: 10,
    n_bytes: 2000,
    n_request_failures: 0,
    clock_offset_ms: 2,
    ...fields,
  };
}

function answer(fields: Partial<SourcesAnswer> = {}): SourcesAnswer {
  return {
    simulated: false,
    as_of_ms: NOW_MS,
    stale: false,
    connected: true,
    at_ms: NOW_MS,
    venues: [venue()],
    writer: {
      rows_waiting: 5,
      rows_waiting_max: 1_000_000,
      n_rows_acknowledged: 4321,
      is_paused: false,
      n_pauses: 0,
      paused_s: 0,
      failure: "",
    },
    ...fields,
  };
}

let root: HTMLElement;
let reply: () => Response;

beforeEach(() => {
  root = document.createElement("div");
  document.body.append(root);
  reply = () => Response.json(answer());
  vi.stubGlobal("fetch", async () => reply());
  sourcesState.value = { kind: "loading" };
  openVenues.value = new Set();
  onlyTrouble.value = false;
});

afterEach(() => {
  act(() => render(null, root));
  stopSources();
  root.remove();
  vi.unstubAllGlobals();
});

async function show(body: SourcesAnswer): Promise<void> {
  reply = () => Response.json(body);
  await act(() => render(<HealthPage />, root));
  await act(() => vi.waitFor(() => expect(sourcesState.value.kind).toBe("ready")));
}

const text = () => root.textContent ?? "";

describe("the health page", () => {
  it("says of every venue how it fares, the troubled ones first", async () => {
    const down = venue({
      venue: "gate",
      name: "Gate",
      status: "down",
      sentence: "no connection",
      channels: [],
    });
    await show(answer({ venues: [venue(), down] }));
    const rows = [...root.querySelectorAll("tbody > tr")].map((row) => row.textContent ?? "");
    expect(rows[0]).toContain("Gate▼ downno connection");
    expect(rows[1]).toContain("Bybit● liveevery channel is live");
    expect(rows[1]).toContain("4.0/s12 ms / 48 ms0.4 s ago");
    expect(text()).toContain("4,321 rows on the tape, 5 waiting");
    expect(text()).toContain("1 live, 1 down.");
  });

  it("opens a venue's channels, rejects and what it cannot give", async () => {
    const reject = {
      reason: "unknown word",
      n: 7,
      digest: "00ff",
      detail: "S 'Hold'",
      sample: '{"S":"Hold"}',
    };
    const absent = [{ kind: "adl", reason: "Not public." }];
    await show(answer({ venues: [venue({ absent, channels: [channel({ rejects: [reject] })] })] }));
    const button = root.querySelector<HTMLElement>("tbody button");
    expect(button?.getAttribute("aria-expanded")).toBe("false");
    await act(() => button?.click());
    expect(button?.getAttribute("aria-expanded")).toBe("true");
    expect(root.querySelector(".source-rejects")?.textContent).toContain("7 on publicTrade: unknown word");
    expect(root.querySelector(".source-rejects code")?.textContent).toBe('{"S":"Hold"}');
    expect(root.querySelector(".source-absent")?.textContent).toContain("adl: Not public.");
  });

  it("can show only what is not well", async () => {
    await show(answer({ venues: [venue(), venue({ venue: "okx", name: "OKX", status: "blocked" })] }));
    await act(() => root.querySelector<HTMLElement>(".chip")?.click());
    expect(text()).toContain("OKX");
    expect(text()).not.toContain("Bybit");
  });

  it("says when the tape takes no more and when reading is paused", async () => {
    const { writer } = answer();
    if (!writer) throw new Error("no writer");
    await show(answer({ writer: { ...writer, is_paused: true, n_pauses: 2, paused_s: 61 } }));
    expect(text()).toContain("Reading is paused until the tape has caught up (paused 2 times, 61 s)");
    reply = () => Response.json(answer({ writer: { ...writer, failure: "the disk is full" } }));
    await act(() => loadSources());
    expect(root.querySelector("[role=alert]")?.textContent).toContain("the disk is full");
  });

  it("says of a played market that nothing is connected", async () => {
    const played = venue({ status: "played", channels: [channel({ transport: "tape", status: "played" })] });
    await show(answer({ connected: false, writer: null, venues: [{ ...played, n_reconnects: null }] }));
    expect(text()).toContain("Rows are counted since the engine was started");
    expect(root.querySelector(".chip")).toBeNull();
  });

  it("keeps what was known when an answer fails, and has words for a first failure", async () => {
    await show(answer());
    reply = () => Response.json({ detail: "The engine is busy." }, { status: 503 });
    await act(() => loadSources());
    expect(text()).toContain("Not being updated: The engine is busy.");
    expect(text()).toContain("Bybit");
    sourcesState.value = { kind: "loading" };
    await act(() => loadSources());
    expect(root.querySelector("[role=alert]")?.textContent).toContain("The engine is busy.");
  });
});

describe("sums over channels", () => {
  it("orders by trouble, then by name", () => {
    const states: SourceStatus[] = ["live", "partial", "down", "live", "blocked"];
    const venues = states.map((status, i) => venue({ venue: `v${i}`, name: `V${i}`, status }));
    expect(byTrouble(venues).map(({ name }) => name)).toEqual(["V2", "V4", "V1", "V0", "V3"]);
    expect(tally(venues)).toBe("2 live, 1 partial, 1 blocked, 1 down");
  });

  it("adds rates of rings that differ in length, newest to newest", () => {
    expect(perSecond([channel(), channel({ per_second: [5] }), channel({ per_second: [] })])).toEqual([
      1, 2, 8,
    ]);
    expect(perSecond([])).toEqual([]);
  });

  it("leaves polls out of the worst lag", () => {
    const poll = channel({ transport: "REST", lag_p95_ms: 60_000 });
    expect(worst([channel(), poll], (one) => one.lag_p95_ms)).toBe(48);
    expect(worst([poll], (one) => one.lag_p95_ms)).toBeNull();
    expect([millis(3.21), millis(-480), millis(74_000), millis(null)]).toEqual([
      "3.2 ms",
      "−480 ms",
      "74 s",
      "–",
    ]);
  });
});
