/** How the chart looks: kept on this browser. */
import type { Signal } from "@preact/signals";
import { PALETTES } from "../heat/palettes";
import { exportPicture } from "../pages/map/exportPicture";
import { mapTableOpen } from "../pages/map/MapTable";
import {
  CANDLE_STYLES,
  EVENT_DENSITIES,
  PRICE_SCALES,
  prefs,
  resetPrefs,
  setPrefs,
  THEMES,
} from "../state/prefs";
import { Dialog } from "../ui/Dialog";
import { Icon } from "../ui/Icon";
import { Segmented } from "../ui/Segmented";

const CANDLE_TEXT = {
  mono: "White / hollow",
  classic: "Teal / red",
  "blue-orange": "Blue / orange",
} as const;
const THEME_TEXT = { system: "System", dark: "Dark", light: "Light" } as const;
const choices = <T extends string>(values: readonly T[], text?: Readonly<Record<T, string>>) =>
  values.map((value) => ({ value, label: text ? text[value] : value }));

function Row({ name, children }: { name: string; children: preact.ComponentChildren }) {
  return (
    <div class="option">
      <span>{name}</span>
      {children}
    </div>
  );
}

function Check({ name, on, onChange }: { name: string; on: boolean; onChange: (on: boolean) => void }) {
  return (
    <label class="option">
      <span>{name}</span>
      <input type="checkbox" checked={on} onChange={(event) => onChange(event.currentTarget.checked)} />
    </label>
  );
}

export function OptionsMenu({ open }: { open: Signal<boolean> }) {
  const now = prefs.value;
  const leaveFor = (run: () => void) => {
    open.value = false;
    run();
  };
  return (
    <>
      <button
        type="button"
        class="icon-button"
        aria-label="Chart options"
        onClick={() => {
          open.value = true;
        }}
      >
        <Icon name="options" />
      </button>
      <Dialog
        title="Chart options"
        open={open.value}
        onClose={() => {
          open.value = false;
        }}
      >
        <Row name="Candles">
          <Segmented
            label="Candle style"
            choices={choices(CANDLE_STYLES, CANDLE_TEXT)}
            value={now.candles}
            onChange={(candles) => setPrefs({ candles })}
          />
        </Row>
        <Row name="Price axis">
          <Segmented
            label="Price axis"
            choices={choices(PRICE_SCALES)}
            value={now.priceScale}
            onChange={(priceScale) => setPrefs({ priceScale })}
          />
        </Row>
        <Row name="Palette">
          <Segmented
            label="Palette choice"
            choices={choices(PALETTES)}
            value={now.palette}
            onChange={(palette) => setPrefs({ palette })}
          />
        </Row>
        <Row name="Contrast">
          <Segmented
            label="Contrast"
            choices={choices(["linear", "log"] as const)}
            value={now.stretch}
            onChange={(stretch) => setPrefs({ stretch })}
          />
        </Row>
        <Row name="Theme">
          <Segmented
            label="Theme"
            choices={choices(THEMES, THEME_TEXT)}
            value={now.theme}
            onChange={(theme) => setPrefs({ theme })}
          />
        </Row>
        <Row name="Event marks">
          <Segmented
            label="Event marks"
            choices={choices(EVENT_DENSITIES)}
            value={now.events}
            onChange={(events) => setPrefs({ events })}
          />
        </Row>
        <Check name="Zone brackets" on={now.zones} onChange={(zones) => setPrefs({ zones })} />
        <Check
          name="Liquidations under the chart"
          on={now.liquidations}
          onChange={(liquidations) => setPrefs({ liquidations })}
        />
        <Check
          name="Single-key shortcuts on the chart"
          on={now.keys}
          onChange={(keys) => setPrefs({ keys })}
        />
        <div class="option-buttons">
          <button
            type="button"
            class="button"
            onClick={() =>
              leaveFor(() => {
                mapTableOpen.value = true;
              })
            }
          >
            Map as a table
          </button>
          <button type="button" class="button" onClick={() => leaveFor(exportPicture)}>
            Save a picture
          </button>
          <button type="button" class="button" onClick={resetPrefs}>
            Reset to defaults
          </button>
        </div>
      </Dialog>
    </>
  );
}
