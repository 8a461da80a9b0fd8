/** Opens the model page over a made-up answer, and clears it away after each test. */
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, expect, vi } from "vitest";
import type { ModelAnswer } from "../../src/api/model";
import { ModelPage } from "../../src/pages/model/ModelPage";
import { assets, scoreHistory, scores, status, statusError } from "../../src/state/engine";
import { modelAsset, modelState, modelTab } from "../../src/state/model";

const ENGINE = {
  simulated: true,
  stale: false,
  as_of_ms: Date.UTC(2026, 1, 5, 14, 8),
  version: "0",
  mode: "simulated" as const,
  world: null,
  state: "ready" as const,
  progress: null,
  error: null,
  data_age_s: 0.3,
  replay: null,
};
const asset = (name: string) => ({ asset: name, price_usd: 1, row_usd: 1, scopes: [name], timeframes: [] });

export let root: HTMLElement;
let answer: () => Response;
/** What the engine says from now on. */
export function say(next: () => Response): void {
  answer = next;
}
export const asked: string[] = [];

beforeEach(() => {
  root = document.body.appendChild(document.createElement("div"));
  asked.length = 0;
  vi.stubGlobal("fetch", async (url: URL) => {
    asked.push(url.pathname);
    return url.pathname.endsWith("/scores") ? Response.json({ available: false, reports: [] }) : answer();
  });
});
afterEach(() => {
  render(null, root);
  root.remove();
  modelState.value = { kind: "loading" };
  modelTab.value = "leverage";
  modelAsset.value = null;
  status.value = null;
  statusError.value = null;
  assets.value = [];
  scores.value = null;
  scoreHistory.value = null;
  vi.unstubAllGlobals();
});

export async function show(body: ModelAnswer | (() => Response)): Promise<void> {
  answer = typeof body === "function" ? body : () => Response.json(body);
  status.value = ENGINE;
  assets.value = [asset("BTC"), asset("ETH")];
  await act(() => render(<ModelPage />, root));
  await act(() => vi.waitFor(() => expect(modelState.value.kind).not.toBe("loading")));
}

export const text = () => root.textContent?.replace(/\s+/g, " ") ?? "";
export const choose = (name: string) =>
  act(() => root.querySelector<HTMLElement>(`#tab-${name}`)?.click() as undefined);
