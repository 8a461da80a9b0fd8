/** The measured skill of the map, where people look. */
import { duration, utcMinute } from "../../state/format";
import { hatchWords, measured, skillNow } from "./measured";
import { figureText, type Skill, type SkillFigure, signedFigure } from "./skill";

function goneText(skill: Skill): string {
  if (skill.horizonS === 0) return `No skill measured at ${duration(skill.goneS)} refresh.`;
  if (skill.goneS === null) return "";
  return `Gone after ${duration(skill.goneS)} without refresh.`;
}

export function SkillLine() {
  const { skill } = measured.value;
  if (!skill) return <span class="skill-line is-missing">{hatchWords(measured.value)}</span>;
  const best = skill.rows[0];
  return (
    <span class="skill-line">
      <span class="skill-gain">
        <i>Skill over the age table</i> T {figureText(best.t)} at {duration(best.refreshS)} refresh.{" "}
      </span>
      <b>{goneText(skill)}</b> <span>{hatchWords(measured.value)}</span>
    </span>
  );
}

const day = (ms: number) => <time class="no-wrap">{utcMinute(ms).slice(0, 10)}</time>;

function Figure({ figure }: { figure: SkillFigure | null }) {
  if (!figure) return <td class="quiet">not measured</td>;
  return (
    <td>
      {signedFigure(figure.mean)}
      <small>
        {signedFigure(figure.lo)} … {signedFigure(figure.hi)}
      </small>
    </td>
  );
}

export function SkillCard() {
  const skill = skillNow.value;
  if (!skill)
    return (
      <section class="card">
        <h2>Measured skill</h2>
        <p class="quiet">
          Not yet measured. Until an evaluation on recorded data has run, read the map as a hypothesis; the
          whole forward estimate is hatched.
        </p>
      </section>
    );
  return (
    <section class="card">
      <h2>Measured skill</h2>
      <p class="quiet">
        Gain over the age table ("how long since price was there"), per event, with 95 % interval.
      </p>
      <table class="facts">
        <thead>
          <tr>
            <th>refresh</th>
            <th>T</th>
            <th>IG</th>
          </tr>
        </thead>
        <tbody>
          {skill.rows.map((row) => (
            <tr key={row.refreshS}>
              <th scope="row">{duration(row.refreshS)}</th>
              <Figure figure={row.t} />
              <Figure figure={row.ig} />
            </tr>
          ))}
        </tbody>
      </table>
      <p class="quiet">
        {skill.rows[0].nScored.toLocaleString("en-US")} events, {day(skill.rows[0].fromMs)} to{" "}
        {day(skill.rows[0].toMs)}.
      </p>
      <p class="warn">{goneText(skill)}</p>
      <p class="quiet">{hatchWords(measured.value)}</p>
    </section>
  );
}
