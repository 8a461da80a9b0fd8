/** Every part of the signals page at two sizes in both themes: pictures to look at, and what must hold in each. */
import { expect } from "@playwright/test";
import { clipped, expectAccessible, REAL, SCREENS, scenario, test } from "./browse";

test.skip(REAL, "the events are made by the development server");

const SIZES = { desktop: [1440, 900], phone: [390, 844] } as const;
for (const [size, [width, height]] of Object.entries(SIZES))
  for (const theme of ["dark", "light"] as const)
    test(`every part is readable and accessible: ${size} ${theme}`, async ({ page }) => {
      test.slow();
      await page.setViewportSize({ width, height });
      await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
      for (const name of ["data", "empty"])
        for (const tab of ["events", "rules", "deliveries", "browser"]) {
          await scenario(page, name);
          await page.goto(`/signals?tab=${tab}`);
          await expect(page.getByRole("tab", { selected: true })).toBeVisible();
          await expect(page.locator(".is-loading")).toHaveCount(0);
          if (name === "data" && tab === "rules")
            await page.getByRole("button", { name: "New rule" }).click();
          expect(await clipped(page), `${tab} clips text`).toEqual([]);
          expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
          if (name === "data" || size === "desktop") await expectAccessible(page);
          await page.screenshot({ path: `${SCREENS}/signals-${tab}-${size}-${theme}-${name}.png` });
          const small = await page.evaluate(() =>
            [
              ...document.querySelectorAll<HTMLElement>(
                ".signals :is(button, select, .tick, .checks-all label)",
              ),
            ]
              .filter((element) => element.checkVisibility() && element.getBoundingClientRect().height < 43.5)
              .map((element) => `${element.tagName} ${element.textContent?.slice(0, 20)}`),
          );
          if (tab === "events")
            for (const words of await page.locator(".sig-filters .segmented span").all())
              expect((await words.boundingBox())?.width, "a choice has its words").toBeGreaterThan(10);
          if (size === "phone") expect(small).toEqual([]);
        }
    });
