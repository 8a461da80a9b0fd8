/** Zones, marks of events, and the other ways to read the map. */
import { expect, type Page } from "@playwright/test";
import { clipped, drawn, expectAccessible, openMap, REAL, restart, SCREENS, scenario, test } from "./browse";

const panel = (page: Page) => page.getByRole("region", { name: "Zones", exact: true });
const card = (page: Page) => page.getByRole("region", { name: "Zone", exact: true });
const rows = (page: Page) => panel(page).locator("tbody tr");
const zonesAsked = (requests: readonly string[]) => requests.filter((line) => line.includes("/zones")).length;

test("the list is sorted by its headings, and a row opens the card", async ({ page }) => {
  await openMap(page);
  await expect(rows(page).first()).toBeVisible();
  const heading = panel(page).getByRole("columnheader", { name: /USD/ });
  await heading.getByRole("button").click();
  await expect(heading).toHaveAttribute("aria-sort", "descending");
  const amounts = await panel(page).locator("td.col-usd").allTextContents();
  const value = (text: string) => Number(/\$([\d.]+)/.exec(text)?.[1]) * (text.includes("B") ? 1000 : 1);
  expect(value(amounts[0])).toBeGreaterThanOrEqual(value(amounts.at(-1) ?? ""));
  await rows(page).nth(1).getByRole("button").click();
  await expect(page).toHaveURL(/sel=\d+_[\d.]+_zone_/);
  await expect(rows(page).nth(1)).toHaveAttribute("aria-current", "true");
  for (const words of ["est.", "Measured skill here", "Density level", "First seen", "Share of the side"])
    await expect(card(page)).toContainText(words);
  await expect(card(page)).toContainText(/Life line/);
  await page.reload();
  await drawn(page);
  await expect(card(page)).toContainText("Density level");
  await card(page).getByRole("button", { name: "Leave the zone" }).click();
  await expect(page).not.toHaveURL(/sel=/);
});

test("the card tells how far a cascade would run, and the profile what feeds its own move", async ({
  page,
}) => {
  test.skip(REAL, "needs a zone with levels beyond it");
  await openMap(page);
  await rows(page).nth(1).getByRole("button").click();
  const chain = card(page).getByRole("table", { name: /Chain, were price here now/ });
  await expect(chain.locator("tr.is-greyed").first()).toContainText(/n \d/);
  await expect(card(page)).toContainText("Grey: fewer than 30 such steps seen");
  await card(page)
    .getByRole("button", { name: /all \d levels/ })
    .focus();
  await page.keyboard.press("Enter");
  await expect(chain.locator("tbody tr").nth(4)).toBeVisible();
  const box = await page.locator(".profile canvas").boundingBox();
  if (!box) throw new Error("no profile");
  await page.mouse.move(box.x + 20, box.y + 0.8 * box.height);
  await expect(page.locator(".profile-tip")).toContainText(/R\(p\) [\d.]+ \([\d.]+–[\d.]+\)/);
  expect(await clipped(page)).toEqual([]);
  await expectAccessible(page);
  await page.screenshot({ path: `${SCREENS}/zone-chain.png` });
});

test("a jump brings the zone's price into view", async ({ page }) => {
  test.skip(REAL, "needs a zone far from price");
  await openMap(page);
  const far = rows(page).nth(7);
  const words = await far.getByRole("button").getAttribute("title");
  const price = Number(/[\d,]{5,}/.exec(words ?? "")?.[0].replaceAll(",", ""));
  await far.getByRole("button").click();
  await page.waitForTimeout(400);
  const box = await page.locator(".chart-canvas td:nth-child(2) canvas").first().boundingBox();
  if (!box) throw new Error("no chart");
  let nearest = Number.POSITIVE_INFINITY;
  for (let y = 4; y < box.height; y += 6) {
    await page.mouse.move(box.x + 200, box.y + y);
    const shown = page.locator(".strip .pair b");
    if ((await shown.count()) === 0) continue;
    const low = Number((await shown.textContent())?.split("–")[0].replaceAll(",", ""));
    nearest = Math.min(nearest, Math.abs(low - price));
  }
  expect(nearest).toBeLessThan(0.01 * price);
});

test("all columns are one click away", async ({ page }) => {
  await openMap(page);
  await panel(page).getByRole("button", { name: "Show all columns" }).click();
  const dialog = page.getByRole("dialog", { name: "Zones" });
  const names = await dialog.getByRole("columnheader").allTextContents();
  for (const name of [
    "Side",
    "Price",
    "USD est.",
    "Away",
    "Age",
    "Level",
    "Loaded",
    "Trend",
    "Leverage",
    "Venues",
  ])
    expect(names.some((text) => text.startsWith(name))).toBe(true);
  expect(await clipped(page)).toEqual([]);
  await expectAccessible(page);
  await page.screenshot({ path: `${SCREENS}/zones-all.png` });
});

test("zones of the past follow the pointer, and go-to-date", async ({ page, watch }) => {
  test.skip(REAL, "needs a made-up past");
  await openMap(page);
  await expect(rows(page).first()).toBeVisible();
  await panel(page).getByRole("button", { name: "follow pointer" }).click();
  const asked = zonesAsked(watch.requests);
  await page.mouse.move(330, 300);
  await expect(panel(page)).toContainText(/as of Feb \d+ \d\d:\d\d UTC/);
  await expect.poll(() => zonesAsked(watch.requests)).toBeGreaterThan(asked);
  await panel(page).getByRole("button", { name: "follow pointer" }).click();
  await expect(panel(page)).toContainText("as they stand now");
  await page.locator(".chart").focus();
  await page.keyboard.press("g");
  const dialog = page.getByRole("dialog", { name: /Go to/ });
  await dialog.getByLabel("Date and time").fill("2026-02-05T03:00");
  await dialog.getByRole("button", { name: "Go", exact: true }).click();
  await expect(panel(page)).toContainText("as of Feb 5 03:05 UTC");
  await page.locator(".chart").focus();
  await page.keyboard.press("r");
  await expect(panel(page)).toContainText("as they stand now");
});

test("letters on the chart find a map", async ({ page }) => {
  test.skip(REAL, "needs the made-up assets");
  await openMap(page);
  await page.locator(".chart").focus();
  await page.keyboard.press("e");
  const dialog = page.getByRole("dialog", { name: "Find a map" });
  await expect(dialog.getByRole("combobox")).toHaveValue("e");
  await page.keyboard.type("th by");
  await expect(dialog.getByRole("option")).toHaveCount(1);
  await expectAccessible(page);
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/scope=bybit:ETHUSDT/);
  await drawn(page);
  await page.getByRole("combobox", { name: "Asset", exact: true }).selectOption("BTC");
  await expect(page).toHaveURL(/scope=bybit:BTCUSDT/);
});

test("the visible map can be read as a table", async ({ page }) => {
  await openMap(page);
  await page.locator(".chart").focus();
  await page.keyboard.press("t");
  const dialog = page.getByRole("dialog", { name: /as a table/ });
  await expect(dialog.getByRole("row").nth(8)).toBeVisible();
  await expect(
    dialog
      .locator("td")
      .filter({ hasText: /^[LS] \$/ })
      .first(),
  ).toBeVisible();
  expect(await clipped(page)).toEqual([]);
  await expectAccessible(page);
  await page.screenshot({ path: `${SCREENS}/map-table.png` });
});

test("the liquidation pane and the marks can be put away, without a request", async ({ page, watch }) => {
  await openMap(page);
  const panes = () => page.locator(".chart-canvas tr:has(td:nth-child(2) canvas)").count();
  const before = await panes();
  const asked = watch.requests.filter((line) => /heat|candles/.test(line)).length;
  await page.getByRole("button", { name: "Chart options" }).click();
  await page.getByLabel("Liquidations under the chart").uncheck();
  await page.getByLabel("Zone brackets").uncheck();
  await page.locator("label:has(input[name=event-marks][value=off])").click();
  await page.keyboard.press("Escape");
  expect(await panes()).toBe(before - 1);
  await page.getByRole("button", { name: "Chart options" }).click();
  await page.getByRole("button", { name: "Reset to defaults" }).click();
  await page.keyboard.press("Escape");
  expect(await panes()).toBe(before);
  expect(watch.requests.filter((line) => /heat|candles/.test(line)).length).toBe(asked);
});

test("a mark tells what it is", async ({ page }) => {
  test.skip(REAL, "marks of a live market move");
  await openMap(page);
  const box = await page.locator(".chart-canvas td:nth-child(2) canvas").first().boundingBox();
  if (!box) throw new Error("no chart");
  // Brackets lie at the right edge of the pane: one is met on the way down it.
  const tip = page.getByRole("tooltip");
  let met = false;
  for (let y = 6; y < box.height - 6 && !met; y += 3) {
    await page.mouse.move(box.x + box.width - 8, box.y + y);
    met = (await tip.count()) > 0;
  }
  expect(met).toBe(true);
  await expect(tip).toContainText(/zone/);
});

test("the zones in every state", async ({ page, request }) => {
  test.skip(REAL, "the states are made by the development server");
  // A market that moves would fetch them again by itself.
  await restart(request, { paused: true });
  await scenario(page, "empty");
  await page.goto("/map");
  await expect(panel(page)).toContainText("No zone stands out right now");
  await openMap(page, "", "stale");
  await expect(panel(page)).toContainText("the engine is stale");
  let fail = true;
  let asked = 0;
  await page.route(/api\/v1\/zones/, (route) => {
    asked += 1;
    return fail
      ? route.fulfill({
          status: 200,
          contentType: "application/json",
          body: "{",
        })
      : route.continue();
  });
  await openMap(page);
  await expect(panel(page).getByRole("alert")).toBeVisible();
  await expectAccessible(page);
  const again = panel(page).getByRole("button", { name: "Try again" });
  const before = asked;
  await again.dispatchEvent("click");
  await expect.poll(() => asked).toBeGreaterThan(before);
  fail = false;
  // The page also tries by itself: by then the button may be gone.
  await expect(async () => {
    if (await again.count()) await again.dispatchEvent("click", {}, { timeout: 500 });
    await expect(rows(page).first()).toBeVisible({ timeout: 1_000 });
  }).toPass({ timeout: 15_000 });
});

test("a finger can do it all on a phone", async ({ page }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await openMap(page);
  await page.getByRole("button", { name: "Zones, cell, skill" }).click();
  await page.getByRole("tab", { name: /Zones/ }).click();
  await rows(page).first().getByRole("button").click();
  await expect(card(page)).toBeVisible();
  expect(await clipped(page)).toEqual([]);
  await expectAccessible(page);
  const small = await page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>("button, select, [role=tab], .segmented label")]
      .filter((one) => one.checkVisibility() && !one.matches(".chip, .zone-name, .card-close"))
      .map((one) => ({ box: one.getBoundingClientRect(), name: one.ariaLabel ?? one.textContent }))
      .filter(({ box }) => box.width > 0 && box.height < 43.5)
      .map(({ name, box }) => `${name}: ${box.height}`),
  );
  expect(small).toEqual([]);
  await page.screenshot({ path: `${SCREENS}/phone-zone.png` });
});
