// A page with a map in, what drawing and loading it costs out. Shared by the benchmark and the test of its limits.

/** CPU seconds that all processes of the browser have used so far. */
async function cpuSeconds(cdp) {
  const { processInfo } = await cdp.send("SystemInfo.getProcessInfo");
  return processInfo.reduce((sum, one) => sum + one.cpuTime, 0);
}

/** Drag the chart to and fro, one step per animation frame; resolves to the times between frames in ms. */
function drag(frames) {
  const canvas = [...document.querySelectorAll(".chart-canvas td:nth-child(2) canvas")].at(1);
  const box = canvas.getBoundingClientRect();
  const [x0, y0] = [box.left + box.width / 2, box.top + box.height / 2];
  const say = (target, type, x) =>
    target.dispatchEvent(
      new MouseEvent(type, { bubbles: true, cancelable: true, view: window, clientX: x, clientY: y0 }),
    );
  say(canvas, "mouseenter", x0);
  say(canvas, "mousedown", x0);
  return new Promise((resolve) => {
    const times = [];
    const step = (now) => {
      times.push(now);
      const i = times.length;
      say(document.documentElement, "mousemove", x0 - 260 * Math.sin((i / 50) * Math.PI * 0.73));
      if (i <= frames) return requestAnimationFrame(step);
      say(document.documentElement, "mouseup", x0);
      resolve(times.slice(1).map((time, at) => time - times[at]));
    };
    requestAnimationFrame(step);
  });
}

export const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
};

/** Open the map; `heat: false` has the same candles and no cell to draw, `fit` shows all of it. */
export async function open(page, origin, { heat, fit }) {
  await page.context().addCookies([{ name: "mock", value: heat ? "data" : "noheat", url: origin }]);
  await page.goto(`${origin}/map?m=synthetic`);
  await page.waitForFunction(
    () => !document.querySelector(".cover") && document.querySelectorAll(".chart-canvas canvas").length > 3,
  );
  await page.locator(".chart").focus();
  if (fit) await page.keyboard.press("f");
  await page.waitForTimeout(700);
}

/** CPU-ms per frame of the whole browser while the map is dragged, and the times between frames. */
export async function pan(page, cdp, frames) {
  await page.evaluate(drag, 20);
  const before = await cpuSeconds(cdp);
  const gaps = await page.evaluate(drag, frames);
  const cpuMs = ((await cpuSeconds(cdp)) - before) * 1000;
  return { cpuMsPerFrame: cpuMs / frames, gaps };
}

/**
 * What the map adds to the candles, in CPU-ms per frame: medians of runs that alternate, so that the load of
 * other programs meets both alike.
 */
export async function panning(page, cdp, origin, { runs, frames, fit }) {
  const cost = { map: [], candles: [] };
  const gaps = { map: [], candles: [] };
  for (let run = 0; run < runs; run++)
    for (const what of ["candles", "map"]) {
      await open(page, origin, { heat: what === "map", fit });
      const seen = await pan(page, cdp, frames);
      cost[what].push(seen.cpuMsPerFrame);
      gaps[what].push(...seen.gaps);
    }
  const [map, candles] = [median(cost.map), median(cost.candles)];
  return { map, candles, added: map - candles, costs: cost, gaps };
}

/** Milliseconds from the request to the decoded snapshot, `times` times, with `window.heat` from `decoder()`. */
export function loading(page, path, times) {
  return page.evaluate(
    async ([address, count]) => {
      const took = [];
      let cells = 0;
      for (let i = 0; i <= count; i++) {
        const start = performance.now();
        const answer = await fetch(address, { cache: "no-store" });
        const map = window.heat.decodeSnapshot(await answer.arrayBuffer());
        cells = map.columns * map.rows;
        took.push(performance.now() - start);
      }
      return { took: took.slice(1), cells };
    },
    [path, times],
  );
}

/** The page's own decoder as a script that defines `heat`. */
export async function decoder(root) {
  const { build } = await import("vite");
  const lib = { entry: `${root}/src/heat/format.ts`, formats: ["iife"], name: "heat" };
  const made = await build({
    configFile: false,
    logLevel: "silent",
    publicDir: false,
    build: { write: false, lib, target: "es2022" },
  });
  return `${made[0].output[0].code}; window.heat = heat;`;
}
