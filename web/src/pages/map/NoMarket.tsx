/** What stands in place of the map before any market is known: what is waited for, and what is in its way. */
import { goTo } from "../../app/router";
import { status } from "../../state/engine";
import { troubled } from "../../state/troubled";
import { StateCard } from "../../ui/StateCard";

export function NoMarket() {
  if (status.value?.mode !== "live")
    return (
      <StateCard kind="empty" title="There is no market here">
        <p>What is played holds no prices of the chosen assets up to this moment.</p>
      </StateCard>
    );
  const { blocked, down } = troubled.value;
  return (
    <StateCard
      kind="empty"
      title="No prices yet"
      action={{ label: "See what the venues give", run: () => goTo("health") }}
    >
      <p>The map appears by itself with the first prices that a venue sends.</p>
      {blocked.length > 0 && <p class="warn">Blocked: {blocked.join(", ")}.</p>}
      {down.length > 0 && <p class="warn">Down: {down.join(", ")}.</p>}
    </StateCard>
  );
}
