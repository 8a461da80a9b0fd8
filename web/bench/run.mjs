// What the map costs in a browser: CPU per frame while panning, frames, loading. Writes results.json beside this file.
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { fileURLToPath } from "node:url";
import { chromium } from "@playwright/test";
import { decoder, loading, median, open, panning } from "./measure.mjs";

const ROOT = fileURLToPath(new URL("..", import.meta.url)).replace(/[/\\]$/, "");
const RUNS = Number(process.env.BENCH_RUNS ?? 3);
const FRAMES = 120;
const SIZES = [
  { name: "2,000 x 1,000", port: 8751, bars: 2000, row: 47.9 },
  { name: "5,000 x 2,000", port: 8752, bars: 5000, row: 27.4 },
];
const ARGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"];

const RATIOS = (process.env.BENCH_RATIOS ?? "1,2").split(",").map(Number);

const round = (value) => Number(value.toFixed(2));
const load = () => loadavg().map(round);

async function serve({ port, bars, row }) {
  const env = { ...process.env, MOCK_PORT: port, MOCK_BARS: bars, MOCK_ROW_USD: row, MOCK_EVENT_MS: 0 };
  const child = spawn("node", [`${ROOT}/dev/mock-server.mjs`], { env, stdio: "ignore" });
  const origin = `http://127.0.0.1:${port}`;
  for (;;) {
    try {
      await fetch(`${origin}/api/v1/dev-restart`, { method: "POST", body: '{"paused":true}' });
      return { child, origin };
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
  }
}

function framesOf(gaps) {
  const sorted = [...gaps].sort((a, b) => a - b);
  const at = (share) => round(sorted[Math.floor(share * (sorted.length - 1))]);
  const late = gaps.filter((gap) => gap > 25).length / gaps.length;
  return { p50_ms: at(0.5), p95_ms: at(0.95), later_than_25_ms: round(late) };
}

async function panResults(size, origin, ratio) {
  const args = [...ARGS, `--force-device-scale-factor=${ratio}`];
  const browser = await chromium.launch({
    executablePath: process.env.FAULTLINE_CHROMIUM ?? "/usr/bin/chromium",
    args,
  });
  const page = await browser.newPage({ viewport: { width: 1600, height: 900 } });
  const cdp = await browser.newBrowserCDPSession();
  const results = [];
  for (const fit of [true, false]) {
    const found = await panning(page, cdp, origin, { runs: RUNS, frames: FRAMES, fit });
    results.push({
      what: "pan",
      size: size.name,
      view: fit ? "all of it" : "newest bars",
      device_pixel_ratio: ratio,
      load: load()[0],
      candles_cpu_ms_per_frame: round(found.candles),
      map_cpu_ms_per_frame: round(found.map),
      added_cpu_ms_per_frame: round(found.added),
      frames: { map: framesOf(found.gaps.map), candles: framesOf(found.gaps.candles) },
    });
    console.log(JSON.stringify(results.at(-1)));
  }
  const version = browser.version();
  if (ratio === 1) results.push(await loadResult(page, size, origin));
  await browser.close();
  return { version, results };
}

async function loadResult(page, size, origin) {
  await open(page, origin, { heat: true, fit: false });
  await page.evaluate(await decoder(ROOT));
  const { took, cells } = await loading(page, "/api/v1/heat/BTC/5m/synthetic.bin?side=long", 20);
  const result = {
    what: "fetch and decode",
    size: size.name,
    cells,
    median_ms: round(median(took)),
    least_ms: round(Math.min(...took)),
    load: load()[0],
  };
  console.log(JSON.stringify(result));
  return result;
}

/** Written after every size, so that a run that is cut off leaves what it has measured. */
const out = { runs: RUNS, frames_per_run: FRAMES, cores: cpus().length, load_before: load(), results: [] };
function keep() {
  out.load_after = load();
  writeFileSync(new URL("results.json", import.meta.url), `${JSON.stringify(out, null, 2)}\n`);
}

for (const ratio of RATIOS)
  for (const size of SIZES) {
    const { child, origin } = await serve(size);
    try {
      const { version, results } = await panResults(size, origin, ratio);
      out.browser = `Chromium ${version}, no GPU`;
      out.results.push(...results);
      keep();
    } finally {
      child.kill();
    }
  }
