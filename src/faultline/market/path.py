"""Bars, trades and mark prices of one instrument in, the bars of its price path out.

The path is what sweeps the ledger. Liquidations trigger on the mark price, so where marks are
published they are the path and trades only give the volume. Sources, best first:

1. ``BAR`` rows of a minute (or any length): the path is the bar.
2. Marks and trades: one path bar per second.
3. ``BAR`` rows flagged ``ENDPOINTS_ONLY``: used only for the part of their window that no better bar covers,
   widened by 0.4 standard deviations of such moves, because the path between two endpoints went beyond them.

A second or bar is closed, and so visible, when its end has been reached; the builder carries the
open second between calls, so any chunking of the same messages gives the same bars.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit

from faultline.messages import Flag
from faultline.units import SECOND_NS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ("ENDPOINT_WIDENING", "PATH_ROW", "PathBuilder")

#: One bar of the path: where price went in ``[start_ns, end_ns)`` and what was traded. ``quality`` is
#: 0 for a full path, 1 for endpoints only.
PATH_ROW: Final = np.dtype(
    [
        ("start_ns", "<i8"),
        ("end_ns", "<i8"),
        ("low_usd", "<f8"),
        ("high_usd", "<f8"),
        ("close_usd", "<f8"),
        ("volume_usd", "<f8"),
        ("quality", "<u1"),
    ]
)

#: Share of a standard deviation by which an endpoints-only bar is widened on both sides.
ENDPOINT_WIDENING: Final = 0.4
#: Weight of one endpoints-only move in the trailing variance (half-life of about 7 days of 5-minute moves).
_VARIANCE_WEIGHT: Final = 1.0 - 0.5 ** (1.0 / 2016.0)

# Layout of the open second that the kernel carries between calls.
_SECOND, _LOW, _HIGH, _CLOSE, _VOLUME, _LAST, _MARKED, _TRADED = range(8)


@njit(cache=True, nogil=True)
def _write_second_kernel(
    out: Any, n: int, second: int, low: float, high: float, close: float, volume: float
) -> None:
    """Write a closed second as bar ``n`` of ``out``."""
    out[n].start_ns, out[n].end_ns = second * 1_000_000_000, (second + 1) * 1_000_000_000
    out[n].low_usd, out[n].high_usd, out[n].close_usd = low, high, close
    out[n].volume_usd, out[n].quality = volume, 0


@njit(cache=True, nogil=True)
def _second_bars_kernel(
    trades: Any, marks: Any, upto_second: int, carry: NDArray[np.float64], out: Any
) -> int:
    """Merge trades and marks in time into 1-s bars; returns how many were closed.

    A bar's range starts at the last price before it, so consecutive bars leave no hole in the path.
    ``carry`` holds the open second; seconds without any message give no bar. Insurance-fund and ADL prints and
    prices of 0 are book-keeping of the venue: they move nothing and count for nothing.
    """
    i = j = n = 0
    n_trades, n_marks = trades.shape[0], marks.shape[0]
    second, low, high, close = int(carry[_SECOND]), carry[_LOW], carry[_HIGH], carry[_CLOSE]
    volume, last, marked = carry[_VOLUME], carry[_LAST], carry[_MARKED] != 0.0
    end_ns = (second + 1) * 1_000_000_000
    while i < n_trades or j < n_marks:
        is_mark = i >= n_trades or (j < n_marks and marks[j].ts_received_ns <= trades[i].ts_received_ns)
        if is_mark:
            moment, price = marks[j].ts_received_ns, marks[j].mark_price_usd
            valid, notional = price > 0.0, 0.0
            j += 1
        else:
            moment, price = trades[i].ts_received_ns, trades[i].price_usd
            valid, notional = price > 0.0 and trades[i].cause <= 1, price * trades[i].qty_base
            i += 1
        if not valid:
            continue
        if moment >= end_ns:
            if second >= 0:
                _write_second_kernel(out, n, second, low, high, close, volume)
                n += 1
            second = moment // 1_000_000_000
            end_ns = (second + 1) * 1_000_000_000
            low = high = close = last if last > 0.0 else price
            volume = 0.0
        volume += notional
        marked = marked or is_mark
        if not is_mark:
            carry[_TRADED] = 1.0
        if is_mark or not marked:
            low, high = min(low, price), max(high, price)
            close = last = price
    if 0 <= second < upto_second:
        _write_second_kernel(out, n, second, low, high, close, volume)
        n += 1
        second = -1
    carry[_SECOND], carry[_LOW], carry[_HIGH], carry[_CLOSE] = second, low, high, close
    carry[_VOLUME], carry[_LAST], carry[_MARKED] = volume, last, marked
    return n


def _seconds_spanned(rows: NDArray[np.void]) -> int:
    """At most so many seconds hold rows: as many as there are rows, or as they span."""
    if not len(rows):
        return 0
    times = rows["ts_received_ns"]
    return min(len(rows), int(times[-1] // SECOND_NS - times[0] // SECOND_NS) + 1)


class PathBuilder:
    """Builds the path of one instrument from its messages, in order of receive time.

    ``last_close_usd`` is NaN before the first price.
    """

    def __init__(self) -> None:
        self._carry = np.zeros(8)
        self._carry[_SECOND] = -1.0
        self._covered: list[tuple[int, int]] = []
        self._move_variance = math.nan
        self.last_close_usd = math.nan
        self.last_end_ns = 0
        #: Where bars come, seconds before the end of the next one are left to it.
        self._barred_ns = 0

    def apply(
        self,
        *,
        bars: NDArray[np.void],
        trades: NDArray[np.void],
        marks: NDArray[np.void],
        upto_ns: int,
    ) -> NDArray[np.void]:
        """Closed path bars, sorted by end.

        Args:
            bars: rows of kind ``bar``, shape (n,), sorted by receive time.
            trades: rows of kind ``trade``; those with price 0 or a cause other than ordinary or
                liquidation move nothing and count for nothing.
            marks: rows of kind ``mark``.
            upto_ns: everything received by this moment is in the arguments; bars that end by then are closed.
        """
        if len(bars):
            path = self._from_bars(bars)
            end_ns = int(bars["ts_received_ns"][-1])
            # The next bar tells what trades and marks do until then; a second that was open is in one already.
            self._barred_ns = 2 * end_ns - int(bars["ts_event_ns"][-1])
            self._carry[_SECOND] = -1.0
        elif upto_ns < self._barred_ns:
            path = np.zeros(0, dtype=PATH_ROW)
        else:
            path = self._from_seconds(trades, marks, upto_ns)
        if len(path):
            self.last_close_usd = float(path["close_usd"][-1])
            self.last_end_ns = int(path["end_ns"][-1])
        return path

    def _from_seconds(
        self, trades: NDArray[np.void], marks: NDArray[np.void], upto_ns: int
    ) -> NDArray[np.void]:
        room = _seconds_spanned(trades) + _seconds_spanned(marks) + 1
        path = np.empty(room, dtype=PATH_ROW)
        n = _second_bars_kernel(trades, marks, upto_ns // SECOND_NS, self._carry, path)
        path = path[:n]
        if self._carry[_TRADED] == 0.0:
            path["volume_usd"] = math.nan
        return path

    def _from_bars(self, bars: NDArray[np.void]) -> NDArray[np.void]:
        endpoints = (bars["flags"] & Flag.ENDPOINTS_ONLY) != 0
        if not endpoints.any():
            return self._full_bars(bars)
        out: list[NDArray[np.void]] = []
        # Endpoint windows must look at the better bars before them, so the runs are walked in order.
        edges = np.flatnonzero(np.diff(endpoints.astype(np.int8))) + 1
        for run in np.split(np.arange(len(bars)), edges):
            rows = bars[run]
            if endpoints[run[0]]:
                out.extend(self._endpoint_bar(row) for row in rows)
            else:
                out.append(self._full_bars(rows))
        return (
            np.concatenate([part for part in out if len(part)])
            if any(map(len, out))
            else np.zeros(0, PATH_ROW)
        )

    def _full_bars(self, bars: NDArray[np.void]) -> NDArray[np.void]:
        path = np.zeros(len(bars), dtype=PATH_ROW)
        path["start_ns"] = bars["ts_event_ns"]
        path["end_ns"] = bars["ts_received_ns"]
        for name in ("low_usd", "high_usd", "close_usd"):
            path[name] = bars[name]
        path["volume_usd"] = (bars["buy_qty_base"] + bars["sell_qty_base"]) * bars["close_usd"]
        recent = [(int(s), int(e)) for s, e in zip(path["start_ns"][-60:], path["end_ns"][-60:], strict=True)]
        self._covered = (self._covered + recent)[-60:]
        if len(path):
            self.last_close_usd = float(path["close_usd"][-1])
        return path

    def _endpoint_bar(self, row: np.void) -> NDArray[np.void]:
        start, end = int(row["ts_event_ns"]), int(row["ts_received_ns"])
        covered = sum(max(0, min(end, e) - max(start, s)) for s, e in self._covered)
        first = self.last_close_usd if math.isfinite(self.last_close_usd) else float(row["open_usd"])
        last = float(row["close_usd"])
        move = math.log(last / first) if first > 0 and last > 0 else math.nan
        known = self._move_variance
        if covered < end - start and math.isfinite(move):
            self._move_variance = (
                move * move if math.isnan(known) else known + _VARIANCE_WEIGHT * (move * move - known)
            )
        self._covered = [(s, e) for s, e in self._covered if e > start]
        if covered >= end - start or not math.isfinite(move):
            return np.zeros(0, dtype=PATH_ROW)
        widening = math.exp(ENDPOINT_WIDENING * math.sqrt(0.0 if math.isnan(known) else known))
        path = np.zeros(1, dtype=PATH_ROW)
        path["start_ns"], path["end_ns"] = start + covered, end
        path["low_usd"], path["high_usd"] = min(first, last) / widening, max(first, last) * widening
        path["close_usd"], path["volume_usd"], path["quality"] = last, math.nan, 1
        self.last_close_usd = last
        return path

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on, as arrays."""
        return {
            "carry": self._carry.copy(),
            "covered": np.array(self._covered, dtype=np.int64).reshape(-1, 2),
            "times_ns": np.array([self.last_end_ns, self._barred_ns], dtype=np.int64),
            "scalars": np.array([self._move_variance, self.last_close_usd]),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> PathBuilder:
        """A builder that goes on where ``state()`` was taken."""
        builder = cls()
        builder._carry = state["carry"].copy()
        builder._covered = [(int(s), int(e)) for s, e in state["covered"]]
        builder._move_variance, builder.last_close_usd = (float(v) for v in state["scalars"][:2])
        builder.last_end_ns, builder._barred_ns = state["times_ns"].tolist()
        return builder
