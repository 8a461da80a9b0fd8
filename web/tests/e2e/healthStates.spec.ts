/** The health page in its states at two sizes in both themes: against kept pictures, and what must hold in each. */
import { expect } from "@playwright/test";
import {
  clipped,
  expectAccessible,
  expectPicture,
  REAL,
  restart,
  scenario,
  standStill,
  test,
} from "./browse";

test.skip(REAL, "the venues are made by the development server");

const SIZES = { desktop: [1440, 900], phone: [390, 844] } as const;
/** Scenario, and the venue that is opened. */
const STATES = {
  live: ["live", null],
  details: ["live", "Bybit"],
  played: ["replay", "binance"],
  empty: ["empty", null],
} as const;

for (const [size, [width, height]] of Object.entries(SIZES))
  for (const theme of ["dark", "light"] as const)
    test(`health ${size} ${theme}`, async ({ page, request }) => {
      test.slow();
      await restart(request, { paused: true });
      await standStill(page);
      await page.setViewportSize({ width, height });
      await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
      for (const [state, [name, opened]] of Object.entries(STATES)) {
        await scenario(page, name);
        await page.goto("/health");
        await expect(page.locator("main.health .health-head h2")).toBeVisible();
        await expect(page.locator(".health-engine")).toBeVisible();
        if (opened) {
          await page.getByRole("button", { name: opened, exact: true }).click();
          await page.locator(".source-details").evaluate((element) => {
            element.querySelector("details")?.setAttribute("open", "");
          });
        }
        expect(await clipped(page), `${state} clips text`).toEqual([]);
        expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
        await expectAccessible(page);
        const small = await page.evaluate(() =>
          [...document.querySelectorAll<HTMLElement>(".shell :is(button, summary, select, .source-trouble)")]
            .filter((element) => {
              const box = element.getBoundingClientRect();
              return element.checkVisibility() && (box.height < 43.5 || box.width < 43.5);
            })
            .map((element) => `${element.tagName} ${element.textContent?.slice(0, 30)}`),
        );
        if (size === "phone") expect(small).toEqual([]);
        await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
        await expectPicture(page, `health-${size}-${theme}-${state}`);
      }
    });

test("a tablet and a laptop cut nothing off", async ({ page }) => {
  await scenario(page, "live");
  for (const [width, height] of [
    [820, 1100],
    [1280, 720],
  ] as const) {
    await page.setViewportSize({ width, height });
    await page.goto("/health");
    await page.getByRole("button", { name: "Bybit", exact: true }).click();
    expect(await clipped(page), `${width}`).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
  }
});
