/** Live column frames: bytes in, one changed column out. */
import { decodePlaneByte, HeatFormatError, type Plane, type Side } from "./format";

export const FRAME_HEADER_BYTES = 14;
const FRAME_COLUMN = 1;

export interface ColumnFrame {
  readonly plane: Plane;
  readonly side: Side;
  readonly sub: number;
  readonly seq: number;
  readonly column: number;
  /** Rows that changed, ascending, with their new absolute codes. */
  readonly rows: Uint32Array;
  readonly codes: Uint8Array;
}

export function decodeFrame(buffer: ArrayBuffer): ColumnFrame {
  const bytes = new Uint8Array(buffer);
  if (bytes.length < FRAME_HEADER_BYTES) throw new HeatFormatError("live frame is shorter than its header");
  const view = new DataView(buffer);
  if (bytes[0] !== FRAME_COLUMN) throw new HeatFormatError(`unknown live frame type ${bytes[0]}`);
  const count = view.getUint16(12, true);
  const rows = new Uint32Array(count);
  const codes = new Uint8Array(count);
  let at = FRAME_HEADER_BYTES;
  let row = -1;
  for (let i = 0; i < count; i++) {
    let gap = 0;
    let shift = 0;
    let byte = 0x80;
    while (byte & 0x80) {
      if (at >= bytes.length || shift > 28) throw new HeatFormatError("live frame ends inside a row number");
      byte = bytes[at++];
      gap += (byte & 0x7f) * 2 ** shift;
      shift += 7;
    }
    if (at >= bytes.length) throw new HeatFormatError("live frame ends before a code");
    row += gap + 1;
    rows[i] = row;
    codes[i] = bytes[at++];
  }
  if (at !== bytes.length) throw new HeatFormatError(`live frame has ${bytes.length - at} bytes too many`);
  return {
    ...decodePlaneByte(bytes[1]),
    sub: view.getUint16(2, true),
    seq: view.getUint32(4, true),
    column: view.getUint32(8, true),
    rows,
    codes,
  };
}
