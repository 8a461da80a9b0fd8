"""Pairs of sums per window in, the logarithm of their ratio with its variance out, old windows fading.

``R = sum d y / sum d x`` with weights ``d`` that halve in time. Its variance comes from the windows themselves, so
that bursts widen it: ``var(log R) = sum d^2 (y - R x)^2 / (sum d y)^2`` (ratio estimator of survey sampling). Three
sums of products make that exact without keeping the windows.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ("DecayedRatio",)

_Y, _X, _YY, _YX, _XX, _N = range(6)


class DecayedRatio:
    """Sums of one ratio, kept between calls.

    Args:
        fewest_windows: windows, old ones fading, before there is an estimate.
    """

    def __init__(self, fewest_windows: float = 10.0) -> None:
        self.fewest_windows = fewest_windows
        self.sums: NDArray[np.float64] = np.zeros(6)

    def add(self, numerator: float, denominator: float, fade: float) -> None:
        """Fade what is there and add a window; one with a NaN, or with nothing on both sides, only fades.

        Args:
            numerator: not negative.
            denominator: not negative, in the same unit.
            fade: weight that is left of earlier windows, 0-1.
        """
        sums = self.sums
        sums[[_Y, _X, _N]] *= fade
        sums[[_YY, _YX, _XX]] *= fade * fade
        if math.isfinite(numerator) and math.isfinite(denominator) and numerator + denominator > 0:
            sums[_Y] += numerator
            sums[_X] += denominator
            sums[_YY] += numerator * numerator
            sums[_YX] += numerator * denominator
            sums[_XX] += denominator * denominator
            sums[_N] += 1.0

    def log_ratio(self) -> tuple[float, float]:
        """Logarithm of the ratio and its variance; NaN and infinity while there is too little."""
        y, x, yy, yx, xx, n = self.sums
        if n < self.fewest_windows or y <= 0 or x <= 0:
            return math.nan, math.inf
        ratio = y / x
        scatter = max(yy - 2.0 * ratio * yx + ratio * ratio * xx, 0.0)
        return math.log(ratio), scatter / (y * y)

    @property
    def n_windows(self) -> float:
        """Windows behind the estimate, old ones fading."""
        return float(self.sums[_N])
