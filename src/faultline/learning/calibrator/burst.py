"""Fall of open interest, reported liquidations and flow of windows in, how much falls per reported dollar out.

``-dOI = a * reported + b * |flow| + noise`` over windows in which much was swept. Positions that are forced out
close; so do others that are frightened, so ``a`` is an upper bound of ``1 / r`` and ``1 / a`` a lower bound of the
reporting fraction. Windows count relative to their own size, residuals beyond 1.345 scales weigh less (Huber),
and the variance is that of the residuals met (sandwich), all of it recursive.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ("BurstRegression",)

#: Residual in scales beyond which a window weighs less.
_HUBER_K = 1.345
#: Median of the absolute value of a normal distribution.
_NORMAL_MEDIAN = 0.6744898


class BurstRegression:
    """Normal equations of the two coefficients, kept between calls.

    Args:
        fewest_windows: windows, old ones fading, before there is an estimate.
        ridge: precision of the prior ``a, b ~ (1, 0)``, in windows.
    """

    def __init__(self, fewest_windows: float = 20.0, ridge: float = 0.5) -> None:
        self.fewest_windows = fewest_windows
        self._ridge = ridge
        #: Row 0-1: X'WX; row 2: X'Wy; row 3-4: sum of squared scores; row 5: windows, log of the residual scale.
        self.sums: NDArray[np.float64] = np.zeros((6, 2))

    def add(self, fall_usd: float, reported_usd: float, flow_usd: float, fade: float) -> None:
        """Fade what is there and add a window; one with a NaN or without a report only fades.

        Args:
            fall_usd: fall of open interest, positive where positions closed.
            reported_usd: liquidations reported, not negative.
            flow_usd: net traded flow; its size counts.
            fade: weight that is left of earlier windows, 0-1.
        """
        sums = self.sums
        sums[0:3] *= fade
        sums[3:5] *= fade * fade
        sums[5, 0] *= fade
        size = reported_usd + abs(flow_usd)
        if not (math.isfinite(fall_usd) and math.isfinite(size) and reported_usd > 0):
            return
        row = np.array([reported_usd, abs(flow_usd)]) / size
        residual = fall_usd / size - float(row @ self._coefficients())
        scale = math.exp(sums[5, 1])
        weight = min(1.0, _HUBER_K * scale / max(abs(residual), 1e-12))
        step = max(0.03, 1.0 / (sums[5, 0] + 4.0))
        sums[5, 1] += step if abs(residual) > _NORMAL_MEDIAN * scale else -step
        sums[5, 1] = max(sums[5, 1], math.log(1e-3))
        sums[0:2] += weight * np.outer(row, row)
        sums[2] += weight * row * (fall_usd / size)
        sums[3:5] += (weight * residual) ** 2 * np.outer(row, row)
        sums[5, 0] += 1.0

    def log_share(self) -> tuple[float, float]:
        """``log(1 / a)`` and its variance; NaN and infinity while there is too little or ``a`` may be 0."""
        if self.sums[5, 0] < self.fewest_windows:
            return math.nan, math.inf
        inverse = np.linalg.inv(self.sums[0:2] + self._ridge * np.eye(2))
        slope = float(self._coefficients()[0])
        variance = float((inverse @ self.sums[3:5] @ inverse)[0, 0])
        if slope <= 0 or variance >= (0.5 * slope) ** 2:
            return math.nan, math.inf
        return -math.log(slope), variance / slope**2

    @property
    def n_windows(self) -> float:
        """Windows behind the estimate, old ones fading."""
        return float(self.sums[5, 0])

    def _coefficients(self) -> NDArray[np.float64]:
        prior = self._ridge * np.array([1.0, 0.0])
        solved: NDArray[np.float64] = np.linalg.solve(
            self.sums[0:2] + self._ridge * np.eye(2), self.sums[2] + prior
        )
        return solved
