// Brotli size of everything the first visit loads: index.html and what it names. Fails above the budget.
import { readFileSync } from "node:fs";

const BUDGET_KB = 130;
const out = new URL("../../src/faultline/api/static/", import.meta.url);
const html = readFileSync(new URL("index.html", out), "utf8");
const manifest = JSON.parse(readFileSync(new URL(".vite/manifest.json", out), "utf8"));
const entry = Object.values(manifest).find((chunk) => chunk.isEntry);
const files = new Set(["index.html", entry.file, ...(entry.css ?? [])]);
const addImports = (chunk) => {
  for (const key of chunk.imports ?? []) {
    files.add(manifest[key].file);
    addImports(manifest[key]);
  }
};
addImports(entry);
let total = 0;
for (const file of files) {
  const size = readFileSync(new URL(`${file}.br`, out)).length;
  total += size;
  console.log(`${(size / 1000).toFixed(1).padStart(7)} kB  ${file}`);
}
if (!html.includes(entry.file)) throw new Error("index.html does not load the entry the manifest names");
console.log(`${(total / 1000).toFixed(1).padStart(7)} kB brotli first load (budget ${BUDGET_KB})`);
if (total > BUDGET_KB * 1000) process.exit(1);
