/** Whether the map is any good: gains over baselines now and over time, and what came beside what was expected. */
import type { ModelAnswer } from "../../api/model";
import { scoreHistory, scores } from "../../state/engine";
import { Residuals } from "./Residuals";
import { SkillOverTime } from "./SkillOverTime";
import { SkillTable } from "./SkillTable";

export function SkillTab({ answer }: { answer: ModelAnswer }) {
  const [known, past] = [scores.value, scoreHistory.value];
  const reports = (known?.available ? known.reports : [])
    .filter((report) => report.asset === answer.asset)
    .sort((a, b) => b.to_ms - a.to_ms || a.refresh_s - b.refresh_s);
  return (
    <div class="feeds">
      {reports.length > 0 && past?.asset === answer.asset && <SkillOverTime points={past.points} />}
      {reports.length > 0 && <Residuals report={reports[0]} />}
      <SkillTable asset={answer.asset} />
    </div>
  );
}
