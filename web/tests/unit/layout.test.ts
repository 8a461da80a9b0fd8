/** Rules of the house that a reviewer should not have to look for. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const ROOT = new URL("../../", import.meta.url);
const LONGEST_FILE = 250;

function files(folder: string): string[] {
  return readdirSync(new URL(folder, ROOT), { recursive: true })
    .map((name) => `${folder}/${name}`)
    .filter((name) => /\.(ts|tsx|mjs|css)$/.test(name));
}

const text = (name: string) => readFileSync(new URL(name, ROOT), "utf8");

describe("source files", () => {
  it.each(["src", "tests", "dev", "build", "bench"].flatMap(files))("%s fits on a few screens", (name) => {
    expect(text(name).split("\n").length).toBeLessThanOrEqual(LONGEST_FILE);
  });

  it.each(files("src/heat"))("%s touches neither the page nor the rest of the program", (name) => {
    const source = text(name);
    expect(source).not.toMatch(/from "\.\.\//);
    expect(source).not.toMatch(/\b(document\.|localStorage|fetch\()/);
  });

  it.each(files("src/chart"))("%s does not talk to the engine", (name) => {
    expect(text(name)).not.toMatch(/from "\.\.\/(api|app|pages)\//);
  });
});

describe("colours of text", () => {
  const css = text("src/styles/tokens.css");
  const themes = { dark: css.split(":root[data-theme")[0], light: css.split(":root[data-theme")[1] };
  const channel = (c: number) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const luminance = (hex: string) => {
    const word = Number.parseInt(hex.slice(1), 16);
    const [r, g, b] = [word >> 16, (word >> 8) & 255, word & 255].map((c) => channel(c / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a: string, b: string) => {
    const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };

  for (const [theme, block] of Object.entries(themes)) {
    const token = (name: string) => new RegExp(`--${name}: (#[0-9a-f]{6})`).exec(block)?.[1] ?? "";
    const pairs: [string, string][] = [
      "text",
      "muted",
      "accent",
      "long",
      "short",
      "warn",
      "good",
      "bad",
    ].flatMap((ink) => [
      [ink, "bg"],
      [ink, "panel"],
    ]);
    const others: [string, string][] = [
      ["text", "raised"],
      ["text", "hover"],
      ["muted", "raised"],
      ["warn", "warn-bg"],
    ];
    it.each([...pairs, ...others])(`${theme}: %s on %s holds 4.5 to 1`, (ink, paper) => {
      expect(contrast(token(ink), token(paper))).toBeGreaterThanOrEqual(4.5);
    });
  }
});
