/**
 * What 2,000 x 1,000 cells cost. Limits count processor time and medians, and are twice those of `npm run bench`,
 * which reports the exact figures: a busy machine must not fail them, a slow way of drawing (ten to a thousand times
 * the cost) must.
 */
import { fileURLToPath } from "node:url";
import { expect } from "@playwright/test";
import { decoder, loading, median, open, panning } from "../../bench/measure.mjs";
import { REAL, restart, test } from "./browse";

const ROOT = fileURLToPath(new URL("../..", import.meta.url)).replace(/[/\\]$/, "");
const SLACK = 2;
const PAN_CPU_MS = 3;
const LOAD_MS = 60;

test.skip(REAL, "needs a map of a known size");

test("panning costs little over the candles alone", async ({ page, browser, request, baseURL }) => {
  test.setTimeout(120_000);
  await restart(request, { paused: true });
  const cdp = await browser.newBrowserCDPSession();
  const found = await panning(page, cdp, baseURL ?? "", { runs: 3, frames: 60, fit: true });
  test
    .info()
    .annotations.push({ type: "CPU-ms per frame over candles", description: found.added.toFixed(2) });
  expect(found.candles).toBeGreaterThan(0);
  expect(found.added).toBeLessThanOrEqual(PAN_CPU_MS * SLACK);
});

test("a snapshot is fetched and decoded at once", async ({ page, request, baseURL }) => {
  await restart(request, { paused: true });
  await open(page, baseURL ?? "", { heat: true, fit: false });
  await page.evaluate(await decoder(ROOT));
  const { took, cells } = await loading(page, "/api/v1/heat/BTC/5m/synthetic.bin?side=long", 20);
  expect(cells).toBeGreaterThanOrEqual(2_000_000);
  test.info().annotations.push({ type: "median ms", description: median(took).toFixed(1) });
  // Time on the wall counts what others do too: a quarter of the tries must have been left alone.
  const [, , , , undisturbed] = took.sort((one, other) => one - other);
  expect(undisturbed).toBeLessThanOrEqual(LOAD_MS * SLACK);
});
