// LHM1 snapshots and live column frames: codes in, bytes out. Development only.
import { crc32 } from "node:zlib";

const PLANES = ["real", "synthetic", "smooth", "walls"];
const SIDES = ["both", "long", "short"];

const planeByte = (plane, side) => PLANES.indexOf(plane) | (SIDES.indexOf(side) << 4);

/** @param {{plane:string, side:string, columns:number, rows:number, t0Ms:number, dtMs:number, seq:number, price0Usd:number, rowUsd:number, minUsd:number, maxUsd:number, firstLiveCol:number}} header */
export function encodeSnapshot(header, codes, { delta = true } = {}) {
  const bytes = Buffer.alloc(64 + codes.length);
  bytes.write("LHM1", 0, "latin1");
  bytes.writeUInt8(1, 4);
  bytes.writeUInt8(planeByte(header.plane, header.side), 5);
  bytes.writeUInt8(delta ? 1 : 0, 6);
  bytes.writeUInt32LE(header.columns, 8);
  bytes.writeUInt32LE(header.rows, 12);
  bytes.writeBigInt64LE(BigInt(header.t0Ms), 16);
  bytes.writeUInt32LE(header.dtMs, 24);
  bytes.writeUInt32LE(header.seq, 28);
  bytes.writeDoubleLE(header.price0Usd, 32);
  bytes.writeDoubleLE(header.rowUsd, 40);
  bytes.writeFloatLE(header.minUsd, 48);
  bytes.writeFloatLE(header.maxUsd, 52);
  bytes.writeUInt32LE(header.firstLiveCol, 56);
  const { rows } = header;
  for (let i = 0; i < codes.length; i++)
    bytes[64 + i] = delta && i >= rows ? codes[i] - codes[i - rows] : codes[i];
  bytes.writeUInt32LE(crc32(bytes.subarray(64)) >>> 0, 60);
  return bytes;
}

/** `changes`: ascending [row, code] pairs. */
export function encodeFrame({ plane, side, sub, seq, column }, changes) {
  const body = [];
  let previous = -1;
  for (const [row, code] of changes) {
    let gap = row - previous - 1;
    while (gap >= 0x80) {
      body.push((gap & 0x7f) | 0x80);
      gap = Math.floor(gap / 128);
    }
    body.push(gap, code);
    previous = row;
  }
  const bytes = Buffer.alloc(14 + body.length);
  bytes.writeUInt8(1, 0);
  bytes.writeUInt8(planeByte(plane, side), 1);
  bytes.writeUInt16LE(sub, 2);
  bytes.writeUInt32LE(seq, 4);
  bytes.writeUInt32LE(column, 8);
  bytes.writeUInt16LE(changes.length, 12);
  bytes.set(body, 14);
  return bytes;
}
