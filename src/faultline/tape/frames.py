"""Rows in, checksummed frames of an open segment out, and back.

A segment is a file header and then frames. A frame is a fixed head, the name ``kind|venue:SYMBOL``, and one Arrow IPC
message: the schema of a kind the first time the kind appears in the segment, record batches after that. The CRC covers
everything in the frame but the magic and itself. All numbers are little endian::

    magic "FLF1" | crc u32 | type u8 | reserved u8 | name length u16 | body length u32 | rows u32
    first_ns i64 | last_ns i64 | name | body
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import struct
import zlib
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from faultline.errors import TapeCorrupt, TapeError
from faultline.messages import KINDS, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = (
    "FRAME_BYTES_MAX",
    "FRAME_MAGIC",
    "FRAME_ROWS_MAX",
    "HEAD",
    "SEGMENT_MAGIC",
    "Frame",
    "batch_frame",
    "frame_at",
    "is_unfinished",
    "rows_of_body",
    "schema_frame",
    "slice_rows",
)

#: First bytes of every segment: format and version.
SEGMENT_MAGIC: Final = b"FLSEG001"
#: First bytes of every frame.
FRAME_MAGIC: Final = b"FLF1"
#: Layout of a frame's head.
HEAD: Final = struct.Struct("<4sIBBHIIqq")
#: Rows in one frame at most; longer batches are split.
FRAME_ROWS_MAX: Final = 131_072
#: Bytes of one frame's body at most; a longer length is damage, not a request to allocate.
FRAME_BYTES_MAX: Final = 64 * 1024 * 1024
_NAME_BYTES_MAX: Final = 4_096
_SCHEMA: Final = 0
_BATCH: Final = 1
_CRC_FROM: Final = 8
#: Arrow begins every column at a multiple of this; zeros fill what is between.
_ALIGNMENT: Final = 8
#: Layouts of messages that are kept: those of a busy tape's kinds and numbers of rows, some MB.
_LAYOUTS_KEPT: Final = 4_096


@dataclasses.dataclass(frozen=True, slots=True)
class Frame:
    """Where one record batch lies in a segment. ``first_ns`` and ``last_ns`` bound its receive times, inclusive."""

    kind: Kind
    #: Empty for a schema frame.
    instrument_id: str
    n_rows: int
    first_ns: int
    last_ns: int
    #: Offset and length of the Arrow message.
    body_offset: int
    body_bytes: int

    @property
    def end(self) -> int:
        """Offset of the byte after the frame."""
        return self.body_offset + self.body_bytes


def slice_rows(rows: NDArray[np.void]) -> Iterator[NDArray[np.void]]:
    """Pieces of at most ``FRAME_ROWS_MAX`` rows."""
    for start in range(0, len(rows), FRAME_ROWS_MAX):
        yield rows[start : start + FRAME_ROWS_MAX]


def schema_frame(kind: Kind) -> bytes:
    """The frame that announces the columns of a kind."""
    return _frame(_SCHEMA, str(kind), memoryview(_SCHEMAS[kind].serialize()), (0, 0, 0))


def batch_frame(kind: Kind, instrument_id: str, rows: NDArray[np.void]) -> bytes:
    """One frame of 1 to ``FRAME_ROWS_MAX`` rows.

    Raises:
        TapeError: the instrument id cannot be written as UTF-8 or is too long.
    """
    # The bytes that Arrow would give, put together here: it takes longer over a small batch than all the rest.
    parts = [_layout(kind, len(rows))[0]]
    for name, _ in _COLUMNS[kind]:
        column = rows[name].tobytes()
        parts += (column, bytes(-len(column) % _ALIGNMENT))
    times = rows["ts_received_ns"]
    span = (len(rows), int(times.min()), int(times.max()))
    return _frame(_BATCH, f"{kind}|{instrument_id}", memoryview(b"".join(parts)), span)


def frame_at(view: memoryview, offset: int) -> Frame | None:
    """The frame that begins at ``offset``; None where the bytes are not a whole, valid frame."""
    if offset + HEAD.size > len(view):
        return None
    magic, crc, form, _, name_bytes, body_bytes, n_rows, first_ns, last_ns = HEAD.unpack_from(view, offset)
    body = offset + HEAD.size + name_bytes
    is_possible = (
        magic == FRAME_MAGIC
        and form in (_SCHEMA, _BATCH)
        and name_bytes <= _NAME_BYTES_MAX
        and body_bytes <= FRAME_BYTES_MAX
        and n_rows <= FRAME_ROWS_MAX
        and body + body_bytes <= len(view)
    )
    if not is_possible or zlib.crc32(view[offset + _CRC_FROM : body + body_bytes]) != crc:
        return None
    name = bytes(view[offset + HEAD.size : body]).decode("utf-8", errors="replace")
    kind_name, _, instrument_id = name.partition("|")
    try:
        kind = Kind(kind_name)
    except ValueError:
        return None
    if form == _SCHEMA:
        return Frame(kind, "", 0, 0, 0, body, body_bytes)
    return Frame(kind, instrument_id, n_rows, first_ns, last_ns, body, body_bytes)


def is_unfinished(view: memoryview, offset: int) -> bool:
    """True where the bytes from ``offset`` to the end are the beginning of a frame, or space never written to."""
    rest = view[offset:]
    if bytes(rest[: len(FRAME_MAGIC)]) != FRAME_MAGIC[: len(rest)]:
        return not any(rest)
    if len(rest) < HEAD.size:
        return True
    _, _, _, _, name_bytes, body_bytes, *_ = HEAD.unpack_from(rest)
    return bool(HEAD.size + name_bytes + body_bytes > len(rest))


def rows_of_body(frame: Frame, body: memoryview, *, where: str) -> NDArray[np.void]:
    """Rows of one record batch, dtype of the kind, shape (n_rows,).

    Raises:
        TapeCorrupt: the checksum holds but the message is not what this version writes.
    """
    rows = np.empty(frame.n_rows, dtype=_DTYPES[frame.kind])
    columns = _COLUMNS[frame.kind]
    head, starts = _layout(frame.kind, frame.n_rows)
    if len(body) == starts[-1] and body[: len(head)] == head:
        for (name, dtype), start in zip(columns, starts, strict=False):
            rows[name] = np.frombuffer(body, dtype, frame.n_rows, start)
        return rows
    try:
        message = pa.ipc.read_message(pa.py_buffer(body))
        if message.metadata.size != _METADATA_BYTES[frame.kind]:
            raise ValueError("the message is not a plain, uncompressed batch of this kind")
        batch = pa.ipc.read_record_batch(message, _SCHEMAS[frame.kind])
        if batch.num_rows != frame.n_rows:
            raise ValueError(f"the batch has {batch.num_rows} rows, its frame says {frame.n_rows}")
        batch.validate(full=True)
        for (name, dtype), column in zip(columns, batch.columns, strict=True):
            rows[name] = _numpy_column(column, dtype)
    except (pa.ArrowException, ValueError, OSError, EOFError) as exc:
        hint = "the segment was written by another version or made by hand: move it out of the tape"
        raise TapeCorrupt(f"a frame cannot be decoded: {exc}", where=where, hint=hint) from exc
    return rows


@functools.lru_cache(maxsize=_LAYOUTS_KEPT)
def _layout(kind: Kind, n_rows: int) -> tuple[bytes, tuple[int, ...]]:
    """What comes before the columns in the message of a batch, and where each column begins and the last ends.

    It is the same for all batches of so many rows.
    """
    message = _plain_message(kind, n_rows)
    widths = [-(-dtype.itemsize * n_rows // _ALIGNMENT) * _ALIGNMENT for _, dtype in _COLUMNS[kind]]
    head = message[: len(message) - sum(widths)]
    return head, tuple(itertools.accumulate(widths, initial=len(head)))


def _plain_message(kind: Kind, n_rows: int) -> bytes:
    """What Arrow makes of rows of zeros."""
    rows = np.zeros(n_rows, dtype=_DTYPES[kind])
    arrays = [_arrow_column(rows[name]) for name, _ in _COLUMNS[kind]]
    return bytes(pa.record_batch(arrays, schema=_SCHEMAS[kind]).serialize())


def _frame(form: int, name: str, body: memoryview, span: tuple[int, int, int]) -> bytes:
    try:
        encoded = name.encode("utf-8")
    except UnicodeEncodeError as exc:
        raise TapeError("this instrument id is not valid Unicode", where=repr(name)) from exc
    if len(encoded) > _NAME_BYTES_MAX:
        raise TapeError("this instrument id is too long", where=name[:80])
    head = HEAD.pack(FRAME_MAGIC, 0, form, 0, len(encoded), len(body), *span)
    crc = zlib.crc32(body, zlib.crc32(encoded, zlib.crc32(head[_CRC_FROM:])))
    return b"".join((head[:4], crc.to_bytes(4, "little"), head[_CRC_FROM:], encoded, body))


def _arrow_column(column: NDArray[np.generic]) -> pa.Array:
    contiguous = np.ascontiguousarray(column)
    if contiguous.dtype.kind != "S":
        return pa.array(contiguous)
    width = pa.binary(contiguous.dtype.itemsize)
    return pa.Array.from_buffers(width, len(contiguous), [None, pa.py_buffer(contiguous)])


def _numpy_column(column: pa.Array, dtype: np.dtype[np.generic]) -> NDArray[np.generic]:
    if column.null_count:
        raise ValueError("a column of an open segment holds nulls")
    return np.frombuffer(column.buffers()[1], dtype=dtype, count=len(column), offset=0)


def _schema(kind: Kind) -> pa.Schema:
    dtype = KINDS[kind].dtype
    fields = []
    for name in dtype.names or ():
        column = dtype[name]
        arrow = pa.binary(column.itemsize) if column.kind == "S" else pa.from_numpy_dtype(column)
        fields.append(pa.field(name, arrow, nullable=False))
    return pa.schema(fields)


_DTYPES: Final = {kind: KINDS[kind].dtype for kind in KINDS}
_COLUMNS: Final = {
    kind: tuple((name, dtype[name]) for name in dtype.names or ()) for kind, dtype in _DTYPES.items()
}
_SCHEMAS: Final = {kind: _schema(kind) for kind in KINDS}
#: Length of the metadata of a batch as Arrow writes it; a compressed one would be longer.
_METADATA_BYTES: Final = {
    kind: int(pa.ipc.read_message(_plain_message(kind, 1)).metadata.size) for kind in KINDS
}
