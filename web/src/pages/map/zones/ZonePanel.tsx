/** The zones of the shown scope: which are near, all of them as a table, and whose moment they are. */
import { signal } from "@preact/signals";
import { freshness, noMarket } from "../../../state/engine";
import { duration, utcShort } from "../../../state/format";
import { currentAsset } from "../../../state/view";
import {
  approachingZones,
  endedZones,
  momentFollows,
  openZones,
  showZonesNow,
  zoneFeed,
  zoneMoment,
  zonesState,
} from "../../../state/zones";
import { Dialog } from "../../../ui/Dialog";
import { Icon } from "../../../ui/Icon";
import { focusZone } from "./focusZone";
import { VenueSpread } from "./VenueSpread";
import { ZoneTable } from "./ZoneTable";
import * as text from "./zoneText";

const allOpen = signal(false);
const withEnded = signal(false);

/** How many zones price is close to; a click goes to the nearest. */
export function Approaching() {
  const near = approachingZones.value;
  const rowUsd = currentAsset.value?.row_usd ?? 1;
  const first = near[0];
  if (zonesState.value.kind !== "ready") return null;
  if (!first) return <p class="approaching is-none">Zones approaching: 0</p>;
  return (
    <button type="button" class="approaching" onClick={() => focusZone(first)}>
      <b>Zones approaching: {near.length}</b>
      <span>
        <i class={text.sideClass(first)}>{text.sideMark(first)}</i> {text.rangeText(first, rowUsd)}{" "}
        {text.distanceText(first)}
      </span>
    </button>
  );
}

function Moment() {
  const at = zoneMoment.value;
  const follows = momentFollows.value;
  return (
    <div class="moment">
      <button
        type="button"
        class="chip"
        aria-pressed={follows}
        title="Show the zones as they stood in the column under the pointer"
        onClick={() => {
          if (follows) showZonesNow();
          else momentFollows.value = true;
        }}
      >
        follow pointer
      </button>
      {at === null ? (
        <span class="quiet">{follows ? "point at the past" : "as they stand now"}</span>
      ) : (
        <>
          <b class="warn">as of {utcShort(at)} UTC</b>
          {!follows && (
            <button type="button" class="chip" onClick={showZonesNow}>
              back to now
            </button>
          )}
        </>
      )}
    </div>
  );
}

function Empty() {
  const state = zonesState.value;
  const from = state.kind === "ready" ? state.answer.tracked_from_ms : null;
  const at = zoneMoment.value;
  if (at !== null && from !== null && at < from)
    return <p class="quiet pad">Zones are followed from {utcShort(from)} UTC on. Nothing is known before.</p>;
  return (
    <p class="quiet pad">
      No zone stands out {at === null ? "right now" : "at this moment"}. A zone appears when a stretch of
      prices holds clearly more than its surroundings for several minutes.
    </p>
  );
}

function Stale() {
  const state = freshness.value;
  if (zonesState.value.kind !== "ready" || zoneMoment.value !== null) return null;
  if (state === "stale" || state === "offline" || state === "error")
    return <p class="warn pad">Not being updated: the engine is {state}.</p>;
  const { trouble } = zonesState.value;
  if (trouble) return <p class="warn pad">Not being updated: {trouble}</p>;
  return zonesState.value.answer.stale ? <p class="warn pad">The market data behind this is stale.</p> : null;
}

function Body({ wide = false }: { wide?: boolean }) {
  const state = zonesState.value;
  if (state.kind === "loading" && ["error", "offline"].includes(freshness.value))
    return (
      <p class="quiet pad">
        No zones: the engine {freshness.value === "error" ? "has stopped" : "does not answer"}.
      </p>
    );
  if (noMarket.value) return <p class="quiet pad">No zones: no prices are known yet.</p>;
  if (state.kind === "loading")
    return (
      <div class="skeleton" role="status" aria-label="Loading zones">
        {["a", "b", "c", "d"].map((row) => (
          <i key={row} />
        ))}
      </div>
    );
  if (state.kind === "error")
    return (
      <div class="pad" role="alert">
        <p>{state.message}</p>
        {state.hint && <p class="quiet">{state.hint}</p>}
        <button type="button" class="button" onClick={() => void zoneFeed.load()}>
          Try again
        </button>
      </div>
    );
  const [open, ended] = [openZones.value, endedZones.value];
  const shown = withEnded.value ? [...open, ...ended] : open;
  return (
    <>
      {shown.length === 0 ? (
        <Empty />
      ) : (
        <ZoneTable
          zones={shown}
          wide={wide}
          caption="Zones, estimated by the model"
          onChoose={() => {
            allOpen.value = false;
          }}
        />
      )}
      {ended.length > 0 && (
        <label class="ended-toggle quiet">
          <input
            type="checkbox"
            checked={withEnded.value}
            onChange={(event) => {
              withEnded.value = event.currentTarget.checked;
            }}
          />
          with {ended.length} that ended
        </label>
      )}
      {!wide && <VenueSpread sides={state.answer.divergence ?? null} />}
    </>
  );
}

function trackedText(): string {
  const state = zonesState.value;
  if (state.kind !== "ready" || !state.answer.tracked_from_ms || !state.answer.at_ms) return "";
  return `Followed for ${duration((state.answer.at_ms - state.answer.tracked_from_ms) / 1000)}`;
}

export function ZonePanel() {
  const count = zonesState.value.kind === "ready" ? openZones.value.length : null;
  return (
    <section class="zones" aria-label="Zones">
      <h2>
        <span title={trackedText()}>
          Zones {count !== null && <span class="count">{count}</span>} <small>est.</small>
        </span>
        <button
          type="button"
          class="icon-button"
          aria-label="Show all columns"
          title="Show all columns"
          onClick={() => {
            allOpen.value = true;
          }}
        >
          <Icon name="table" />
        </button>
      </h2>
      <Approaching />
      <Moment />
      <Stale />
      <div class="zones-body">
        <Body />
      </div>
      <Dialog
        title="Zones"
        wide
        open={allOpen.value}
        onClose={() => {
          allOpen.value = false;
        }}
      >
        <Moment />
        <div class="zones-all">
          <Body wide />
        </div>
        <p class="quiet">
          All amounts are estimates of the model; the range is over its leverage models. {trackedText()}
        </p>
      </Dialog>
    </section>
  );
}
