"""Quantised columns of one plane and side in, its codes, numbered frames and their bounded backlog out."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import numpy as np

from faultline.store.columns import COLUMNS_MAX, MapKey
from faultline.store.lhm1 import encode_frame, plane_byte
from faultline.store.quantise import CodeRange, quantise, shift_codes

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ("BACKLOG_BYTES", "BACKLOG_FRAMES", "PlaneMap")

#: Frames kept per map so that a client can resume.
BACKLOG_FRAMES: Final = 512
#: Bytes of frames kept per map.
BACKLOG_BYTES: Final = 1 << 20
#: Columns changed by one write beyond which a new snapshot is cheaper than frames.
_FRAMES_PER_WRITE: Final = 64


class PlaneMap:
    """Codes of one plane and side, column ``i`` at ``t0 + i * dt`` of the view that owns it.

    Every change either appends numbered frames or asks for a new snapshot; both move ``seq``, so a snapshot's
    bytes are a function of ``seq``. Not thread safe: the view holds the lock.
    """

    def __init__(self, key: MapKey, sub: int, first_seq: int) -> None:
        self.key = key
        self.sub = sub
        self.seq = first_seq
        self.n_columns = 0
        self.n_closed = 0
        self.row_usd = 0.0
        self.first_row = 0
        #: Closed columns before this time are counted in the value history.
        self.counted_to_ns = 0
        self.bad_cells = 0
        self.closed_ignored = 0
        self._plane_byte = plane_byte(key.plane, key.side)
        self._codes = np.zeros((0, 0), np.uint8)
        self._backlog: deque[tuple[int, bytes]] = deque()
        self._backlog_bytes = 0

    @property
    def codes(self) -> NDArray[np.uint8]:
        """uint8[T, P], a view on the live buffer."""
        return self._codes[: self.n_columns]

    def clear(self) -> None:
        """Drop every column; ``seq`` goes on counting."""
        self.n_columns = self.n_closed = self.counted_to_ns = 0
        self.resync()

    def resync(self) -> None:
        """Give up the backlog: clients have to fetch a snapshot."""
        self.seq += 1
        self._backlog.clear()
        self._backlog_bytes = 0

    def frames_after(self, seq: int) -> list[tuple[int, bytes]] | None:
        """Frames that follow ``seq``; None where the backlog does not reach back that far."""
        if seq == self.seq:
            return []
        if not self._backlog or not self._backlog[0][0] - 1 <= seq < self.seq:
            return None
        return [item for item in self._backlog if item[0] > seq]

    def shift_time(self, n_dropped: int) -> None:
        """Forget the oldest ``n_dropped`` columns (negative: put as many empty ones in front)."""
        kept = self.codes[max(n_dropped, 0) :]
        empty = np.zeros((max(-n_dropped, 0), self._codes.shape[1]), np.uint8)
        if self.n_columns:
            self._codes = np.concatenate([empty, kept])
            self.n_columns = len(self._codes)
            self.n_closed = min(max(self.n_closed - n_dropped, 0), self.n_columns)

    def change_range(self, before: CodeRange, after: CodeRange) -> None:
        """Express every stored code in another range."""
        self._codes = shift_codes(self.codes, before, after)

    def write(
        self, first_index: int, usd: NDArray[np.float32], n_closed: int, code_range: CodeRange
    ) -> list[tuple[int, bytes]] | None:
        """Store consecutive columns of this map's own geometry.

        Args:
            first_index: column index of ``usd[0]``.
            usd: float32[n, P].
            n_closed: how many of the n columns are closed.
            code_range: range of codes in use.

        Returns:
            The numbered frames that bring a client up to date; None where it needs a new snapshot.
        """
        closed_to = max(self.n_closed, first_index + n_closed)
        skipped = min(max(self.n_closed - first_index, 0), len(usd))
        self.closed_ignored += skipped
        first_index, usd = first_index + skipped, usd[skipped:]
        end = first_index + len(usd)
        n_before, closed_before = self.n_columns, self.n_closed
        if len(usd):
            self._grow(max(end, n_before))
            previous = self._codes[first_index - 1] if first_index else None
            codes, n_bad = quantise(usd, code_range, previous)
            self.bad_cells += n_bad
            old = self._codes[first_index : min(end, n_before)].copy()
            self._codes[first_index:end] = codes
            self.n_columns = max(end, n_before)
        else:
            old = self._codes[:0]
        self.n_closed = min(closed_to, self.n_columns)
        first_changed = min(first_index, n_before)
        if max(end, n_before) - first_changed > _FRAMES_PER_WRITE:
            self.resync()
            return None
        return self._frames(first_index, end, old, n_before, closed_before)

    def move_rows(self, first_row: int, n_rows: int, row_usd: float) -> None:
        """Change the price window: cells keep their price; another row height starts an empty map."""
        if row_usd != self.row_usd or not self._codes.shape[1]:
            self._codes = np.zeros((0, n_rows), np.uint8)
            self.n_columns = self.n_closed = 0
        else:
            moved = np.zeros((self.n_columns, n_rows), np.uint8)
            low, high = (
                max(first_row, self.first_row),
                min(first_row + n_rows, self.first_row + self._codes.shape[1]),
            )
            if low < high:
                kept = self.codes[:, low - self.first_row : high - self.first_row]
                moved[:, low - first_row : high - first_row] = kept
            self._codes = moved
        self.first_row, self.row_usd = first_row, row_usd

    def has_geometry(self, first_row: int, n_rows: int, row_usd: float) -> bool:
        """Whether columns of that price window can be stored as they are."""
        return (first_row, n_rows, row_usd) == (self.first_row, self._codes.shape[1], self.row_usd)

    def fill_rows(
        self, first_index: int, usd: NDArray[np.float32], fresh: NDArray[np.bool_], code_range: CodeRange
    ) -> None:
        """Give rows that just came into the price window (``fresh`` bool[P]) their content in stored closed
        columns.
        """
        start, end = max(first_index, 0), min(first_index + len(usd), self.n_closed)
        if start < end and fresh.any():
            part = np.ascontiguousarray(usd[start - first_index : end - first_index, fresh])
            previous = self._codes[start - 1, fresh] if start else None
            self._codes[start:end, fresh] = quantise(part, code_range, previous)[0]

    def _grow(self, n_columns: int) -> None:
        if n_columns > len(self._codes):
            capacity = min(max(n_columns, 2 * len(self._codes), 64), max(COLUMNS_MAX, n_columns))
            grown = np.zeros((capacity, self._codes.shape[1]), np.uint8)
            grown[: self.n_columns] = self.codes
            self._codes = grown
        self._codes[self.n_columns : n_columns] = 0

    def _frames(
        self, first: int, end: int, old: NDArray[np.uint8], n_before: int, closed_before: int
    ) -> list[tuple[int, bytes]]:
        frames: list[tuple[int, bytes]] = []
        for index in range(min(first, n_before), max(end, first)):
            codes = self._codes[index]
            before = self._codes[index - 1] if index else np.zeros_like(codes)
            base = old[index - first] if index < n_before else before
            rows = np.flatnonzero(codes != base)
            if len(rows) or index >= n_before:
                frames.append(self._numbered(index, rows, codes[rows]))
        if not frames and self.n_closed != closed_before:
            none = np.empty(0, np.int64)
            frames.append(self._numbered(self.n_closed - 1, none, np.empty(0, np.uint8)))
        return frames

    def _numbered(self, index: int, rows: NDArray[np.int64], codes: NDArray[np.uint8]) -> tuple[int, bytes]:
        self.seq += 1
        frame = encode_frame(self._plane_byte, self.sub, self.seq, index, rows, codes)
        self._backlog.append((self.seq, frame))
        self._backlog_bytes += len(frame)
        while len(self._backlog) > BACKLOG_FRAMES or self._backlog_bytes > BACKLOG_BYTES:
            self._backlog_bytes -= len(self._backlog.popleft()[1])
        return self.seq, frame
