"""Open interest and standing units in, USD per unit by leverage out: every side of a map sums to its open interest.

Dividing the open interest by all standing units would do that too, but it would scale a burst of fresh
high-leverage positions down just when it matters: volume comes and goes within minutes, open interest does not. So a
unit keeps a slow worth (the trailing mean of open interest over standing units), and what is missing to the open
interest, or too much, is put where it cannot be seen in liquidations: into the low leverages, which price
rarely reaches (closure). Where even that cannot close the sum, everything is scaled.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit

from faultline.units import DAY_NS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ("CLOSING_LEVERAGE_MAX", "InterestAnchor", "closing_lanes", "usd_per_unit_kernel")

#: Highest leverage that takes part in the closure.
CLOSING_LEVERAGE_MAX: Final = 10.0
#: Half-life of the worth of a unit.
WORTH_HALF_LIFE_NS: Final = 2 * DAY_NS


def closing_lanes(leverages: Sequence[float]) -> NDArray[np.bool_]:
    """Which leverages close the sum, shape (L,)."""
    return np.asarray(leverages, dtype=np.float64) <= CLOSING_LEVERAGE_MAX


@njit(cache=True, nogil=True)
def usd_per_unit_kernel(oi_usd: float, worth_usd: float, high: float, low: float) -> tuple[float, float]:
    """USD per unit of the high and of the closing leverages, so that ``high`` and ``low`` units make ``oi_usd``.

    The high leverages keep their worth unless they alone exceed the open interest; without low leverages to close
    the sum they carry all of it. Without a worth (NaN) every unit is worth the same. 0 where nothing stands; the
    open interest must not be NaN.
    """
    if not worth_usd > 0.0:
        even = oi_usd / (high + low) if high + low > 0.0 else 0.0
        return even, even
    if high <= 0.0:
        return 0.0, (oi_usd / low if low > 0.0 else 0.0)
    if low <= 0.0 or worth_usd * high >= oi_usd:
        return oi_usd / high, 0.0
    return worth_usd, (oi_usd - worth_usd * high) / low


class InterestAnchor:
    """The slow worth of a unit of one instrument."""

    def __init__(self) -> None:
        self._weighted = np.zeros(2)

    @property
    def worth_usd(self) -> float:
        """USD per unit; NaN before open interest and units were seen together."""
        total, weight = self._weighted
        return float(total / weight) if weight > 0 else math.nan

    def follow(self, oi_usd: float, units: float, elapsed_ns: int) -> None:
        """Take in the open interest of a side and the units that stand on it, after ``elapsed_ns``."""
        if not (oi_usd > 0 and units > 0):
            return
        fade = 0.5 ** (elapsed_ns / WORTH_HALF_LIFE_NS)
        self._weighted = self._weighted * fade + np.array([oi_usd / units, 1.0])

    def state(self) -> dict[str, NDArray[Any]]:
        """Weighted sum and weight."""
        return {"weighted": self._weighted.copy()}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> InterestAnchor:
        """An anchor that goes on where ``state()`` was taken."""
        anchor = cls()
        anchor._weighted = state["weighted"].copy()
        return anchor
