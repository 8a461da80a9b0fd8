"""A tape's folder in, its rows out, sealed and still open alike.

Rows of one instrument come in total order: receive time, then ``seq``, then the order of appending. A reader never
disturbs a writer and sees what was appended before the call.
"""

from __future__ import annotations

import bisect
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from faultline.errors import TapeError
from faultline.instruments import Instrument, instruments_from_rows
from faultline.messages import KINDS, Batch, Kind
from faultline.tape.bulk import read_pieces
from faultline.tape.cursor import Piece, RowCursor, field_views, only_fields
from faultline.tape.layout import Listing, PartFile, change_stamp, date_name, list_tape, segment_path
from faultline.tape.manifest import read_manifest
from faultline.tape.parts import open_part
from faultline.tape.segments import Loss, SegmentReader, segment_head
from faultline.tape.stream import Cursors, TapeStream
from faultline.units import DAY_NS, HOUR_NS

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from faultline.tape.columns import Column

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
        self._world = (self.manifest.simulated, self.manifest.world)
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
        return [instrument_id for of_kind, instrument_id in self.pairs() if of_kind == kind]

    def pairs(self) -> list[tuple[Kind, str]]:
        """Every (kind, instrument) that has rows, in the order of kinds, venues and symbols."""
        self._refresh()
        open_keys = {
            (frame.kind, frame.instrument_id) for reader in self._segments.values() for frame in reader.frames
        }
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

    def span_ns(self, kind: Kind | None = None, instrument_id: str | None = None) -> tuple[int, int]:
        """First and last receive time (both inclusive) of the rows of a kind and an instrument; None: of any.

        Raises:
            TapeError: the tape has no such rows.
            TapeCorrupt: a file is damaged.
        """
        keys = [key for key in self.pairs() if kind in (None, key[0]) and instrument_id in (None, key[1])]
        if not keys:
            wanted = " ".join(str(item) for item in (kind, instrument_id) if item is not None)
            raise TapeError(f"the tape has no rows{wanted and ' of '}{wanted}", where=str(self.path))
        return self._retried(lambda: self._span_ns(keys))

    def n_rows(self, kind: Kind, instrument_id: str) -> int:
        """Rows of a kind and an instrument.

        Raises:
            TapeCorrupt: a file is damaged.
        """
        return self._retried(
            lambda: sum(piece.n_rows for piece in self._pieces((kind, instrument_id), None, None))
        )

    @property
    def n_open_rows(self) -> int:
        """Rows that are not sealed yet."""
        self._refresh()
        return sum(reader.n_rows for reader in self._segments.values())

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
        whole = KINDS[kind].dtype

        def rows() -> NDArray[np.void]:
            pieces, fields = self._needed((kind, instrument_id), from_ns, to_ns, names)
            dtype = np.dtype([(name, whole[name]) for name in fields])
            result = np.empty(0, dtype)

            def allocate(n_rows: int) -> dict[str, NDArray[Any]]:
                nonlocal result
                result = np.empty(n_rows, dtype)
                return field_views(result)

            inside = read_pieces(kind, pieces, (from_ns, to_ns), fields, allocate)
            result = result[inside]
            if fields == names:
                return result
            return only_fields(result, np.dtype([(name, whole[name]) for name in names]))

        return self._retried(rows)

    def read_columns(
        self,
        kind: Kind,
        instrument_id: str,
        columns: Sequence[str],
        from_ns: int | None = None,
        to_ns: int | None = None,
    ) -> dict[str, NDArray[Any]]:
        """As ``read``, one contiguous array per field: the fastest way to a few columns.

        Raises:
            TapeCorrupt: a file that is needed is damaged.
            TapeError: a field is not one of the kind's.
        """
        names = _checked_fields(kind, columns)
        whole = KINDS[kind].dtype

        def arrays() -> dict[str, NDArray[Any]]:
            pieces, fields = self._needed((kind, instrument_id), from_ns, to_ns, names)

            result: dict[str, NDArray[Any]] = {}

            def allocate(n_rows: int) -> dict[str, NDArray[Any]]:
                result.update({field: np.empty(n_rows, whole[field]) for field in fields})
                return result

            inside = read_pieces(kind, pieces, (from_ns, to_ns), fields, allocate)
            return {name: result[name][inside] for name in names}

        return self._retried(arrays)

    def stream(
        self,
        from_ns: int,
        to_ns: int,
        kinds: Sequence[Kind] | None = None,
        ids: Sequence[str] | None = None,
        chunk_ns: int = HOUR_NS,
        fields: Mapping[Kind, Sequence[str]] | None = None,
    ) -> Iterator[tuple[int, int, list[Batch]]]:
        """Every row received in ``[from_ns, to_ns)``, forward in time, a chunk at a time.

        ``fields`` names, for some kinds, the only fields that their rows have besides the receive time. For replays
        of many trades, of which little is needed.

        Yields:
            Chunk start, chunk end (exclusive), and one sorted batch per kind and instrument that has rows in it, in the
            order of kinds, venues and symbols. Chunks without rows come too, with an empty list.

        Raises:
            TapeCorrupt: a file that is needed is damaged.
        """
        if chunk_ns <= 0:
            raise TapeError(f"a chunk must be longer than {chunk_ns} ns")
        stream = TapeStream(lambda start_ns, end_ns: self._opened(start_ns, end_ns, kinds, ids, fields))
        for start_ns in range(from_ns, to_ns, chunk_ns):
            end_ns = min(start_ns + chunk_ns, to_ns)
            yield start_ns, end_ns, stream.batches(start_ns, end_ns)

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

    def headers(self, kind: Kind) -> list[tuple[Path, tuple[Column, ...]]]:
        """Sealed files of a kind and how their columns are stored.

        Raises:
            TapeCorrupt: a file's footer is damaged.
        """
        keys = [key for key in self.pairs() if key[0] == kind]
        return self._retried(
            lambda: [
                (part.path, open_part(part, self._world).header.columns)
                for key in keys
                for part in self._listing.parts.get(key, ())
            ]
        )

    def cursor(
        self, kind: Kind, instrument_id: str, from_ns: int | None = None, to_ns: int | None = None
    ) -> RowCursor:
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
                        number: known.get(number)
                        or SegmentReader(segment_path(self.path, number), self._head)
                        for number in self._listing.segments
                    }
                for reader in self._segments.values():
                    reader.refresh()
            except FileNotFoundError:
                self._stamp = None
                continue
            self._stamp = stamp
            return
        raise TapeError(
            "the tape changed all the time while it was opened", where=str(self.path), hint="try again"
        )

    def _retried(self, action: Callable[[], T]) -> T:
        """Run ``action``; when a file was sealed or merged away meanwhile, look again and repeat."""
        for _ in range(_TRIES):
            self._refresh()
            try:
                return action()
            except FileNotFoundError:
                self._stamp = None
        raise TapeError(
            "the tape changed all the time while it was read", where=str(self.path), hint="try again"
        )

    def _span_ns(self, keys: Sequence[tuple[Kind, str]]) -> tuple[int, int]:
        """Span of all rows of ``keys``: only files of each key's first and last day are opened."""
        firsts: list[int] = []
        lasts: list[int] = []
        for key in keys:
            parts = self._listing.parts.get(key, ())
            for part in parts:
                if part.date in (parts[0].date, parts[-1].date):
                    groups = open_part(part, self._world).groups
                    firsts.append(groups[0].first_ns)
                    lasts.append(groups[-1].last_ns)
            for segment in self._segments.values():
                for frame in segment.frames:
                    if (frame.kind, frame.instrument_id) == key:
                        firsts.append(frame.first_ns)
                        lasts.append(frame.last_ns)
        return min(firsts), max(lasts)

    def _needed(
        self, key: tuple[Kind, str], from_ns: int | None, to_ns: int | None, names: tuple[str, ...]
    ) -> tuple[list[Piece], tuple[str, ...]]:
        """Pieces to read, and fields to decode: the receive time too where a piece reaches outside the span."""
        pieces = self._pieces(key, from_ns, to_ns)
        reaches_out = any(
            (from_ns is not None and piece.first_ns < from_ns)
            or (to_ns is not None and piece.last_ns >= to_ns)
            for piece in pieces
        )
        return pieces, (*names, _RECEIVED) if reaches_out and _RECEIVED not in names else names

    def _pieces(self, key: tuple[Kind, str], from_ns: int | None, to_ns: int | None) -> list[Piece]:
        """Row groups and frames of ``key`` that may hold rows received in ``[from_ns, to_ns)``."""
        pieces = []
        for part in _on_days(self._listing.parts.get(key, ()), from_ns, to_ns):
            reader = open_part(part, self._world)
            for index, group in enumerate(reader.groups):
                if _overlaps(group.first_ns, group.last_ns, from_ns, to_ns):
                    order = (part.first_segment, index)
                    pieces.append(Piece(group.first_ns, group.last_ns, group.n_rows, order, reader))
        for number, segment in self._segments.items():
            for index, frame in enumerate(segment.frames):
                if (frame.kind, frame.instrument_id) == key and _overlaps(
                    frame.first_ns, frame.last_ns, from_ns, to_ns
                ):
                    pieces.append(
                        Piece(frame.first_ns, frame.last_ns, frame.n_rows, (number, index), segment)
                    )
        return pieces

    def _opened(
        self,
        from_ns: int,
        to_ns: int,
        kinds: Sequence[Kind] | None,
        ids: Sequence[str] | None,
        fields: Mapping[Kind, Sequence[str]] | None,
    ) -> Cursors:
        few = fields or {}
        wanted = [
            key
            for key in self.pairs()
            if (kinds is None or key[0] in kinds) and (ids is None or key[1] in ids)
        ]

        def cursors() -> Cursors:
            found = [(key, self._pieces(key, from_ns, to_ns)) for key in wanted]
            return [
                (key, RowCursor(key[0], pieces, from_ns, few.get(key[0]))) for key, pieces in found if pieces
            ]

        return self._retried(cursors)

    def _sha256(self) -> str:
        whole = hashlib.sha256(f"{int(self.simulated)}|{self.world}\n".encode())
        for key in self.pairs():
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


def _overlaps(first_ns: int, last_ns: int, from_ns: int | None, to_ns: int | None) -> bool:
    return (from_ns is None or last_ns >= from_ns) and (to_ns is None or first_ns < to_ns)


def _on_days(parts: Sequence[PartFile], from_ns: int | None, to_ns: int | None) -> Sequence[PartFile]:
    """Files (sorted by date) of days that overlap the span; the others need not be opened."""
    first, end = 0, len(parts)
    if from_ns is not None:
        first = bisect.bisect_left(parts, date_name(from_ns // DAY_NS), key=_date_of)
    if to_ns is not None:
        end = bisect.bisect_right(parts, date_name(to_ns // DAY_NS), key=_date_of)
    return parts[first:end]


def _date_of(part: PartFile) -> str:
    return part.date


def _checked_fields(kind: Kind, columns: Sequence[str] | None) -> tuple[str, ...]:
    known = KINDS[kind].dtype.names or ()
    if columns is None:
        return known
    for name in columns:
        if name not in known:
            raise TapeError(
                f"rows of kind {kind} have no field {name!r}", hint=f"fields are {', '.join(known)}"
            )
    return tuple(columns)


def _canonical_bytes(rows: NDArray[np.void]) -> bytes:
    """Bytes of rows with every NaN alike."""
    canonical = rows.copy()
    for name in canonical.dtype.names or ():
        if canonical.dtype[name].kind == "f":
            column = canonical[name]
            column[np.isnan(column)] = np.nan
    return canonical.tobytes()
