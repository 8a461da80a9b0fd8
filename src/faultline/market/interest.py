"""Open-interest rows in, the open interest as it was known at any moment out.

Long open interest equals short open interest: each contract has a buyer and a seller, whoever was the taker.
A failed poll is missing, never zero.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from faultline.units import HOUR_NS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ("OpenInterest",)


#: Rows kept.
_ROWS_MAX: Final = 20_000
#: A checkpoint keeps the rows of this long before the last one: changes over an hour are asked for.
_PAST_NS: Final = 2 * HOUR_NS


class OpenInterest:
    """Last known open interest of one instrument."""

    def __init__(self) -> None:
        self._received_ns = np.zeros(1, dtype=np.int64)
        self._oi_base = np.full(1, math.nan)
        self._oi_usd = np.full(1, math.nan)

    def apply(self, rows: NDArray[np.void]) -> None:
        """Take in rows of kind ``open_interest``, sorted by receive time; invalid values are skipped."""
        base, usd = rows["oi_base"], rows["oi_usd"]
        valid = (base > 0) | (usd > 0)
        if not valid.any():
            return
        self._received_ns = np.concatenate([self._received_ns[-_ROWS_MAX:], rows["ts_received_ns"][valid]])
        self._oi_base = np.concatenate([self._oi_base[-_ROWS_MAX:], base[valid]])
        self._oi_usd = np.concatenate([self._oi_usd[-_ROWS_MAX:], usd[valid]])

    def usd_at(self, times_ns: NDArray[np.int64], prices_usd: NDArray[np.float64]) -> NDArray[np.float64]:
        """Open interest of one side in USD at ``times_ns``, valued at ``prices_usd``; NaN before the first row.

        Only rows received at or before each time count; the last rows are kept, so that a recent past can be asked for.
        """
        index = np.searchsorted(self._received_ns, times_ns, side="right") - 1
        base = self._oi_base[index]
        known = np.where(np.isfinite(base), base * prices_usd, self._oi_usd[index])
        return np.where(index < 0, math.nan, known)

    @property
    def as_of_ns(self) -> int:
        """Receive time of the last row; 0 where there is none."""
        return int(self._received_ns[-1])

    def state(self) -> dict[str, NDArray[Any]]:
        """The rows of the last two hours and the one before them, as arrays."""
        first = max(int(np.searchsorted(self._received_ns, self.as_of_ns - _PAST_NS, side="right")) - 1, 0)
        return {
            "received_ns": self._received_ns[first:].copy(),
            "oi": np.array([self._oi_base[first:], self._oi_usd[first:]]),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> OpenInterest:
        """An open interest that goes on where ``state()`` was taken."""
        interest = cls()
        interest._received_ns = state["received_ns"].copy()
        interest._oi_base, interest._oi_usd = state["oi"][0].copy(), state["oi"][1].copy()
        return interest
