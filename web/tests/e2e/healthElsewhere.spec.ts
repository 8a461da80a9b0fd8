/** What every other page says about the venues: in a few words, and only while the engine is live. */
import { expect, type Page } from "@playwright/test";
import { clipped, drawn, expectAccessible, REAL, SCREENS, scenario, test } from "./browse";
import { become, between } from "./sourcesBetween";

test.skip(REAL, "the venues are made by the development server");

const row = (page: Page, name: string) => page.getByRole("button", { name, exact: true });

test("every page of a live engine says quietly which venues give nothing", async ({ page }) => {
  const sources = await between(page);
  await scenario(page, "live");
  await page.goto("/map");
  await drawn(page);
  const word = page.locator(".source-trouble");
  await expect(word).toHaveAccessibleName(
    "Venues: 1 blocked (Binance USD-M); 1 down (Gate). Open their health",
  );
  expect(await word.evaluate((element) => element.getAnimations({ subtree: true }).length)).toBe(0);
  await expectAccessible(page);
  await page.goto("/signals");
  await expect(word).toBeVisible();
  await word.click();
  await expect(page).toHaveURL(/\/health$/);
  await expect(row(page, "Gate")).toBeVisible();
  // A connection that was lost a moment ago is not yet worth a word.
  sources.change = (answer) => ({
    ...answer,
    venues: answer.venues.map((venue) =>
      venue.venue === "gate" ? { ...venue, since_ms: answer.at_ms - 5_000 } : venue,
    ),
  });
  await expect(word).toHaveAccessibleName("Venues: 1 blocked (Binance USD-M). Open their health", {
    timeout: 10_000,
  });
  sources.change = become({ gate: "live", binance: "live" });
  await expect(word).toHaveCount(0, { timeout: 10_000 });
});

test("a market that is played asks nothing about venues, and has no such word", async ({ page, watch }) => {
  await scenario(page, "replay");
  await page.goto("/map");
  await drawn(page);
  await expect(page.locator(".source-trouble")).toHaveCount(0);
  expect(watch.requests.filter((one) => one.endsWith("/sources"))).toEqual([]);
});

test("every page says how old its data are, also on a phone", async ({ page }) => {
  await scenario(page, "live");
  for (const width of [1440, 390]) {
    await page.setViewportSize({ width, height: 844 });
    for (const name of ["map", "signals", "model", "health", "about"]) {
      await page.goto(`/${name}`);
      await expect(page.locator(".footer-age")).toBeVisible();
      await expect(page.locator(".footer-age")).toContainText(/data age \d/);
      await expect(page.locator(".source-trouble")).toBeVisible();
      if (name === "map") await drawn(page);
      expect(await clipped(page), `${name} ${width}`).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
      await page.screenshot({ path: `${SCREENS}/live-${name}-${width}.png` });
    }
  }
});
