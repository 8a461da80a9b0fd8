/** How the four bands of leverage have shifted over time, stacked, with the events behind them. */
import type { LeverageHistory, ModelFeed } from "../../api/model";
import { utcShort } from "../../state/format";
import { Drawing, Frame } from "./Frame";
import { count, isKnown, share } from "./figures";
import { apart, EVENTS_HEIGHT, HEIGHT, pieces, stackPaths, WIDTH } from "./strip";

const MOST_ROWS = 60;
/** Of the height, so that labels do not touch. */
const LABEL_ROOM = 0.17;

function Table({ history, labels, feed }: { history: LeverageHistory; labels: string[]; feed: string }) {
  const step = Math.max(1, Math.ceil(history.t_ms.length / MOST_ROWS));
  const last = history.t_ms.length - 1;
  const picked = history.t_ms.map((_, i) => i).filter((i) => (last - i) % step === 0);
  return (
    <table class="plain-table">
      <caption class="visually-hidden">
        Shares over time, {feed}
        {step > 1 ? `, every ${step}th row` : ""}
      </caption>
      <thead>
        <tr>
          <th scope="col">Time (UTC)</th>
          {labels.map((label) => (
            <th scope="col" class="is-number" key={label}>
              {label}
            </th>
          ))}
          <th scope="col" class="is-number">
            Effective events
          </th>
        </tr>
      </thead>
      <tbody>
        {picked.reverse().map((i) => (
          <tr key={i}>
            <th scope="row">{utcShort(history.t_ms[i])}</th>
            {labels.map((label, k) => (
              <td class="is-number" key={label}>
                {share(history.shares[i]?.[k])}
              </td>
            ))}
            <td class="is-number">{count(history.effective_events[i])}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function description(history: LeverageHistory, labels: readonly string[]): string {
  const [first, last] = [history.shares[0], history.shares.at(-1)];
  return labels.map((label, k) => `${label} from ${share(first?.[k])} to ${share(last?.[k])}`).join(", ");
}

export function HistoryStrip({ feed }: { feed: ModelFeed }) {
  const { history } = feed;
  const labels = feed.bins.map(({ label }) => label);
  if (history.t_ms.length < 2)
    return (
      <p class="quiet no-history">
        Over time: {history.t_ms.length === 0 ? "nothing is kept yet" : "one row is kept so far"}. A row is
        kept every hour.
      </p>
    );
  const last = history.shares.at(-1) ?? [];
  const most = Math.max(0, ...history.effective_events.filter(isKnown));
  const [from, to] = [history.t_ms[0], history.t_ms[history.t_ms.length - 1]];
  // Where a share ends on the right edge: labels stand at the middle of their band.
  const middles = labels.map((_, k) => {
    const below = last.slice(0, k).reduce<number>((sum, value) => sum + (value ?? 0), 0);
    return below + (last[k] ?? 0) / 2;
  });
  return (
    <Frame
      class="history"
      title="Over time"
      note={`effective events below, at most ${count(most)}`}
      table={<Table history={history} labels={labels} feed={feed.feed} />}
    >
      <div class="over-time">
        <Drawing
          class="strip-shares"
          title={`Shares of leverage over time, ${feed.feed}`}
          desc={`${utcShort(from)} to ${utcShort(to)} UTC: ${description(history, labels)}`}
          viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
          stretch
        >
          {stackPaths(history, labels.length).map((path, k) => (
            <path key={labels[k]} class={`stack-${k}`} d={path} />
          ))}
        </Drawing>
        <div class="strip-labels" aria-hidden="true">
          {apart(middles, LABEL_ROOM).map((place, k) => (
            <span key={labels[k]} style={{ bottom: `${100 * place}%` }}>
              <i class={`stack-${k}`} /> {labels[k]} {share(last[k])}
            </span>
          ))}
        </div>
        <svg
          class="strip-events"
          viewBox={`0 0 ${WIDTH} ${EVENTS_HEIGHT}`}
          preserveAspectRatio="none"
          aria-hidden="true"
        >
          {pieces(history.t_ms, history.effective_events, most).map((path) => (
            <path key={path} d={path} />
          ))}
        </svg>
        <p class="strip-ends" aria-hidden="true">
          <time>{utcShort(from)}</time>
          <time>{utcShort(to)}</time>
        </p>
      </div>
    </Frame>
  );
}
