// Collects the licence texts of everything that is shipped in the bundle into one file.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const root = new URL("../", import.meta.url).pathname;
const out = new URL("../../src/faultline/api/static/THIRD_PARTY_NOTICES.txt", import.meta.url).pathname;
const NOTICES = {
  "lightweight-charts":
    "TradingView Lightweight Charts\nCopyright (с) 2023 TradingView, Inc. https://www.tradingview.com/",
};
const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

/** Direct dependencies and what they bring along. */
function shipped() {
  const seen = new Set();
  const visit = (name) => {
    if (seen.has(name)) return;
    seen.add(name);
    const manifest = JSON.parse(readFileSync(join(root, "node_modules", name, "package.json"), "utf8"));
    Object.keys(manifest.dependencies ?? {}).forEach(visit);
  };
  Object.keys(dependencies).forEach(visit);
  return [...seen].sort();
}

const parts = shipped().map((name) => {
  const folder = join(root, "node_modules", name);
  const { version, license, author } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  if (!license) throw new Error(`${name} names no licence`);
  const text = file
    ? readFileSync(join(folder, file), "utf8").trim()
    : `The package names its licence (${license}) and ships no text; author: ${author?.name ?? author}`;
  const notice = NOTICES[name] ? `${NOTICES[name]}\n\n` : "";
  return `${name} ${version} (${license})\n${"=".repeat(72)}\n${notice}${text}\n`;
});
writeFileSync(out, parts.join("\n\n"));
console.log(`licence texts of ${parts.length} packages`);
