/** How far a cascade would run from a zone, were price there now: level by level, with chance, flow and time. */
import { signal } from "@preact/signals";
import type { ZoneChain as Chain, ChainStep, Zone } from "../../../api/zones";
import { duration, MISSING, price, usd, utcShort } from "../../../state/format";
import { band, count, figure, share } from "../../model/figures";
import * as text from "./zoneText";

/** Instruments that are named one by one. */
const FEW_BOOKS = 2;
/** Levels that are shown before anybody asks for more. */
const FEW_LEVELS = 4;
/** Share of its side from which the engine says the chain of a zone, as it does of every loaded one. */
const NOTABLE_SHARE = 0.03;
const all = signal(false);

/** Why an open zone of the present has no chain; `null` where none is to be expected. */
export function chainMissing(zone: Zone): string | null {
  if (zone.ended_ms !== null || zone.scope.includes(":")) return null;
  if (!zone.loaded && (zone.share_ratio ?? 0) < NOTABLE_SHARE) return null;
  return "Chain: no chain yet. It is said each quarter of an hour, of the nearest zones.";
}

/** What a chain knows of order books and funding. */
export function chainKnows({ book, funding_z }: Chain): string {
  const pays = funding_z === null ? "" : ` This side pays ${figure(Math.abs(funding_z), 1)} sd `;
  const funding = funding_z === null ? "" : `${pays}${funding_z < 0 ? "less" : "more"} funding than usual.`;
  if (book === null) return `No order book is known.${funding}`;
  const { instruments, age_s, depth_ratio } = book;
  const whose = instruments.length > FEW_BOOKS ? `${instruments.length} instruments` : instruments.join(", ");
  const depth = depth_ratio === null ? "" : `, ${share(depth_ratio)} of usual depth`;
  return `Order books of ${whose}: up to ${duration(age_s)} old${depth}.${funding}`;
}

/** The chance as a bar, the interval as a line across its end. Decorative: the figures stand beside it. */
function Chance({ step, side }: { step: ChainStep; side: string }) {
  const percent = (value: number) => `${(100 * value).toFixed(1)}%`;
  return (
    <div class="chance" aria-hidden="true">
      <i class={step.greyed ? "" : side} style={{ width: percent(step.prob) }} />
      <b style={{ left: percent(step.low), width: percent(step.high - step.low) }} />
    </div>
  );
}

function Step({ step, side, rowUsd }: { step: ChainStep; side: string; rowUsd: number }) {
  return (
    <tr class={step.greyed ? "is-greyed" : ""}>
      <th scope="row">
        {step.depth} <small>{price(step.price_usd, rowUsd)}</small>
      </th>
      <td>
        <Chance step={step} side={side} />
        {share(step.prob)} <small>{band(step.low, step.high)}</small>
      </td>
      <td>
        {usd(step.expected_usd)}
        <small>
          needs {usd(step.needed_usd)}
          {step.needed_usd !== null && ` (${step.needed_from})`}
        </small>
      </td>
      <td>
        {step.delay_s === null ? MISSING : duration(step.delay_s)}
        <small>n {count(step.n_at_risk)}</small>
      </td>
    </tr>
  );
}

export function ZoneChain({ zone, rowUsd }: { zone: Zone; rowUsd: number }) {
  const { chain } = zone;
  if (!chain) {
    const why = chainMissing(zone);
    return why ? <p class="quiet">{why}</p> : null;
  }
  if (chain.steps.length === 0)
    return <p class="quiet">Chain: nothing stands out beyond this zone, a cascade would end here.</p>;
  const shown = all.value ? chain.steps : chain.steps.slice(0, FEW_LEVELS);
  const greyed = shown.some((step) => step.greyed);
  return (
    <div>
      <table class="facts chain">
        <caption>
          Chain, were price here now <small>est. {utcShort(chain.at_ms)} UTC</small>
        </caption>
        <thead>
          <tr>
            <th scope="col">level</th>
            <th scope="col">chance</th>
            <th scope="col" title="Notional to expect there, and the forced flow that would move price there">
              expected
            </th>
            <th scope="col" title="Median time from the hit; n: such steps seen so far, faded">
              after
            </th>
          </tr>
        </thead>
        <tbody>
          {shown.map((step) => (
            <Step key={step.depth} step={step} side={text.sideClass(zone)} rowUsd={rowUsd} />
          ))}
        </tbody>
      </table>
      {chain.steps.length > FEW_LEVELS && (
        <button
          type="button"
          class="chip"
          aria-pressed={all.value}
          onClick={() => {
            all.value = !all.value;
          }}
        >
          all {chain.steps.length} levels
        </button>
      )}
      <p class="quiet chain-note">
        Chance of reaching each level if this zone is hit, with 95 % interval; USD to expect there, and the
        forced flow it needs to get there by the square-root law, or what stands in the order books where that
        is more. {chainKnows(chain)}
        {chain.frozen && " Foretold with frozen parameters."}
        {greyed && " Grey: fewer than 30 such steps seen, do not lean on it."}
      </p>
    </div>
  );
}
