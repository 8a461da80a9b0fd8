/** What a trader does with the map. */
import { expect, type Page } from "@playwright/test";
import { codeToUsd } from "../../src/heat/codes";
import { decodeSnapshot } from "../../src/heat/format";
import { drawn, openMap, REAL, SCREENS, test } from "./browse";

const mode = (page: Page, name: string) => page.locator(`.modes label:has(input[value=${name}])`);
const strip = (page: Page) => page.locator(".strip");
const heat = (requests: readonly string[]) =>
  requests.filter((line) => /\/(heat|candles|legend)\//.test(line));

test("switching modes asks the engine for nothing", async ({ page, watch }) => {
  await openMap(page);
  const before = heat(watch.requests).length;
  for (const name of ["raw", "synthetic", "smooth", "hybrid"]) {
    await mode(page, name).click();
    await expect(page).toHaveURL(name === "hybrid" ? /map(\?(?!.*m=)|$)/ : new RegExp(`m=${name}`));
  }
  expect(heat(watch.requests).length).toBe(before);
});

test("another timeframe shows its newest bars, also after the whole map was looked at", async ({ page }) => {
  await openMap(page);
  await page.locator(".chart").focus();
  await page.keyboard.press("f");
  await expect(page).toHaveURL(/from=/);
  await page.locator(".timeframes label:has(input[value='1h'])").click();
  await expect(page.locator(".strip")).toContainText("BTC · 1h");
  await drawn(page);
  await page.waitForTimeout(600);
  await expect(page).not.toHaveURL(/from=/);
});

test("the hottest row is drawn at fit zoom, in the hottest colour", async ({ page }) => {
  test.skip(REAL, "the hottest row of a live market moves");
  await openMap(page, "?m=synthetic");
  const answer = await page.request.get("/api/v1/heat/BTC/5m/synthetic.bin?side=long");
  const body = await answer.body();
  const map = decodeSnapshot(
    body.buffer.slice(body.byteOffset, body.byteOffset + body.length) as ArrayBuffer,
  );
  const legend = await (await page.request.get("/api/v1/legend/BTC/5m")).json();
  const hotRows = new Set<number>();
  map.codes.forEach((code, i) => {
    if (codeToUsd(code, map) >= legend.hi_usd * 1.02) hotRows.add(i % map.rows);
  });
  expect(hotRows.size).toBeGreaterThan(1);
  await page.locator(".chart").focus();
  await page.keyboard.press("f");
  await page.waitForTimeout(300);
  const yellow = await page.evaluate(() => {
    const canvas = document.querySelector<HTMLCanvasElement>(".chart-canvas td:nth-child(2) canvas");
    const ctx = canvas?.getContext("2d");
    if (!canvas || !ctx) throw new Error("no chart canvas");
    const { data } = ctx.getImageData(0, 0, canvas.width, canvas.height);
    const rows: number[] = [];
    for (let y = 0; y < canvas.height; y++)
      for (let x = 0; x < canvas.width; x++) {
        const i = (y * canvas.width + x) * 4;
        if (data[i] > 240 && data[i + 1] > 220 && data[i + 2] < 80) {
          rows.push(y);
          break;
        }
      }
    return { rows, height: canvas.height };
  });
  // Hovering each drawn row tells its price; every hot row must be among them (one pixel covers several rows).
  const box = await page.locator(".chart-canvas td:nth-child(2) canvas").first().boundingBox();
  if (!box) throw new Error("no chart");
  const prices: number[] = [];
  for (const y of yellow.rows) {
    await page.mouse.move(box.x + 200, box.y + y + 0.5);
    const text = await page.locator(".strip .pair b").textContent();
    prices.push(Number(text?.split("–")[0].replaceAll(",", "")));
  }
  const rowsPerPixel = 4;
  for (const row of hotRows) {
    const low = map.price0Usd + row * map.rowUsd;
    expect(Math.min(...prices.map((price) => Math.abs(price - low)))).toBeLessThanOrEqual(
      rowsPerPixel * map.rowUsd,
    );
  }
});

test("pixels of closed columns stay the same while the market moves on", async ({ page }) => {
  await openMap(page);
  await page.locator(".chart").focus();
  for (let i = 0; i < 8; i++) await page.keyboard.press("Shift+ArrowLeft");
  await expect(page).toHaveURL(/from=/);
  await page.waitForTimeout(200);
  // Rows of the pane in which a pixel differs from the picture kept before.
  const changedRows = () =>
    page.evaluate(() => {
      const canvas = document.querySelector<HTMLCanvasElement>(".chart-canvas td:nth-child(2) canvas");
      const ctx = canvas?.getContext("2d");
      if (!canvas || !ctx) throw new Error("no chart canvas");
      const now = new Uint32Array(ctx.getImageData(0, 0, canvas.width, canvas.height).data.buffer);
      const kept = window as unknown as { before?: Uint32Array };
      const rows = new Set<number>();
      now.forEach((pixel, i) => {
        if (pixel !== kept.before?.[i]) rows.add(Math.floor(i / canvas.width));
      });
      kept.before = now;
      return rows.size;
    });
  // Only the dotted line of the last price may move: from one row of pixels to another.
  await expect.poll(changedRows).toBeLessThanOrEqual(2);
  for (let i = 0; i < 3; i++) {
    await page.waitForTimeout(700);
    expect(await changedRows()).toBeLessThanOrEqual(2);
  }
});

test("a cell explains itself, can be pinned, and comes back with the link", async ({ page }) => {
  await openMap(page, "?m=synthetic");
  await page.mouse.move(500, 250);
  await expect(strip(page)).toContainText("est. L");
  const card = page.getByRole("region", { name: "Cell" });
  for (const words of ["longs forced out", "Leverage", "Venues", "Entered", "OI source", "Basis"])
    await expect(card).toContainText(words);
  await page.mouse.click(500, 250);
  await expect(page).toHaveURL(/sel=/);
  await page.mouse.move(60, 890);
  const price = await card.locator(".cell-price b").textContent();
  await page.reload();
  await drawn(page);
  await expect(card.locator(".cell-price b")).toHaveText(price ?? "");
  await expect(mode(page, "synthetic")).toHaveClass(/is-on/);
});

test("everything can be done with keys", async ({ page }) => {
  await openMap(page);
  const chart = page.getByRole("application");
  await chart.focus();
  await page.keyboard.press("m");
  await expect(mode(page, "raw")).toHaveClass(/is-on/);
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("ArrowDown");
  await expect(page.getByRole("region", { name: "Cell" }).locator(".cell-price")).toBeVisible();
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/sel=/);
  await page.keyboard.press("Escape");
  await expect(page).not.toHaveURL(/sel=/);
  const lower = page.getByRole("slider", { name: /lower cut-off/ }).first();
  const before = Number(await lower.getAttribute("aria-valuenow"));
  await page.keyboard.press("]");
  await expect.poll(async () => Number(await lower.getAttribute("aria-valuenow"))).toBeGreaterThan(before);
  await expect(page).toHaveURL(/lo=/);
  await page.keyboard.press("g");
  await expect(page.getByRole("dialog", { name: /Go to/ })).toBeVisible();
  await page.keyboard.press("Escape");
  await chart.focus();
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog", { name: "Help" })).toContainText("pause or resume the replay");
  await page.screenshot({ path: `${SCREENS}/help.png` });
  await page.keyboard.press("Escape");
  await chart.focus();
  await page.keyboard.press("3");
  await expect(page).toHaveURL(/tf=15m/);
  await drawn(page);
  await page.goBack();
  await expect(page).not.toHaveURL(/tf=15m/);
});

test("another instrument is one choice away", async ({ page }) => {
  await openMap(page);
  const picker = page.getByRole("combobox", { name: "Venues" });
  const options = await picker.locator("option").allTextContents();
  expect(options.length).toBeGreaterThan(1);
  await picker.selectOption({ index: 1 });
  await drawn(page);
  await expect(page).toHaveURL(/scope=/);
});

test("the palette and the lock change colours without a request", async ({ page, watch }) => {
  await openMap(page);
  const before = heat(watch.requests).length;
  await page.getByLabel("Palette").selectOption("inferno");
  await expect(page).toHaveURL(/cm=inferno/);
  await page.getByRole("button", { name: "Lock this colour scale" }).first().click();
  await expect(page.getByRole("button", { name: "Lock this colour scale" }).first()).toHaveAttribute(
    "aria-pressed",
    "true",
  );
  expect(heat(watch.requests).length).toBe(before);
});

test("the profile can be read as a table", async ({ page }) => {
  await openMap(page);
  await page.getByRole("button", { name: "Show the profile as a table" }).click();
  await expect(page.getByRole("table", { name: /Largest levels/ }).getByRole("row")).toHaveCount(13);
});

test("the notices are one click away", async ({ page }) => {
  await openMap(page);
  await page.getByRole("link", { name: "Notices" }).click();
  await expect(page).toHaveURL(/about$/);
  await expect(page.locator("main")).toContainText("TradingView Lightweight Charts");
  const link = page.getByRole("link", { name: "All licence texts" });
  const notices = await page.request.get(new URL((await link.getAttribute("href")) ?? "", page.url()).href);
  expect(await notices.text()).toContain("lightweight-charts");
  await page.screenshot({ path: `${SCREENS}/about.png` });
  await page.goBack();
  await drawn(page);
});
