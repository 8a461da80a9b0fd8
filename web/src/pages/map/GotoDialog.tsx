/** Jump to a moment. */
import { useState } from "preact/hooks";
import { mapData } from "../../state/map";
import { Dialog } from "../../ui/Dialog";
import { goToTime, gotoOpen } from "./actions";

const asInput = (ms: number) => new Date(ms).toISOString().slice(0, 16);

const newest = () => {
  const data = mapData.peek();
  return data ? asInput(data.bars.at(-1)?.tMs ?? data.t0Ms) : "";
};

/** The map goes on while somebody types: what the field began with must not. */
function GotoForm({ close }: { readonly close: () => void }) {
  const [began] = useState(newest);
  const data = mapData.value;
  return (
    <form
      class="goto"
      onSubmit={(event) => {
        event.preventDefault();
        const text = new FormData(event.currentTarget).get("at");
        const tMs = Date.parse(`${text}Z`);
        if (Number.isFinite(tMs)) goToTime(tMs);
        close();
      }}
    >
      <label>
        Date and time
        <input
          type="datetime-local"
          name="at"
          required
          min={data ? asInput(data.t0Ms) : undefined}
          max={data ? asInput(data.bars.at(-1)?.tMs ?? data.t0Ms) : undefined}
          defaultValue={began}
        />
      </label>
      <button type="submit" class="button">
        Go
      </button>
    </form>
  );
}

export function GotoDialog() {
  const close = () => {
    gotoOpen.value = false;
  };
  return (
    <Dialog title="Go to a moment (UTC)" open={gotoOpen.value} onClose={close}>
      <GotoForm close={close} />
    </Dialog>
  );
}
