/** Live data changes what is forming and nothing else. */
import { expect } from "@playwright/test";
import { openMap, REAL, restart, test } from "./browse";

const TICKS = 20;
/** Bars right of the last one and width of a bar in the first view, as the chart chooses them. */
const [RIGHT_BARS, BAR_PX] = [13, 3.6];

test.skip(REAL, "the bars of a live market close when they like");

interface Seen {
  readonly width: number;
  /** Samples in which anything of the picture had changed. */
  readonly changed: number;
  /** Leftmost changed pixel, rows that the line of the last price had or has left out. */
  readonly leftmost: number;
  /** Most rows that changed at once left of the forming column. */
  readonly rowsBefore: number;
}

test("over twenty live ticks only the forming column changes", async ({ page, request }) => {
  // One bar takes them all: the view does not move on.
  await restart(request, { paused: true, ticks: TICKS + 4 });
  const store = { version: 1, zones: false, events: "off" };
  await page.addInitScript((text) => localStorage.setItem("faultline.prefs", text), JSON.stringify(store));
  await openMap(page, "?m=synthetic");
  await page.mouse.move(5, 5);
  let frames = 0;
  await page.waitForTimeout(400);
  const seqNow = async () => {
    const answer = await page.request.get("/api/v1/candles/BTC/5m");
    return (await answer.json()).seq as number;
  };
  const first = await seqNow();
  await page.evaluate(
    ([rightBars, barPx]) => {
      const canvas = document.querySelector<HTMLCanvasElement>(".chart-canvas td:nth-child(2) canvas");
      const ctx = canvas?.getContext("2d", { willReadFrequently: true });
      if (!canvas || !ctx) throw new Error("no chart canvas");
      const { width, height } = canvas;
      const pixels = () => new Uint32Array(ctx.getImageData(0, 0, width, height).data.buffer);
      const kept = pixels();
      const seen = { width, changed: 0, leftmost: width, rowsBefore: 0 };
      const forming = Math.floor(width - (rightBars + 1) * barPx) - 1;
      const sample = () => {
        const now = pixels();
        let changed = false;
        let rowsBefore = 0;
        for (let y = 0; y < height; y++) {
          let x = 0;
          while (x < width && now[y * width + x] === kept[y * width + x]) x++;
          if (x === width) continue;
          changed = true;
          if (x < forming) rowsBefore++;
          else seen.leftmost = Math.min(seen.leftmost, x);
        }
        if (changed) seen.changed++;
        seen.rowsBefore = Math.max(seen.rowsBefore, rowsBefore);
      };
      Object.assign(window, { seen, sampling: window.setInterval(sample, 100) });
    },
    [RIGHT_BARS, BAR_PX] as const,
  );
  await page.request.post("/api/v1/replay", { data: { pause: false } });
  await expect.poll(seqNow, { timeout: 20_000 }).toBeGreaterThanOrEqual(first + TICKS);
  frames = (await seqNow()) - first;
  await page.request.post("/api/v1/replay", { data: { pause: true } });
  const seen = await page.evaluate(() => (window as unknown as { seen: Seen }).seen);
  expect(frames).toBeLessThan(TICKS + 4);
  // The forming column did change, or the test would see nothing.
  expect(seen.changed).toBeGreaterThan(TICKS / 2);
  expect(seen.leftmost).toBeLessThan(seen.width - RIGHT_BARS * BAR_PX);
  // Left of it only the dotted line of the last price moves, from one row of pixels to another.
  expect(seen.rowsBefore).toBeLessThanOrEqual(2);
});
