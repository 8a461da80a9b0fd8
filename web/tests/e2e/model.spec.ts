/** What a quant finds on the model page: learned, assumed and unknown are told apart, in every state and size. */
import { expect, type Page } from "@playwright/test";
import { clipped, expectAccessible, REAL, SCREENS, scenario, test } from "./browse";

test.skip(REAL, "the figures are made by the development server");

const TABS = ["leverage", "cascade", "calibration", "skill"] as const;

async function openModel(page: Page, search = "", name = "data"): Promise<void> {
  await scenario(page, name);
  await page.goto(`/model${search}`);
  await expect(page.getByRole("tablist", { name: "Model" })).toBeVisible();
  await expect(page.locator(".is-loading")).toHaveCount(0);
}

/** What a finger must hit on a phone. */
const small = (page: Page) =>
  page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>(".model :is(button, select)")]
      .filter((element) => element.checkVisibility() && element.getBoundingClientRect().height < 43.5)
      .map((element) => `${element.tagName} ${element.textContent?.slice(0, 30)}`),
  );

const SIZES = { desktop: [1440, 900], phone: [390, 844] } as const;
for (const [size, [width, height]] of Object.entries(SIZES))
  for (const theme of ["dark", "light"] as const)
    test(`every part is readable and accessible: ${size} ${theme}`, async ({ page }) => {
      test.slow();
      await page.setViewportSize({ width, height });
      await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
      for (const name of ["data", "empty"])
        for (const tab of TABS) {
          await openModel(page, `?tab=${tab}`, name);
          expect(await clipped(page), `${tab} clips text`).toEqual([]);
          expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
          if (name === "data" || size === "desktop") await expectAccessible(page);
          if (size === "phone") expect(await small(page)).toEqual([]);
          await page.screenshot({ path: `${SCREENS}/model-${tab}-${size}-${theme}-${name}.png` });
        }
    });

test("tabs go by arrow keys, and tab and asset stand in the link", async ({ page }) => {
  await openModel(page);
  await page.getByRole("tab", { name: "Leverage" }).focus();
  await page.keyboard.press("ArrowRight");
  await expect(page.getByRole("tab", { name: "Cascade" })).toBeFocused();
  await expect(page).toHaveURL(/model\?tab=cascade$/);
  await page.getByLabel("Asset").selectOption("SOL");
  await expect(page).toHaveURL(/tab=cascade&asset=SOL/);
  await expect(page.getByText("No zone was hit yet since the engine began to watch")).toBeVisible();
  await page.reload();
  await expect(page.getByLabel("Asset")).toHaveValue("SOL");
  await page.keyboard.press("?");
  await page.getByRole("button", { name: "Help and keys" }).click();
  await expect(page.getByRole("dialog")).toContainText("not identified");
});

test("drawings have words, and the same figures as a table", async ({ page }) => {
  await openModel(page);
  const feed = page.getByRole("article", { name: "binance:BTCUSDT" });
  await expect(feed).toContainText("learned from its events");
  await expect(feed).toContainText("not identified: too few liquidations there; this is the prior");
  await expect(feed.getByRole("img", { name: /Shares of leverage over time/ })).toHaveAccessibleDescription(
    />60x from .* to .*%/,
  );
  await feed.getByRole("button", { name: "show as table: Over time" }).click();
  await expect(feed.getByRole("table", { name: /Shares over time/ })).toBeVisible();
  await expectAccessible(page);
  await page.screenshot({ path: `${SCREENS}/model-leverage-table.png` });
  await page.getByRole("tab", { name: "Cascade" }).click();
  const greyed = page.locator(".steps tr.is-greyed").first();
  await expect(greyed).toContainText("too few");
  await page.getByRole("button", { name: "show as table: Reliability" }).click();
  await expect(page.getByRole("table", { name: "Reliability of the chances" })).toContainText("142");
});

test("skill over time is switched by keys between served, learned and assumed", async ({ page }) => {
  await openModel(page, "?tab=skill");
  const strip = page.getByRole("img", { name: /T of served over B4/ });
  await expect(strip).toHaveAccessibleDescription(/evaluations to 2026-02-04; the newest/);
  await page.getByRole("radio", { name: "served" }).focus();
  await page.keyboard.press("ArrowRight");
  await expect(page.getByRole("img", { name: /T of learned mix over/ })).toHaveCount(3);
  await page.keyboard.press("ArrowRight");
  await expect(page.getByRole("img", { name: /T of assumed mix over B0/ })).toBeVisible();
  await page.getByRole("button", { name: "show as table: T over each baseline" }).click();
  await page.getByRole("button", { name: "show as table: Seen over expected, by day" }).click();
  await expect(page.getByRole("table", { name: /Events seen and expected/ })).toContainText("2026-02-04");
  await expectAccessible(page);
  await page.screenshot({ path: `${SCREENS}/model-skill-table.png` });
});

test("stale figures and an engine that loads or has failed are said", async ({ page, watch }) => {
  await openModel(page, "", "stale");
  await expect(page.locator(".model-notice")).toContainText("stale: they are the last known");
  await page.screenshot({ path: `${SCREENS}/model-stale.png` });
  expect(watch.requests).toContain("GET /api/v1/model/BTC");
  await scenario(page, "loading");
  await page.goto("/model");
  await expect(page.getByText("Making the maps")).toBeVisible();
  await scenario(page, "error");
  await page.goto("/model");
  await expect(page.getByRole("alert")).toContainText("The tape cannot be read");
});
