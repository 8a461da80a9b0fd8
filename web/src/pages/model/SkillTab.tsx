/** Whether the map is any good: gains over baselines now and over time, and what came beside what was expected. */
import type { ModelAnswer } from "../../api/model";
import { scoreHistory, scores } from "../../state/engine";
import { BandBar } from "./BandBar";
import { isKnown, share } from "./figures";
import { Places } from "./Places";
import { Residuals } from "./Residuals";
import { SkillOverTime } from "./SkillOverTime";
import { SkillTable } from "./SkillTable";

/** The engine's own trial, which goes on all the time: how much of the map is drawn as learned. */
function Trial({ answer }: { answer: ModelAnswer }) {
  const trust = answer.feeds.map((feed) => feed.map_trust).find(isKnown);
  if (trust === undefined) return null;
  return (
    <section class="panel">
      <h2>Learned against assumed, now</h2>
      <div class="trial">
        <BandBar kind="now" value={trust} />
        <b>{share(trust)}</b>
      </div>
      <p class="quiet">
        Weight of the learned maps of {answer.asset} beside those drawn as assumed. Both are frozen every five
        minutes and scored on all liquidations that came; what scores worse loses weight.
      </p>
    </section>
  );
}

export function SkillTab({ answer }: { answer: ModelAnswer }) {
  const [known, past] = [scores.value, scoreHistory.value];
  const reports = (known?.available ? known.reports : [])
    .filter((report) => report.asset === answer.asset)
    .sort((a, b) => b.to_ms - a.to_ms || a.refresh_s - b.refresh_s);
  return (
    <div class="feeds">
      {reports.length > 0 && past?.asset === answer.asset && <SkillOverTime points={past.points} />}
      {reports.length > 0 && <Residuals report={reports[0]} />}
      {reports.length > 0 && <Places report={reports[0]} />}
      <Trial answer={answer} />
      <SkillTable asset={answer.asset} />
    </div>
  );
}
