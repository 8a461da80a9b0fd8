/** What the figures of the model page mean. */
import { ESTIMATES } from "../pages/model/meanings";

const WORDS: readonly (readonly [string, string])[] = [
  ["share", "of positions opened in a band of leverage, as published liquidations tell it"],
  ["band", "95 % credible: the share lies in it in 95 of 100 cases, if the model is right"],
  [
    "not identified",
    "too few liquidations where such positions are forced out, often as price never travelled that far: the prior is shown",
  ],
  ["data share", "how much of the prior's uncertainty events removed; 0 % is all assumption"],
  ["effective events", "events that still count: old ones fade"],
  ["expected", "events the model said before they happened, over the same time"],
  [
    "dispersion",
    "variance of the counts over what independent events have; bursts raise it, and widen every band",
  ],
  [
    "advantage",
    "log score over the feed's own static prior, in nats; below 0 the prior would have said it better",
  ],
  [
    "what is tried",
    "other assumptions about how positions open and close, weighed by how well each foretold the liquidations",
  ],
  ["log loss", "how far chances were from what came, in nats; lower is better"],
  ["n at risk", "chains that could have made this step; below 30 the step is greyed"],
  ["T", "skill in when and on which side events come, in nats per event over a baseline; 0 is no skill"],
  [
    "served, learned, assumed",
    "the map as it was frozen; its kernel with a leverage mix learned online; the same with the mix assumed before",
  ],
  ["seen over expected", "events of a day over what the frozen map expected of it"],
  ["est.", "an amount of the model, not of an exchange"],
];

export function ModelHelp() {
  return (
    <>
      <p>
        What the engine has learned, and how sure it is. Nothing here is a forecast of price. Where data say
        nothing the page says so, and shows what is assumed instead.
      </p>
      <dl class="help-modes">
        {[...WORDS, ...ESTIMATES].map(([word, meaning]) => (
          <div key={word}>
            <dt>{word}</dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
      <h3>Keys</h3>
      <dl class="help-keys">
        <div>
          <dt>
            <kbd>← →</kbd>
          </dt>
          <dd>previous tab, next tab</dd>
        </div>
        <div>
          <dt>
            <kbd>Home End</kbd>
          </dt>
          <dd>first tab, last tab</dd>
        </div>
      </dl>
    </>
  );
}
