/** A quiet word in the top bar while venues give nothing; it leads to the health page. */
import { troubled } from "../state/troubled";
import { goTo, hrefOf } from "./router";

export function SourceTrouble() {
  const { blocked, down } = troubled.value;
  const parts = [
    { mark: "✕", word: "blocked", names: blocked },
    { mark: "▼", word: "down", names: down },
  ].filter(({ names }) => names.length > 0);
  const words = parts.map(({ word, names }) => `${names.length} ${word} (${names.join(", ")})`).join("; ");
  return (
    <span role="status">
      {parts.length > 0 && (
        <a
          class="source-trouble"
          href={hrefOf("health")}
          title={`Venues: ${words}`}
          aria-label={`Venues: ${words}. Open their health`}
          onClick={(event) => {
            if (event.metaKey || event.ctrlKey || event.shiftKey) return;
            event.preventDefault();
            goTo("health");
          }}
        >
          {parts.map(({ mark, word, names }) => (
            <span key={word}>
              <i aria-hidden="true">{mark}</i> {names.length}
              <span class="wide-only"> {word}</span>
            </span>
          ))}
        </a>
      )}
    </span>
  );
}
