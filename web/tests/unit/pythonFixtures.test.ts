import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { decodeFrame } from "../../src/heat/delta";
import { decodeSnapshot } from "../../src/heat/format";
import { HeatGrid } from "../../src/heat/grid";
import { encodeSnapshot } from "./encode";

const FOLDER = new URL("../../../tests/fixtures/lhm1/", import.meta.url);

interface Expected {
  readonly plane: string;
  readonly side: string;
  readonly columns: number;
  readonly rows: number;
  readonly t0_ms: number;
  readonly dt_ms: number;
  readonly seq: number;
  readonly price0_usd: number;
  readonly row_usd: number;
  readonly first_live_col: number;
  readonly codes_sha256: string;
}

function bytes(name: string): ArrayBuffer {
  const file = readFileSync(new URL(name, FOLDER));
  return file.buffer.slice(file.byteOffset, file.byteOffset + file.length) as ArrayBuffer;
}

function frames(): ArrayBuffer[] {
  const all = bytes("frames.bin");
  const view = new DataView(all);
  const found: ArrayBuffer[] = [];
  for (let at = 0; at < all.byteLength; ) {
    const length = view.getUint32(at, true);
    found.push(all.slice(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return found;
}

describe.skipIf(!existsSync(FOLDER))("bytes the engine wrote", () => {
  const expected = JSON.parse(readFileSync(new URL("expected.json", FOLDER), "utf8"));

  it.each(["tiny", "empty", "busy", "quantised"])("%s decodes to what the engine meant", (name) => {
    const wanted = expected[name] as Expected;
    const map = decodeSnapshot(bytes(`${name}.bin`));
    expect(map).toMatchObject({
      plane: wanted.plane,
      side: wanted.side,
      columns: wanted.columns,
      rows: wanted.rows,
      t0Ms: wanted.t0_ms,
      dtMs: wanted.dt_ms,
      seq: wanted.seq,
      price0Usd: wanted.price0_usd,
      rowUsd: wanted.row_usd,
      firstLiveCol: wanted.first_live_col,
    });
    expect(createHash("sha256").update(map.codes).digest("hex")).toBe(wanted.codes_sha256);
  });

  it.each(["tiny", "busy", "quantised"])("%s encodes back to the same bytes", (name) => {
    const original = new Uint8Array(bytes(`${name}.bin`));
    expect(new Uint8Array(encodeSnapshot(decodeSnapshot(original.buffer as ArrayBuffer)))).toEqual(original);
  });

  it("frames change and append columns as the engine meant", () => {
    const grid = new HeatGrid(decodeSnapshot(bytes("tiny.bin")));
    const wanted = expected.tiny_after_frames as { seq: number; columns: number[][] };
    const applied = frames().map((frame) => grid.apply(decodeFrame(frame)));
    expect(applied).toEqual(["applied", "applied", "applied", "applied", "gap"]);
    expect(grid.seq).toBe(wanted.seq);
    const columns = Array.from({ length: grid.columns }, (_, t) =>
      Array.from({ length: grid.rows }, (_, p) => grid.code(t, p)),
    );
    expect(columns).toEqual(wanted.columns);
  });

  it("row numbers take several bytes where rows lie far apart", () => {
    const last = decodeFrame(frames().at(-1) as ArrayBuffer);
    expect([...last.rows]).toEqual([0, 128, 16_600]);
    expect([...last.codes]).toEqual([1, 2, 3]);
  });
});
