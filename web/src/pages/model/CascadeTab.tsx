/** Whether hits of zones set off further levels, as often as said, and more often than chance moves price there. */
import type { Cascade, CascadeDepth, ModelAnswer } from "../../api/model";
import { StateCard } from "../../ui/StateCard";
import { BandBar } from "./BandBar";
import { DailyStrip } from "./DailyStrip";
import { Episodes } from "./Episodes";
import { Frozen } from "./Frozen";
import { band, count, figure, isKnown, share, span } from "./figures";
import { Reliability } from "./Reliability";
import { ScrollTable } from "./ScrollTable";

function delayRange({ delay_s: delay }: CascadeDepth): string {
  return delay && isKnown(delay.low) && isKnown(delay.high)
    ? `${span(delay.low)} to ${span(delay.high)}`
    : "";
}

function Step({ step }: { step: CascadeDepth }) {
  return (
    <tr class={step.greyed ? "is-greyed" : ""}>
      <th scope="row">{step.depth}</th>
      <td class="step-bar">
        <BandBar kind={step.greyed ? "greyed" : "now"} value={step.prob} low={step.low} high={step.high} />
      </td>
      <td class="is-number">
        <b>{share(step.prob)}</b>
        <small>{band(step.low, step.high)}</small>
      </td>
      <td class="is-number">
        {count(step.n_reached)} of {count(step.n_at_risk)}
        {step.greyed && <small>too few</small>}
      </td>
      <td class="is-number">
        {step.delay_s ? span(step.delay_s.median) : <span class="quiet">not seen</span>}
        <small>{delayRange(step)}</small>
      </td>
    </tr>
  );
}

/** Steps that some chain was at risk of, and the range of levels that none was. */
export function splitSteps(depths: readonly CascadeDepth[]): [readonly CascadeDepth[], string | null] {
  const seen = depths.filter((step) => step.n_at_risk > 0);
  const rest = depths.filter((step) => step.n_at_risk === 0).map(({ depth }) => depth);
  if (rest.length === 0) return [seen, null];
  return [seen, rest.length === 1 ? `${rest[0]}` : `${Math.min(...rest)}–${Math.max(...rest)}`];
}

function Steps({ cascade }: { cascade: Cascade }) {
  const [seen, unseen] = splitSteps(cascade.depths);
  return (
    <section class="panel steps">
      <h2>From level to level</h2>
      <p class="quiet">
        Of the chains that had come to the level before, the share that came to this one;{" "}
        {count(cascade.n_hits)} hits of zones. Whiskers and small figures: 95 % interval, for delays 10 to 90
        % of them. Below 30 chains at risk a step is greyed.
      </p>
      <ScrollTable label="Steps of a cascade">
        <table class="plain-table">
          <caption class="visually-hidden">Steps of a cascade, level by level</caption>
          <thead>
            <tr>
              <th scope="col">Level</th>
              <th scope="col">
                <span class="visually-hidden">Share as a bar</span>
              </th>
              <th scope="col" class="is-number">
                Share
              </th>
              <th scope="col" class="is-number">
                n at risk
              </th>
              <th scope="col" class="is-number">
                Delay
              </th>
            </tr>
          </thead>
          <tbody>
            {seen.map((step) => (
              <Step key={step.depth} step={step} />
            ))}
            {unseen && (
              <tr class="is-greyed">
                <th scope="row" class="no-wrap">
                  {unseen}
                </th>
                <td colSpan={4}>no chain came to the level before yet</td>
              </tr>
            )}
          </tbody>
        </table>
      </ScrollTable>
    </section>
  );
}

/** Below this many steps a comparison says nothing. */
const FEW_STEPS = 30;

/** Lower is better; the plainer forecast beside it says whether the effort pays. */
function LogLoss({ cascade }: { cascade: Cascade }) {
  const { log_loss: said, log_loss_beta: plain } = cascade;
  const n = cascade.depths.reduce((sum, step) => sum + step.n_at_risk, 0);
  const verdict =
    n < FEW_STEPS
      ? "too few steps to compare"
      : isKnown(said) && isKnown(plain)
        ? said < plain
          ? "better than counting by depth"
          : "no better than counting by depth"
        : "not yet comparable";
  return (
    <dl class="feed-facts">
      <div>
        <dt>Log loss per step</dt>
        <dd>
          {figure(said, 3)} <small>nats, {verdict}</small>
        </dd>
      </div>
      <div>
        <dt>Counting by depth</dt>
        <dd>
          {figure(plain, 3)} <small>nats, the plainer forecast</small>
        </dd>
      </div>
      <div>
        <dt>Steps n</dt>
        <dd>
          {count(n)} <small>after {count(cascade.n_hits)} hits of zones</small>
        </dd>
      </div>
    </dl>
  );
}

export function CascadeTab({ answer }: { answer: ModelAnswer }) {
  const { cascade } = answer;
  if (!cascade)
    return (
      <StateCard kind="empty" title="No zone was hit yet since the engine began to watch">
        <p>
          Chains are counted from hits of zones: whether the next level was reached too, how soon, and whether
          chance alone would have come as far.
        </p>
      </StateCard>
    );
  return (
    <div class="cascade">
      {cascade.frozen && (
        <p class="sides">
          <Frozen served={cascade} />{" "}
          <span class="quiet">what chains are foretold with; counts and scores are of this run</span>
        </p>
      )}
      <LogLoss cascade={cascade} />
      <div class="cascade-pair">
        <Steps cascade={cascade} />
        <Reliability bins={cascade.reliability} />
      </div>
      <DailyStrip days={cascade.strip} asset={answer.asset} />
      <Episodes episodes={cascade.episodes} />
    </div>
  );
}
