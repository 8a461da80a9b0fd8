/** Find a map by typing: letters on the chart open it, as traders know it. */
import { signal } from "@preact/signals";
import { useState } from "preact/hooks";
import { assets } from "../state/engine";
import { price } from "../state/format";
import { chooseScope, scope } from "../state/view";
import { Dialog } from "../ui/Dialog";
import { scopeText, searchScopes } from "./scopes";

/** `null`: closed; else what was typed to open it. */
export const searchText = signal<string | null>(null);

function Search({ first }: { first: string }) {
  const [text, setText] = useState(first);
  const [at, setAt] = useState(0);
  const found = searchScopes(assets.value, text);
  const choose = (id: string) => {
    searchText.value = null;
    chooseScope(id);
  };
  const keys = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) setAt(Math.max(0, Math.min(found.length - 1, at + step)));
    else if (event.key === "Enter" && found[at]) choose(found[at].id);
    else return;
    event.preventDefault();
  };
  return (
    <div class="search">
      <input
        autofocus
        role="combobox"
        aria-label="Asset or instrument"
        aria-expanded="true"
        aria-controls="search-found"
        aria-activedescendant={found[at] ? `found-${at}` : undefined}
        autocomplete="off"
        spellcheck={false}
        placeholder="BTC, bybit …"
        value={text}
        onInput={(event) => {
          setText(event.currentTarget.value);
          setAt(0);
        }}
        onKeyDown={keys}
      />
      <div class="found" id="search-found" role="listbox" aria-label="Maps">
        {found.map((one, i) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the field above moves through the list by keys.
          <div
            key={one.id}
            id={`found-${i}`}
            role="option"
            tabIndex={-1}
            aria-selected={i === at}
            onClick={() => choose(one.id)}
          >
            <b>{one.asset}</b>
            <span>{scopeText(one.asset, one.id)}</span>
            <span class="quiet">
              {one.id === scope.value ? "shown" : price(one.priceUsd, one.rowUsd ?? 1)}
            </span>
          </div>
        ))}
      </div>
      {found.length === 0 && <p class="quiet">No map is called that.</p>}
    </div>
  );
}

export function SymbolSearch() {
  const text = searchText.value;
  return (
    <Dialog
      title="Find a map"
      open={text !== null}
      onClose={() => {
        searchText.value = null;
      }}
    >
      <Search first={text ?? ""} />
    </Dialog>
  );
}
