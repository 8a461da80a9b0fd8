/** What the bank tries beside the incumbent, and how much each hypothesis counts. */
import type { ModelFeed } from "../../api/model";
import { BandBar } from "./BandBar";
import { count, share } from "./figures";
import { hypothesisText } from "./meanings";

const MOST_SHOWN = 6;

export function Hypotheses({ feed }: { feed: ModelFeed }) {
  const sorted = [...feed.hypotheses].sort((a, b) => (b.weight ?? -1) - (a.weight ?? -1));
  const shown = sorted.slice(0, MOST_SHOWN);
  const rest = sorted.slice(MOST_SHOWN);
  const left = rest.reduce((sum, { weight }) => sum + (weight ?? 0), 0);
  return (
    <section class="hypotheses" aria-label={`Hypotheses, ${feed.feed}`}>
      <h3>
        What is tried beside the assumed{" "}
        {feed.basis !== "bank" && shown.length > 0 && <span class="basis is-quiet">not in use</span>}
      </h3>
      {shown.length === 0 ? (
        <p class="quiet">
          One hypothesis alone: with {count(feed.effective_events)} effective events the bank does not speak.
        </p>
      ) : (
        <table>
          <tbody>
            {shown.map(({ name, weight }) => (
              <tr key={name}>
                <th scope="row" title={name}>
                  {hypothesisText(name)}
                </th>
                <td class="bin-bar">
                  <BandBar kind="now" value={weight} />
                </td>
                <td class="is-number">{share(weight)}</td>
              </tr>
            ))}
            {rest.length > 0 && (
              <tr>
                <th scope="row" class="quiet">
                  {rest.length} others
                </th>
                <td class="bin-bar">
                  <BandBar kind="before" value={left} />
                </td>
                <td class="is-number">{share(left)}</td>
              </tr>
            )}
          </tbody>
        </table>
      )}
    </section>
  );
}
