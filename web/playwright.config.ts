import { defineConfig } from "@playwright/test";

/** Runs against the development server's made-up market, or against FAULTLINE_URL when it is set. */
const [PORT, LARGE_PORT] = [8733, 8734];
const real = process.env["FAULTLINE_URL"];
const ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
  "--font-render-hinting=none",
];
/** A development server; the large one has 2,000 columns of 1,000 rows. */
const server = (port: number, more: Readonly<Record<string, string>> = {}) => ({
  command: "node dev/mock-server.mjs",
  env: { MOCK_PORT: String(port), MOCK_TICK_MS: "250", MOCK_EVENT_MS: "0", ...more },
  url: `http://127.0.0.1:${port}/api/v1/status`,
  reuseExistingServer: false,
});
const executablePath = process.env["FAULTLINE_CHROMIUM"] ?? "/usr/bin/chromium";

export default defineConfig({
  testDir: "tests/e2e",
  outputDir: "test-results",
  snapshotPathTemplate: "{testDir}/golden/{arg}{ext}",
  workers: 1,
  timeout: 30_000,
  reporter: "list",
  use: {
    baseURL: real ?? `http://127.0.0.1:${PORT}`,
    viewport: { width: 1440, height: 900 },
    colorScheme: "dark",
    launchOptions: { executablePath, args: ARGS },
  },
  projects: [
    { name: "map", testIgnore: ["hidpi.spec.ts", "speed.spec.ts"] },
    {
      name: "speed",
      testMatch: "speed.spec.ts",
      use: { baseURL: real ?? `http://127.0.0.1:${LARGE_PORT}` },
    },
    {
      name: "hidpi",
      testMatch: "hidpi.spec.ts",
      use: { launchOptions: { executablePath, args: [...ARGS, "--force-device-scale-factor=2"] } },
    },
  ],
  ...(real
    ? {}
    : {
        webServer: [server(PORT), server(LARGE_PORT, { MOCK_BARS: "2000", MOCK_ROW_USD: "47.9" })],
      }),
});
