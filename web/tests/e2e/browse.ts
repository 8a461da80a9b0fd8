/** Opens the page, watches what it does, and fails when it misbehaves. */
import AxeBuilder from "@axe-core/playwright";
import { type APIRequestContext, test as base, expect, type Page } from "@playwright/test";

export const REAL = process.env["FAULTLINE_URL"] !== undefined;
export const SCREENS = "test-results/screens";

export interface Watch {
  readonly requests: string[];
}

/** The development server as it stands when it starts; `paused` keeps its market where it is. */
export async function restart(
  request: APIRequestContext,
  at: { paused?: boolean; ticks?: number } = {},
): Promise<void> {
  expect((await request.post("/api/v1/dev-restart", { data: at })).ok()).toBe(true);
}

/** A page that must not log errors, fail requests or talk to anybody else. */
export const test = base.extend<{ watch: Watch }>({
  watch: [
    async ({ page, baseURL, request }, use) => {
      if (!REAL) await restart(request);
      const requests: string[] = [];
      const trouble: string[] = [];
      const allowed = new URL(baseURL ?? "").host;
      page.on("console", (message) => {
        // The tests themselves read pixels back; the page never does.
        const own = message.text().includes("Multiple readback operations");
        if (!own && ["error", "warning"].includes(message.type())) trouble.push(message.text());
      });
      page.on("pageerror", (error) => trouble.push(String(error.stack)));
      page.on("request", (request) => {
        const url = new URL(request.url());
        requests.push(`${request.method()} ${url.pathname}`);
        if (url.protocol.startsWith("http") && url.host !== allowed) trouble.push(`third party: ${url}`);
      });
      await use({ requests });
      expect(trouble).toEqual([]);
    },
    { auto: true },
  ],
});

export async function scenario(page: Page, name: string): Promise<void> {
  const url = new URL(test.info().project.use.baseURL ?? "").origin;
  await page.context().addCookies([{ name: "mock", value: name, url }]);
}

/** The map is drawn: no cover over it, and the profile has been answered. */
export async function drawn(page: Page): Promise<void> {
  await expect(page.locator(".cover")).toHaveCount(0, { timeout: 20_000 });
  await expect(page.locator(".chart canvas").first()).toBeVisible();
  await page.waitForFunction(
    () => document.querySelector<HTMLCanvasElement>(".profile canvas")?.style.height,
  );
}

export async function openMap(page: Page, search = "", name = "data"): Promise<void> {
  if (!REAL) await scenario(page, name);
  await page.goto(`/map${search}`);
  await drawn(page);
}

/** No clock runs and every machine has the same letters: what is drawn depends on the page alone. */
export async function standStill(page: Page): Promise<void> {
  await page.clock.setFixedTime("2026-02-05T14:00:00Z");
  await page.addInitScript(() => {
    const watch = new MutationObserver(() => {
      document.documentElement?.style.setProperty("--font", '"DejaVu Sans", sans-serif');
      if (document.documentElement) watch.disconnect();
    });
    watch.observe(document, { childList: true });
  });
}

/** Width of a word in the letters of the kept pictures, 100 px high; another width means other letters. */
const [WORD, WORD_PX] = ["Faultline 0123", 706.74];
const hasLetters = (page: Page) =>
  page.evaluate(
    ([word, px]) => {
      const ctx = document.createElement("canvas").getContext("2d");
      if (!ctx) return false;
      ctx.font = '100px "DejaVu Sans", monospace';
      return Math.abs(ctx.measureText(word).width - px) < 1;
    },
    [WORD, WORD_PX] as const,
  );

/**
 * The page looks as it did when somebody last looked at it. The same browser draws it without any difference; the
 * smallest part that can go missing (the marks of the rail) differs in more pixels than are tolerated.
 */
export async function expectPicture(page: Page, name: string): Promise<void> {
  if (!(await hasLetters(page))) {
    process.stderr.write(`${name}: not compared, the font DejaVu Sans is not installed\n`);
    return;
  }
  await page.mouse.move(0, 0);
  await expect(page).toHaveScreenshot(`${name}.png`, { maxDiffPixels: 300, animations: "disabled" });
}

/** Texts that are cut off by their own box, or boxes that reach outside the window. */
export function clipped(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const bad: string[] = [];
    for (const element of document.querySelectorAll<HTMLElement>("body *")) {
      if (element.closest(".visually-hidden, .chart-canvas, svg, select")) continue;
      const box = element.getBoundingClientRect();
      const text = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent?.trim());
      if (!text || box.width === 0 || !element.checkVisibility()) continue;
      const hides = getComputedStyle(element).overflow !== "visible";
      const outside = box.right > innerWidth + 1 || box.left < -1;
      if ((hides && element.scrollWidth > element.clientWidth + 1) || outside)
        bad.push(`${element.tagName}.${element.className}: ${element.textContent?.slice(0, 40)}`);
    }
    return bad;
  });
}

export async function expectAccessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" | ")}`)).toEqual(
    [],
  );
}
