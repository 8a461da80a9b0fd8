/** Beside the chart (a sheet on a phone): the zones, and what is known about the chosen zone or cell. */
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { focus } from "../../state/focus";
import { percent, usd } from "../../state/format";
import { profile } from "../../state/map";
import { isNarrow } from "../../state/viewport";
import { openZones, zonesState } from "../../state/zones";
import { Tabs } from "../../ui/Tabs";
import { CellCard } from "./CellCard";
import { EventCard } from "./EventCard";
import { SkillCard } from "./SkillLine";
import { ZoneCard } from "./zones/ZoneCard";
import { ZonePanel } from "./zones/ZonePanel";

export const DETAILS = ["zones", "cell", "zone", "skill"] as const;
export type Detail = (typeof DETAILS)[number];

export const detail = signal<Detail>("cell");

function ExposureCard() {
  const now = profile.value;
  if (!now) return null;
  return (
    <section class="card">
      <h2>Exposure</h2>
      <dl class="rows">
        <dt>Open interest, long</dt>
        <dd>{usd(now.oi_long_usd)}</dd>
        <dt>Open interest, short</dt>
        <dd>{usd(now.oi_short_usd)}</dd>
        <dt>Learned from events</dt>
        <dd>{percent(now.learned_share)}</dd>
      </dl>
    </section>
  );
}

function zonesLabel(): string {
  return zonesState.value.kind === "ready" ? `Zones (${openZones.value.length})` : "Zones";
}

export function Inspector() {
  const narrow = isNarrow.value;
  const at = focus.value;
  // What was chosen comes to the front; pointing at something else does not take it away.
  useEffect(() => {
    if (at) detail.value = at.src === "zone" ? "zone" : "cell";
    else if (detail.peek() === "zone") detail.value = narrow ? "zones" : "cell";
  }, [at]);
  const shown = !narrow && detail.value === "zones" ? "cell" : detail.value;
  const labels: Readonly<Record<Detail, string>> = {
    zones: zonesLabel(),
    cell: "Cell",
    zone: "Zone",
    skill: "Skill",
  };
  return (
    <aside class="inspector" aria-label="What the map says">
      {!narrow && <ZonePanel />}
      <div class="details">
        <Tabs
          label="Details"
          tabs={DETAILS.filter((name) => narrow || name !== "zones").map((name) => ({
            name,
            label: labels[name],
          }))}
          value={shown}
          onChange={(next) => {
            detail.value = next;
          }}
        >
          {shown === "zones" && <ZonePanel />}
          {shown === "zone" && <ZoneCard />}
          {shown === "cell" && (
            <>
              <EventCard />
              <CellCard />
            </>
          )}
          {shown === "skill" && (
            <>
              <SkillCard />
              <ExposureCard />
            </>
          )}
        </Tabs>
      </div>
    </aside>
  );
}
