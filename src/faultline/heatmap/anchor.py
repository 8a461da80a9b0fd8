"""Open interest and standing units in, USD per unit by distance from price out: each side sums to its open interest.

Dividing the open interest by all standing units would do that too, but it would scale a burst of fresh positions near
price down just when it matters: activity comes and goes within minutes, open interest does not. So near price a
unit keeps a slow worth (trailing open interest over trailing standing units), and what is missing to the open
interest, or too much, goes to levels far away, about which liquidations say least: positions deep in profit have
often been closed by then. Where even that cannot close the sum, everything is scaled.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit

from faultline.heatmap.grid import BUCKET_LOG
from faultline.units import DAY_NS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = (
    "NEAR_LOG",
    "WORTH_HALF_LIFE_NS",
    "InterestAnchor",
    "anchor_heat",
    "near_weights",
    "usd_per_unit_kernel",
)

#: Log distance from price at which the nearness of a level has fallen to 1/e.
NEAR_LOG: Final = 0.05
#: Half-life of the worth of a unit, as long as that of the proxies that units are measured with.
WORTH_HALF_LIFE_NS: Final = 30 * DAY_NS


def near_weights(n_buckets: int) -> NDArray[np.float64]:
    """Nearness of a level by its distance from price in buckets, shape (n_buckets,): 1 at price, a Gaussian."""
    distance = np.arange(n_buckets, dtype=np.float64) * BUCKET_LOG / NEAR_LOG
    weights: NDArray[np.float64] = np.exp(-distance * distance)
    return weights


@functools.lru_cache(maxsize=8)
def _kept_weights(n_bits: int) -> NDArray[np.float64]:
    """``near_weights`` of 2 ** n_bits buckets, kept: not to be written to."""
    return near_weights(1 << n_bits)


@njit(cache=True, nogil=True)
def usd_per_unit_kernel(oi_usd: float, worth_usd: float, near: float, far: float) -> tuple[float, float]:
    """USD per unit near and far, so that ``near`` and ``far`` units make ``oi_usd``.

    Near levels keep their worth unless they alone exceed the open interest; without far levels they carry all of it.
    Without a worth (NaN) every unit is worth the same. 0 where nothing stands; the open interest must not be NaN.
    """
    if not worth_usd > 0.0:
        even = oi_usd / (near + far) if near + far > 0.0 else 0.0
        return even, even
    if near <= 0.0:
        return 0.0, (oi_usd / far if far > 0.0 else 0.0)
    if far <= 0.0 or worth_usd * near >= oi_usd:
        return oi_usd / near, 0.0
    return worth_usd, (oi_usd - worth_usd * near) / far


def anchor_heat(
    units: NDArray[np.float64], centre: int, totals: NDArray[np.float64], oi_usd: float, worth_usd: float
) -> NDArray[np.float64]:
    """USD per unit of every bucket and side, shape (2, B): the obvious twin of what ``Ledger.advance`` draws with.

    Args:
        units: standing units, shape (2, B).
        centre: index of the bucket that holds the price.
        totals: all standing units per side, shape (2,).
        oi_usd: open interest of a side; NaN counts as 0.
        worth_usd: slow worth of a unit; NaN where it is not known yet.
    """
    kept = _kept_weights((units.shape[1] + abs(centre)).bit_length())
    weights = kept[np.abs(np.arange(units.shape[1]) - centre)]
    out = np.zeros(units.shape)
    for side in range(2):
        near = float(units[side] @ weights)
        above, below = usd_per_unit_kernel(
            0.0 if math.isnan(oi_usd) else oi_usd, worth_usd, near, float(totals[side]) - near
        )
        out[side] = below + (above - below) * weights
    return out


class InterestAnchor:
    """The slow worth of a unit of one instrument."""

    def __init__(self) -> None:
        self._weighted = np.zeros(2)

    @property
    def worth_usd(self) -> float:
        """USD per unit; NaN before open interest and units were seen together."""
        oi_usd, units = self._weighted
        return float(oi_usd / units) if units > 0 else math.nan

    def follow(self, oi_usd: float, units: float, elapsed_ns: int) -> None:
        """Take in the open interest of a side and the units that stand on it, after ``elapsed_ns``."""
        if not (oi_usd > 0 and units > 0):
            return
        fade = 0.5 ** (elapsed_ns / WORTH_HALF_LIFE_NS)
        self._weighted = self._weighted * fade + np.array([oi_usd, units])

    def state(self) -> dict[str, NDArray[Any]]:
        """Faded sums of open interest and units: their ratio, unlike a mean of ratios, forgives an empty start."""
        return {"weighted": self._weighted.copy()}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> InterestAnchor:
        """An anchor that goes on where ``state()`` was taken."""
        anchor = cls()
        anchor._weighted = state["weighted"].copy()
        return anchor
