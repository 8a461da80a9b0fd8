/** What the words of the health page mean. */

const STATES: readonly (readonly [string, string])[] = [
  ["● live", "rows come on every channel, or silence is normal there"],
  ["○ quiet", "subscribed and silent, where silence is normal"],
  ["◐ partial", "some channels, symbols or connections are missing"],
  ["◔ stale", "connected, and silent for too long"],
  ["✕ blocked", "the venue or the network refuses this address"],
  ["▼ down", "not connected; it is tried again with growing pauses"],
  ["– absent", "nothing was asked of it"],
  ["▶ played", "comes from a tape or from the simulator; nothing is connected"],
];

const FIGURES: readonly (readonly [string, string])[] = [
  ["Rows", "facts taken: a second on average over the last minute, the bars second by second"],
  [
    "Lag p50 / p95",
    "receipt minus event of half and of 95 in 100 rows, of the slowest channel that is no poll; by two clocks",
  ],
  ["Gaps", "stretches known to be missing; they are gaps on the tape too, never “nothing happened”"],
  ["Reconnects", "connections made again after a loss; planned renewals are not among them"],
  ["Rejects", "facts that could not be taken; the first of each reason is kept as a sample"],
];

const Words = ({ words }: { words: readonly (readonly [string, string])[] }) => (
  <dl class="help-modes">
    {words.map(([word, meaning]) => (
      <div key={word}>
        <dt>{word}</dt>
        <dd>{meaning}</dd>
      </div>
    ))}
  </dl>
);

export function HealthHelp() {
  return (
    <>
      <p>
        Where the numbers come from, and what is missing from them. A venue opens to its channels, to what
        could not be taken, and to what it does not give. The list is refreshed every two seconds; its order
        stands still while the pointer is on it, while something in it has the focus and while details are
        open.
      </p>
      <h3>States</h3>
      <Words words={STATES} />
      <h3>Figures</h3>
      <Words words={FIGURES} />
      <h3>Keys</h3>
      <dl class="help-keys">
        <div>
          <dt>
            <kbd>Tab</kbd>
          </dt>
          <dd>next venue</dd>
        </div>
        <div>
          <dt>
            <kbd>Enter</kbd>
          </dt>
          <dd>open or close its details</dd>
        </div>
      </dl>
    </>
  );
}
