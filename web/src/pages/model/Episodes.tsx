/** Chains that were seen: how far they went, how much was forced out, and whether chance would have come as far. */
import type { Episode } from "../../api/model";
import { duration, MISSING, usd, utcShort } from "../../state/format";
import { SideMark } from "../../ui/SideMark";
import { isKnown, times } from "./figures";
import { ScrollTable } from "./ScrollTable";

const NOTABLE_TAIL = 0.05;

function sideOf(side: string): "L" | "S" | null {
  const letter = side.slice(0, 1).toUpperCase();
  return letter === "L" || letter === "S" ? letter : null;
}

export function tailText(prob: number | null): string {
  if (!isKnown(prob)) return MISSING;
  return prob < 0.001 ? "<0.001" : prob.toFixed(3);
}

function Row({ episode }: { episode: Episode }) {
  const { ended_ms: ended, tail_prob: tail } = episode;
  const notable = isKnown(tail) && tail <= NOTABLE_TAIL;
  return (
    <tr>
      <th scope="row">
        <time dateTime={new Date(episode.started_ms).toISOString()}>{utcShort(episode.started_ms)}</time>
        <small>
          {isKnown(ended) ? `for ${duration((ended - episode.started_ms) / 1000)}` : "still open"}
        </small>
      </th>
      <td>
        <SideMark side={sideOf(episode.side)} />
      </td>
      <td class="is-number">{episode.depth}</td>
      <td class="is-number">
        {usd(episode.realised_usd)}
        <small>
          expected {usd(episode.expected_usd)} <span class="no-wrap">est.</span>
        </small>
      </td>
      <td class="is-number">
        {times(episode.excess_ratio)}
        <small>{notable ? <b>◆ tail {tailText(tail)}</b> : `tail ${tailText(tail)}`}</small>
      </td>
    </tr>
  );
}

export function Episodes({ episodes }: { episodes: readonly Episode[] }) {
  const sorted = [...episodes].sort((a, b) => b.started_ms - a.started_ms);
  return (
    <section class="panel">
      <h2>Episodes</h2>
      {sorted.length === 0 ? (
        <p class="quiet">No hit was followed by a first level with forced flow.</p>
      ) : (
        <>
          <p class="quiet">
            Depth over the mean depth that plain volatility alone would give; tail: the chance of this depth
            or more under that. ◆ marks at most {NOTABLE_TAIL}.
          </p>
          <ScrollTable label="Episodes">
            <table class="plain-table episodes">
              <caption class="visually-hidden">Episodes, newest first</caption>
              <thead>
                <tr>
                  <th scope="col">Began (UTC)</th>
                  <th scope="col">Side</th>
                  <th scope="col" class="is-number">
                    Depth
                  </th>
                  <th scope="col" class="is-number">
                    Forced out
                  </th>
                  <th scope="col" class="is-number">
                    Depth over chance
                  </th>
                </tr>
              </thead>
              <tbody>
                {sorted.map((episode) => (
                  <Row key={episode.id} episode={episode} />
                ))}
              </tbody>
            </table>
          </ScrollTable>
        </>
      )}
    </section>
  );
}
