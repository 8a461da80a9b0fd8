"""Candles in, the same candles on the map's own column index out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from faultline.store.columns import CANDLE_FIELDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ("LIQUIDATED", "CandleSeries")

#: Fields of a candle that are liquidations.
LIQUIDATED: Final = slice(CANDLE_FIELDS.index("long_usd"), CANDLE_FIELDS.index("short_usd") + 1)


class CandleSeries:
    """float64[n, 7] in the order of ``CANDLE_FIELDS``, NaN where nothing was written. Not thread safe."""

    def __init__(self, first_seq: int) -> None:
        self.seq = first_seq
        self.n_candles = 0
        self.n_closed = 0
        self.closed_ignored = 0
        self._values = np.empty((0, len(CANDLE_FIELDS)))

    @property
    def values(self) -> NDArray[np.float64]:
        """float64[n, 7], a view on the live buffer."""
        return self._values[: self.n_candles]

    def clear(self) -> None:
        """Drop every candle; ``seq`` goes on counting."""
        self.n_candles = self.n_closed = 0
        self.seq += 1

    def shift_time(self, n_dropped: int) -> None:
        """Forget the oldest ``n_dropped`` candles (negative: put as many missing ones in front)."""
        if self.n_candles:
            missing = np.full((max(-n_dropped, 0), len(CANDLE_FIELDS)), np.nan)
            self._values = np.concatenate([missing, self.values[max(n_dropped, 0) :]])
            self.n_candles = len(self._values)
            self.n_closed = min(max(self.n_closed - n_dropped, 0), self.n_candles)
        self.seq += 1

    def write(self, index: NDArray[np.int64], values: NDArray[np.float64], n_closed: int) -> list[int]:
        """Store candles at ascending column indices; closed ones already stored stay. Returns changed
        indices.
        """
        is_open = index >= self.n_closed
        self.closed_ignored += int(np.count_nonzero(~is_open))
        closed_to = max(self.n_closed, int(index[n_closed - 1]) + 1 if n_closed else 0)
        index, values = index[is_open], values[is_open]
        changed: list[int] = []
        if len(index):
            self._grow(int(index[-1]) + 1)
            same = np.all(
                (self._values[index] == values) | (np.isnan(self._values[index]) & np.isnan(values)), axis=1
            )
            closing = (index < closed_to) & (index >= self.n_closed)
            changed = index[~same | closing].tolist()
            self._values[index] = values
        self.n_closed = min(closed_to, self.n_candles)
        self.seq += bool(changed)
        return changed

    def forget_liquidations(self, is_unheard: NDArray[np.bool_]) -> list[int]:
        """Make liquidations of candles (n,) unknown, closed ones too. Returns changed indices."""
        liquidated = self.values[:, LIQUIDATED]
        changed = np.flatnonzero(is_unheard & ~np.isnan(liquidated).all(axis=1))
        liquidated[changed] = np.nan
        self.seq += bool(len(changed))
        found: list[int] = changed.tolist()
        return found

    def _grow(self, n_candles: int) -> None:
        if n_candles > len(self._values):
            grown = np.full((max(n_candles, 2 * len(self._values), 64), len(CANDLE_FIELDS)), np.nan)
            grown[: self.n_candles] = self.values
            self._values = grown
        if n_candles > self.n_candles:
            self._values[self.n_candles : n_candles] = np.nan
            self.n_candles = n_candles
