/** What leverage positions are opened with, feed by feed: learned, assumed, and how much of each. */
import type { ModelAnswer, ModelFeed } from "../../api/model";
import { StateCard } from "../../ui/StateCard";
import { BinPanels } from "./BinPanels";
import { Frozen } from "./Frozen";
import { count, figure, isKnown, ratio, share, signed } from "./figures";
import { HistoryStrip } from "./HistoryStrip";
import { Hypotheses } from "./Hypotheses";
import { BASIS_TEXT, REPORTING_TEXT } from "./words";

function Badges({ feed }: { feed: ModelFeed }) {
  const basis = BASIS_TEXT[feed.basis] ?? { label: feed.basis, tone: "warn", mark: "?" };
  return (
    <>
      <span class={`basis is-${basis.tone}`}>
        <i aria-hidden="true">{basis.mark}</i> {basis.label}
      </span>
      <Frozen served={feed} />
    </>
  );
}

function advantageWords(nats: number | null): string {
  if (!isKnown(nats)) return "";
  if (nats === 0) return "as good as its prior";
  return nats > 0 ? "better than its prior" : "worse than its prior";
}

function Facts({ feed }: { feed: ModelFeed }) {
  const found = ratio(feed.events, feed.expected);
  return (
    <dl class="feed-facts">
      <div>
        <dt>Learned share</dt>
        <dd>{share(feed.learned_share)}</dd>
      </div>
      <div>
        <dt>Events n</dt>
        <dd>
          {count(feed.events)} <small>{count(feed.effective_events)} effective</small>
        </dd>
      </div>
      <div>
        <dt>Expected</dt>
        <dd>
          {count(feed.expected)} <small>{isKnown(found) ? `seen / expected ${figure(found)}` : ""}</small>
        </dd>
      </div>
      <div>
        <dt>Advantage</dt>
        <dd>
          {signed(feed.advantage_nats)} nats <small>{advantageWords(feed.advantage_nats)}</small>
        </dd>
      </div>
      <div>
        <dt>Dispersion</dt>
        <dd>
          {figure(feed.dispersion, 1)}{" "}
          <small>{isKnown(feed.dispersion) && feed.dispersion > 1.5 ? "events come in bursts" : ""}</small>
        </dd>
      </div>
    </dl>
  );
}

/** Which maps are drawn with what this feed taught. */
export function servedText({ feed, serves }: ModelFeed): string {
  if (serves.length === 0) return "No map is drawn with its mix";
  const others = serves.filter((id) => id !== feed);
  if (others.length === 0) return "Its own map is drawn with its mix";
  return `Maps drawn with its mix: ${serves.join(", ")}`;
}

function Feed({ feed }: { feed: ModelFeed }) {
  return (
    <article class="feed" aria-label={feed.feed}>
      <header>
        <h2>{feed.feed}</h2>
        <Badges feed={feed} />
        <p class="quiet">
          {REPORTING_TEXT[feed.reporting] ?? feed.reporting}
          {feed.path !== feed.feed && `, price path of ${feed.path}`}
          {`. ${servedText(feed)}`}
        </p>
      </header>
      <Facts feed={feed} />
      <div class="feed-shares">
        <BinPanels feed={feed} />
        <Hypotheses feed={feed} />
      </div>
      <HistoryStrip feed={feed} />
    </article>
  );
}

export function LeverageTab({ answer }: { answer: ModelAnswer }) {
  if (answer.feeds.length === 0)
    return (
      <StateCard kind="empty" title={`No feed of ${answer.asset} teaches leverage`}>
        <p>
          A feed appears with the first liquidations that are published for it. Until then the map weighs
          leverage by what is assumed.
        </p>
      </StateCard>
    );
  return (
    <div class="feeds">
      {answer.feeds.map((feed) => (
        <Feed key={feed.feed} feed={feed} />
      ))}
    </div>
  );
}
