// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";
import { cascade, model } from "../unit/modelMade";
import { choose, root, show, text } from "./modelShown";

describe("cascade", () => {
  it("stands every share beside its interval and n, and greys what few have shown", async () => {
    await show(model());
    await choose("cascade");
    const rows = [...root.querySelectorAll(".steps tbody tr")];
    expect(rows.map((row) => row.classList.contains("is-greyed"))).toEqual([false, true, true]);
    expect(rows[0].textContent).toBe("122 %17–27 %50 of 2323 min38 s to 15 min");
    expect(rows[1].textContent).toContain("3 of 12too few");
    expect(rows[2].textContent).toBe("3no chain came to the level before yet");
    expect(text()).not.toContain("frozen");
  });

  it("says with which version frozen chains are foretold", async () => {
    await show(model({ cascade: cascade({ frozen: true, version: 12 }) }));
    await choose("cascade");
    expect(text()).toContain("frozen, version 12 what chains are foretold with");
  });

  it("compares forecasts only over enough steps", async () => {
    await show(model());
    await choose("cascade");
    expect(text()).toContain("0.412 nats, better than counting by depth");
    expect(text()).toContain("244 after 334 hits");
  });

  it("says how few steps there are", async () => {
    await show(model({ cascade: cascade({ depths: cascade().depths.slice(1) }) }));
    await choose("cascade");
    expect(text()).toContain("too few steps to compare");
    expect(text()).not.toContain("better than counting");
  });

  it("marks modelled USD, open episodes and what chance hardly does", async () => {
    await show(model());
    await choose("cascade");
    const row = root.querySelector(".episodes tbody tr")?.textContent ?? "";
    expect(row).toContain("still open");
    expect(row).toContain("expected $3.1M est.");
    expect(row).toContain("2.4×◆ tail <0.001");
    expect(row).toContain("L");
  });

  it("leaves a hatched gap for a day that is not known, and hollows thin bins", async () => {
    await show(model());
    await choose("cascade");
    expect(root.querySelectorAll("rect.day")).toHaveLength(2);
    expect(root.querySelectorAll("rect.day.is-missing")).toHaveLength(1);
    expect(root.querySelectorAll(".point.is-few")).toHaveLength(1);
    expect(root.querySelector(".reliability desc")?.textContent).toContain("said 6.0 %, seen 5.0 % (n 140)");
  });

  it("draws nothing where no chance was said", async () => {
    await show(model({ cascade: cascade({ reliability: [], strip: [], episodes: [], log_loss: null }) }));
    await choose("cascade");
    expect(text()).toContain("No chance was said and settled yet");
    expect(text()).toContain("No day with liquidations and known open interest yet");
    expect(text()).toContain("not yet comparable");
  });
});

describe("calibration", () => {
  it("tells learned from assumed, and what was not found from none", async () => {
    await show(model());
    await choose("calibration");
    const rows = [...root.querySelectorAll(".calibration-table tbody tr")].map((row) => {
      expect(row.querySelector(".meaning")?.textContent).toBeTruthy();
      row.querySelector(".meaning")?.remove();
      return row.textContent;
    });
    expect(rows[0]).toBe("print offset, mark −38.6 bp−39.2 to −38.03,42299 %");
    expect(rows[1]).toContain("assumed");
    expect(rows[2]).toBe("reporting fraction –no range0–assumed");
    expect(text()).toContain("sides inverted");
    expect(text()).toContain("exists documentation");
    expect(text()).toContain('nothing was found, which is not "none"');
  });
});
