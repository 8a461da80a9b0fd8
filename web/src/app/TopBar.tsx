/** What is shown (scope, timeframe, mode) and how fresh it is. */
import { signal } from "@preact/signals";
import { exportPicture } from "../pages/map/exportPicture";
import { mapTableOpen } from "../pages/map/MapTable";
import { MODE_TEXT } from "../pages/map/modes";
import { dataAgeS, freshness, status } from "../state/engine";
import { duration } from "../state/format";
import { resolvedTheme, setPrefs } from "../state/prefs";
import { MODES } from "../state/url";
import { chooseMode, chooseTimeframe, mode, timeframe, timeframes } from "../state/view";
import { isPhone } from "../state/viewport";
import { Icon } from "../ui/Icon";
import { Segmented } from "../ui/Segmented";
import { Bell } from "./Bell";
import { helpOpen } from "./HelpOverlay";
import { OptionsMenu } from "./OptionsMenu";
import { type PageName, page } from "./router";
import { ScopePicker } from "./ScopePicker";
import { SourceTrouble } from "./SourceTrouble";

const TITLES: Readonly<Partial<Record<PageName, string>>> = {
  signals: "Signals",
  model: "Model",
  health: "Health",
  about: "About",
};
export const optionsOpen = signal(false);

const FRESH_TEXT = {
  live: "live",
  stale: "stale",
  offline: "offline",
  paused: "paused",
  loading: "loading",
  error: "engine error",
} as const;

function Freshness() {
  const state = freshness.value;
  // A replay or a simulation that runs is fresh, but it is not live; nor is an engine that has heard nothing.
  const silent = state === "live" && dataAgeS.value === null;
  const playing = silent ? "no data yet" : (status.value?.mode ?? "live");
  return (
    <span
      class={`freshness is-${silent ? "loading is-silent" : state}`}
      title="Age of the newest market message"
    >
      <i aria-hidden="true" />
      <b>{state === "live" ? playing : FRESH_TEXT[state]}</b>
      {!silent && <span>{duration(dataAgeS.value)}</span>}
    </span>
  );
}

function TimeframePicker() {
  if (isPhone.value)
    return (
      <label class="timeframes">
        <span class="visually-hidden">Timeframe</span>
        <select value={timeframe.value} onChange={(event) => chooseTimeframe(event.currentTarget.value)}>
          {timeframes.value.map((tf) => (
            <option key={tf}>{tf}</option>
          ))}
        </select>
      </label>
    );
  return (
    <Segmented
      class="timeframes"
      label="Timeframe"
      choices={timeframes.value.map((tf) => ({ value: tf, label: tf }))}
      value={timeframe.value}
      onChange={chooseTimeframe}
    />
  );
}

function MapControls() {
  return (
    <>
      <ScopePicker />
      <TimeframePicker />
      <Segmented
        class="modes"
        label="Mode"
        choices={MODES.map((name) => ({
          value: name,
          title: MODE_TEXT[name].explains,
          label: (
            <>
              <span class="wide-only">{MODE_TEXT[name].label}</span>
              <span class="narrow-only">{MODE_TEXT[name].short}</span>
            </>
          ),
        }))}
        value={mode.value}
        onChange={chooseMode}
      />
    </>
  );
}

export function TopBar() {
  const theme = resolvedTheme();
  const onMap = page.value === "map";
  return (
    <header class="topbar">
      {onMap ? (
        <MapControls />
      ) : (
        <h1 class="topbar-title">{(page.value && TITLES[page.value]) ?? "Faultline"}</h1>
      )}
      <div class="topbar-end">
        <SourceTrouble />
        <Freshness />
        <Bell />
        {onMap && (
          <button
            type="button"
            class="icon-button phone-hidden"
            aria-label="Show the visible map as a table"
            title="Show the visible map as a table (T)"
            onClick={() => {
              mapTableOpen.value = true;
            }}
          >
            <Icon name="table" />
          </button>
        )}
        {onMap && (
          <button
            type="button"
            class="icon-button wide-only"
            aria-label="Save the chart as a picture"
            title="Save the chart as a picture (Alt+S)"
            onClick={exportPicture}
          >
            <Icon name="camera" />
          </button>
        )}
        <button
          type="button"
          class={`icon-button ${onMap ? "phone-hidden" : ""}`}
          aria-label={theme === "dark" ? "Use the light theme" : "Use the dark theme"}
          onClick={() => setPrefs({ theme: theme === "dark" ? "light" : "dark" })}
        >
          <Icon name={theme === "dark" ? "sun" : "moon"} />
        </button>
        {onMap && <OptionsMenu open={optionsOpen} />}
        <button
          type="button"
          class="icon-button"
          aria-label="Help and keys"
          title={onMap ? "Help and keys (?)" : "Help and keys"}
          onClick={() => {
            helpOpen.value = true;
          }}
        >
          <Icon name="help" />
        </button>
      </div>
    </header>
  );
}
