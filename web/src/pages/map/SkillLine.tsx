/** The measured skill of the map, where people look. */
import { scores } from "../../state/engine";
import { duration } from "../../state/format";
import { currentAsset } from "../../state/view";
import { figureText, type Skill, skillOf } from "./skill";

function goneText(skill: Skill): string {
  if (skill.horizonS === 0) return `No skill measured at ${duration(skill.goneS)} refresh.`;
  if (skill.goneS === null) return "";
  return `Gone after ${duration(skill.goneS)} without refresh.`;
}

export function SkillLine() {
  const skill = skillOf(scores.value, currentAsset.value?.asset ?? null);
  if (!skill) return <span class="skill-line is-missing">Skill of this map: not yet measured</span>;
  const best = skill.rows[0];
  return (
    <span class="skill-line">
      <i>Skill over the age table</i> T {figureText(best.t)} at {duration(best.refreshS)} refresh.{" "}
      <b>{goneText(skill)}</b>
    </span>
  );
}

export function SkillCard() {
  const skill = skillOf(scores.value, currentAsset.value?.asset ?? null);
  if (!skill)
    return (
      <section class="card">
        <h3>Measured skill</h3>
        <p class="quiet">
          Not yet measured. Until an evaluation on recorded data has run, read the map as a hypothesis; the
          whole forward estimate is hatched.
        </p>
      </section>
    );
  return (
    <section class="card">
      <h3>Measured skill</h3>
      <p class="quiet">
        Gain over the age table ("how long since price was there"), nats per event, 95 % interval.
      </p>
      <table class="facts">
        <thead>
          <tr>
            <th>refresh</th>
            <th>T</th>
            <th>IG</th>
            <th>n</th>
          </tr>
        </thead>
        <tbody>
          {skill.rows.map((row) => (
            <tr key={row.refreshS}>
              <th scope="row">{duration(row.refreshS)}</th>
              <td>{figureText(row.t)}</td>
              <td>{figureText(row.ig)}</td>
              <td>{row.nScored.toLocaleString("en-US")}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="warn">{goneText(skill)}</p>
    </section>
  );
}
