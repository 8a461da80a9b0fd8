"""Path bars of one instrument in, what was traded in each hour out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ("HourlyTurnover",)


@njit(cache=True, nogil=True)
def _add_bars_kernel(path: Any, hour: NDArray[np.float64]) -> None:
    """Add bars to ``hour`` (volume, low, high) one by one: the sum must not depend on how bars are cut into calls."""
    for k in range(path.shape[0]):
        hour[0] += path[k].volume_usd
        hour[1] = min(hour[1], path[k].low_usd)
        hour[2] = max(hour[2], path[k].high_usd)


class HourlyTurnover:
    """The hour that is running: traded notional, and the range of price, which stands in where volume is unknown."""

    def __init__(self) -> None:
        #: Volume so far (NaN once a bar did not know it), low and high.
        self._hour = np.array([0.0, math.inf, -math.inf])

    def apply(self, path: NDArray[np.void]) -> None:
        """Take in bars (``market.path.PATH_ROW``)."""
        _add_bars_kernel(path, self._hour)

    def close(self, oi_usd: float) -> float:
        """USD traded in the hour that ends now; open interest times the hour's log range where volume is unknown.

        NaN where the hour had no bars, or neither is known.
        """
        volume, low, high = (float(value) for value in self._hour)
        self._hour = np.array([0.0, math.inf, -math.inf])
        if not 0.0 < low <= high < math.inf:
            return math.nan
        # A market turns over about its open interest when price runs through its whole range once.
        return volume if math.isfinite(volume) else oi_usd * math.log(high / low)

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on, as arrays."""
        return {"hour": self._hour.copy()}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> HourlyTurnover:
        """One that goes on where ``state()`` was taken."""
        made = cls()
        made._hour = state["hour"].copy()
        return made
