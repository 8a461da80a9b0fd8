"""A tape's folder in, its rows out, sealed and still open alike.

Rows of one instrument come in total order: receive time, then ``seq``, then the order of appending. A reader never
disturbs a writer and sees what was appended before the call.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

from faultline.errors import TapeError
from faultline.instruments import Instrument, instruments_from_rows
from faultline.messages import KINDS, Batch, Kind, sort_rows
from faultline.tape.cursor import Piece, RowCursor
from faultline.tape.layout import Listing, PartFile, change_stamp, list_tape, segment_path
from faultline.tape.manifest import read_manifest
from faultline.tape.parts import PartReader, open_part
from faultline.tape.segments import Loss, SegmentReader, segment_head
from faultline.units import HOUR_NS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

__all__ = ("Tape",)

_TRIES: Final = 20
_RECEIVED: Final = "ts_received_ns"
T = TypeVar("T")


class Tape:
    """Reads a tape. Cheap to open; files are opened when their rows are asked for.

    Args:
        path: the tape's folder.

    Raises:
        TapeNotFound: the folder holds no tape.
        TapeCorrupt: its manifest or a segment's head is damaged.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.manifest = read_manifest(self.path)
        self._head = segment_head(simulated=self.manifest.simulated, world=self.manifest.world)
        self._stamp: tuple[int, int] | None = None
        self._listing: Listing
        self._segments: dict[int, SegmentReader] = {}
        self._refresh()

    @property
    def simulated(self) -> bool:
        """True where the rows come from a simulator."""
        return self.manifest.simulated

    @property
    def world(self) -> str:
        """Name of the simulated world; empty for recorded rows."""
        return self.manifest.world

    @property
    def losses(self) -> tuple[Loss, ...]:
        """Bytes of open segments that are not valid rows: writes under way, or damage."""
        self._refresh()
        return tuple(loss for number in sorted(self._segments) for loss in self._segments[number].losses)

    def ids(self, kind: Kind) -> list[str]:
        """Instruments that have rows of a kind, sorted."""
        return [instrument_id for of_kind, instrument_id in self.keys() if of_kind == kind]

    def keys(self) -> list[tuple[Kind, str]]:
        """Every (kind, instrument) that has rows, in the order of kinds, venues and symbols."""
        self._refresh()
        open_keys = {(frame.kind, frame.instrument_id) for reader in self._segments.values() for frame in reader.frames}
        return sorted(open_keys | set(self._listing.parts), key=_rank)

    def instruments(self) -> list[Instrument]:
        """Contracts and margin tiers on the tape, one per id, as last known.

        Raises:
            TapeCorrupt: a file is damaged.
        """
        return [
            instruments_from_rows(instrument_id, self.read(Kind.INSTRUMENT, instrument_id))[-1][1]
            for instrument_id in self.ids(Kind.INSTRUMENT)
        ]

    def span_ns(self, kind: Kind | None = None, instrument_id: str | None = None) -> tuple[int, int] | None:
        """First and last receive time (inclusive) of the rows of a kind and an instrument, or of all; None: no rows.

        Raises:
            TapeCorrupt: a file is damaged.
        """
        def span() -> tuple[int, int] | None:
            pieces = [
                piece
                for key in self.keys()
                if kind in (None, key[0]) and instrument_id in (None, key[1])
                for piece in self._pieces(key, None, None)
            ]
            if not pieces:
                return None
            return min(piece.first_ns for piece in pieces), max(piece.last_ns for piece in pieces)

        return self._retried(span)

    def n_rows(self, kind: Kind, instrument_id: str) -> int:
        """Rows of a kind and an instrument.

        Raises:
            TapeCorrupt: a file is damaged.
        """
        return self._retried(lambda: sum(piece.n_rows for piece in self._pieces((kind, instrument_id), None, None)))

    def read(
        self,
        kind: Kind,
        instrument_id: str,
        from_ns: int | None = None,
        to_ns: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> NDArray[np.void]:
        """Rows received in ``[from_ns, to_ns)``, sorted.

        Args:
            kind: kind of the rows.
            instrument_id: ``venue:SYMBOL``; an unknown one gives no rows.
            from_ns: first receive time, inclusive; None: from the beginning.
            to_ns: last receive time, exclusive; None: to the end.
            columns: fields of the result; None: all. Fewer fields are read faster.

        Returns:
            Structured array, shape (n,), of the kind's dtype or of the fields asked for.

        Raises:
            TapeCorrupt: a file that is needed is damaged.
            TapeError: a field is not one of the kind's.
        """
        names = _checked_fields(kind, columns)

        def rows() -> NDArray[np.void]:
            dtype = np.dtype([(name, KINDS[kind].dtype[name]) for name in names])
            return self._read((kind, instrument_id), from_ns, to_ns, names, lambda n: np.empty(n, dtype))

        return self._retried(rows)

    def read_columns(
        self,
        kind: Kind,
        instrument_id: str,
        columns: Sequence[str],
        from_ns: int | None = None,
        to_ns: int | None = None,
    ) -> dict[str, NDArray[np.generic]]:
        """As ``read``, one contiguous array per field: the fastest way to a few columns.

        Raises:
            TapeCorrupt: a file that is needed is damaged.
            TapeError: a field is not one of the kind's.
        """
        rows = self.read(kind, instrument_id, from_ns, to_ns, columns)
        return {name: np.ascontiguousarray(rows[name]) for name in columns}

    def stream(
        self,
        from_ns: int,
        to_ns: int,
        kinds: Sequence[Kind] | None = None,
        ids: Sequence[str] | None = None,
        chunk_ns: int = HOUR_NS,
    ) -> Iterator[tuple[int, int, list[Batch]]]:
        """Every row received in ``[from_ns, to_ns)``, forward in time, a chunk at a time.

        Yields:
            Chunk start, chunk end (exclusive), and one sorted batch per kind and instrument that has rows in it, in the
            order of kinds, venues and symbols. Chunks without rows come too, with an empty list.

        Raises:
            TapeCorrupt: a file that is needed is damaged.
        """
        if chunk_ns <= 0:
            raise TapeError(f"a chunk must be longer than {chunk_ns} ns")
        cursors = self._retried(lambda: self._cursors(from_ns, to_ns, kinds, ids))
        for start_ns in range(from_ns, to_ns, chunk_ns):
            end_ns = min(start_ns + chunk_ns, to_ns)
            batches = []
            for (kind, instrument_id), cursor in cursors:
                rows = cursor.take(end_ns)
                if len(rows):
                    batches.append(Batch(kind, instrument_id, rows))
            yield start_ns, end_ns, batches

    def gaps(self) -> list[tuple[str, NDArray[np.void]]]:
        """Stretches in which rows are missing: (instrument id, rows of kind gap) per instrument that has any.

        Raises:
            TapeCorrupt: a file is damaged.
        """
        return [(instrument_id, self.read(Kind.GAP, instrument_id)) for instrument_id in self.ids(Kind.GAP)]

    def sha256(self) -> str:
        """Hash of the world and of every row in total order; the same for every layout of files.

        NaNs of any payload count as one.

        Raises:
            TapeCorrupt: a file is damaged.
        """
        return self._retried(self._sha256)

    def cursor(self, kind: Kind, instrument_id: str, from_ns: int | None = None, to_ns: int | None = None) -> RowCursor:
        """A cursor over the rows of a kind and an instrument, for reading in bounded memory."""
        return RowCursor(kind, self._pieces((kind, instrument_id), from_ns, to_ns), from_ns)

    def _refresh(self) -> None:
        """Notice new segments, sealed segments, merged parts and appended frames."""
        for _ in range(_TRIES):
            stamp = change_stamp(self.path)
            try:
                if stamp != self._stamp:
                    self._listing = list_tape(self.path)
                    known = self._segments
                    self._segments = {
                        number: known.get(number) or SegmentReader(segment_path(self.path, number), self._head)
                        for number in self._listing.segments
                    }
                for reader in self._segments.values():
                    reader.refresh()
            except FileNotFoundError:
                self._stamp = None
                continue
            self._stamp = stamp
            return
        raise TapeError("the tape changed all the time while it was opened", where=str(self.path), hint="try again")

    def _retried(self, action: Callable[[], T]) -> T:
        """Run ``action``; when a file was sealed or merged away meanwhile, look again and repeat."""
        for _ in range(_TRIES):
            self._refresh()
            try:
                return action()
            except FileNotFoundError:
                self._stamp = None
        raise TapeError("the tape changed all the time while it was read", where=str(self.path), hint="try again")

    def _read(
        self,
        key: tuple[Kind, str],
        from_ns: int | None,
        to_ns: int | None,
        names: tuple[str, ...],
        allocate: Callable[[int], NDArray[np.void]],
    ) -> NDArray[np.void]:
        if not any(key in group for group in (self._listing.parts, self._open_keys())):
            return allocate(0)
        cursor = RowCursor(key[0], self._pieces(key, from_ns, to_ns), from_ns)
        rows = cursor.take(to_ns)
        if names == rows.dtype.names:
            return rows
        result = allocate(len(rows))
        for name in names:
            result[name] = rows[name]
        return result

    def _open_keys(self) -> set[tuple[Kind, str]]:
        return {(frame.kind, frame.instrument_id) for reader in self._segments.values() for frame in reader.frames}

    def _pieces(self, key: tuple[Kind, str], from_ns: int | None, to_ns: int | None) -> list[Piece]:
        """Row groups and frames of ``key`` that may hold rows received in ``[from_ns, to_ns)``."""
        pieces = []
        for part in self._listing.parts.get(key, ()):
            if not _overlaps_date(part, from_ns, to_ns):
                continue
            reader = open_part(part)
            for index, group in enumerate(reader.groups):
                if _overlaps(group.first_ns, group.last_ns, from_ns, to_ns):
                    load = _group_loader(reader, index)
                    pieces.append(Piece(group.first_ns, group.last_ns, group.n_rows, (part.first_segment, index), load))
        for number, segment in self._segments.items():
            for index, frame in enumerate(segment.frames):
                if (frame.kind, frame.instrument_id) == key and _overlaps(frame.first_ns, frame.last_ns, from_ns, to_ns):
                    load = _frame_loader(segment, index)
                    pieces.append(Piece(frame.first_ns, frame.last_ns, frame.n_rows, (number, index), load))
        return pieces

    def _cursors(
        self, from_ns: int, to_ns: int, kinds: Sequence[Kind] | None, ids: Sequence[str] | None
    ) -> list[tuple[tuple[Kind, str], RowCursor]]:
        wanted = [
            key for key in self.keys() if (kinds is None or key[0] in kinds) and (ids is None or key[1] in ids)
        ]
        return [(key, RowCursor(key[0], self._pieces(key, from_ns, to_ns), from_ns)) for key in wanted]

    def _sha256(self) -> str:
        whole = hashlib.sha256(f"{int(self.simulated)}|{self.world}\n".encode())
        for key in self.keys():
            digest = hashlib.sha256()
            n_rows = 0
            for rows in RowCursor(key[0], self._pieces(key, None, None)).windows():
                digest.update(_canonical_bytes(rows))
                n_rows += len(rows)
            whole.update(f"{key[0]}|{key[1]}|{n_rows}|{digest.hexdigest()}\n".encode())
        return whole.hexdigest()


def _rank(key: tuple[Kind, str]) -> tuple[int, str, str]:
    venue, _, symbol = key[1].partition(":")
    return (KINDS[key[0]].order, venue, symbol)


def _group_loader(reader: PartReader, index: int) -> Callable[[], NDArray[np.void]]:
    return lambda: reader.rows(index, index + 1)


def _frame_loader(segment: SegmentReader, index: int) -> Callable[[], NDArray[np.void]]:
    return lambda: sort_rows(segment.rows(segment.frames[index]))


def _overlaps(first_ns: int, last_ns: int, from_ns: int | None, to_ns: int | None) -> bool:
    return (from_ns is None or last_ns >= from_ns) and (to_ns is None or first_ns < to_ns)


def _overlaps_date(part: PartFile, from_ns: int | None, to_ns: int | None) -> bool:
    """False where the part's day lies outside; saves opening the file."""
    day = np.datetime64(part.date, "D")
    if from_ns is not None and np.datetime64(from_ns, "ns").astype("datetime64[D]") > day:
        return False
    return to_ns is None or np.datetime64(to_ns, "ns").astype("datetime64[D]") >= day


def _checked_fields(kind: Kind, columns: Sequence[str] | None) -> tuple[str, ...]:
    known = KINDS[kind].dtype.names or ()
    if columns is None:
        return known
    for name in columns:
        if name not in known:
            raise TapeError(f"rows of kind {kind} have no field {name!r}", hint=f"fields are {', '.join(known)}")
    return tuple(columns)


def _canonical_bytes(rows: NDArray[np.void]) -> bytes:
    """Bytes of rows with every NaN alike."""
    canonical = rows.copy()
    for name in canonical.dtype.names or ():
        if canonical.dtype[name].kind == "f":
            column = canonical[name]
            column[np.isnan(column)] = np.nan
    return canonical.tobytes()
