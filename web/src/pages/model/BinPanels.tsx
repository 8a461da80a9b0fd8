/** Four bands of leverage side by side: now with its credible band, before, and what is assumed. */
import type { LeverageBin, ModelFeed } from "../../api/model";
import { utcMinute } from "../../state/format";
import { BandBar } from "./BandBar";
import { Frame } from "./Frame";
import { band, isKnown, share } from "./figures";
import { NOT_IDENTIFIED, SCALED, TOO_FEW } from "./words";

const DAY_MS = 86_400_000;

interface PanelProps {
  readonly bin: LeverageBin;
  readonly before: string | null;
  /** A band of higher leverage, whose levels lie nearer to price, is identified. */
  readonly nearer: boolean;
}

const SAME_SHARE = 0.01;

function Panel({ bin, before, nearer }: PanelProps) {
  const { share: now, assumed_share: assumed } = bin;
  const scaled = isKnown(now) && isKnown(assumed) && Math.abs(now - assumed) > SAME_SHARE;
  return (
    <div class={`bin ${bin.identified ? "" : "is-unknown"}`}>
      <table>
        <caption>
          <span class="bin-head">
            <b>{bin.label}</b>{" "}
            <small>{isKnown(bin.iota) ? `data share ${share(bin.iota)}` : "data share unknown"}</small>
          </span>
        </caption>
        <tbody>
          <tr>
            <th scope="row">now</th>
            <td class="bin-bar">
              <BandBar
                kind={bin.identified ? "now" : "unknown"}
                value={bin.share}
                low={bin.low}
                high={bin.high}
              />
            </td>
            <td class="is-number">
              <b>{share(bin.share)}</b>
              <small>{band(bin.low, bin.high)}</small>
            </td>
          </tr>
          {before !== null && (
            <tr>
              <th scope="row">{before}</th>
              <td class="bin-bar">
                <BandBar kind="before" value={bin.before_share} />
              </td>
              <td class="is-number">{share(bin.before_share)}</td>
            </tr>
          )}
          <tr>
            <th scope="row">prior</th>
            <td class="bin-bar">
              <BandBar kind="assumed" value={bin.assumed_share} />
            </td>
            <td class="is-number">{share(bin.assumed_share)}</td>
          </tr>
        </tbody>
      </table>
      {!bin.identified && (
        <p class="bin-note">
          {nearer ? NOT_IDENTIFIED : TOO_FEW}
          {scaled && SCALED}
        </p>
      )}
    </div>
  );
}

/** The day of the older mix; its hour where it is of the last day. */
export function beforeText(beforeMs: number, lastMs: number | null): string {
  const iso = new Date(beforeMs).toISOString();
  return lastMs !== null && lastMs - beforeMs < DAY_MS ? iso.slice(11, 16) : iso.slice(5, 10);
}

function Columns({ feed }: { feed: ModelFeed }) {
  return (
    <table class="plain-table">
      <caption class="visually-hidden">Share of every leverage, {feed.feed}</caption>
      <thead>
        <tr>
          <th scope="col">Leverage</th>
          <th scope="col" class="is-number">
            Share now
          </th>
          <th scope="col" class="is-number">
            Assumed
          </th>
        </tr>
      </thead>
      <tbody>
        {feed.leverages.map((leverage, i) => (
          <tr key={leverage}>
            <th scope="row">{leverage}x</th>
            <td class="is-number">{share(feed.mix[i])}</td>
            <td class="is-number">{share(feed.assumed_mix[i])}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function BinPanels({ feed }: { feed: ModelFeed }) {
  const last = feed.history.t_ms.at(-1);
  const before = isKnown(feed.before_ms) ? beforeText(feed.before_ms, last ?? null) : null;
  return (
    <Frame
      class="bins-frame"
      title="Share of opens by leverage"
      note={[
        "95 % credible band",
        isKnown(feed.before_ms) ? `before: ${utcMinute(feed.before_ms)} UTC` : "nothing older is kept yet",
        `prior: ${feed.assumed_from}`,
      ].join(" · ")}
      more="every leverage"
      table={<Columns feed={feed} />}
    >
      <div class="bins">
        {feed.bins.map((bin, i) => (
          <Panel
            key={bin.label}
            bin={bin}
            before={before}
            nearer={feed.bins.slice(i + 1).some(({ identified }) => identified)}
          />
        ))}
      </div>
    </Frame>
  );
}
