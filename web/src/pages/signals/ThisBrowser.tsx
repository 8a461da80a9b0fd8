/** Notifications and sound of this browser: off until somebody asks for them. */
import { useSignal } from "@preact/signals";
import type { Priority } from "../../api/eventTypes";
import { permissionNow } from "../../app/BellWatch";
import { PRIORITIES, PRIORITY_TEXT, typeLabel, typesOf } from "../../state/eventCatalogue";
import { DEFAULT_NOTIFY, notifyPrefs, setNotify } from "../../state/notify";
import { playTone, soundReady, unlockSound } from "../../state/sound";
import { showToast } from "../../ui/Toast";

const PERMISSION_TEXT = {
  granted: "This browser lets Faultline show notifications.",
  default: "The browser asks for permission when you choose the first notification.",
  denied:
    "Notifications are blocked for this address. Allow them in the browser's site settings, then reload.",
} as const;

const withOrWithout = (list: readonly Priority[], priority: Priority, on: boolean) =>
  PRIORITIES.filter((known) => (known === priority ? on : list.includes(known)));

export function ThisBrowser() {
  const permission = useSignal(permissionNow());
  const now = notifyPrefs.value;
  /** Permission is asked for only here: on a person's own click. */
  const chooseNote = async (priority: Priority, on: boolean) => {
    if (on && permission.value === "default") permission.value = await Notification.requestPermission();
    if (!on || permission.value === "granted")
      setNotify({ browser: withOrWithout(now.browser, priority, on) });
  };
  const chooseSound = (priority: Priority, on: boolean) => {
    setNotify({ sound: withOrWithout(now.sound, priority, on) });
    if (on) void unlockSound().then(() => playTone(priority, notifyPrefs.value.volume));
  };
  const hear = async (priority: Priority) => {
    await unlockSound();
    if (soundReady.value) playTone(priority, notifyPrefs.value.volume);
    else showToast({ tone: "bad", title: "This browser plays no sound here" });
  };
  return (
    <div class="this-browser">
      <h2>Notifications and sound in this browser</h2>
      <p>
        They work while this dashboard is open in a tab. To be reached while it is closed, make an alert rule.
        Events of a rebuilt past never notify; simulated and replayed ones say so.
      </p>
      <table class="plain-table notify-table">
        <thead>
          <tr>
            <th scope="col">Events</th>
            <th scope="col">Notification</th>
            <th scope="col">Sound</th>
            <th scope="col">Listen</th>
          </tr>
        </thead>
        <tbody>
          {PRIORITIES.map((priority) => (
            <tr key={priority}>
              <th scope="row">
                <b class={`prio is-p${priority}`}>P{priority}</b> {PRIORITY_TEXT[priority]}
                <small>{typesOf(priority).map(typeLabel).join(", ")}</small>
              </th>
              <td>
                <label class="tick">
                  <input
                    type="checkbox"
                    aria-label={`Notification for P${priority}`}
                    checked={now.browser.includes(priority) && permission.value === "granted"}
                    disabled={permission.value === "denied"}
                    onClick={(event) => {
                      // The box is ticked only when permission has been given.
                      event.preventDefault();
                      void chooseNote(
                        priority,
                        !now.browser.includes(priority) || permission.value !== "granted",
                      );
                    }}
                  />
                </label>
              </td>
              <td>
                <label class="tick">
                  <input
                    type="checkbox"
                    aria-label={`Sound for P${priority}`}
                    checked={now.sound.includes(priority)}
                    onChange={(event) => chooseSound(priority, event.currentTarget.checked)}
                  />
                </label>
              </td>
              <td>
                <button type="button" class="button" onClick={() => void hear(priority)}>
                  Play<span class="visually-hidden"> the sound of P{priority}</span>
                </button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class={permission.value === "denied" ? "warn" : "quiet"}>{PERMISSION_TEXT[permission.value]}</p>
      {now.sound.length > 0 && !soundReady.value && (
        <p class="quiet">After a reload, browsers allow sound only from your first click or key on.</p>
      )}
      <label class="check-line">
        <input
          type="checkbox"
          checked={now.quietWhenVisible}
          onChange={(event) => setNotify({ quietWhenVisible: event.currentTarget.checked })}
        />
        <span>Stay quiet while this tab is on screen</span>
      </label>
      <label class="check-line">
        <span>Volume</span>
        <input
          type="range"
          min="0"
          max="1"
          step="0.05"
          value={now.volume}
          onInput={(event) => setNotify({ volume: Number(event.currentTarget.value) })}
        />
        <span>{Math.round(now.volume * 100)} %</span>
      </label>
      <button
        type="button"
        class="button"
        onClick={() => setNotify({ ...DEFAULT_NOTIFY, seenSeq: now.seenSeq })}
      >
        Reset: neither notifications nor sound
      </button>
    </div>
  );
}
