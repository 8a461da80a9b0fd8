/** LHM1 snapshot bytes in, a header and column-major codes out. Little endian throughout. */
import type { CodeRange } from "./codes";
import { crc32 } from "./crc32";

export const HEADER_BYTES = 64;
export const MAGIC = 0x314d484c; // "LHM1" read as a little-endian word
export const FLAG_DELTA_TIME = 1;

export const PLANES = ["real", "synthetic", "smooth", "walls"] as const;
export const SIDES = ["both", "long", "short"] as const;
export type Plane = (typeof PLANES)[number];
export type Side = (typeof SIDES)[number];

export interface HeatHeader extends CodeRange {
  readonly plane: Plane;
  readonly side: Side;
  readonly columns: number;
  readonly rows: number;
  /** Start of column 0, UTC milliseconds. */
  readonly t0Ms: number;
  readonly dtMs: number;
  readonly seq: number;
  /** Lower edge of row 0. */
  readonly price0Usd: number;
  readonly rowUsd: number;
  /** First column that may still change; everything before it is closed. */
  readonly firstLiveCol: number;
}

export interface HeatSnapshot extends HeatHeader {
  /** Cell (column t, row p) is `codes[t * rows + p]`. */
  readonly codes: Uint8Array;
}

/** The bytes are not a map this client can read: says what is wrong, never guesses. */
export class HeatFormatError extends Error {
  override readonly name = "HeatFormatError";
}

/** Plane and side of the header's (and a live frame's) plane byte. */
export function decodePlaneByte(byte: number): { plane: Plane; side: Side } {
  const plane = PLANES[byte & 15];
  const side = SIDES[byte >> 4];
  if (plane === undefined || side === undefined)
    throw new HeatFormatError(`unknown plane byte 0x${byte.toString(16)}`);
  return { plane, side };
}

function requireField(ok: boolean, what: string): void {
  if (!ok) throw new HeatFormatError(what);
}

export function decodeSnapshot(buffer: ArrayBuffer): HeatSnapshot {
  requireField(
    buffer.byteLength >= HEADER_BYTES,
    `map is ${buffer.byteLength} bytes, shorter than its header`,
  );
  const view = new DataView(buffer);
  requireField(view.getUint32(0, true) === MAGIC, "map does not start with LHM1");
  requireField(view.getUint8(4) === 1, `map format version ${view.getUint8(4)} is not 1`);
  const flags = view.getUint8(6);
  requireField((flags & ~FLAG_DELTA_TIME) === 0, `unknown map flags 0x${flags.toString(16)}`);
  const columns = view.getUint32(8, true);
  const rows = view.getUint32(12, true);
  const body = new Uint8Array(buffer, HEADER_BYTES);
  requireField(
    body.length === columns * rows,
    `map body is ${body.length} bytes, ${columns} x ${rows} expected`,
  );
  requireField(crc32(body) === view.getUint32(60, true), "map body fails its checksum");
  const header: HeatHeader = {
    ...decodePlaneByte(view.getUint8(5)),
    columns,
    rows,
    t0Ms: Number(view.getBigInt64(16, true)),
    dtMs: view.getUint32(24, true),
    seq: view.getUint32(28, true),
    price0Usd: view.getFloat64(32, true),
    rowUsd: view.getFloat64(40, true),
    minUsd: view.getFloat32(48, true),
    maxUsd: view.getFloat32(52, true),
    firstLiveCol: view.getUint32(56, true),
  };
  if (columns * rows > 0) {
    requireField(header.dtMs > 0, "map column length must be positive");
    requireField(header.rowUsd > 0 && Number.isFinite(header.price0Usd), "map price axis is not finite");
  }
  return { ...header, codes: flags & FLAG_DELTA_TIME ? undelta(body, rows) : body.slice() };
}

/** Undo "each column minus the previous one, modulo 256"; the wire bytes stay untouched. */
export function undelta(body: Uint8Array, rows: number): Uint8Array {
  const codes = body.slice();
  for (let i = rows; i < codes.length; i++) codes[i] = codes[i] + codes[i - rows];
  return codes;
}
