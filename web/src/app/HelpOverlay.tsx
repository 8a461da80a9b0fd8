/** What the page shows, and the keys. */
import { signal } from "@preact/signals";
import type { ComponentType } from "preact";
import { MODE_TEXT } from "../pages/map/modes";
import { MODES } from "../state/url";
import { Dialog } from "../ui/Dialog";
import { HealthHelp } from "./HealthHelp";
import { ModelHelp } from "./ModelHelp";
import { type PageName, page } from "./router";
import { SignalsHelp } from "./SignalsHelp";

export const helpOpen = signal(false);

const KEYS: readonly (readonly [string, string])[] = [
  ["M", "next mode"],
  ["1 … 6", "timeframe 1m … 1d"],
  ["/ or any other letter", "find an asset or a venue"],
  ["[  ]", "lower cut-off down, up"],
  ["{  }", "upper cut-off down, up"],
  ["← ↑ → ↓", "move the cell cursor"],
  ["Shift + ← →", "scroll time"],
  ["Ctrl + ↑ ↓", "zoom time"],
  ["Enter", "pin the cell under the cursor"],
  ["G", "go to a date"],
  ["F", "fit the whole map"],
  ["R", "back to now"],
  ["L", "linear or log price axis"],
  ["T", "the visible map as a table"],
  ["Alt + S", "save a picture"],
  ["Space", "pause or resume the replay"],
  ["Esc", "clear cursor and pin"],
  ["?", "this help"],
];

function MapHelp() {
  return (
    <>
      <p>
        Each cell is the estimated USD of positions that would be forced out at that price, at that time.
        Longs are forced out below the price, shorts above. Levels that price has swept are removed.
      </p>
      <dl class="help-modes">
        {MODES.map((name) => (
          <div key={name}>
            <dt>{MODE_TEXT[name].label}</dt>
            <dd>{MODE_TEXT[name].explains}</dd>
          </div>
        ))}
      </dl>
      <p>
        Right of the dashed line lies the forward estimate: the last column carried on. Hatching marks where
        no skill has been measured: later than the horizon of the last evaluation, or farther from price than
        it scored.
      </p>
      <p>
        Brackets at the right edge are zones: stretches that hold clearly more than their surroundings. A
        bracket inside the chart is where price swept one. Triangles point at zones that were hit (hollow) or
        swept (filled), discs are large liquidations.
      </p>
      <p>
        The profile beside the chart sums the newest column. Its dots are R(p): how far what a row releases
        would move price, over the row's own height; above 1, right of the dotted line, a stretch carries
        itself. Until 30 such flows were observed it is not established, and not drawn. The chain on a zone's
        card tells how likely each next level is reached if the zone is hit.
      </p>
      <h3>Keys (while the chart has focus)</h3>
      <dl class="help-keys">
        {KEYS.map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}

const HELP: Readonly<Partial<Record<PageName, ComponentType>>> = {
  signals: SignalsHelp,
  model: ModelHelp,
  health: HealthHelp,
};

export function HelpOverlay() {
  const Help = HELP[page.value ?? "map"] ?? MapHelp;
  return (
    <Dialog
      title="Help"
      open={helpOpen.value}
      onClose={() => {
        helpOpen.value = false;
      }}
    >
      <Help />
    </Dialog>
  );
}
