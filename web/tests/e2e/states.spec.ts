/** Every state of the page at three sizes in both themes: against kept pictures, and what must hold in each. */
import { expect } from "@playwright/test";
import {
  clipped,
  drawn,
  expectAccessible,
  expectPicture,
  REAL,
  restart,
  SCREENS,
  scenario,
  standStill,
  test,
} from "./browse";

const SIZES = { desktop: [1440, 900], laptop: [1280, 720], phone: [390, 844] } as const;
const STATES = {
  data: null,
  stale: null,
  error: "The tape cannot be read",
  loading: "Making the maps",
  // Last: its log of events has begun anew, and everything older counts as unseen afterwards.
  empty: "No map for this scope yet",
} as const;

test.skip(REAL, "the states are made by the development server");

for (const [size, [width, height]] of Object.entries(SIZES))
  for (const theme of ["dark", "light"] as const)
    test(`${size} ${theme}`, async ({ page, request }) => {
      test.slow();
      await restart(request, { paused: true });
      await standStill(page);
      await page.setViewportSize({ width, height });
      await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
      for (const [state, words] of Object.entries(STATES)) {
        const kept = state !== "loading";
        if (!kept && size === "laptop") continue;
        await scenario(page, state);
        await page.goto("/map");
        if (words) await expect(page.locator(".cover")).toContainText(words);
        else await drawn(page);
        if (state === "stale") await expect(page.locator(".freshness")).toHaveText(/stale/);
        await expect(page.locator(".simulated")).toBeVisible();
        await expect(page.locator(".footer")).toContainText(
          "Model estimates - not exchange data, not advice",
        );
        expect(await clipped(page), `${state} clips text`).toEqual([]);
        expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
        if (size === "desktop" || (state === "data" && size === "phone")) await expectAccessible(page);
        if (kept) await expectPicture(page, `map-${size}-${theme}-${state}`);
      }
    });

test("a tablet cuts nothing off", async ({ page }) => {
  await page.setViewportSize({ width: 820, height: 1100 });
  for (const state of ["data", "error"]) {
    await scenario(page, state);
    await page.goto("/map");
    if (state === "error") await expect(page.locator(".cover")).toContainText(STATES.error);
    else await drawn(page);
    expect(await clipped(page), `${state} clips text`).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(820);
  }
});

test("a live engine that has heard nothing says so, and the map comes by itself", async ({ page }) => {
  await scenario(page, "silent");
  await page.goto("/map?scope=ETH");
  const cover = page.locator(".cover");
  await expect(cover).toContainText("No prices yet");
  await expect(cover).toContainText("Blocked:");
  await expect(page.locator(".freshness")).toHaveText("no data yet");
  await expect(page.locator(".zones-body")).toContainText("No zones: no prices are known yet.");
  await expectAccessible(page);
  const controls = page.locator(".topbar :is(.scope, .topbar-end)");
  const tops = () => controls.evaluateAll((all) => all.map((one) => one.getBoundingClientRect().top));
  await page.setViewportSize({ width: 390, height: 844 });
  const [scopeTop, endTop] = await tops();
  expect(endTop, "one row on a phone").toBeLessThan(scopeTop + 20);
  await scenario(page, "live");
  await drawn(page);
  await expect(page.locator(".scope-asset")).toHaveValue("ETH");
});

test("the notices are accessible in both themes", async ({ page }) => {
  for (const colorScheme of ["dark", "light"] as const) {
    await page.emulateMedia({ colorScheme });
    await page.goto("/about");
    await expect(page.locator("main")).toContainText("TradingView Lightweight Charts");
    await expectAccessible(page);
    expect(await clipped(page)).toEqual([]);
  }
});

test("modes", async ({ page }) => {
  await scenario(page, "replay");
  await page.goto("/map");
  await drawn(page);
  for (const mode of ["raw", "synthetic", "smooth", "hybrid"]) {
    await page.locator(`.modes label:has(input[value=${mode}])`).click();
    await page.mouse.move(600, 320);
    await page.waitForTimeout(350);
    await page.screenshot({ path: `${SCREENS}/mode-${mode}.png` });
  }
});
