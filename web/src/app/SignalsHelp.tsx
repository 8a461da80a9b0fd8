/** What the events mean, and the keys of the log. */
import { EVENT_TYPES, PRIORITIES, PRIORITY_TEXT, typesOf } from "../state/eventCatalogue";

const KEYS: readonly (readonly [string, string])[] = [
  ["↑ ↓", "next event, previous event"],
  ["PgUp PgDn", "ten events"],
  ["Home End", "newest and oldest shown"],
  ["Enter", "show the moment on the map"],
];

export function SignalsHelp() {
  return (
    <>
      <p>
        Every event the engine found, newest first. L is about long positions, S about short ones. Amounts
        marked est. are model estimates; a level says how dense a zone is among the asset's zones of 30 days.
      </p>
      {PRIORITIES.map((priority) => (
        <section key={priority}>
          <h3>
            P{priority}: {PRIORITY_TEXT[priority]}
          </h3>
          <dl class="help-modes">
            {typesOf(priority).map((type) => (
              <div key={type}>
                <dt>{EVENT_TYPES[type].label}</dt>
                <dd>{EVENT_TYPES[type].meaning}</dd>
              </div>
            ))}
          </dl>
        </section>
      ))}
      <h3>Keys (while an event has focus)</h3>
      <dl class="help-keys">
        {KEYS.map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}
