"""Sorted pieces of one kind and instrument in, the rows in total order out, a stretch of time at a time.

The total order of an instrument's rows is receive time, then ``seq``, then the order in which they were appended. Pieces
are row groups of sealed files and frames of open segments; each is sorted, several may overlap. Memory is the pieces that
overlap the stretch asked for, not the tape.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from faultline.messages import KINDS, Kind, sort_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

__all__ = ("Piece", "RowCursor", "merge_sorted")


@dataclasses.dataclass(frozen=True, slots=True)
class Piece:
    """A sorted run of rows that is not read yet. Receive times lie in ``[first_ns, last_ns]``."""

    first_ns: int
    last_ns: int
    n_rows: int
    #: Rank among pieces of the instrument: which was appended first.
    order: tuple[int, int]
    load: Callable[[], NDArray[np.void]]


class RowCursor:
    """Reads pieces of one instrument forward in time.

    Args:
        kind: kind of the rows.
        pieces: the pieces, in any order.
        from_ns: rows received before are skipped.
    """

    def __init__(self, kind: Kind, pieces: Sequence[Piece], from_ns: int | None = None) -> None:
        self._dtype = KINDS[kind].dtype
        wanted = [piece for piece in pieces if from_ns is None or piece.last_ns >= from_ns]
        self._unread = sorted(wanted, key=lambda piece: (piece.first_ns, piece.order), reverse=True)
        self._pending: list[tuple[tuple[int, int], NDArray[np.void]]] = []
        self._from_ns = from_ns

    @property
    def is_done(self) -> bool:
        """True where no row is left."""
        return not self._unread and not self._pending

    def take(self, until_ns: int | None = None) -> NDArray[np.void]:
        """Rows received before ``until_ns`` that were not taken yet (all of them for None)."""
        while self._unread and (until_ns is None or self._unread[-1].first_ns < until_ns):
            piece = self._unread.pop()
            rows = piece.load()
            if self._from_ns is not None and piece.first_ns < self._from_ns:
                rows = rows[np.searchsorted(rows["ts_received_ns"], self._from_ns) :]
            if len(rows):
                self._pending.append((piece.order, rows))
        taken: list[tuple[tuple[int, int], NDArray[np.void]]] = []
        left: list[tuple[tuple[int, int], NDArray[np.void]]] = []
        for order, rows in self._pending:
            split = len(rows) if until_ns is None else int(np.searchsorted(rows["ts_received_ns"], until_ns))
            if split:
                taken.append((order, rows[:split]))
            if split < len(rows):
                # A copy, so that what was taken can be freed.
                left.append((order, rows[split:] if split == 0 else rows[split:].copy()))
        self._pending = left
        taken.sort(key=lambda item: item[0])
        return merge_sorted([rows for _, rows in taken], self._dtype)

    def windows(self) -> Iterator[NDArray[np.void]]:
        """Everything, in stretches that end where a piece begins; empty stretches are left out."""
        while not self.is_done:
            later = [piece.first_ns for piece in self._unread]
            current = self._unread[-1].first_ns if self._unread else None
            bound = next((first for first in reversed(later) if current is not None and first > current), None)
            rows = self.take(bound)
            if len(rows):
                yield rows


def merge_sorted(runs: Sequence[NDArray[np.void]], dtype: np.dtype[np.void]) -> NDArray[np.void]:
    """Rows of sorted runs in total order; runs are given in the order they were appended.

    Args:
        runs: row arrays, each sorted by receive time and sequence.
        dtype: dtype of the rows, for no runs at all.
    """
    if len(runs) == 1:
        return runs[0]
    if not runs:
        return np.empty(0, dtype=dtype)
    by_time = sorted(runs, key=_first_key)
    follow = all(_last_key(before) < _first_key(after) for before, after in zip(by_time, by_time[1:], strict=False))
    return np.concatenate(by_time) if follow else sort_rows(np.concatenate(runs))


def _first_key(rows: NDArray[np.void]) -> tuple[int, int]:
    return int(rows["ts_received_ns"][0]), int(rows["seq"][0])


def _last_key(rows: NDArray[np.void]) -> tuple[int, int]:
    return int(rows["ts_received_ns"][-1]), int(rows["seq"][-1])
