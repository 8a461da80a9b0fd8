/** Measured skill of the map over the age table, and the horizon beyond which none is left. */
import type { Interval, ScoreReport, Scores } from "../../api/types";

const MAP = "map";
const AGE_TABLE = "b4";

export interface SkillFigure {
  readonly mean: number;
  readonly lo: number;
  readonly hi: number;
}

export interface SkillAt {
  readonly refreshS: number;
  readonly nScored: number;
  readonly fromMs: number;
  readonly toMs: number;
  readonly t: SkillFigure | null;
  readonly ig: SkillFigure | null;
}

export interface Skill {
  /** Sorted by refresh, shortest first. */
  readonly rows: readonly SkillAt[];
  /** Longest refresh whose gain in T is above zero with its whole interval; 0 when there is none. */
  readonly horizonS: number;
  /** Shortest measured refresh without such a gain; `null` when every one has it. */
  readonly goneS: number | null;
}

function figure(mean: number | null, ci: Interval | null): SkillFigure | null {
  if (mean === null || !ci || ci[0] === null || ci[1] === null) return null;
  return { mean, lo: ci[0], hi: ci[1] };
}

function difference(report: ScoreReport, metric: string): SkillFigure | null {
  const found = report.differences.find(
    (row) =>
      row.a.toLowerCase() === MAP && row.b.toLowerCase() === AGE_TABLE && row.metric.toLowerCase() === metric,
  );
  return found ? figure(found.mean, found.ci) : null;
}

/** `null` when nothing about this asset has been measured. */
export function skillOf(scores: Scores | null, asset: string | null): Skill | null {
  if (!scores?.available) return null;
  const rows = scores.reports
    .filter((report) => report.asset === asset)
    .map((report) => ({
      refreshS: report.refresh_s,
      nScored: report.n_scored,
      fromMs: report.from_ms,
      toMs: report.to_ms,
      t: difference(report, "t"),
      ig: difference(report, "ig"),
    }))
    .filter((row) => row.t !== null || row.ig !== null)
    .sort((a, b) => a.refreshS - b.refreshS);
  if (rows.length === 0) return null;
  const proven = (row: SkillAt) => row.t !== null && row.t.lo > 0;
  const gone = rows.find((row) => !proven(row));
  const before = rows.filter((row) => proven(row) && (!gone || row.refreshS < gone.refreshS));
  return { rows, horizonS: before.at(-1)?.refreshS ?? 0, goneS: gone?.refreshS ?? null };
}

/** Whole columns right of now that end within the proven horizon. */
export function skilledColumns(skill: Skill | null, dtMs: number): number {
  return skill && dtMs > 0 ? Math.floor((skill.horizonS * 1000) / dtMs) : 0;
}

export function signedFigure(value: number): string {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(3)}`;
}

export function figureText(figure: SkillFigure | null): string {
  if (!figure) return "not measured";
  return `${signedFigure(figure.mean)} [${signedFigure(figure.lo)}, ${signedFigure(figure.hi)}]`;
}
