/** What a page shows while the engine makes its maps. */
import type { Progress } from "../api/types";
import { StateCard } from "./StateCard";

export function EngineLoading({ progress }: { readonly progress: Progress | null }) {
  if (!progress || progress.done <= 0)
    return (
      <StateCard kind="loading" title="Preparing the market">
        <p class="quiet">A first start takes about a minute longer: the engine is compiled.</p>
      </StateCard>
    );
  return (
    <StateCard kind="loading" title="Making the maps" progress={progress.done / Math.max(1, progress.total)}>
      <p class="quiet">
        {Math.floor(progress.done).toLocaleString("en-US")} of{" "}
        {Math.ceil(progress.total).toLocaleString("en-US")} {progress.label}
      </p>
    </StateCard>
  );
}
