/** Says that a snapshot of a parameter file is served as it is; nothing where learning goes on. */
import type { Served } from "../../api/model";
import { isKnown } from "./figures";

export function Frozen({ served }: { served: Served }) {
  if (!served.frozen) return null;
  return (
    <span class="basis is-warn">
      <i aria-hidden="true">❚❚</i> frozen{isKnown(served.version ?? null) && `, version ${served.version}`}
    </span>
  );
}
