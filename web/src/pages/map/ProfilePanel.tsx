/** Exposure by price beside the chart, on the chart's own price axis; or the same as a table. */
import { effect, signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { price, usd } from "../../state/format";
import { mapTick, profile, profileError } from "../../state/map";
import { resolvedTheme } from "../../state/prefs";
import { Icon } from "../../ui/Icon";
import { geometry } from "./geometry";
import { ProfileTip, pointAt } from "./ProfileTip";
import { largestLevels } from "./profileBins";
import { drawProfile } from "./profileDraw";
import { NOT_ESTABLISHED, reproductionText, whyNot } from "./reproduction";

const LEVELS_IN_TABLE = 12;
const asTable = signal(false);

function LevelTable() {
  const now = profile.value;
  if (!now) return null;
  const established = now.reproduction?.established ?? false;
  const rowUsd = now.prices_usd.length > 1 ? now.prices_usd[1] - now.prices_usd[0] : 1;
  return (
    <table class="facts levels">
      <caption class="visually-hidden">Largest levels, estimated USD with interval</caption>
      <thead>
        <tr>
          <th>price</th>
          <th>side</th>
          <th>est. USD</th>
          {established && <th title="How much the row would feed its own move">R(p)</th>}
        </tr>
      </thead>
      <tbody>
        {largestLevels(now, LEVELS_IN_TABLE).map((level) => (
          <tr key={`${level.side}${level.priceUsd}`}>
            <th scope="row">{price(level.priceUsd, rowUsd)}</th>
            <td class={`is-${level.side}`}>{level.side === "long" ? "L" : "S"}</td>
            <td>
              {usd(level.usd)}
              <small>
                {usd(level.loUsd)}–{usd(level.hiUsd)}
              </small>
            </td>
            {established && <td>{reproductionText(level.feeding)}</td>}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** What the dots are, or that there are none. */
function ReproductionKey() {
  const why = whyNot(profile.value);
  return why === null ? (
    <small title="R(p): how much each stretch of price would feed its own move; above 1 it carries itself">
      dots: R(p), 1 halfway
    </small>
  ) : (
    <small title={why}>R(p) {NOT_ESTABLISHED}</small>
  );
}

export function ProfilePanel() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const shownAsTable = asTable.value;
  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    let frame = 0;
    const stop = effect(() => {
      void [geometry.value, profile.value, mapTick.value, resolvedTheme()];
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(() => drawProfile(element));
    });
    return () => {
      stop();
      cancelAnimationFrame(frame);
    };
  }, [shownAsTable]);
  return (
    <section class="profile" aria-label="Exposure by price">
      {shownAsTable ? (
        <LevelTable />
      ) : (
        <>
          <canvas
            ref={canvas}
            role="img"
            aria-label="Estimated exposure by price, long and short, with cumulative curves"
            onPointerMove={(event) => pointAt(event.offsetY)}
            onPointerLeave={() => pointAt(null)}
          />
          <ProfileTip />
        </>
      )}
      <div class="profile-foot">
        <span>
          <i class="is-long">■</i> L <i class="is-short">■</i> S
          <br />
          <small>pale: band</small>
          <br />
          <small>line: cumulative</small>
          <br />
          <ReproductionKey />
        </span>
        <button
          type="button"
          class="icon-button"
          aria-pressed={shownAsTable}
          aria-label="Show the profile as a table"
          onClick={() => {
            asTable.value = !shownAsTable;
          }}
        >
          <Icon name="table" />
        </button>
      </div>
      {profileError.value && <p class="warn">{profileError.value}</p>}
    </section>
  );
}
