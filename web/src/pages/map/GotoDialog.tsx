/** Jump to a moment. */
import { mapData } from "../../state/map";
import { Dialog } from "../../ui/Dialog";
import { goToTime, gotoOpen } from "./actions";

const asInput = (ms: number) => new Date(ms).toISOString().slice(0, 16);

export function GotoDialog() {
  const data = mapData.value;
  const close = () => {
    gotoOpen.value = false;
  };
  return (
    <Dialog title="Go to a moment (UTC)" open={gotoOpen.value} onClose={close}>
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
            defaultValue={data ? asInput(data.bars.at(-1)?.tMs ?? data.t0Ms) : ""}
          />
        </label>
        <button type="submit" class="button">
          Go
        </button>
      </form>
    </Dialog>
  );
}
