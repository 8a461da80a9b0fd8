/** What somebody who records venues sees: troubles first, details that stay open, and words instead of silence. */
import { expect, type Page } from "@playwright/test";
import type { SourcesAnswer } from "../../src/api/sources";
import { expectAccessible, REAL, restart, scenario, test, type Watch } from "./browse";
import { become, between } from "./sourcesBetween";

test.skip(REAL, "the venues are made by the development server");

/** The browser itself writes an error for every answer that is one: here they are wanted. */
const loose = test.extend<{ watch: Watch }>({
  watch: async ({ request }, use) => {
    await restart(request);
    await use({ requests: [] });
  },
});

async function openHealth(page: Page, name = "live"): Promise<void> {
  await scenario(page, name);
  await page.goto("/health");
  await expect(page.locator("main.health .health-head h2")).toBeVisible();
}

const row = (page: Page, name: string) => page.getByRole("button", { name, exact: true });
const names = async (page: Page) =>
  (await page.locator(".source-table > tbody > tr > th button").allTextContents()).map((text) =>
    text.replace(/[▸▾]/, "").trim(),
  );
const focused = (page: Page) => page.evaluate(() => document.activeElement?.textContent?.trim() ?? "");

test("venues that are in trouble come first, and open to what is the matter", async ({ page }) => {
  await openHealth(page);
  expect(await names(page)).toEqual(["Gate", "Binance USD-M", "Deribit", "Bybit", "OKX"]);
  await expect(page.getByText("2 live, 1 partial, 1 blocked, 1 down.")).toBeVisible();
  await expect(page.getByText("3,582,904 rows on the tape, 184 waiting")).toBeVisible();
  await expect(page.locator(".health-engine")).toContainText("412 GB of 1 TB");
  await row(page, "Bybit").click();
  const details = page.locator("#venue-bybit");
  await expect(details).toContainText("3 on publicTrade: unknown symbol");
  await expect(details).toContainText("adl: Single closures are not public.");
  await details.getByText("What it gives").click();
  await expect(details.getByRole("table").last()).toContainText("A Buy is a long that was liquidated.");
  await expectAccessible(page);
});

test("only what is not well: pressed, emptied and left without losing the focus", async ({ page }) => {
  const sources = await between(page);
  await openHealth(page);
  const chip = page.getByRole("button", { name: /only what is not well/ });
  await chip.click();
  expect(await names(page)).toEqual(["Gate", "Binance USD-M", "Deribit"]);
  await page.mouse.move(0, 0);
  sources.change = become({ gate: "live", binance: "live", deribit: "live" });
  await expect(page.getByText("Every venue is well.")).toBeVisible();
  await expect(chip).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(chip).toHaveAttribute("aria-disabled", "true");
  await expect(chip).toBeFocused();
  expect(await names(page)).toHaveLength(5);
  await page.keyboard.press("Enter");
  await expect(chip).toHaveAttribute("aria-pressed", "false");
});

test("keys alone reach every control, and a refresh takes nothing from them", async ({ page }) => {
  const sources = await between(page);
  await openHealth(page);
  await page.getByRole("button", { name: /only what is not well/ }).focus();
  for (const name of ["Gate", "Binance USD-M"]) {
    await page.keyboard.press("Tab");
    await expect(row(page, name)).toBeFocused();
  }
  await page.keyboard.press("Enter");
  await expect(row(page, "Binance USD-M")).toHaveAttribute("aria-expanded", "true");
  await page.keyboard.press("Tab");
  await expect(page.locator("#venue-binance summary")).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.locator("#venue-binance details")).toHaveAttribute("open", "");
  // The worst that a refresh can bring: everybody changes places.
  sources.change = become({ bybit: "down", okx: "blocked", binance: "live", gate: "live", deribit: "live" });
  const before = sources.n;
  await expect.poll(() => sources.n, { timeout: 10_000 }).toBeGreaterThan(before + 1);
  await expect(page.getByText("3 live, 1 blocked, 1 down.")).toBeVisible();
  await expect(page.locator("#venue-binance summary")).toBeFocused();
  await expect(page.locator("#venue-binance details")).toHaveAttribute("open", "");
  expect(await names(page)).toEqual(["Gate", "Binance USD-M", "Deribit", "Bybit", "OKX"]);
  await page.keyboard.press("Shift+Tab");
  await expect(row(page, "Binance USD-M")).toBeFocused();
  await page.keyboard.press("Space");
  await expect(page.locator("#venue-binance")).toHaveCount(0);
  const then = sources.n;
  await expect.poll(() => sources.n, { timeout: 10_000 }).toBeGreaterThan(then);
  expect(await focused(page)).toContain("Binance USD-M");
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog")).toContainText("the venue or the network refuses this address");
  await expectAccessible(page);
  await page.keyboard.press("Escape");
  await expect(row(page, "Binance USD-M")).toBeFocused();
  // Nobody reads any more: the troubled come first again.
  await page.getByRole("button", { name: "Help and keys" }).focus();
  await page.mouse.move(0, 0);
  await expect
    .poll(() => names(page), { timeout: 10_000 })
    .toEqual(["Bybit", "OKX", "Binance USD-M", "Deribit", "Gate"]);
});

test("rows stay under the pointer that is on them", async ({ page }) => {
  const sources = await between(page);
  await openHealth(page);
  await row(page, "OKX").hover();
  sources.change = become({ okx: "down" });
  await expect(page.getByText("1 live, 1 partial, 1 blocked, 2 down.")).toBeVisible();
  expect((await names(page)).at(-1)).toBe("OKX");
  await page.mouse.move(0, 0);
  await expect.poll(async () => (await names(page)).indexOf("OKX"), { timeout: 10_000 }).toBe(1);
});

test("a venue that goes leaves the details of the others open", async ({ page }) => {
  const sources = await between(page);
  await openHealth(page);
  await row(page, "Deribit").click();
  sources.change = (answer) => ({
    ...answer,
    venues: answer.venues.filter(({ venue }) => venue !== "gate"),
  });
  await expect(row(page, "Gate")).toHaveCount(0, { timeout: 10_000 });
  await expect(page.locator("#venue-deribit")).toContainText("silent for 74 s");
  await expect(row(page, "Deribit")).toBeFocused();
});

test("what was known stays when answers fail, and goes on when they come again", async ({ page, watch }) => {
  await openHealth(page);
  const path = /\/api\/v1\/sources/;
  await page.route(path, (route) =>
    route.fulfill({
      status: 200,
      contentType: "application/json",
      body: "{",
    }),
  );
  await expect(page.locator(".health-notice")).toContainText("Not being updated", { timeout: 10_000 });
  await expect(row(page, "Bybit")).toBeVisible();
  await page.unroute(path);
  await expect(page.locator(".health-notice")).toHaveCount(0, { timeout: 10_000 });
  expect(watch.requests.filter((one) => one === "GET /api/v1/sources").length).toBeGreaterThan(2);
});

test("a tape that takes no more, a paused reader and a slow clock are said", async ({ page }) => {
  const sources = await between(page);
  const behind = (answer: SourcesAnswer) => ({
    ...answer,
    venues: answer.venues.map((venue) => ({ ...venue, clock_offset_ms: -480 })),
    writer: answer.writer && { ...answer.writer, is_paused: true, n_pauses: 2, paused_s: 61 },
  });
  sources.change = behind;
  await openHealth(page);
  await expect(page.locator(".health-notice")).toContainText("Our clock is behind by 480 ms or more");
  await expect(page.getByText("Reading is paused until the tape has caught up")).toBeVisible();
  await row(page, "OKX").click();
  await expect(page.locator("#venue-okx")).toContainText("−480 ms (ours is behind this venue's)");
  await expectAccessible(page);
  sources.change = (answer) => ({
    ...answer,
    writer: answer.writer && { ...answer.writer, failure: "the disk is full" },
  });
  await expect(page.getByRole("alert")).toContainText("the disk is full", { timeout: 10_000 });
});

test("played markets, no venue, an engine that loads and one that failed", async ({ page }) => {
  await openHealth(page, "replay");
  await expect(page.getByRole("heading", { name: "Playing a tape: nothing is connected" })).toBeVisible();
  await row(page, "binance").click();
  await expect(page.locator("#venue-binance")).toContainText("open interest");
  await expect(page.getByRole("button", { name: /only what/ })).toHaveCount(0);
  // What nobody counts is missing, not 0.
  await expect(page.locator(".source-table > tbody > tr").first()).toContainText(
    "552,660 rows– / –1.0 s ago–––",
  );
  await openHealth(page, "data");
  await expect(page.getByRole("heading", { name: "Simulated market: nothing is connected" })).toBeVisible();
  await openHealth(page, "empty");
  await expect(page.getByText("No venue yet.")).toBeVisible();
  await expect(page.getByText("Recording venues")).toHaveCount(0);
});

loose("an engine that loads, that failed, or that is gone has words for it", async ({ page }) => {
  await scenario(page, "loading");
  await page.goto("/health");
  await expect(page.getByRole("progressbar", { name: "Making the maps" })).toBeVisible();
  await expectAccessible(page);
  await scenario(page, "error");
  await page.goto("/health");
  await expect(page.getByRole("alert")).toContainText("no source is known yet");
  await expect(page.getByRole("button", { name: "Try again" })).toBeVisible();
  await expectAccessible(page);
  await scenario(page, "live");
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(row(page, "Gate")).toBeVisible({ timeout: 10_000 });
  await page.context().setOffline(true);
  const notice = page.locator(".health-notice", { hasText: "Not being updated" });
  await expect(notice).toBeVisible({ timeout: 15_000 });
  await expect(row(page, "Gate")).toBeVisible();
  await page.context().setOffline(false);
  await expect(notice).toHaveCount(0, { timeout: 15_000 });
});
