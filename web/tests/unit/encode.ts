/** The other direction of the wire format, written for the tests: header and codes in, bytes out. */
import { crc32 } from "../../src/heat/crc32";
import { type HeatSnapshot, PLANES, SIDES } from "../../src/heat/format";

export const SNAPSHOT: Omit<HeatSnapshot, "codes"> = {
  plane: "synthetic",
  side: "long",
  columns: 0,
  rows: 4,
  t0Ms: 1_770_000_000_000,
  dtMs: 300_000,
  seq: 10,
  price0Usd: 90_000,
  rowUsd: 50,
  minUsd: 1000,
  maxUsd: 1000 * 10 ** 3.5,
  firstLiveCol: 0,
};

export function snapshot(columns: number[][], change: Partial<HeatSnapshot> = {}): HeatSnapshot {
  return {
    ...SNAPSHOT,
    columns: columns.length,
    rows: columns[0]?.length ?? 0,
    firstLiveCol: Math.max(0, columns.length - 1),
    codes: Uint8Array.from(columns.flat()),
    ...change,
  };
}

export function encodeSnapshot(map: HeatSnapshot, delta = true): ArrayBuffer {
  const buffer = new ArrayBuffer(64 + map.codes.length);
  const view = new DataView(buffer);
  const body = new Uint8Array(buffer, 64);
  for (let i = 0; i < body.length; i++)
    body[i] = delta && i >= map.rows ? map.codes[i] - map.codes[i - map.rows] : map.codes[i];
  [..."LHM1"].forEach((letter, i) => {
    view.setUint8(i, letter.charCodeAt(0));
  });
  view.setUint8(4, 1);
  view.setUint8(5, planeByte(map));
  view.setUint8(6, delta ? 1 : 0);
  view.setUint32(8, map.columns, true);
  view.setUint32(12, map.rows, true);
  view.setBigInt64(16, BigInt(map.t0Ms), true);
  view.setUint32(24, map.dtMs, true);
  view.setUint32(28, map.seq, true);
  view.setFloat64(32, map.price0Usd, true);
  view.setFloat64(40, map.rowUsd, true);
  view.setFloat32(48, map.minUsd, true);
  view.setFloat32(52, map.maxUsd, true);
  view.setUint32(56, map.firstLiveCol, true);
  view.setUint32(60, crc32(body), true);
  return buffer;
}

const planeByte = (map: { plane: HeatSnapshot["plane"]; side: HeatSnapshot["side"] }) =>
  PLANES.indexOf(map.plane) | (SIDES.indexOf(map.side) << 4);

export interface FrameParts {
  readonly seq: number;
  readonly column: number;
  readonly sub?: number;
  readonly plane?: HeatSnapshot["plane"];
  readonly side?: HeatSnapshot["side"];
  readonly changes: readonly (readonly [row: number, code: number])[];
}

export function encodeFrame({
  seq,
  column,
  sub = 1,
  plane = "synthetic",
  side = "long",
  changes,
}: FrameParts) {
  const body: number[] = [];
  let previous = -1;
  for (const [row, code] of changes) {
    let gap = row - previous - 1;
    while (gap >= 128) {
      body.push((gap % 128) | 128);
      gap = Math.floor(gap / 128);
    }
    body.push(gap, code);
    previous = row;
  }
  const bytes = new Uint8Array(14 + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, 1);
  view.setUint8(1, planeByte({ plane, side }));
  view.setUint16(2, sub, true);
  view.setUint32(4, seq, true);
  view.setUint32(8, column, true);
  view.setUint16(12, changes.length, true);
  bytes.set(body, 14);
  return bytes.buffer;
}

/** Deterministic numbers in [0, 1). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 4_294_967_296;
  };
}
