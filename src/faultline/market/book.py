"""Snapshots and changes of one instrument's order book in, best prices, levels and depth out.

Prices are kept in ticks. A level that is between two ticks is set at the nearest one and counted; one that is
impossible (NaN, negative, beyond any price) is left out and counted. Nothing is smoothed over: a book whose sides
cross, or of which one side is empty, says so (``condition``), and a best price that is not there is NaN. What a change
does depends on nothing but the changes before it: however they are cut into calls, the book is the same.

>>> book = Book(tick_usd=0.5)
>>> book.apply([(99.5, 2.0), (99.0, 1.0)], [(100.0, 3.0)], is_snapshot=True)
>>> book.best
Best(bid_usd=99.5, bid_qty_base=2.0, ask_usd=100.0, ask_qty_base=3.0)
>>> book.apply([(99.5, 0.0)], [])
>>> book.best.bid_usd, book.condition
(99.0, <Condition.OPEN: 'open'>)
"""

from __future__ import annotations

import enum
import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from faultline.market.book_kernels import (
    BEST,
    COUNTS,
    FIRST,
    FREE,
    N_FAR,
    N_INTEGERS,
    N_NEAR,
    NOTHING,
    OFF_GRID,
    REJECTED,
    apply_levels_kernel,
    apply_ticks_kernel,
    clear_kernel,
    grow_kernel,
    levels_near_kernel,
    ticks_of_rows_kernel,
)
from faultline.units import BASIS_POINT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ("ASKS", "BIDS", "WINDOW_TICKS", "Best", "Book", "Condition", "Depth")

#: Index of a side.
BIDS, ASKS = 0, 1
#: Ticks of each side that are kept densely.
WINDOW_TICKS: Final = 4096
_TABLE_SLOTS: Final = 1024
_ROOM: Final = 256
_LOWEST: Final = -(2**62)
_NO_TOPS: Final = np.empty((0, 2), dtype=np.int64)
_NAN: Final = float("nan")
_FLOAT: Final = np.dtype(np.float64)


class Condition(enum.StrEnum):
    """Whether a book can be traded on."""

    EMPTY = "empty"
    ONE_SIDED = "one sided"
    #: The best bid is at or above the best ask: a change was lost, or the venue sends them in parts.
    CROSSED = "crossed"
    OPEN = "open"


class Best(NamedTuple):
    """Best levels; NaN where a side is empty."""

    bid_usd: float
    bid_qty_base: float
    ask_usd: float
    ask_qty_base: float


class Depth(NamedTuple):
    """What rests within a distance of the middle, per side; NaN where there is no middle."""

    bid_qty_base: float
    bid_usd: float
    ask_qty_base: float
    ask_usd: float


class Book:
    """The book of one instrument.

    Args:
        tick_usd: smallest price step.
        window_ticks: ticks kept densely on each side, from a quarter of it above the best level to three quarters
            below; levels farther away are kept too, more slowly.

    Raises:
        ValueError: a tick that is not positive and finite, or a window of less than 64 ticks.
    """

    def __init__(self, tick_usd: float, window_ticks: int = WINDOW_TICKS) -> None:
        if not 0 < tick_usd < math.inf:
            raise ValueError(f"the tick must be positive and finite, not {tick_usd}")
        if window_ticks < 64:
            raise ValueError(f"the window must have at least 64 ticks, not {window_ticks}")
        self.tick_usd = tick_usd
        # Decimal ticks as a ratio of whole numbers: 618002 / 10 is 61800.2, and 618002 * 0.1 is not.
        steps = round(1 / tick_usd)
        is_decimal = steps > 0 and math.isclose(steps * tick_usd, 1.0, rel_tol=1e-9)
        self._up, self._down = (1.0, float(steps)) if is_decimal else (tick_usd, 1.0)
        self._integers = np.zeros((3, N_INTEGERS), dtype=np.int64)
        self._near = np.zeros((2, window_ticks))
        self._keys = np.full((2, _TABLE_SLOTS), FREE, dtype=np.int64)
        self._amounts = np.zeros((2, _TABLE_SLOTS))
        self._columns = np.empty(_ROOM, np.int8), np.empty(_ROOM, np.int64), np.empty(_ROOM)
        self.clear()

    def clear(self) -> None:
        """Forget all levels, as after a gap; counts stay."""
        clear_kernel(self._integers, self._near, self._keys, self._amounts)

    def apply(
        self,
        bids: Sequence[tuple[float, float]] | NDArray[np.float64],
        asks: Sequence[tuple[float, float]] | NDArray[np.float64],
        *,
        is_snapshot: bool = False,
    ) -> None:
        """Set levels, pairs of price and quantity or f8 (n, 2); quantity 0 means the level is gone.

        A snapshot replaces the book.
        """
        first, second = _as_levels(bids), _as_levels(asks)
        if is_snapshot:
            self.clear()
        n = len(first) + len(second)
        columns = self._room(n)
        start = apply_levels_kernel(
            self._integers,
            self._near,
            self._keys,
            self._amounts,
            first,
            second,
            self._up,
            self._down,
            *columns,
            _NO_TOPS,
        )
        if start >= 0:
            self._grow()
            self._run(*columns, n, _NO_TOPS, start)

    def apply_ticks(
        self, sides: NDArray[np.int8], ticks: NDArray[np.int64], qtys_base: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Set levels by their ticks; +1 is a bid, -1 an ask, any other is counted and left out.

        Returns the best prices after each, f8 (n, 2).
        """
        tops = np.empty((len(ticks), 2), dtype=np.int64)
        self._run(np.where(np.abs(sides) == 1, sides, 0), ticks, qtys_base, len(ticks), tops)
        return self._prices(tops)

    def apply_rows(self, rows: NDArray[np.void]) -> None:
        """Set the levels of rows of kind ``book_level``, in order; the first row of a snapshot empties the book."""
        columns = self._room(2 * len(rows))
        numbers = np.empty(len(rows), dtype=np.int64)
        n = ticks_of_rows_kernel(self._integers, rows, self._up, self._down, *columns, numbers)
        self._run(*columns, n, _NO_TOPS)

    def best_after_rows(self, rows: NDArray[np.void]) -> NDArray[np.float64]:
        """As ``apply_rows``; returns the best bid and ask after each row, f8 (n, 2)."""
        columns, numbers = self._room(2 * len(rows)), np.empty(len(rows), dtype=np.int64)
        n = ticks_of_rows_kernel(self._integers, rows, self._up, self._down, *columns, numbers)
        tops = np.empty((n, 2), dtype=np.int64)
        self._run(*columns, n, tops)
        return self._prices(tops[numbers])

    @property
    def arrays(self) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
        """The first arguments of ``apply_ticks_kernel``, for loops that are compiled themselves."""
        return self._integers, self._near, self._keys, self._amounts

    @property
    def n_rejected(self) -> int:
        """Impossible levels that were left out so far."""
        return int(self._integers[COUNTS, REJECTED])

    @property
    def n_off_grid(self) -> int:
        """Levels so far that were between two ticks and are kept at the nearest one."""
        return int(self._integers[COUNTS, OFF_GRID])

    @property
    def best(self) -> Best:
        """Best bid and ask with their quantities."""
        sides = []
        for side, sign in ((BIDS, 1), (ASKS, -1)):
            key = int(self._integers[side, BEST])
            if key == NOTHING:
                sides += [_NAN, _NAN]
            else:
                qty = float(self._near[side, key - self._integers[side, FIRST]])
                sides += [sign * key * self._up / self._down, qty]
        return Best(*sides)

    @property
    def condition(self) -> Condition:
        """Whether there is a book, and whether its sides cross."""
        bid, ask = int(self._integers[BIDS, BEST]), -int(self._integers[ASKS, BEST])
        if bid == NOTHING and ask == -NOTHING:
            return Condition.EMPTY
        if bid == NOTHING or ask == -NOTHING:
            return Condition.ONE_SIDED
        return Condition.CROSSED if bid >= ask else Condition.OPEN

    def levels(self, side: int, n: int | None = None) -> NDArray[np.float64]:
        """Levels of a side (``BIDS`` or ``ASKS``), best first, at most ``n``; f8 (k, 2) of price and quantity."""
        keys, amounts = self._side(side, _LOWEST, n)
        sign = 1 if side == BIDS else -1
        return np.stack([sign * keys * self._up / self._down, amounts], axis=1)

    def depth(self, within_bps: float) -> Depth:
        """Quantity and USD that rest within a distance of the middle of the best prices, also where they cross."""
        best = self.best
        middle = (best.bid_usd + best.ask_usd) / 2
        if math.isnan(middle):
            return Depth(_NAN, _NAN, _NAN, _NAN)
        sums = []
        for side, sign in ((BIDS, 1), (ASKS, -1)):
            limit_usd = middle * (1 - sign * within_bps * BASIS_POINT)
            worst = math.ceil(sign * limit_usd * self._down / self._up)
            keys, amounts = self._side(side, worst, None)
            prices = sign * keys * self._up / self._down
            sums += [float(amounts.sum()), float((prices * amounts).sum())]
        return Depth(*sums)

    def state(self) -> dict[str, NDArray[Any]]:
        """All that the book is, as arrays; the same for the same changes, however they were cut."""
        state: dict[str, NDArray[Any]] = {
            "scalars": np.array([self.tick_usd, self._near.shape[1]]),
            "counts": self._integers[COUNTS].copy(),
        }
        for side in (BIDS, ASKS):
            state[f"keys_{side}"], state[f"amounts_{side}"] = self._side(side, _LOWEST, None)
        return state

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Book:
        """The book of a state.

        Raises:
            KeyError: an array is missing.
        """
        book = cls(float(state["scalars"][0]), int(state["scalars"][1]))
        for side in (BIDS, ASKS):
            keys, amounts = state[f"keys_{side}"], state[f"amounts_{side}"]
            sides = np.full(len(keys), 1 - 2 * side, dtype=np.int8)
            book._run(sides, (1 - 2 * side) * keys, amounts, len(keys), _NO_TOPS)
        book._integers[COUNTS] = state["counts"]
        return book

    def _side(self, side: int, worst: int, n: int | None) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Keys and quantities of a side's levels down to key ``worst``, best first, at most ``n``."""
        numbers = self._integers[side]
        n_near = int(numbers[N_NEAR]) if n is None else min(n, int(numbers[N_NEAR]))
        keys, amounts = np.empty(n_near, dtype=np.int64), np.empty(n_near)
        found = levels_near_kernel(numbers, self._near[side], worst, keys, amounts)
        keys, amounts = keys[:found], amounts[:found]
        if (n is not None and found >= n) or worst >= numbers[FIRST] or numbers[N_FAR] == 0:
            return keys, amounts
        chosen = np.flatnonzero((self._amounts[side] > 0) & (self._keys[side] >= worst))
        chosen = chosen[np.argsort(-self._keys[side, chosen])]
        far = slice(None if n is None else n - found)
        return (
            np.concatenate([keys, self._keys[side, chosen][far]]),
            np.concatenate([amounts, self._amounts[side, chosen][far]]),
        )

    def _prices(self, tops: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.where(np.abs(tops) == -NOTHING, np.nan, tops * self._up / self._down)

    def _room(self, n: int) -> tuple[NDArray[np.int8], NDArray[np.int64], NDArray[np.float64]]:
        """Columns of sides, ticks and quantities with room for ``n`` levels."""
        if n > len(self._columns[0]):
            self._columns = np.empty(2 * n, np.int8), np.empty(2 * n, np.int64), np.empty(2 * n)
        return self._columns

    def _run(
        self,
        sides: NDArray[np.int8],
        ticks: NDArray[np.int64],
        qtys: NDArray[np.float64],
        n: int,
        tops: NDArray[np.int64],
        start: int = 0,
    ) -> None:
        """Set levels ``start`` to ``n``, and go on where the tables had to grow."""
        while (start := apply_ticks_kernel(*self.arrays, sides, ticks, qtys, start, n, tops)) >= 0:
            self._grow()

    def _grow(self) -> None:
        """Tables of which all levels of the larger side would fill less than half."""
        levels = int(max(self._integers[side, N_NEAR] + self._integers[side, N_FAR] for side in (BIDS, ASKS)))
        slots = max(_TABLE_SLOTS, 1 << (5 * levels // 2).bit_length())
        keys, amounts = np.full((2, slots), FREE, dtype=np.int64), np.zeros((2, slots))
        grow_kernel(self._integers, self._keys, self._amounts, keys, amounts)
        self._keys, self._amounts = keys, amounts


def _as_levels(levels: Sequence[tuple[float, float]] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Levels as f8 (n, 2) that can be written to, as the kernels are compiled for."""
    if isinstance(levels, np.ndarray) and levels.dtype is _FLOAT and levels.ndim == 2 and levels.flags.carray:
        return levels
    return np.array(levels, dtype=np.float64).reshape(-1, 2)
