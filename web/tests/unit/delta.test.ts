import { describe, expect, it } from "vitest";
import { ComposedGrid } from "../../src/heat/compose";
import { decodeFrame } from "../../src/heat/delta";
import { HeatGrid } from "../../src/heat/grid";
import { encodeFrame, type FrameParts, seeded, snapshot } from "./encode";

const frame = (parts: FrameParts) => decodeFrame(encodeFrame(parts));
const grid = () =>
  new HeatGrid(
    snapshot([
      [1, 2, 3, 4],
      [5, 6, 7, 8],
    ]),
  );
const column = (held: HeatGrid, t: number) => Array.from({ length: held.rows }, (_, p) => held.code(t, p));

describe("a live frame", () => {
  it("changes the named rows of a column and leaves the others", () => {
    const held = grid();
    expect(
      held.apply(
        frame({
          seq: 11,
          column: 1,
          changes: [
            [0, 9],
            [3, 0],
          ],
        }),
      ),
    ).toBe("applied");
    expect(column(held, 1)).toEqual([9, 6, 7, 0]);
    expect(column(held, 0)).toEqual([1, 2, 3, 4]);
  });

  it("appends a column as a copy of the last one, and the one before is closed then", () => {
    const held = grid();
    expect(held.firstLiveCol).toBe(1);
    expect(held.apply(frame({ seq: 11, column: 2, changes: [[1, 200]] }))).toBe("applied");
    expect([held.columns, held.firstLiveCol]).toEqual([3, 2]);
    expect(column(held, 2)).toEqual([5, 200, 7, 8]);
  });

  it("grows past the room the snapshot brought along", () => {
    const held = grid();
    for (let i = 0; i < 300; i++)
      expect(held.apply(frame({ seq: 11 + i, column: 2 + i, changes: [[0, i % 256]] }))).toBe("applied");
    expect(held.columns).toBe(302);
    expect(column(held, 301)).toEqual([299 % 256, 6, 7, 8]);
    expect(column(held, 0)).toEqual([1, 2, 3, 4]);
  });

  it("that was seen already changes nothing", () => {
    const held = grid();
    expect(held.apply(frame({ seq: 10, column: 1, changes: [[0, 9]] }))).toBe("old");
    expect(column(held, 1)).toEqual([5, 6, 7, 8]);
  });

  it.each([
    ["a number was skipped", { seq: 12, column: 1, changes: [] }],
    ["a column was skipped", { seq: 11, column: 3, changes: [] }],
    ["a row lies outside", { seq: 11, column: 1, changes: [[4, 1]] as const }],
  ])("is a gap when %s, and leaves the grid alone", (_, parts) => {
    const held = grid();
    expect(held.apply(frame(parts))).toBe("gap");
    expect([held.seq, held.columns, ...column(held, 1)]).toEqual([10, 2, 5, 6, 7, 8]);
  });

  it.each([
    ["shorter than its header", (bytes: Uint8Array) => bytes.slice(0, 9)],
    ["type", (bytes: Uint8Array) => bytes.with(0, 7)],
    ["before a code", (bytes: Uint8Array) => bytes.slice(0, -1)],
    ["inside a row number", (bytes: Uint8Array) => bytes.with(14, 0xff).with(15, 0xff).slice(0, 16)],
    ["too many", (bytes: Uint8Array) => Uint8Array.from([...bytes, 0])],
  ])("damaged bytes: %s", (reason, damage) => {
    const bytes = new Uint8Array(encodeFrame({ seq: 1, column: 0, changes: [[2, 3]] }));
    expect(() => decodeFrame(damage(bytes).slice().buffer as ArrayBuffer)).toThrow(reason);
  });
});

describe("the composition of both sides", () => {
  const side = (name: "long" | "short", columns: number[][]) =>
    new HeatGrid(snapshot(columns, { side: name, minUsd: 1000, maxUsd: 1e6 }));

  it("keeps a code unchanged where the other side is empty, and is hotter where both are", () => {
    const both = new ComposedGrid(side("long", [[10, 0, 99]]), side("short", [[0, 20, 99]]), 0, false);
    const [a, b, c] = both.pyramid.base;
    expect([a, b]).toEqual([10, 20]);
    expect(c).toBeGreaterThan(99);
  });

  it("carries the last column forward only when it is an estimate", () => {
    const [long, short] = [side("long", [[1, 2]]), side("short", [[0, 0]])];
    expect([...new ComposedGrid(long, short, 2, true).pyramid.base]).toEqual([1, 2, 1, 2, 1, 2]);
    expect([...new ComposedGrid(long, short, 2, false).pyramid.base]).toEqual([1, 2, 0, 0, 0, 0]);
  });

  it("after frames equals a composition built from scratch, at every pooled level", () => {
    const next = seeded(3);
    const random = () => Array.from({ length: 12 }, () => Math.floor(next() * 256));
    const [long, short] = [side("long", [random(), random()]), side("short", [random(), random()])];
    const live = new ComposedGrid(long, short, 3, true);
    live.pyramid.level(2, 4);
    for (let i = 0; i < 40; i++) {
      const at = next() < 0.4 ? long.columns : long.columns - 1;
      for (const held of [long, short]) {
        const changes = [[Math.floor(next() * 12), Math.floor(next() * 256)]] as const;
        held.apply(frame({ seq: held.seq + 1, column: at, changes }));
        live.update(at);
      }
      const fresh = new ComposedGrid(long, short, 3, true);
      expect(live.pyramid.base).toEqual(fresh.pyramid.base);
      expect(live.pyramid.level(2, 4).codes).toEqual(fresh.pyramid.level(2, 4).codes);
    }
  });

  it("refuses sides that describe different cells", () => {
    const long = side("long", [[1]]);
    expect(ComposedGrid.compatible(long, side("short", [[1]]))).toBe(true);
    const shifted = new HeatGrid(snapshot([[1]], { side: "short", t0Ms: 5 }));
    expect(ComposedGrid.compatible(long, shifted)).toBe(false);
  });
});
