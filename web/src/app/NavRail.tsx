/** Pages that exist, as icons at the left edge (tabs at the bottom of a phone). */
import { Icon } from "../ui/Icon";
import { goTo, hrefOf, type PageName, page } from "./router";

const LINKS: readonly { readonly name: PageName; readonly label: string }[] = [
  { name: "map", label: "Map" },
  { name: "signals", label: "Signals" },
  { name: "model", label: "Model" },
  { name: "health", label: "Health" },
  { name: "about", label: "About" },
];

export function NavRail() {
  const follow = (name: PageName) => (event: MouseEvent) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    goTo(name);
  };
  return (
    <nav class="rail" aria-label="Pages">
      <svg class="rail-mark" viewBox="0 0 24 24" aria-hidden="true">
        <path d="M2 17l6-3 1.5 4 4.5-13 2.5 7.5L22 9" />
      </svg>
      {LINKS.map(({ name, label }) => (
        <a
          key={name}
          href={hrefOf(name)}
          aria-current={page.value === name ? "page" : undefined}
          onClick={follow(name)}
        >
          <Icon name={name} />
          <span>{label}</span>
        </a>
      ))}
    </nav>
  );
}
