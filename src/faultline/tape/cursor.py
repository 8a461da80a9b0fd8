"""Sorted pieces of one kind and instrument in, the rows in total order out, a stretch of time at a time.

The total order of an instrument's rows is receive time, then ``seq``, then the order in which they were
appended. Pieces are row groups of sealed files and frames of open segments; each is sorted, several may
overlap. Memory is the pieces that overlap the stretch asked for, not the tape.
"""

from __future__ import annotations

import bisect
import dataclasses
import itertools
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from faultline.messages import KINDS, Kind, join_rows, sort_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = (
    "Piece",
    "RowCursor",
    "RowSource",
    "clusters",
    "field_views",
    "merge_sorted",
    "only_fields",
    "row_dtype",
)


class RowSource(Protocol):
    """A file whose pieces can be decoded."""

    @property
    def is_in_order(self) -> bool:
        """True where each piece of the file follows the one before in total order; False: each is sorted alone."""
        ...

    def read_into(
        self,
        target: Mapping[str, NDArray[Any]],
        start: int,
        fields: Sequence[str],
        first: int,
        end: int,
    ) -> int:
        """Decode pieces ``first <= i < end`` into ``target[start:]``; returns the row after the last."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Piece:
    """A sorted run of rows that is not read yet. Receive times lie in ``[first_ns, last_ns]``."""

    first_ns: int
    last_ns: int
    n_rows: int
    #: Segment the rows came from, and the piece's index in its file: which was appended first.
    order: tuple[int, int]
    source: RowSource

    @property
    def index(self) -> int:
        """Index of the piece in its file."""
        return self.order[1]

    def follows(self, last_ns: int) -> bool:
        """True where the piece, next in its file, surely comes after rows of that file received until ``last_ns``."""
        return self.source.is_in_order or self.first_ns > last_ns


@dataclasses.dataclass(slots=True, eq=False)
class _Run:
    """Sorted rows that are read and not taken yet, and where they came from."""

    order: tuple[int, int]
    source: RowSource
    #: Index of the piece that follows in the source.
    following: int
    rows: NDArray[np.void]


class RowCursor:
    """Reads pieces of one instrument forward in time.

    Args:
        kind: kind of the rows.
        pieces: the pieces, in any order.
        from_ns: rows received before are skipped.
        fields: the rows have these fields and the receive time only, so that they are decoded faster and lie
            denser. None: all fields.
    """

    def __init__(
        self,
        kind: Kind,
        pieces: Sequence[Piece],
        from_ns: int | None = None,
        fields: Sequence[str] | None = None,
    ) -> None:
        wanted = [piece for piece in pieces if from_ns is None or piece.last_ns >= from_ns]
        ordered = sorted(wanted, key=lambda piece: (piece.first_ns, piece.order))
        self._given = row_dtype(kind, fields)
        # Rows of pieces that overlap are put in order by their sequence too.
        overlap = any(len(cluster) > 1 for cluster in clusters(ordered))
        self._dtype = row_dtype(kind, (*fields, "seq")) if fields is not None and overlap else self._given
        self._unread = ordered[::-1]
        self._pending: list[_Run] = []
        self._from_ns = from_ns

    def take(self, until_ns: int | None = None) -> NDArray[np.void]:
        """Rows received before ``until_ns`` that were not taken yet (all of them for None)."""
        while self._is_due(until_ns):
            chain = [self._unread.pop()]
            while self._is_due(until_ns) and _continues(self._unread[-1], chain[-1]):
                chain.append(self._unread.pop())
            self._load(chain)
        taken: list[_Run] = []
        left: list[_Run] = []
        for run in self._pending:
            rows = run.rows
            # NumPy's own search would copy the strided times of all rows first.
            split = len(rows) if until_ns is None else bisect.bisect_left(rows["ts_received_ns"], until_ns)
            if split:
                taken.append(dataclasses.replace(run, rows=rows[:split]))
            if split < len(rows):
                # A small rest is copied, so that the rows before it can be freed.
                rest = join_rows([rows[split:]]) if 4 * split > 3 * len(rows) else rows[split:]
                left.append(dataclasses.replace(run, rows=rest))
        self._pending = left
        taken.sort(key=lambda run: run.order)
        rows = merge_sorted([run.rows for run in taken], self._dtype)
        return rows if self._dtype == self._given else only_fields(rows, self._given)

    def windows(self, until_ns: int | None = None) -> Iterator[NDArray[np.void]]:
        """Rows received before ``until_ns``, in stretches that end where a piece begins; none is empty."""
        bounds = sorted({piece.first_ns for piece in self._unread})
        for bound in bounds[1:]:
            if until_ns is not None and bound >= until_ns:
                break
            rows = self.take(bound)
            if len(rows):
                yield rows
        rows = self.take(until_ns)
        if len(rows):
            yield rows

    def _is_due(self, until_ns: int | None) -> bool:
        return bool(self._unread) and (until_ns is None or self._unread[-1].first_ns < until_ns)

    def _load(self, chain: Sequence[Piece]) -> None:
        """Read adjacent pieces of one file behind the rest of the piece before them, without a copy afterwards."""
        first = chain[0]
        rest = next((run for run in self._pending if _follows(first, run)), None)
        n_rest = 0 if rest is None else len(rest.rows)
        rows = np.empty(n_rest + sum(piece.n_rows for piece in chain), dtype=self._dtype)
        if rest is not None:
            rows.view(np.uint8)[: rest.rows.nbytes] = rest.rows.view(np.uint8)
            self._pending.remove(rest)
        fields = self._dtype.names or ()
        first.source.read_into(field_views(rows), n_rest, fields, first.index, chain[-1].index + 1)
        if self._from_ns is not None and first.first_ns < self._from_ns:
            rows = rows[bisect.bisect_left(rows["ts_received_ns"], self._from_ns) :]
        if len(rows):
            order = first.order if rest is None else rest.order
            self._pending.append(_Run(order, first.source, chain[-1].index + 1, rows))


def clusters(ordered: Sequence[Piece]) -> list[list[Piece]]:
    """Pieces whose rows may interleave; every row of a cluster comes after every row of those before.

    Args:
        ordered: pieces sorted by first receive time, then order.
    """
    found: list[list[Piece]] = []
    #: Latest receive time of all pieces so far, and of all but the last of them.
    latest_ns = earlier_ns = -(2**63)
    before: Piece | None = None
    for piece in ordered:
        is_next = before is not None and before.source is piece.source and before.index + 1 == piece.index
        continues = is_next and piece.follows(latest_ns) and piece.first_ns > earlier_ns
        if before is None or piece.first_ns > latest_ns or (continues and piece.first_ns >= latest_ns):
            found.append([piece])
        else:
            found[-1].append(piece)
        earlier_ns = latest_ns
        latest_ns = max(latest_ns, piece.last_ns)
        before = piece
    return found


def _continues(piece: Piece, before: Piece) -> bool:
    is_next = piece.source is before.source and piece.index == before.index + 1
    return is_next and piece.follows(before.last_ns)


def _follows(piece: Piece, run: _Run) -> bool:
    is_next = piece.source is run.source and piece.index == run.following
    return is_next and piece.follows(int(run.rows["ts_received_ns"][-1]))


def row_dtype(kind: Kind, fields: Sequence[str] | None = None) -> np.dtype[np.void]:
    """Dtype of a kind's rows; with ``fields``, of rows that have only those and the receive time, packed."""
    whole = KINDS[kind].dtype
    if fields is None:
        return whole
    wanted = {"ts_received_ns", *fields}
    return np.dtype([(name, whole[name]) for name in whole.names or () if name in wanted])


def only_fields(rows: NDArray[np.void], dtype: np.dtype[np.void]) -> NDArray[np.void]:
    """A packed copy of rows with only the fields of ``dtype``."""
    result = np.empty(len(rows), dtype)
    for name in dtype.names or ():
        result[name] = rows[name]
    return result


def field_views(rows: NDArray[np.void]) -> dict[str, NDArray[Any]]:
    """One view per field, strided, into ``rows``."""
    return {name: rows[name] for name in rows.dtype.names or ()}


def merge_sorted(runs: Sequence[NDArray[np.void]], dtype: np.dtype[np.void]) -> NDArray[np.void]:
    """Rows of sorted runs in total order; runs are given in the order they were appended.

    Args:
        runs: row arrays, each sorted by receive time and sequence, none empty.
        dtype: dtype of the rows, for no runs at all.
    """
    if len(runs) == 1:
        return runs[0]
    if not runs:
        return np.empty(0, dtype=dtype)
    by_time = sorted(runs, key=lambda rows: _key(rows, 0))
    follow = all(_key(before, -1) < _key(after, 0) for before, after in itertools.pairwise(by_time))
    return join_rows(by_time) if follow else sort_rows(join_rows(runs))


def _key(rows: NDArray[np.void], index: int) -> tuple[int, int]:
    """What gives a row its place; rows without sequence come from pieces that do not overlap."""
    has_seq = "seq" in (rows.dtype.names or ())
    return int(rows["ts_received_ns"][index]), int(rows["seq"][index]) if has_seq else 0
