"""A grid of codes in, the bytes of an ``LHM1`` snapshot or of one live column frame out, and back.

A snapshot is a 64-byte little-endian header and ``T * P`` codes, column after column, each column minus the
one before it modulo 256. A frame is one column's changed rows. ``docs/reference/wire.md`` lists every field.
"""

from __future__ import annotations

import dataclasses
import gzip
import struct
import zlib
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
from numba import njit

from faultline.errors import StoreError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = (
    "ENCODINGS",
    "FRAME_HEADER_BYTES",
    "HEADER_BYTES",
    "PLANES",
    "SIDES",
    "Frame",
    "Snapshot",
    "compress",
    "decode_frame",
    "decode_snapshot",
    "decompress",
    "encode_frame",
    "encode_snapshot",
    "plane_byte",
)

#: Planes and their number in the low four bits of the plane byte.
PLANES: Final[dict[str, int]] = {"real": 0, "synthetic": 1, "smooth": 2, "walls": 3}
#: Sides and their number in the high four bits of the plane byte.
SIDES: Final[dict[str, int]] = {"both": 0, "long": 1, "short": 2}
#: Content encodings offered, best first.
ENCODINGS: Final = ("zstd", "gzip", "identity")
#: Length of the header of a snapshot.
HEADER_BYTES: Final = 64
#: Length of the header of a column frame.
FRAME_HEADER_BYTES: Final = 14

_HEADER: Final = struct.Struct("<4sBBBBIIqIIddffII")
_FRAME: Final = struct.Struct("<BBHIIH")
_MAGIC: Final = b"LHM1"
_VERSION: Final = 1
_FLAG_DELTA: Final = 1
_FRAME_COLUMN: Final = 1
_CELLS_MAX: Final = 1 << 26
_GZIP_LEVEL: Final = 5
_ZSTD: Final = pa.Codec("zstd", compression_level=1)
_PLANE_NAMES: Final = {number: name for name, number in PLANES.items()}
_SIDE_NAMES: Final = {number: name for name, number in SIDES.items()}


@dataclasses.dataclass(frozen=True, slots=True)
class Snapshot:
    """One plane of one side of one map: uint8[T, P] codes and what they mean.

    Column ``i`` covers ``[t0_ms + i * dt_ms, t0_ms + (i + 1) * dt_ms)``, row ``k`` the prices ``[price0_usd +
    k * row_usd, price0_usd + (k + 1) * row_usd)``. Columns from ``first_live_col`` on are forming.
    """

    plane: str
    side: str
    t0_ms: int
    dt_ms: int
    seq: int
    price0_usd: float
    row_usd: float
    vmin_usd: float
    vmax_usd: float
    first_live_col: int
    codes: NDArray[np.uint8]

    def usd(self) -> NDArray[np.float32]:
        """Value of every cell, float32[T, P]; within 5 % of the engine's own number inside the range."""
        steps = np.arange(-1, 255) / 254.0
        values = self.vmin_usd * (self.vmax_usd / self.vmin_usd) ** steps
        values[0] = 0.0
        cells: NDArray[np.float32] = values.astype(np.float32)[self.codes]
        return cells


@dataclasses.dataclass(frozen=True, slots=True)
class Frame:
    """The changed rows of one column: int64[n] rows and uint8[n] absolute codes."""

    plane: str
    side: str
    sub: int
    seq: int
    col: int
    rows: NDArray[np.int64]
    codes: NDArray[np.uint8]


def plane_byte(plane: str, side: str) -> int:
    """Byte 5 of the header: the plane's number plus 16 times the side's."""
    return PLANES[plane] | SIDES[side] << 4


def encode_snapshot(snapshot: Snapshot) -> bytes:
    """The 64-byte header and the time-delta body, not compressed."""
    codes = snapshot.codes
    body = np.empty_like(codes)
    body[:1] = codes[:1]
    np.subtract(codes[1:], codes[:-1], out=body[1:])
    body_bytes = body.tobytes()
    header = _HEADER.pack(
        _MAGIC,
        _VERSION,
        plane_byte(snapshot.plane, snapshot.side),
        _FLAG_DELTA,
        0,
        codes.shape[0],
        codes.shape[1],
        snapshot.t0_ms,
        snapshot.dt_ms,
        snapshot.seq,
        snapshot.price0_usd,
        snapshot.row_usd,
        snapshot.vmin_usd,
        snapshot.vmax_usd,
        snapshot.first_live_col,
        zlib.crc32(body_bytes),
    )
    return header + body_bytes


def decode_snapshot(content: bytes) -> Snapshot:
    """The snapshot that ``encode_snapshot`` wrote.

    Raises:
        StoreError: the bytes are not an LHM1 snapshot, are cut short, or do not match their checksum.
    """
    if len(content) < HEADER_BYTES or content[:4] != _MAGIC:
        raise _corrupt("it does not begin with a 64-byte LHM1 header")
    fields = _HEADER.unpack_from(content)
    _, version, plane_and_side, flags, dtype, n_columns, n_rows, t0_ms, dt_ms, seq = fields[:10]
    price0_usd, row_usd, vmin_usd, vmax_usd, first_live_col, checksum = fields[10:]
    plane, side = _PLANE_NAMES.get(plane_and_side & 15), _SIDE_NAMES.get(plane_and_side >> 4)
    if version != _VERSION or dtype != 0 or plane is None or side is None:
        raise _corrupt(f"version {version}, dtype {dtype} or plane byte {plane_and_side} is unknown")
    if n_columns * n_rows > _CELLS_MAX or len(content) != HEADER_BYTES + n_columns * n_rows:
        raise _corrupt(f"{len(content)} bytes do not hold {n_columns} columns of {n_rows} rows")
    body = memoryview(content)[HEADER_BYTES:]
    if zlib.crc32(body) != checksum:
        raise _corrupt("the body does not match its CRC32")
    codes = np.frombuffer(body, np.uint8).reshape(n_columns, n_rows)
    if flags & _FLAG_DELTA:
        codes = np.cumsum(codes, axis=0, dtype=np.uint8)
    return Snapshot(
        plane, side, t0_ms, dt_ms, seq, price0_usd, row_usd, vmin_usd, vmax_usd, first_live_col, codes.copy()
    )


def encode_frame(
    plane_and_side: int, sub: int, seq: int, col: int, rows: NDArray[np.int64], codes: NDArray[np.uint8]
) -> bytes:
    """One column frame: 14-byte header, then per changed row a varint gap and the absolute code.

    Args:
        plane_and_side: the plane byte.
        sub: number of the subscription the server gave the map.
        seq: number of the frame within its map.
        col: column index in the snapshot's own count.
        rows: int64[n], ascending.
        codes: uint8[n].
    """
    out = np.empty(len(rows) * 4, np.uint8)
    n_bytes = int(_pack_kernel(rows, codes, out))
    return _FRAME.pack(_FRAME_COLUMN, plane_and_side, sub, seq, col, len(rows)) + out[:n_bytes].tobytes()


def decode_frame(content: bytes) -> Frame:
    """The frame that ``encode_frame`` wrote.

    Raises:
        StoreError: the bytes are not a column frame or are cut short.
    """
    if len(content) < FRAME_HEADER_BYTES or content[0] != _FRAME_COLUMN:
        raise _corrupt("it does not begin with a column frame's header")
    _, plane_and_side, sub, seq, col, n_rows = _FRAME.unpack_from(content)
    plane, side = _PLANE_NAMES.get(plane_and_side & 15), _SIDE_NAMES.get(plane_and_side >> 4)
    if plane is None or side is None:
        raise _corrupt(f"plane byte {plane_and_side} is unknown")
    rows, codes = np.empty(n_rows, np.int64), np.empty(n_rows, np.uint8)
    n_read = int(_unpack_kernel(np.frombuffer(content, np.uint8), FRAME_HEADER_BYTES, rows, codes))
    if n_read != len(content):
        raise _corrupt(f"{n_rows} changed rows do not fill {len(content)} bytes")
    return Frame(plane, side, sub, seq, col, rows, codes)


def compress(content: bytes, encoding: str) -> bytes:
    """``content`` in a content encoding of ``ENCODINGS``."""
    if encoding == "zstd":
        packed: bytes = _ZSTD.compress(content, asbytes=True)
        return packed
    if encoding == "gzip":
        return gzip.compress(content, _GZIP_LEVEL, mtime=0)
    return content


def decompress(content: bytes, encoding: str, bytes_max: int = _CELLS_MAX) -> bytes:
    """Undo ``compress``, never producing more than ``bytes_max`` bytes.

    Raises:
        StoreError: the bytes are damaged or unpack to more than ``bytes_max``.
    """
    if encoding == "identity":
        return content
    try:
        if encoding == "gzip":
            unpacker = zlib.decompressobj(wbits=31)
            unpacked = unpacker.decompress(content, bytes_max + 1)
            if not unpacker.eof and len(unpacked) <= bytes_max:
                raise _corrupt("the gzip stream is cut short")
        else:
            with pa.CompressedInputStream(pa.BufferReader(content), "zstd") as stream:
                unpacked = stream.read(bytes_max + 1)
    except (zlib.error, OSError) as exc:
        raise _corrupt(f"the {encoding} stream is damaged") from exc
    if len(unpacked) > bytes_max:
        raise _corrupt(f"it unpacks to more than {bytes_max} bytes")
    return unpacked


def _corrupt(reason: str) -> StoreError:
    return StoreError(
        f"not an LHM1 map: {reason}",
        where="LHM1",
        hint="fetch the snapshot again; compare client and server versions",
    )


@njit(cache=True, nogil=True)
def _pack_kernel(rows: NDArray[np.int64], codes: NDArray[np.uint8], out: NDArray[np.uint8]) -> int:
    """LEB128 of ``row - previous row - 1`` (which starts at -1), then the code; returns the bytes."""
    at = 0
    previous = np.int64(-1)
    for i in range(rows.shape[0]):
        gap = int(rows[i] - previous - 1)
        previous = rows[i]
        while gap >= 128:
            out[at] = (gap & 127) | 128
            gap >>= 7
            at += 1
        out[at] = gap
        out[at + 1] = codes[i]
        at += 2
    return at


@njit(cache=True, nogil=True)
def _unpack_kernel(
    content: NDArray[np.uint8], start: int, rows: NDArray[np.int64], codes: NDArray[np.uint8]
) -> int:
    """Inverse of ``_pack_kernel``; returns the offset after the last row, -1 where the bytes end early or a
    gap needs more than three bytes.
    """
    at = start
    previous = -1
    for i in range(rows.shape[0]):
        gap = 0
        shift = 0
        while True:
            if at + 1 >= content.shape[0] or shift > 14:
                return -1
            byte = int(content[at])
            at += 1
            gap |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        previous += gap + 1
        rows[i] = previous
        codes[i] = content[at]
        at += 1
    return at
