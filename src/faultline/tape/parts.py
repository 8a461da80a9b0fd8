"""Sorted rows of one kind, instrument and day in, one sealed Parquet file out; and that file in, rows out.

Every byte of the file is under a CRC-32: row group by row group in the file's own metadata, and the rest (the
footer) in the file's name. Parquet's page checksums are written too, for other readers. A row group's first and last
receive time stand in the metadata, so one hour of a day is found without touching the rest.
"""

from __future__ import annotations

import dataclasses
import functools
import mmap
import os
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import IO, TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from faultline.errors import TapeCorrupt
from faultline.messages import KINDS, Kind
from faultline.tape.columns import Column, arrow_schema, encode_rows, encodings_of, fill_field
from faultline.tape.layout import PartFile, fsync_folder, part_name
from faultline.tape.manifest import FORMAT_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Target = Mapping[str, NDArray[Any]]

__all__ = (
    "METADATA_KEY",
    "ROWS_PER_GROUP",
    "DraftPart",
    "Group",
    "PartHeader",
    "PartReader",
    "group_slices",
    "open_part",
    "place_parts",
    "write_part",
)

#: Rows in a row group: an hour of a busy market is three or four.
ROWS_PER_GROUP: Final = 32_768
#: Key of our own metadata in the Parquet footer.
METADATA_KEY: Final = b"faultline"
_COMPRESSION_LEVEL: Final = 1
_FOOTER_BYTES_MAX: Final = 64 * 1024 * 1024
_GROUP_BYTES_MAX: Final = 512 * 1024 * 1024
_GROUP_ROWS_MAX: Final = 1_048_576
_FILL_ROWS: Final = 16_384
#: Syncs that wait for the disk at the same time.
_SYNC_THREADS: Final = 8
_PARTS_KEPT_OPEN: Final = 1_024
_HINT: Final = (
    "restore the file from a copy, or run `faultline tape verify` to see everything that is damaged"
)


class Group(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One row group: its rows, its receive times (inclusive), its bytes and their CRC-32."""

    n_rows: int
    first_ns: int
    last_ns: int
    offset: int
    end: int
    crc: int


class PartHeader(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Our own metadata in a sealed file, under the key ``faultline``, as JSON."""

    version: int
    kind: str
    instrument: str
    simulated: bool
    world: str
    n_rows: int
    columns: tuple[Column, ...]
    groups: tuple[Group, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class _Origin:
    """What a file says about where its rows come from."""

    kind: Kind
    instrument_id: str
    simulated: bool
    world: str


@dataclasses.dataclass(frozen=True, slots=True)
class DraftPart:
    """A sealed file that does not have its name yet."""

    temporary: Path
    part: PartFile


class _CountingFile:
    """A binary file that knows its position and the CRC-32 of what was written since the last mark."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.position = 0
        self.crc = 0
        self.closed = False

    def write(self, content: bytes) -> int:
        view = memoryview(content)
        self.crc = zlib.crc32(view, self.crc)
        self.position += view.nbytes
        self._file.write(view)
        return view.nbytes

    def mark(self) -> int:
        """CRC-32 since the last mark."""
        crc, self.crc = self.crc, 0
        return crc

    def tell(self) -> int:
        return self.position

    def flush(self) -> None:
        self._file.flush()

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        self.closed = True


def write_part(
    folder: Path,
    key: tuple[Kind, str],
    world: tuple[bool, str],
    segments: tuple[int, int],
    columns: tuple[Column, ...],
    groups: Iterable[NDArray[np.void]],
) -> DraftPart:
    """Write one sealed file under a temporary name; ``place_parts`` makes it durable and gives it its name.

    Args:
        folder: partition folder; it exists.
        key: kind and instrument id of the rows.
        world: the tape's ``simulated`` and ``world``.
        segments: first and last segment the rows come from.
        columns: how the fields are stored.
        groups: the rows, sorted, in pieces of at most ``ROWS_PER_GROUP``.
    """
    kind, instrument_id = key
    temporary = folder / f".part-{segments[0]:08d}-{segments[1]:08d}.tmp"
    try:
        with temporary.open("wb") as file:
            sink = _CountingFile(file)
            _write_groups(sink, _Origin(kind, instrument_id, *world), columns, groups)
            footer_crc = sink.mark()
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    date = folder.name.removeprefix("date=")
    path = folder / part_name(*segments, footer_crc)
    return DraftPart(temporary, PartFile(str(kind), instrument_id, date, *segments, footer_crc, path))


def place_parts(root: Path, drafts: Sequence[DraftPart]) -> list[PartFile]:
    """Make written files durable, give them their names, and make the names durable.

    Several at once: the disk merges the syncs of many small files.
    """
    folders = {draft.temporary.parent for draft in drafts}
    for folder in tuple(folders):
        folders.update(parent for parent in folder.parents if parent == root or root in parent.parents)
    with ThreadPoolExecutor(_SYNC_THREADS, thread_name_prefix="tape-sync") as pool:
        list(pool.map(_fsync_file, [draft.temporary for draft in drafts]))
        for draft in drafts:
            draft.temporary.replace(draft.part.path)
        list(pool.map(fsync_folder, sorted(folders)))
    return [draft.part for draft in drafts]


class PartReader:
    """One sealed file, its footer checked. Thread-safe: it holds no position, and no descriptor between reads.

    Args:
        part: the file.
        world: the tape's ``simulated`` and ``world``.

    Raises:
        TapeCorrupt: the footer does not match its checksum or is not this version's.
    """

    def __init__(self, part: PartFile, world: tuple[bool, str]) -> None:
        self.part = part
        self._world = world
        self._where = str(part.path)
        self._n_bytes = part.path.stat().st_size
        tail = memoryview(self._window(max(0, self._n_bytes - 8), self._n_bytes))[-8:]
        footer_bytes = int.from_bytes(tail[:4], "little")
        footer_start = self._n_bytes - 8 - footer_bytes
        if bytes(tail[4:]) != b"PAR1" or footer_start < 4 or footer_bytes > _FOOTER_BYTES_MAX:
            raise self._corrupt("the file is truncated or is not Parquet")
        window = self._window(footer_start, self._n_bytes)
        if zlib.crc32(memoryview(window)[footer_start:]) != part.footer_crc:
            raise self._corrupt("the footer does not match the checksum in the file's name")
        try:
            self._metadata = pq.read_metadata(pa.BufferReader(window))
            self.header = msgspec.json.decode((self._metadata.metadata or {})[METADATA_KEY], type=PartHeader)
            names = tuple(column.name for column in self.header.columns)
        except (pa.ArrowException, OSError, KeyError, msgspec.DecodeError) as exc:
            raise self._corrupt(f"the footer cannot be read: {exc}") from exc
        self._check_header(footer_start, names)
        self._by_field = {column.field: column for column in self.header.columns}

    @property
    def is_in_order(self) -> bool:
        """A sealed file is sorted from its first row to its last."""
        return True

    @property
    def groups(self) -> tuple[Group, ...]:
        """The row groups, in order of time."""
        return self.header.groups

    def read_into(self, target: Target, start: int, fields: Sequence[str], first: int, end: int) -> int:
        """Decode row groups ``first <= i < end`` into ``target[start:]``; returns the row after the last.

        Args:
            target: one array per field; views into a row array will do.
            start: row of ``target`` the first decoded row goes to.
            fields: fields to decode.
            first: first row group.
            end: row group after the last.

        Raises:
            TapeCorrupt: the bytes do not match their checksum, or cannot be decoded.
        """
        window = self._checked_window(first, end)
        needed = [self._by_field[field] for field in fields]
        if any(column.form == "delay" for column in needed) and "ts_event_ns" not in fields:
            needed.append(self._by_field["ts_event_ns"])
        try:
            names = [column.name for column in needed if column.constant is None]
            parquet = pq.ParquetFile(pa.BufferReader(window), metadata=self._metadata, pre_buffer=False)
            groups = list(range(first, end))
            table = parquet.read_row_groups(groups, names or [needed[0].name], use_threads=False)
            expected = sum(group.n_rows for group in self.groups[first:end])
            if table.num_rows != expected:
                raise ValueError(f"{table.num_rows} rows where the header says {expected}")
            for batch in table.to_batches(max_chunksize=ROWS_PER_GROUP):
                start = _fill(target, start, fields, needed, batch)
        except (pa.ArrowException, OSError, ValueError, KeyError) as exc:
            raise self._corrupt(f"a row group cannot be decoded: {exc}") from exc
        return start

    def check_pages(self) -> None:
        """Read everything with Parquet's own page checksums.

        Raises:
            TapeCorrupt: a page does not match.
        """
        try:
            source = pa.BufferReader(self._window(0, self._n_bytes))
            checked = pq.ParquetFile(source, page_checksum_verification=True, pre_buffer=False)
            for index in range(checked.num_row_groups):
                checked.read_row_group(index, use_threads=False)
        except (pa.ArrowException, OSError) as exc:
            raise self._corrupt(f"a page does not match its checksum: {exc}") from exc

    def _check_header(self, footer_start: int, columns: tuple[str, ...]) -> None:
        header = self.header
        names = tuple(column.field for column in header.columns)
        metadata = self._metadata
        if header.version != FORMAT_VERSION:
            raise self._corrupt(f"the file has format version {header.version}, not {FORMAT_VERSION}")
        if (header.simulated, header.world) != self._world:
            raise self._corrupt("the file belongs to another world than its tape")
        if (header.kind, header.instrument) != (self.part.kind, self.part.instrument_id):
            raise self._corrupt(
                f"the file holds {header.kind} of {header.instrument}: it lies in the wrong folder"
            )
        if names != KINDS[Kind(header.kind)].dtype.names:
            raise self._corrupt(f"the file's fields are not those of {header.kind}")
        if columns != tuple(metadata.schema.to_arrow_schema().names):
            raise self._corrupt("the file's columns are not those its header tells")
        offset = 0
        for index, group in enumerate(header.groups):
            facts = metadata.row_group(index) if index < metadata.num_row_groups else None
            if facts is None or facts.num_rows != group.n_rows or group.offset != offset:
                raise self._corrupt("the file's row groups are not those its header tells")
            if facts.total_byte_size > _GROUP_BYTES_MAX or group.n_rows > _GROUP_ROWS_MAX:
                raise self._corrupt(f"row group {index} claims to unpack to {facts.total_byte_size} bytes")
            offset = group.end
        if offset != footer_start or not 0 < metadata.num_row_groups == len(header.groups):
            raise self._corrupt("the file's length is not what its header tells")

    def _checked_window(self, first: int, end: int) -> mmap.mmap:
        """The bytes of row groups ``first <= i < end``, at their offsets, each group's checksum compared."""
        window = self._window(self.groups[first].offset, self.groups[end - 1].end)
        view = memoryview(window)
        for index, group in enumerate(self.groups[first:end], first):
            if zlib.crc32(view[group.offset : group.end]) != group.crc:
                raise self._corrupt(f"row group {index} does not match its checksum")
        return window

    def _window(self, start: int, end: int) -> mmap.mmap:
        """Memory as long as the file of which only ``[start, end)`` is read: the rest takes no space.

        The bytes that are checked are the bytes that are decoded, whatever happens to the file meanwhile.
        """
        if self._n_bytes == 0:
            raise self._corrupt("the file is empty")
        window = mmap.mmap(-1, self._n_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        view = memoryview(window)
        with self.part.path.open("rb", buffering=0) as file:
            file.seek(start)
            while start < end:
                n_read = file.readinto(view[start:end])
                if not n_read:
                    raise self._corrupt("the file was truncated while it was read")
                start += n_read
        return window

    def _corrupt(self, message: str) -> TapeCorrupt:
        return TapeCorrupt(message, where=self._where, hint=_HINT)


@functools.lru_cache(maxsize=_PARTS_KEPT_OPEN)
def open_part(part: PartFile, world: tuple[bool, str]) -> PartReader:
    """The reader of a sealed file; the last few hundred stay open (files never change once they have a name).

    Raises:
        FileNotFoundError: the file was merged or removed meanwhile.
        TapeCorrupt: its footer is damaged.
    """
    return PartReader(part, world)


def _fsync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_groups(
    sink: _CountingFile, origin: _Origin, columns: tuple[Column, ...], groups: Iterable[NDArray[np.void]]
) -> None:
    schema = arrow_schema(origin.kind, columns)
    dictionary, encodings = encodings_of(columns)
    written: list[Group] = []
    writer = pq.ParquetWriter(
        pa.PythonFile(sink, mode="w"),
        schema,
        compression="zstd",
        compression_level=_COMPRESSION_LEVEL,
        use_dictionary=dictionary,
        column_encoding=encodings,
        write_page_checksum=True,
        store_schema=False,
    )
    with writer:
        start = 0
        for rows in groups:
            writer.write_table(encode_rows(columns, schema, rows), row_group_size=ROWS_PER_GROUP)
            times = rows["ts_received_ns"]
            end = sink.position
            written.append(Group(len(rows), int(times[0]), int(times[-1]), start, end, sink.mark()))
            start = end
        header = PartHeader(
            version=FORMAT_VERSION,
            kind=str(origin.kind),
            instrument=origin.instrument_id,
            simulated=origin.simulated,
            world=origin.world,
            n_rows=sum(group.n_rows for group in written),
            columns=columns,
            groups=tuple(written),
        )
        writer.add_key_value_metadata({METADATA_KEY: msgspec.json.encode(header)})


def _fill(
    target: Target, start: int, fields: Sequence[str], needed: Sequence[Column], batch: pa.RecordBatch
) -> int:
    """Write one Arrow batch to ``target[start:]``, in blocks that stay in the cache."""
    delays_last = sorted(needed, key=lambda column: column.form == "delay")
    for offset in range(0, batch.num_rows, _FILL_ROWS):
        block = batch.slice(offset, _FILL_ROWS)
        end = start + block.num_rows
        event_ns = None
        for column in delays_last:
            values = block.column(column.name) if column.constant is None else None
            if values is not None and column.field == "ts_event_ns":
                event_ns = np.multiply(values.to_numpy(zero_copy_only=False), column.scale)
            if column.field in fields:
                fill_field(target[column.field][start:end], column, values, event_ns)
        start = end
    return start


def group_slices(rows: NDArray[np.void]) -> Iterator[NDArray[np.void]]:
    """Pieces of ``ROWS_PER_GROUP`` rows."""
    for start in range(0, len(rows), ROWS_PER_GROUP):
        yield rows[start : start + ROWS_PER_GROUP]
