/** Line icons, drawn in the text colour. Decorative: the control beside one carries the name. */

const PATHS = {
  map: "M3 4h4v5H3zM9 7h4v9H9zM15 3h2v7h-2zM3 12h4v5H3zM15 13h2v4h-2z",
  signals:
    "M10 12.5V17M10 9.5a1.5 1.5 0 1 0 0 .1M6.5 13a5 5 0 0 1 0-7M13.5 13a5 5 0 0 0 0-7M4 15.5a8.5 8.5 0 0 1 0-12M16 15.5a8.5 8.5 0 0 0 0-12",
  model: "M3 16.5h14M5 16V9.5M9 16V4M13 16v-4.5M16.5 16V7M3.8 9.5h2.4M7.8 4h2.4M11.8 11.5h2.4M15.3 7h2.4",
  health: "M2.5 10.5h3.2l2-5.5 3.6 10 2.2-6 1 1.5h3",
  bell: "M5 13.5c1-1.2 1.2-2.6 1.2-5a3.8 3.8 0 0 1 7.6 0c0 2.4.2 3.8 1.2 5zM8.5 16.2a1.6 1.6 0 0 0 3 0M10 4.7V3",
  about: "M10 2.5a7.5 7.5 0 1 0 0 15 7.5 7.5 0 0 0 0-15M10 9v5M10 6v.5",
  lock: "M5.5 9h9v7.5h-9zM7 9V6.5a3 3 0 0 1 6 0V9",
  unlock: "M5.5 9h9v7.5h-9zM7 9V6.5a3 3 0 0 1 5.8-1",
  camera: "M3 6.5h3l1.5-2h5l1.5 2h3v9.5H3zM10 8.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6",
  sun: "M10 6.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7M10 2v2M10 16v2M2 10h2M16 10h2M4.3 4.3l1.4 1.4M14.3 14.3l1.4 1.4M15.7 4.3l-1.4 1.4M5.7 14.3l-1.4 1.4",
  moon: "M16 12.2A6.8 6.8 0 0 1 7.8 4a6.8 6.8 0 1 0 8.2 8.2",
  help: "M7.5 7.5a2.5 2.5 0 1 1 3.6 2.2c-.8.4-1.1.9-1.1 1.8M10 14.5v.5",
  options: "M3 6h8M15 6h2M3 14h2M9 14h8M13 4v4M7 12v4",
  search: "M8.5 4a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9M12 12l4.5 4.5",
  close: "M5 5l10 10M15 5L5 15",
  play: "M6 4l10 6-10 6z",
  pause: "M6 4v12M13 4v12",
  reset: "M4.5 10a5.5 5.5 0 1 0 1.8-4M4 3v3.5h3.5",
  table: "M3 4.5h14v11H3zM3 8.5h14M3 12h14M8 4.5v11",
  fit: "M3 8V3h5M12 3h5v5M17 12v5h-5M8 17H3v-5",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
