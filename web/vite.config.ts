import { defineConfig } from "vite";

const engine = process.env["FAULTLINE_URL"] ?? "http://127.0.0.1:8732";

export default defineConfig({
  base: "./",
  publicDir: false,
  server: { proxy: { "/api": { target: engine, ws: true } } },
  build: {
    manifest: true,
    target: "es2022",
    outDir: "../src/faultline/api/static",
    emptyOutDir: true,
    sourcemap: false,
  },
});
