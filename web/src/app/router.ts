/** Which page the address names. Pages lie one level deep under wherever the dashboard is mounted. */
import { signal } from "@preact/signals";
import { urlNow } from "../state/view";

export const PAGES = ["map", "signals", "model", "health", "about"] as const;
export type PageName = (typeof PAGES)[number];

function pageNow(): PageName | null {
  const last = location.pathname.split("/").at(-1) ?? "";
  if (last === "" || last === "index.html") return "map";
  return PAGES.find((name) => name === last) ?? null;
}

export const page = signal<PageName | null>(pageNow());

export function hrefOf(name: PageName): string {
  return new URL(`./${name}`, location.href).pathname;
}

export function goTo(name: PageName): void {
  if (name === page.value) return;
  // What the map shows is kept while another page is shown, and may have been set from there.
  history.pushState(null, "", hrefOf(name) + (name === "map" ? urlNow() : ""));
  page.value = name;
}

/** Follow Back and Forward; `/` becomes `/map`. */
export function startRouter(): void {
  if (page.value === "map" && !location.pathname.endsWith("/map"))
    history.replaceState(null, "", hrefOf("map") + location.search);
  addEventListener("popstate", () => {
    page.value = pageNow();
  });
}
