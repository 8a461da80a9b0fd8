"""A price path in, how long ago each bucket was last visited out: freshness, the plainest survival map.

Whether price has been at a level in the last minutes or not for days explains most of what a liquidation map
explains. A table of rates by side of the price and age since the last visit, without open interest, leverage or
margin, is therefore the baseline that a map has to beat.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from faultline.heatmap.grid import bucket_of
from faultline.states import restoring

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ("AGE_EDGES_MIN", "BEHIND", "AgeTable", "age_class")

#: Upper edges of the age classes, in minutes; the last class is everything older.
AGE_EDGES_MIN: Final = (5.0, 15.0, 30.0, 60.0, 120.0, 240.0, 480.0, 1_440.0, 4_320.0)
#: Class of buckets behind the price, whatever their age.
BEHIND: Final = len(AGE_EDGES_MIN) + 1

_MINUTE_NS: Final = 60 * 1_000_000_000
_NEVER: Final = -(2**62)
_STATE_VERSION: Final = 1


class AgeTable:
    """Remembers the last visit of every bucket; grows with the path."""

    def __init__(self) -> None:
        self._first = 0
        self._last_ns = np.full(0, _NEVER, dtype=np.int64)

    def visit(self, low_usd: float, high_usd: float, time_ns: int) -> None:
        """Note that price covered ``[low_usd, high_usd]`` until ``time_ns``. A missing (NaN) range visits nothing."""
        if np.isnan(low_usd) or np.isnan(high_usd):
            return
        first, last = bucket_of(low_usd), bucket_of(high_usd)
        self._reach(first, last)
        self._last_ns[first - self._first : last + 1 - self._first] = time_ns

    def ages_min(self, buckets: NDArray[np.int64], now_ns: int) -> NDArray[np.float64]:
        """Minutes since the last visit of each bucket, inf where there was none."""
        index = buckets - self._first
        known = (index >= 0) & (index < len(self._last_ns))
        last = np.full(len(buckets), _NEVER, dtype=np.int64)
        last[known] = self._last_ns[index[known]]
        return np.where(last == _NEVER, np.inf, (now_ns - last) / _MINUTE_NS)

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on, as flat arrays; only the buckets between the outermost visited ones are kept."""
        visited = np.flatnonzero(self._last_ns != _NEVER)
        kept = slice(int(visited[0]), int(visited[-1]) + 1) if len(visited) else slice(0, 0)
        return {
            "version": np.array([_STATE_VERSION]),
            "first": np.array([self._first + kept.start if len(visited) else 0], dtype=np.int64),
            "last_ns": self._last_ns[kept].copy(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """A table that goes on where ``state()`` was taken.

        Raises:
            StoreError: the state is of another version or is no age table's.
        """
        with restoring("an age table", state, _STATE_VERSION):
            table = cls()
            table._first = int(state["first"][0])
            last = np.asarray(state["last_ns"])
            if last.ndim != 1 or last.dtype != np.int64:
                raise ValueError(f"last visits of type {last.dtype} and shape {last.shape}")
            table._last_ns = last.copy()
        return table

    def _reach(self, first: int, last: int) -> None:
        """Make room for buckets ``first..last``."""
        if not len(self._last_ns):
            self._first = first
        below = max(0, self._first - first)
        above = max(0, last + 1 - self._first - len(self._last_ns))
        if below or above:
            slack = 256
            pads = (below + slack if below else 0, above + slack if above else 0)
            self._last_ns = np.pad(self._last_ns, pads, constant_values=_NEVER)
            self._first -= pads[0]


def age_class(
    ages_min: NDArray[np.float64], sides: NDArray[np.int8], buckets: NDArray[np.int64], open_bucket: int
) -> NDArray[np.int64]:
    """Class of each cell: its age class where it is ahead of the price, ``BEHIND`` elsewhere.

    Ahead are long cells (side 0) at or below ``open_bucket`` and short cells (side 1) at or above it.
    """
    ahead = np.where(sides == 0, buckets <= open_bucket, buckets >= open_bucket)
    classes = np.searchsorted(np.asarray(AGE_EDGES_MIN), ages_min, side="right")
    return np.where(ahead, classes, BEHIND)
