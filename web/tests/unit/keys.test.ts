// @vitest-environment happy-dom
import { afterEach, describe, expect, it } from "vitest";
import { actionOf } from "../../src/pages/map/keys";
import { resetPrefs, setPrefs } from "../../src/state/prefs";
import { mode, timeframe } from "../../src/state/view";

const key = (name: string, modifiers: KeyboardEventInit = {}) =>
  new KeyboardEvent("keydown", { key: name, ...modifiers });

afterEach(resetPrefs);

describe("keys of the chart", () => {
  it("walk through the modes and back to the first", () => {
    mode.value = "raw";
    const seen = [0, 1, 2, 3].map(() => {
      actionOf(key("m"))?.();
      return mode.value;
    });
    expect(seen).toEqual(["synthetic", "smooth", "hybrid", "raw"]);
  });

  it("choose timeframes by digit", () => {
    actionOf(key("4"))?.();
    expect(timeframe.value).toBe("1h");
    expect(actionOf(key("7"))).toBeNull();
  });

  it("leave the browser its own combinations", () => {
    for (const modifiers of [{ ctrlKey: true }, { metaKey: true }])
      for (const name of ["r", "f", "l", "1", "g"]) expect(actionOf(key(name, modifiers))).toBeNull();
    expect(actionOf(key("s", { altKey: true }))).not.toBeNull();
  });

  it("of a single letter can be switched off; moving the cursor cannot", () => {
    setPrefs({ keys: false });
    for (const name of ["m", "1", "[", " ", "?"]) expect(actionOf(key(name))).toBeNull();
    for (const name of ["ArrowLeft", "Enter", "Escape"]) expect(actionOf(key(name))).not.toBeNull();
  });
});
