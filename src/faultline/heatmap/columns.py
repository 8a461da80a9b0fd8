"""Heat at closing times and liquidations in, map columns of one timeframe out.

A map has three planes: *real* (liquidations that happened, where they were triggered), *synthetic*
(what would be liquidated where) and *smooth* (the synthetic plane with the width of the location error). A synthetic
column shows the ledger at the **end** of its bar. Only the forming column changes; a closed one never does.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit
from scipy.ndimage import gaussian_filter1d

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faultline.heatmap.display import DisplayRows

__all__ = ("ColumnEvents", "ColumnSeries", "Columns", "smooth_rows")


def smooth_rows(usd: NDArray[Any], width_bps: float, rows: DisplayRows) -> NDArray[Any]:
    """Columns blurred along price with a Gaussian of ``width_bps``; USD is conserved (reflecting edges).

    Args:
        usd: shape (..., P).
        width_bps: standard deviation in basis points of the middle row's price.
        rows: display rows of the last axis.
    """
    middle_usd = (rows.low_usd + rows.high_usd) / 2.0
    sigma_rows = width_bps * 1e-4 * middle_usd / rows.row_usd
    return np.asarray(gaussian_filter1d(usd, sigma_rows, axis=-1, mode="reflect", truncate=3.0))


@dataclasses.dataclass(frozen=True, slots=True)
class Columns:
    """Columns that one step gave: ``usd[plane]`` has shape (n, 2, P); the last ``n - n_closed`` are forming.

    Candle arrays have shape (n,); NaN where price was not seen. ``volume_usd`` is NaN where it is unknown;
    ``long_usd`` and ``short_usd`` are liquidated notional, all prices, NaN where the bar is missing.
    """

    timeframe: str
    rows: DisplayRows
    start_ns: NDArray[np.int64]
    n_closed: int
    usd: dict[str, NDArray[Any]]
    open_usd: NDArray[np.float64]
    high_usd: NDArray[np.float64]
    low_usd: NDArray[np.float64]
    close_usd: NDArray[np.float64]
    volume_usd: NDArray[np.float64]
    long_usd: NDArray[np.float64]
    short_usd: NDArray[np.float64]


@dataclasses.dataclass(frozen=True, slots=True)
class ColumnEvents:
    """Liquidations to draw, sorted by receive time; shapes (n,).

    ``side`` is 0 long, 1 short; ``row`` the display row, outside [0, P) where the price is not shown.
    """

    received_ns: NDArray[np.int64]
    side: NDArray[np.int64]
    row: NDArray[np.int64]
    usd: NDArray[np.float64]


class ColumnSeries:
    """The forming column of one scope and timeframe, and the closing of columns.

    ``draw_from_ns``: columns that end before it are not drawn at all (a rebuild only needs the last ones).
    """

    def __init__(self, timeframe: str, length_ns: int, draw_from_ns: int = 0) -> None:
        self.timeframe = timeframe
        self.length_ns = length_ns
        self.draw_from_ns = draw_from_ns
        self._rows: DisplayRows | None = None
        self._real = np.zeros((2, 0))
        #: open, high, low, close, volume, liquidated long, liquidated short of the forming bar
        self._candle = np.full(7, np.nan)
        self._start_ns = -1
        self._last_close_usd = np.nan

    def close_times(self, after_ns: int, upto_ns: int) -> NDArray[np.int64]:
        """Ends of the columns to draw that lie in (after_ns, upto_ns]."""
        first = max(after_ns + 1, self.draw_from_ns)
        start = -(-first // self.length_ns) * self.length_ns
        return np.arange(start, upto_ns + 1, self.length_ns, dtype=np.int64)

    def extend(
        self,
        *,
        rows: DisplayRows,
        close_ns: NDArray[np.int64],
        synthetic: NDArray[np.float32],
        forming: NDArray[np.float32] | None,
        path: NDArray[np.void],
        events: ColumnEvents,
        now_ns: int,
        smooth_bps: float | None,
    ) -> Columns | None:
        """Close the columns that ended and update the forming one; None where there is nothing to draw.

        Args:
            rows: display rows of every array here.
            close_ns: ends of the closed columns, shape (n,).
            synthetic: heat at those ends, shape (n, 2, P).
            forming: heat now, shape (2, P); None when nobody looks at the forming column.
            path: path bars since the last call (``market.path.PATH_ROW``).
            events: liquidations since the last call; rows outside the window only count in the candle.
            now_ns: moment reached: bars that end and messages received by then are in the arguments.
            smooth_bps: width of the smooth plane; None leaves it out.
        """
        n_closed = len(close_ns)
        current = now_ns // self.length_ns * self.length_ns
        starts = np.append(close_ns - self.length_ns, current)
        if current < self.draw_from_ns - self.length_ns:
            return None
        real, candles = self._carry(rows, starts, current)
        column = np.minimum(np.searchsorted(starts, events.received_ns, side="right") - 1, n_closed)
        drawn = column >= 0
        inside = drawn & (events.row >= 0) & (events.row < rows.n_rows)
        np.add.at(real, (column[inside], events.side[inside], events.row[inside]), events.usd[inside])
        self._add_candles(candles, starts, path)
        np.add.at(candles, (column[drawn], 5 + events.side[drawn]), events.usd[drawn])
        self._rows, self._real, self._candle, self._start_ns = rows, real[-1], candles[-1], current
        keep = n_closed + (forming is not None)
        if not keep:
            return None
        heat = synthetic if forming is None else np.concatenate([synthetic, forming[None]])
        usd: dict[str, NDArray[Any]] = {"real": real[:keep], "synthetic": heat}
        if smooth_bps is not None:
            usd["smooth"] = smooth_rows(heat, smooth_bps, rows)
        shown = candles[:keep].copy()
        # No price and no liquidation: the bar is missing, and so is its total.
        shown[np.isnan(shown[:, 3]) & (shown[:, 5:].sum(axis=1) == 0.0), 5:] = np.nan
        return Columns(self.timeframe, rows, starts[:keep], n_closed, usd, *shown.T)

    def _carry(
        self, rows: DisplayRows, starts: NDArray[np.int64], current: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Empty columns, with what the forming column already held put into its place."""
        real = np.zeros((len(starts), 2, rows.n_rows))
        candles = np.full((len(starts), 7), np.nan)
        candles[:, 5:] = 0.0
        if self._rows is not None and self._start_ns in (starts[0], current):
            k = 0 if self._start_ns == starts[0] else -1
            candles[k] = self._candle
            if self._rows.row_usd == rows.row_usd:
                shift = self._rows.first_row - rows.first_row
                low, high = max(0, shift), min(rows.n_rows, self._rows.n_rows + shift)
                if low < high:
                    real[k, :, low:high] = self._real[:, low - shift : high - shift]
        return real, candles

    def _add_candles(
        self, candles: NDArray[np.float64], starts: NDArray[np.int64], path: NDArray[np.void]
    ) -> None:
        """Fold path bars into open, high, low, close, volume; a column opens where the bar before it closed."""
        if len(path):
            _fold_bars_kernel(path, starts, self._last_close_usd, candles)
            self._last_close_usd = float(path["close_usd"][-1])


@njit(cache=True, nogil=True)
def _fold_bars_kernel(
    path: Any, starts: NDArray[np.int64], before_usd: float, candles: NDArray[np.float64]
) -> None:
    """Path bars, sorted by end, into the columns that begin at ``starts``; those that ended before are left out.

    Volume adds up where it is known and stays NaN where no bar of the column knows it.
    """
    column, last = -1, before_usd
    for i in range(path.shape[0]):
        close = path[i].close_usd
        while column + 1 < starts.shape[0] and starts[column + 1] < path[i].end_ns:
            column += 1
        if column >= 0:
            candle = candles[column]
            if np.isnan(candle[0]):
                candle[0] = close if np.isnan(last) else last
            candle[1] = path[i].high_usd if np.isnan(candle[1]) else max(candle[1], path[i].high_usd)
            candle[2] = path[i].low_usd if np.isnan(candle[2]) else min(candle[2], path[i].low_usd)
            candle[3] = close
            volume = path[i].volume_usd
            if not np.isnan(volume):
                candle[4] = volume if np.isnan(candle[4]) else candle[4] + volume
        last = close
