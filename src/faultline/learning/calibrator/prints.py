"""Liquidations and the path of the mark in, each liquidation with the mark at every lag before it out.

The mark between two ends of path bars is read off the line between their closes. An event waits until
the path has passed it; one whose surroundings are missing from the path is counted and left out. Events
leave in the order in which they were received, so any chunking of the same input gives the same rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from faultline.errors import RequestError
from faultline.learning.calibrator.delay import LAGS_S
from faultline.messages import Flag
from faultline.states import restoring
from faultline.units import SECOND_NS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ("PRINT_ROW", "PrintLocator", "known_prints")

_STATE_VERSION: Final = 1

#: One printed liquidation with its surroundings. ``is_fine``: the path is known by the second, so lags differ.
PRINT_ROW: Final = np.dtype(
    [
        ("ts_event_ns", "<i8"),
        ("ts_received_ns", "<i8"),
        ("flags", "<u4"),
        ("side", "<i1"),
        ("price_kind", "<u1"),
        ("is_fine", "?"),
        ("price_usd", "<f8"),
        ("notional_usd", "<f8"),
        ("move_bps", "<f8"),  # log move of the mark over the minute before
        ("mark_end_ns", "<i8"),  # end of the bar of the path in which the event lies
        ("mark_sd_bps", "<f8"),  # how well the mark at the event is known
        ("speed_bps_s", "<f8"),  # log move of the mark per second over the last four
        ("log_marks", "<f8", (len(LAGS_S),)),  # log mark at each lag of LAGS_S before the event
    ]
)

_CARRIED: Final = (
    "ts_event_ns",
    "ts_received_ns",
    "flags",
    "side",
    "price_kind",
    "price_usd",
    "notional_usd",
)
#: Bars farther apart than this have a hole between them.
_HOLE_NS: Final = 10 * SECOND_NS
#: Longer bars say too little about the mark inside them.
_LONGEST_BAR_NS: Final = 300 * SECOND_NS
#: Ends of bars this close make lags distinguishable.
_FINE_NS: Final = 2 * SECOND_NS + SECOND_NS // 2
#: Move before an event that tells which side it hurt.
_MOVE_NS: Final = 60 * SECOND_NS
#: Stamps farther before receipt than this, or after it by more than a minute, are not placed.
_LATE_NS: Final = 600 * SECOND_NS
_EARLY_NS: Final = 60 * SECOND_NS
#: Bars that are kept before old ones are dropped.
_MOST_BARS: Final = 4096
#: Mean range of a random walk in standard deviations of its end.
_RANGE_PER_SD: Final = 1.596
_LAGS_NS: Final[NDArray[np.int64]] = np.round(LAGS_S * SECOND_NS).astype(np.int64)


class PrintLocator:
    """Pending events and the recent path of one instrument, kept between calls.

    ``n_unlocated`` counts events without a path around them, ``n_mistimed`` events whose stamp cannot be,
    ``n_unusable`` those without a price or a side.
    """

    def __init__(self) -> None:
        self._pending = np.zeros(0, PRINT_ROW)
        self._ends = np.zeros(0, dtype=np.int64)
        self._logs = np.zeros(0)
        self._ranges = np.zeros(0)
        self._linked = np.zeros(0, dtype=np.bool_)
        self.n_unlocated = 0
        self.n_mistimed = 0
        self.n_unusable = 0

    def apply(self, liquidations: NDArray[np.void], path: NDArray[np.void], upto_ns: int) -> NDArray[np.void]:
        """Events that the path has passed, in order of receipt.

        Args:
            liquidations: rows of kind ``liquidation``, sorted by receipt; totals are left out.
            path: closed bars, rows of ``market.path.PATH_ROW``, sorted by end.
            upto_ns: everything received and closed by this moment is in the arguments.

        Returns:
            Rows of ``PRINT_ROW``.
        """
        if len(path):
            self._extend(path)
        if not len(liquidations) and not len(self._pending):
            self._trim_rarely()
            return np.zeros(0, PRINT_ROW)
        rows = np.zeros(len(liquidations), PRINT_ROW)
        for name in _CARRIED:
            rows[name] = liquidations[name]
        rows = rows[(rows["flags"] & Flag.TOTAL) == 0]
        usable = (rows["price_usd"] > 0) & (np.abs(rows["side"]) == 1)
        self.n_unusable += int((~usable).sum())
        rows = rows[usable]
        late = rows["ts_received_ns"] - rows["ts_event_ns"]
        timed = (late <= _LATE_NS) & (late >= -_EARLY_NS)
        self.n_mistimed += int((~timed).sum())
        waiting = np.concatenate((self._pending, rows[timed]))
        passed = self._ends[-1] if len(self._ends) else -1
        ready = _prefix(waiting["ts_event_ns"] <= passed)
        given_up = _prefix(waiting["ts_received_ns"][ready:] < upto_ns - _LATE_NS)
        self.n_unlocated += given_up
        self._pending = waiting[ready + given_up :]
        located = self._locate(waiting[:ready])
        self._trim_rarely()
        return located

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on; of the path only what events to come may ask for."""
        self._trim()
        return {
            "version": np.array([_STATE_VERSION]),
            "pending": self._pending.view(np.uint8).copy(),
            "ends": self._ends.copy(),
            "logs": self._logs.copy(),
            "ranges": self._ranges.copy(),
            "linked": self._linked.copy(),
            "counts": np.array([self.n_unlocated, self.n_mistimed, self.n_unusable], dtype=np.int64),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> PrintLocator:
        """A locator that goes on where ``state()`` was taken.

        Raises:
            StoreError: that is no state of such a locator.
        """
        kept = cls()
        with restoring("a print locator", state, _STATE_VERSION):
            kept._pending = np.frombuffer(state["pending"].tobytes(), PRINT_ROW).copy()
            kept._ends = state["ends"].astype(np.int64, casting="safe")
            kept._logs = state["logs"].astype(np.float64, casting="safe")
            kept._ranges = state["ranges"].astype(np.float64, casting="safe")
            kept._linked = state["linked"].astype(np.bool_, casting="safe")
            kept.n_unlocated, kept.n_mistimed, kept.n_unusable = (int(count) for count in state["counts"])
        return kept

    def _extend(self, path: NDArray[np.void]) -> None:
        length = path["end_ns"] - path["start_ns"]
        good = (path["quality"] == 0) & (path["close_usd"] > 0) & (length <= _LONGEST_BAR_NS)
        bars = path[good]
        before = np.concatenate((self._ends[-1:], bars["end_ns"][:-1]))
        linked = np.zeros(len(bars), dtype=np.bool_)
        linked[len(bars) - len(before) :] = (
            bars["start_ns"][len(bars) - len(before) :] <= before[: len(bars)] + _HOLE_NS
        )
        self._ends = np.concatenate((self._ends, bars["end_ns"]))
        self._logs = np.concatenate((self._logs, np.log(bars["close_usd"])))
        ranges = np.log(bars["high_usd"] / bars["low_usd"]) * 1e4
        self._ranges = np.concatenate((self._ranges, ranges))
        self._linked = np.concatenate((self._linked, linked))

    def _marks(self, times_ns: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Log mark at each moment, NaN in holes, and the time between the two ends around it."""
        after = np.searchsorted(self._ends, times_ns, side="left")
        known = (after > 0) & (after < len(self._ends))
        after = np.clip(after, 1, max(len(self._ends) - 1, 1))
        if len(self._ends) < 2:
            return np.full(times_ns.shape, np.nan), np.zeros(times_ns.shape, dtype=np.int64)
        known &= self._linked[after]
        span = self._ends[after] - self._ends[after - 1]
        part = (times_ns - self._ends[after - 1]) / np.maximum(span, 1)
        logs = self._logs[after - 1] + part * (self._logs[after] - self._logs[after - 1])
        return np.where(known, logs, np.nan), span

    def _knowledge(self, times_ns: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """End of the bar around each moment, and how far the mark may be from the line between closes.

        Between two known ends a random walk strays by ``sigma sqrt(T u (1 - u))``, ``u`` the share of the time that
        has gone by; the mean range of one is ``1.6 sigma sqrt(T)`` (Parkinson 1980), which gives sigma.
        """
        if len(self._ends) < 2:
            return np.zeros(len(times_ns), dtype=np.int64), np.full(len(times_ns), np.nan)
        after = np.clip(np.searchsorted(self._ends, times_ns, side="left"), 1, len(self._ends) - 1)
        span = np.maximum(self._ends[after] - self._ends[after - 1], 1)
        part = np.clip((times_ns - self._ends[after - 1]) / span, 0.0, 1.0)
        return self._ends[after], self._ranges[after] / _RANGE_PER_SD * np.sqrt(part * (1.0 - part))

    def _locate(self, rows: NDArray[np.void]) -> NDArray[np.void]:
        times = rows["ts_event_ns"]
        marks, spans = self._marks(times[:, None] - _LAGS_NS[None, :])
        before, _ = self._marks(times - _MOVE_NS)
        rows["log_marks"] = marks
        rows["is_fine"] = (spans <= _FINE_NS).all(axis=1)
        rows["move_bps"] = (marks[:, 0] - before) * 1e4
        rows["speed_bps_s"] = (marks[:, 0] - marks[:, -1]) * 1e4 / LAGS_S[-1]
        rows["mark_end_ns"], rows["mark_sd_bps"] = self._knowledge(times)
        placed = np.isfinite(marks).all(axis=1)
        self.n_unlocated += int((~placed).sum())
        located: NDArray[np.void] = rows[placed]
        return located

    def _trim_rarely(self) -> None:
        if len(self._ends) > _MOST_BARS:
            self._trim()

    def _trim(self) -> None:
        if not len(self._ends):
            return
        oldest = int(self._ends[-1]) - _LATE_NS - _EARLY_NS
        if len(self._pending):
            oldest = min(oldest, int(self._pending["ts_event_ns"].min()))
        # The end before the oldest moment that may be asked for is needed too.
        first = max(int(np.searchsorted(self._ends, oldest - _MOVE_NS, side="left")) - 1, 0)
        for name in ("_ends", "_logs", "_ranges", "_linked"):
            setattr(self, name, getattr(self, name)[first:])


def known_prints(
    liquidations: NDArray[np.void], marks_usd: NDArray[np.float64], moves_bps: NDArray[np.float64]
) -> NDArray[np.void]:
    """Rows of ``PRINT_ROW`` where the mark at each event was recorded with it; such rows teach no delay.

    Args:
        liquidations: rows of kind ``liquidation``, shape (n,).
        marks_usd: mark at each event, shape (n,); rows without one are left out.
        moves_bps: log move of the mark over the minute before, shape (n,), NaN unknown.

    Raises:
        RequestError: the shapes differ.
    """
    if not len(liquidations) == len(marks_usd) == len(moves_bps):
        message = f"{len(liquidations)} liquidations, {len(marks_usd)} marks, {len(moves_bps)} moves"
        raise RequestError(message, where="known_prints", hint="give one mark and one move per liquidation")
    rows = np.zeros(len(liquidations), PRINT_ROW)
    for name in _CARRIED:
        rows[name] = liquidations[name]
    known = marks_usd > 0
    rows["log_marks"] = np.log(np.where(known, marks_usd, np.nan))[:, None]
    rows["move_bps"], rows["speed_bps_s"] = moves_bps, np.nan
    rows["mark_end_ns"] = (rows["ts_event_ns"] // SECOND_NS + 1) * SECOND_NS
    kept: NDArray[np.void] = rows[known & (rows["price_usd"] > 0) & (np.abs(rows["side"]) == 1)]
    return kept


def _prefix(holds: NDArray[np.bool_]) -> int:
    """How many of the first entries hold."""
    return len(holds) if bool(holds.all()) else int(np.argmin(holds))
