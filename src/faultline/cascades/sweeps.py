"""Columns of the map, bars and liquidations in, what price swept and what was liquidated by hour and side out.

Between two columns price sweeps what the earlier one shows between its close and the farthest price since. Hours in
which the path or the map broke off say nothing: what was swept is not known.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from faultline.heatmap.display import DisplayRows
from faultline.units import MINUTE_NS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ("FORCED", "Column", "Sweep", "SweepTally")

#: One liquidation: when it was received; side 0 long, 1 short; the price that forced it.
FORCED: Final = np.dtype([("time_ns", "<i8"), ("side", "<i1"), ("price_usd", "<f8"), ("notional_usd", "<f8")])
#: A pause of the path or the map longer than this is a gap.
_GAP_NS: Final = 10 * MINUTE_NS


class Column(msgspec.Struct, frozen=True):
    """A closed column of the map: USD per side and display row, shape (2, P)."""

    end_ns: int
    rows: DisplayRows
    usd: Any


class Sweep(msgspec.Struct, frozen=True):
    """One side in one hour.

    Attributes:
        end_ns: end of the hour.
        side: 0 longs, 1 shorts.
        seen_usd: liquidations received in it.
        swept_usd: heat that price went through.
    """

    end_ns: int
    side: int
    seen_usd: float
    swept_usd: float


class _Head(msgspec.Struct):
    columns: list[tuple[int, float, int, int]]
    has_column: bool
    end_ns: int
    from_ns: int
    is_broken: bool


class SweepTally:
    """Follows one map and its price. Add columns and liquidations before the bars that follow or hold them."""

    def __init__(self) -> None:
        self._column: Column | None = None
        self._coming: list[Column] = []
        self._forced = np.zeros(0, dtype=FORCED)
        #: Where price was when the column closed, and its least, most and last since.
        self._prices = np.full(4, np.nan)
        self._swept = np.zeros(2)
        self._end_ns, self._from_ns = 0, 0
        self._is_broken = True

    def add_columns(self, columns: Sequence[Column]) -> None:
        """Columns that closed, in the order of their ends."""
        self._coming += columns

    def add_liquidations(self, forced: NDArray[np.void]) -> None:
        """Liquidations (``FORCED``) in any order."""
        self._forced = np.concatenate([self._forced, forced])

    def apply_path(self, path: NDArray[np.void]) -> None:
        """Walk bars (``market.path.PATH_ROW``) in the order of their ends, none of them across ``close_hour``."""
        begin = 0
        while self._coming and self._coming[0].end_ns <= int(path["start_ns"][-1]):
            column = self._coming.pop(0)
            cut = int(np.searchsorted(path["start_ns"], column.end_ns, side="left"))
            self._follow(path[begin:cut])
            self._swept += self._swept_usd()
            self._column, begin = column, cut
            self._prices[:3] = self._prices[3]
        self._follow(path[begin:])

    def close_hour(self, end_ns: int) -> list[Sweep]:
        """Both sides of the hour that ends then; none where something broke off in it, or nothing was swept."""
        due = self._forced["time_ns"] <= end_ns
        taken, self._forced = self._forced[due], self._forced[~due]
        found = []
        for side in (0, 1):
            mine = (taken["side"] == side) & (taken["time_ns"] > self._from_ns)
            seen, swept = float(taken["notional_usd"][mine].sum()), float(self._swept[side])
            if not self._is_broken and swept > 0:
                found.append(Sweep(end_ns, side, seen, swept))
        self._swept[:] = 0.0
        self._is_broken, self._from_ns = False, end_ns
        return found

    def _follow(self, bars: NDArray[np.void]) -> None:
        """Walk bars under the present column."""
        if not len(bars):
            return
        column_ns = -_GAP_NS if self._column is None else self._column.end_ns
        start, end = int(bars["start_ns"][0]), int(bars["end_ns"][-1])
        self._is_broken |= start - self._end_ns > _GAP_NS or end - column_ns > _GAP_NS
        self._end_ns = end
        closes = bars["close_usd"][np.isfinite(bars["close_usd"])]
        reach = (self._prices[1], bars["low_usd"].min()), (self._prices[2], bars["high_usd"].max())
        self._prices[1], self._prices[2] = np.fmin(*reach[0]), np.fmax(*reach[1])
        if len(closes):
            self._prices[3] = closes[-1]

    def _swept_usd(self) -> NDArray[np.float64]:
        """Heat of the present column that price went through since it closed, by side."""
        start, low, high = self._prices[:3].tolist()
        if self._column is None or not (math.isfinite(start) and math.isfinite(low) and math.isfinite(high)):
            return np.zeros(2)
        usd = np.asarray(self._column.usd, dtype=np.float64)
        self._is_broken |= not bool(np.isfinite(usd).all())
        rows = self._column.rows
        place = np.array([start, low, high]) / rows.row_usd - rows.first_row
        below = np.stack([np.interp(place, np.arange(rows.n_rows + 1), _running(side)) for side in usd])
        swept = np.array([below[0, 0] - below[0, 1], below[1, 2] - below[1, 0]])
        return np.asarray(np.maximum(np.nan_to_num(swept), 0.0))

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on, as flat arrays."""
        columns = [*([self._column] if self._column else []), *self._coming]
        head = _Head(
            [(c.end_ns, c.rows.row_usd, c.rows.first_row, c.rows.n_rows) for c in columns],
            self._column is not None,
            self._end_ns,
            self._from_ns,
            bool(self._is_broken),
        )
        out: dict[str, NDArray[Any]] = {
            "head": np.frombuffer(msgspec.json.encode(head), dtype=np.uint8),
            "forced": self._forced.copy(),
            "prices": self._prices.copy(),
            "swept": self._swept.copy(),
        }
        return out | {f"column.{k}": np.array(column.usd) for k, column in enumerate(columns)}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> SweepTally:
        """A tally that goes on where ``state()`` was taken."""
        head = msgspec.json.decode(state["head"].tobytes(), type=_Head)
        tally = cls()
        tally._coming = [
            Column(end_ns, DisplayRows(row_usd, first_row, n_rows), state[f"column.{k}"].copy())
            for k, (end_ns, row_usd, first_row, n_rows) in enumerate(head.columns)
        ]
        if head.has_column:
            tally._column = tally._coming.pop(0)
        tally._end_ns, tally._from_ns, tally._is_broken = head.end_ns, head.from_ns, head.is_broken
        tally._forced, tally._prices = state["forced"].copy(), state["prices"].copy()
        tally._swept = state["swept"].copy()
        return tally


def _running(usd: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([[0.0], np.cumsum(usd)])
