/** What happens around the map: pictures, lost connections, replays, phones. */
import { readFileSync } from "node:fs";
import { expect } from "@playwright/test";
import { drawn, openMap, REAL, SCREENS, test } from "./browse";

test("a picture of a simulated market says so", async ({ page }) => {
  await openMap(page);
  test.skip(!(await page.title()).includes("SIMULATED"), "only a simulated market is marked");
  await expect(page).toHaveTitle(/^\[SIMULATED\] BTC/);
  const saving = page.waitForEvent("download");
  await page.getByRole("button", { name: "Save the chart as a picture" }).click();
  const file = await saving;
  expect(file.suggestedFilename()).toMatch(/^faultline-BTC-5m-.*-SIMULATED\.png$/);
  await file.saveAs(`${SCREENS}/export.png`);
  expect(readFileSync(`${SCREENS}/export.png`).length).toBeGreaterThan(20_000);
});

test("a lost connection shows, and heals by itself", async ({ page }) => {
  let drop: (() => Promise<void>) | null = null;
  let refuse = false;
  await page.routeWebSocket(/stream/, (socket) => {
    if (refuse) {
      void socket.close();
      return;
    }
    socket.connectToServer();
    drop = () => socket.close();
  });
  await openMap(page);
  await expect(page.locator(".freshness")).toHaveClass(/is-live/);
  refuse = true;
  await (drop as unknown as () => Promise<void>)();
  await expect(page.locator(".freshness")).toHaveClass(/is-offline/);
  refuse = false;
  await expect(page.locator(".freshness")).toHaveClass(/is-live/, { timeout: 10_000 });
  await drawn(page);
});

test("a replay can be paused, sped up and moved", async ({ page }) => {
  const engine = await (await page.request.get("/api/v1/status")).json();
  test.skip(REAL && engine.replay === null, "needs a replay");
  await openMap(page, "", "replay");
  const bar = page.getByRole("region", { name: "Replay" });
  await bar.getByRole("button", { name: "Pause" }).click();
  await expect(page.locator(".freshness")).toHaveClass(/is-paused/);
  await bar.getByLabel("Replay speed").selectOption("300");
  await expect(bar.getByLabel("Replay speed")).toHaveValue("300");
  const time = bar.locator(".replay-time").first();
  const before = await time.textContent();
  await bar.getByLabel("Time of the replay").press("PageDown");
  await expect(time).not.toHaveText(before ?? "");
  // The view moves along with now instead of staying at times that no longer exist.
  await drawn(page);
  await page.waitForTimeout(600);
  await expect(page).not.toHaveURL(/from=/);
  await page.locator(".chart").focus();
  await page.keyboard.press(" ");
  await expect(page.locator(".freshness")).toHaveClass(/is-live/);
});

test("on a phone the details are a sheet", async ({ page }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await openMap(page);
  await expect(page.locator(".inspector")).toBeHidden();
  await page.getByRole("button", { name: "Zones, cell, skill" }).click();
  await expect(page.locator(".inspector")).toBeVisible();
  await page.screenshot({ path: `${SCREENS}/phone-sheet.png` });
});
