/** At two device pixels per pixel the map is drawn at full resolution. */
import { expect } from "@playwright/test";
import { openMap, SCREENS, test } from "./browse";

test("high resolution", async ({ page }) => {
  await page.setViewportSize({ width: 900, height: 600 });
  await openMap(page);
  const ratio = await page.evaluate(() => {
    const canvas = document.querySelector<HTMLCanvasElement>(".chart-canvas td:nth-child(2) canvas");
    return canvas ? canvas.width / canvas.clientWidth : 0;
  });
  expect(ratio).toBeCloseTo(2, 1);
  await page.screenshot({ path: `${SCREENS}/hidpi.png` });
});
