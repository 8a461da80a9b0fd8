import { describe, expect, it } from "vitest";
import { crc32 } from "../../src/heat/crc32";
import { decodeSnapshot, HeatFormatError } from "../../src/heat/format";
import { encodeSnapshot, seeded, snapshot } from "./encode";

function randomColumns(columns: number, rows: number, seed: number): number[][] {
  const next = seeded(seed);
  return Array.from({ length: columns }, () =>
    Array.from({ length: rows }, () => (next() < 0.4 ? 0 : Math.floor(next() * 256))),
  );
}

describe("a snapshot", () => {
  it("survives encoding and decoding, with and without deltas along time", () => {
    for (const delta of [true, false]) {
      const map = snapshot(randomColumns(37, 19, 5), { plane: "smooth", side: "short", seq: 2 ** 32 - 1 });
      const back = decodeSnapshot(encodeSnapshot(map, delta));
      expect(back).toEqual({ ...map, minUsd: Math.fround(map.minUsd), maxUsd: Math.fround(map.maxUsd) });
    }
  });

  it("keeps the wire bytes unchanged while decoding", () => {
    const bytes = encodeSnapshot(snapshot(randomColumns(9, 5, 1)));
    const before = new Uint8Array(bytes.slice(0));
    decodeSnapshot(bytes);
    expect(new Uint8Array(bytes)).toEqual(before);
  });

  it("may hold no column at all", () => {
    expect(decodeSnapshot(encodeSnapshot(snapshot([], { rows: 5, dtMs: 0 }))).columns).toBe(0);
  });

  it("uses the checksum of zlib", () => {
    expect(crc32(new TextEncoder().encode("123456789"))).toBe(0xcbf43926);
  });
});

describe("damaged bytes are named, never drawn", () => {
  const good = () => encodeSnapshot(snapshot(randomColumns(6, 4, 2)));
  const damage = (change: (view: DataView) => void) => {
    const buffer = good();
    change(new DataView(buffer));
    return buffer;
  };
  it.each([
    ["shorter than its header", good().slice(0, 40)],
    ["does not start with LHM1", damage((view) => view.setUint8(0, 0x58))],
    ["version 9", damage((view) => view.setUint8(4, 9))],
    ["plane byte", damage((view) => view.setUint8(5, 0x3f))],
    ["flags", damage((view) => view.setUint8(6, 4))],
    ["expected", damage((view) => view.setUint32(8, 7, true))],
    ["checksum", damage((view) => view.setUint8(70, view.getUint8(70) ^ 1))],
    ["column length", damage((view) => view.setUint32(24, 0, true))],
    ["price axis", damage((view) => view.setFloat64(40, Number.NaN, true))],
  ])("%s", (reason, bytes) => {
    expect(() => decodeSnapshot(bytes)).toThrow(HeatFormatError);
    expect(() => decodeSnapshot(bytes)).toThrow(reason);
  });
});
