/** Nobody may mistake a made-up market for a real one. */
import { simulated, status } from "../state/engine";

export function SimulatedBanner() {
  if (!simulated.value) return null;
  const world = status.value?.world;
  return (
    <aside class="simulated" aria-label="Simulated market">
      <strong>SIMULATED MARKET</strong>
      <span class="wide-only">
        Every price and position here is made up{world ? ` (world: ${world})` : ""}. Nothing is exchange data.
      </span>
      <span class="narrow-only">every price here is made up</span>
    </aside>
  );
}
