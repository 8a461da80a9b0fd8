"""Sorted pieces of one kind and instrument in, the rows in total order out, a stretch of time at a time.

The total order of an instrument's rows is receive time, then ``seq``, then the order in which they were
appended. Pieces are row groups of sealed files and frames of open segments; each is sorted, several may
overlap. Memory is the pieces that overlap the stretch asked for, not the tape.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from faultline.messages import KINDS, Kind, sort_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ("Piece", "RowCursor", "RowSource", "field_views", "merge_sorted")


class RowSource(Protocol):
    """A file whose pieces can be decoded."""

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


class RowCursor:
    """Reads pieces of one instrument forward in time.

    Args:
        kind: kind of the rows.
        pieces: the pieces, in any order.
        from_ns: rows received before are skipped.
    """

    def __init__(self, kind: Kind, pieces: Sequence[Piece], from_ns: int | None = None) -> None:
        self._dtype = KINDS[kind].dtype
        self._fields = self._dtype.names or ()
        wanted = [piece for piece in pieces if from_ns is None or piece.last_ns >= from_ns]
        self._unread = sorted(wanted, key=lambda piece: (piece.first_ns, piece.order), reverse=True)
        self._pending: list[tuple[tuple[int, int], NDArray[np.void]]] = []
        self._from_ns = from_ns

    def take(self, until_ns: int | None = None) -> NDArray[np.void]:
        """Rows received before ``until_ns`` that were not taken yet (all of them for None)."""
        while self._unread and (until_ns is None or self._unread[-1].first_ns < until_ns):
            self._load(self._unread.pop())
        taken: list[tuple[tuple[int, int], NDArray[np.void]]] = []
        left: list[tuple[tuple[int, int], NDArray[np.void]]] = []
        for order, rows in self._pending:
            split = len(rows) if until_ns is None else int(np.searchsorted(rows["ts_received_ns"], until_ns))
            if split:
                taken.append((order, rows[:split]))
            if split < len(rows):
                # A small rest is copied, so that the piece it came from can be freed.
                left.append((order, rows[split:].copy() if 4 * split > 3 * len(rows) else rows[split:]))
        self._pending = left
        taken.sort(key=_order)
        return merge_sorted([rows for _, rows in taken], self._dtype)

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

    def _load(self, piece: Piece) -> None:
        rows = np.empty(piece.n_rows, dtype=self._dtype)
        piece.source.read_into(field_views(rows), 0, self._fields, piece.index, piece.index + 1)
        if self._from_ns is not None and piece.first_ns < self._from_ns:
            rows = rows[np.searchsorted(rows["ts_received_ns"], self._from_ns) :]
        if len(rows):
            self._pending.append((piece.order, rows))


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
    by_time = sorted(runs, key=_first_key)
    follow = all(_last_key(before) < _first_key(after) for before, after in itertools.pairwise(by_time))
    return np.concatenate(by_time) if follow else sort_rows(np.concatenate(runs))


def _order(item: tuple[tuple[int, int], NDArray[np.void]]) -> tuple[int, int]:
    return item[0]


def _first_key(rows: NDArray[np.void]) -> tuple[int, int]:
    return int(rows["ts_received_ns"][0]), int(rows["seq"][0])


def _last_key(rows: NDArray[np.void]) -> tuple[int, int]:
    return int(rows["ts_received_ns"][-1]), int(rows["seq"][-1])
