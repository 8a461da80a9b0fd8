/** Nobody may mistake a made-up market for a real one. */
import { simulated, status } from "../state/engine";

export function SimulatedBanner() {
  if (!simulated.value) return null;
  const world = status.value?.world;
  return (
    <div class="simulated" role="note">
      <strong>SIMULATED MARKET</strong>
      <span>
        Every price and position here is made up{world ? ` (world: ${world})` : ""}. Nothing is exchange data.
      </span>
    </div>
  );
}
