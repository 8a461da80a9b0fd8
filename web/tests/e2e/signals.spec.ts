/** What a trader does with the signals: read, filter, jump, be told, and make rules. */
import { expect, type Page } from "@playwright/test";
import { drawn, expectAccessible, REAL, SCREENS, scenario, test } from "./browse";

test.skip(REAL, "the events are made by the development server");

const rows = (page: Page) => page.locator("tr.sig-row");
const seqsOf = (page: Page) =>
  rows(page).evaluateAll((all) => all.map((row) => Number((row as HTMLElement).dataset["seq"])));
const happen = async (page: Page, body: Record<string, unknown>): Promise<number> =>
  (await (await page.request.post("/api/v1/dev-event", { data: body })).json()).seq;

async function openSignals(page: Page, search = "", name = "data"): Promise<void> {
  await scenario(page, name);
  await page.goto(`/signals${search}`);
  await expect(page.getByRole("tablist", { name: "Signals" })).toBeVisible();
}

async function openLog(page: Page, search = ""): Promise<void> {
  await openSignals(page, search);
  await expect(rows(page).first()).toBeVisible();
}

test("new events come by themselves, wait while the list is read, and older ones come on demand", async ({
  page,
}) => {
  await openLog(page);
  await page.mouse.move(5, 5);
  const first = await happen(page, { type: "ZONE_CREATED", asset: "ETH" });
  await expect.poll(async () => (await seqsOf(page))[0]).toBe(first);
  await rows(page).nth(3).hover();
  const second = await happen(page, { type: "ZONE_CREATED" });
  const waiting = page.getByRole("button", { name: /1 new/ });
  await expect(waiting).toBeVisible();
  expect((await seqsOf(page))[0]).toBe(first);
  await waiting.click();
  await expect.poll(async () => (await seqsOf(page))[0]).toBe(second);
  await page.mouse.move(5, 5);
  for (let i = 0; i < 3; i++) await page.getByRole("button", { name: "Show older" }).click();
  await expect(page.getByText("This is where the engine's log begins.")).toBeVisible();
  const all = await seqsOf(page);
  expect(all).toEqual(Array.from({ length: second }, (_, i) => second - i));
  await expect(page.locator("tr.is-rebuilt .tag").first()).toHaveText("rebuilt");
});

test("filters narrow the list, stand in the link, and can be cleared", async ({ page }) => {
  await openLog(page);
  await page.getByLabel("Type").selectOption("ZONE_HIT");
  await page.getByLabel("Asset").selectOption("BTC");
  await expect(page).toHaveURL(/type=ZONE_HIT&asset=BTC/);
  for (const text of await rows(page).allTextContents()) expect(text).toMatch(/BTC.*Price .* hit the/);
  await page.reload();
  await expect(rows(page).first()).toContainText("Zone hit");
  await page.getByLabel("Words").fill("no such words");
  await expect(page.getByText("No loaded event passes these filters")).toBeVisible();
  await page.getByRole("button", { name: "Clear filters" }).first().click();
  await expect(page).toHaveURL(/signals$/);
  await page.locator("label:has(input[name=priority][value='0'])").click();
  for (const text of await rows(page).allTextContents()) expect(text).toMatch(/Zone hit|Large liquidation/);
});

test("a row opens the map at its moment and price, and Back returns", async ({ page }) => {
  await openLog(page, "?type=ZONE_APPROACHED&asset=ETH");
  await rows(page).first().click();
  await expect(page).toHaveURL(/\/map\?scope=ETH.*sel=\d+_\d+(\.\d+)?_event_[0-9a-f]{24}/);
  await drawn(page);
  await page.goBack();
  await expect(page).toHaveURL(/signals\?type=ZONE_APPROACHED/);
  await expect(rows(page).first()).toContainText("ETH");
});

test("keys alone: rows by arrows, the map by Enter", async ({ page }) => {
  await openLog(page);
  await page.getByLabel("Words").focus();
  await page.keyboard.press("Tab");
  const focused = () => page.evaluate(() => document.activeElement?.closest("tr")?.rowIndex ?? -1);
  const start = await focused();
  expect(start).toBeGreaterThan(0);
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowUp");
  expect(await focused()).toBe(start + 1);
  await happen(page, { type: "ZONE_CREATED" });
  await expect(page.getByRole("button", { name: /1 new/ })).toBeVisible();
  expect(await focused()).toBe(start + 1);
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/map/);
});

test("the bell counts what is urgent, the most urgent is announced, and both lead to the map", async ({
  page,
}) => {
  await scenario(page, "data");
  await page.goto("/map");
  await drawn(page);
  await expect(page.locator(".bell-count")).toHaveCount(0);
  await happen(page, { type: "ZONE_CREATED" });
  await happen(page, { type: "ZONE_HIT", mode: "rebuilt" });
  await happen(page, { type: "SOURCE_DOWN" });
  await happen(page, { type: "ZONE_HIT", asset: "ETH" });
  const bell = page.getByRole("button", { name: "Urgent events: 2 not seen" });
  await expect(bell).toBeVisible();
  const toast = page.locator(".toast");
  await expect(toast).toHaveCount(1);
  await expect(toast).toContainText("[SIMULATED] Zone hit");
  await bell.click();
  await expect(page.locator(".bell-list li")).toHaveCount(10);
  await expect(page.locator(".bell-list .is-unseen")).toHaveCount(2);
  await expectAccessible(page);
  await page.keyboard.press("Escape");
  await expect(page.locator(".bell-panel")).toHaveCount(0);
  await expect(page.locator(".bell-count")).toHaveCount(0);
  await happen(page, { type: "LIQUIDATION_LARGE", asset: "SOL" });
  const newest = page.locator(".toast", { hasText: "SOL" });
  await newest.getByRole("button", { name: "Show" }).click();
  await expect(page).toHaveURL(/scope=SOL.*_event_/);
  await expect(newest).toHaveCount(0);
  // It was shown, not seen in the bell: that stays so after a reload, and the rest stays seen.
  await page.reload();
  await drawn(page);
  await expect(page.locator(".bell-count")).toHaveText("1");
});

test("after a lost connection every event is there exactly once", async ({ page }) => {
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
  await openLog(page);
  await page.mouse.move(5, 5);
  const before = await happen(page, { type: "ZONE_CREATED" });
  await expect.poll(async () => (await seqsOf(page))[0]).toBe(before);
  refuse = true;
  await (drop as unknown as () => Promise<void>)();
  await expect(page.getByText(/Connection lost/)).toBeVisible();
  const missed = [await happen(page, { type: "ZONE_HIT" }), await happen(page, { type: "ZONE_SWEPT" })];
  refuse = false;
  await expect(page.getByText(/Connection lost/)).toHaveCount(0, { timeout: 15_000 });
  await expect.poll(async () => (await seqsOf(page)).slice(0, 3)).toEqual([missed[1], missed[0], before]);
  const all = await seqsOf(page);
  expect(new Set(all).size).toBe(all.length);
  // What was caught up on did not happen just now: it rings no bell.
  await expect(page.locator(".toast")).toHaveCount(0);
});

test("what was missed for too long is said", async ({ page }) => {
  let drop: (() => Promise<void>) | null = null;
  let refuse = false;
  let heard = false;
  await page.routeWebSocket(/stream/, (socket) => {
    if (refuse) return void socket.close();
    const server = socket.connectToServer();
    server.onMessage((message) => {
      heard = true;
      socket.send(message);
    });
    drop = () => socket.close();
  });
  await openSignals(page, "", "gap");
  await expect(rows(page).first()).toBeVisible();
  // The log comes by a request, and may be there before the stream is.
  await expect.poll(() => heard).toBe(true);
  refuse = true;
  await (drop as unknown as () => Promise<void>)();
  await expect(page.getByText(/Connection lost/)).toBeVisible();
  for (let i = 0; i < 4; i++) await happen(page, { type: "ZONE_CREATED" });
  refuse = false;
  await expect(page.getByText(/3 events were missed/)).toBeVisible({ timeout: 15_000 });
  await expect(rows(page)).toHaveCount(1);
  await page.getByRole("button", { name: "Show older" }).click();
  await expect.poll(() => rows(page).count()).toBeGreaterThan(100);
  const all = await seqsOf(page);
  expect(all.slice(0, 6)).toEqual(Array.from({ length: 6 }, (_, i) => all[0] - i));
});

test("a rule is made, tested, switched off, deleted and taken back", async ({ page }) => {
  await openSignals(page, "?tab=rules");
  await expect(page.locator(".rule", { hasText: "desk-p0" }).getByRole("switch")).toBeDisabled();
  await page.getByRole("button", { name: "New rule" }).click();
  const form = page.locator(".rule-form");
  await form.getByLabel("Name").fill("eth near");
  await form.getByLabel("ETH", { exact: true }).check();
  await form.getByLabel("Smallest, USD").fill("five");
  await form.getByRole("button", { name: "Save rule" }).click();
  await expect(form).toContainText("An amount such as 5M");
  await expect(form).toContainText("Choose at least one target.");
  await form.getByLabel("Smallest, USD").fill("2.5M");
  await form.getByLabel(/^phone/).check();
  await form.getByRole("button", { name: "Add quiet hours" }).click();
  await form.getByLabel("Quiet hours 1: time zone").fill("Asia/Tokyo");
  await page.screenshot({ path: `${SCREENS}/signals-rule-form.png` });
  await form.getByRole("button", { name: "Save rule" }).click();
  const card = page.locator(".rule", { hasText: "eth near" });
  await expect(card).toContainText("from $2.5M");
  await expect(card).toContainText("22:00–07:00 Asia/Tokyo");
  await card.getByRole("button", { name: "Test rule" }).click();
  await expect(card).toContainText("Nothing was sent.");
  await card.getByRole("switch").click();
  await expect(card).toContainText("off");
  await card.getByRole("button", { name: "Edit rule" }).click();
  await expect(form.getByLabel("Smallest, USD")).toHaveValue("2.5M");
  await form.getByRole("button", { name: "Cancel" }).click();
  await card.getByRole("button", { name: "Delete rule" }).click();
  await expect(card).toHaveCount(0);
  await page.getByRole("button", { name: "Undo" }).click();
  await expect(card).toContainText("off");
  await card.getByRole("button", { name: "Delete rule" }).click();
  await expect(card).toHaveCount(0);
  await page.getByRole("button", { name: "Send a test to phone" }).click();
  await expect(page.locator(".toast", { hasText: "Test sent to phone" })).toBeVisible();
});

test("sound and notifications are off until somebody asks", async ({ page, context }) => {
  await context.grantPermissions([]);
  await openSignals(page, "?tab=browser");
  for (const box of await page.locator(".notify-table input").all()) await expect(box).not.toBeChecked();
  await context.grantPermissions(["notifications"]);
  await page.reload();
  await page.getByLabel("Notification for P0").click();
  await page.getByLabel("Sound for P1").check();
  await page.reload();
  await expect(page.getByLabel("Notification for P0")).toBeChecked();
  await expect(page.getByLabel("Sound for P1")).toBeChecked();
  await expect(page.getByLabel("Sound for P0")).not.toBeChecked();
});
