/** Which page the address names. Pages lie one level deep under wherever the dashboard is mounted. */
import { signal } from "@preact/signals";

export const PAGES = ["map", "about"] as const;
export type PageName = (typeof PAGES)[number];

function pageNow(): PageName | null {
  const last = location.pathname.split("/").at(-1) ?? "";
  if (last === "" || last === "index.html") return "map";
  return PAGES.find((name) => name === last) ?? null;
}

export const page = signal<PageName | null>(pageNow());

/** The search part of the map's address is kept while another page is shown. */
let mapSearch = location.search;

export function hrefOf(name: PageName): string {
  return new URL(`./${name}`, location.href).pathname;
}

export function goTo(name: PageName): void {
  if (name === page.value) return;
  if (page.value === "map") mapSearch = location.search;
  history.pushState(null, "", hrefOf(name) + (name === "map" ? mapSearch : ""));
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
