"""A distance, a time and how price moves on its own in, the probability that it gets there without any help out.

For a Brownian log price with drift ``mu`` toward the barrier at distance ``b`` and ``s = sigma sqrt(T)``::

    P = Phi((mu T - b) / s) + exp(2 mu b / sigma^2) Phi((-b - mu T) / s)           (mu = 0: 2 Phi(-b / s))

The variance is not known exactly: P is averaged over a lognormal one at five Gauss-Hermite nodes. Jumps beyond the
barrier add a floor, without which every diffusion says far too little about far barriers. Where the path is looked at
only every ``dt``, the barrier moves out by ``0.5826 sigma sqrt(dt)`` (Broadie, Glasserman and Kou, 1997).
"""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec
import numpy as np
from scipy.special import log_ndtr, ndtr

from faultline.units import DAY_NS, HOUR_NS, SECOND_NS

__all__ = ("MONITORING_SHIFT", "Volatility", "brownian_hit_prob", "hit_prob", "hit_prob_given")

#: -zeta(1/2) / sqrt(2 pi).
MONITORING_SHIFT: Final = 0.5826
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(5)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
#: Distance below which a barrier counts as touching the price.
_TOUCH: Final = 1e-12
#: Distances beyond this are all the same.
_FAR: Final = 100.0


class Volatility(msgspec.Struct, frozen=True, kw_only=True):
    """How price is expected to move on its own.

    Attributes:
        variance_per_day: expected variance of log price over a day.
        log_sd: standard deviation of the log of the variance: how well it is known.
        jumps_per_hour: jumps of either direction.
        jump_mean: mean size of a jump in log price, exponential.
        drift_per_day: log price per day toward the barrier.
    """

    variance_per_day: float
    log_sd: float = 0.0
    jumps_per_hour: float = 0.0
    jump_mean: float = 0.001
    drift_per_day: float = 0.0

    @property
    def sigma_day(self) -> float:
        """Standard deviation of log price over a day."""
        return math.sqrt(self.variance_per_day)

    def sigma_over(self, duration_ns: Any) -> Any:
        """Standard deviation of log price over a duration, any shape."""
        return np.sqrt(self.variance_per_day * np.asarray(duration_ns, dtype=np.float64) / DAY_NS)


def brownian_hit_prob(distance: Any, variance: Any, drift: Any = 0.0) -> np.ndarray:
    """P(a Brownian path reaches ``distance``); shapes broadcast.

    Args:
        distance: log distance of the barrier; 0 or less has been reached.
        variance: integrated variance over the horizon, above 0.
        drift: integrated drift over the horizon, toward the barrier.
    """
    b = np.minimum(np.asarray(distance, dtype=np.float64), _FAR)
    s2 = np.asarray(variance, dtype=np.float64)
    m = np.asarray(drift, dtype=np.float64)
    s = np.sqrt(s2)
    straight = ndtr((m - b) / s)
    mirrored = np.exp(2.0 * m * b / s2 + log_ndtr((-b - m) / s))
    return np.where(b <= _TOUCH, 1.0, np.minimum(straight + mirrored, 1.0))


def hit_prob(distance: Any, duration_ns: float, moves: Volatility, monitor_s: float = 0.0) -> np.ndarray:
    """P(price reaches ``distance`` within a duration), with an uncertain variance and jumps.

    Args:
        distance: log distances, any shape.
        duration_ns: time allowed.
        moves: how price moves on its own.
        monitor_s: time between two looks at the path; 0 where its extremes are known.
    """
    total = np.zeros(np.shape(distance))
    for node, weight in zip(_NODES.tolist(), _WEIGHTS.tolist(), strict=True):
        total = total + weight * hit_prob_given(distance, duration_ns, moves, node, monitor_s)
    return total


def hit_prob_given(
    distance: Any, duration_ns: float, moves: Volatility, surprise: Any, monitor_s: float = 0.0
) -> np.ndarray:
    """The same where the log of the variance turns out ``surprise`` standard deviations above its middle.

    The mean of the variance over standard normal surprises is ``moves.variance_per_day``; shapes broadcast.
    """
    b = np.asarray(distance, dtype=np.float64)
    factor = np.exp(moves.log_sd * np.asarray(surprise) - 0.5 * moves.log_sd**2)
    per_day = moves.variance_per_day * factor
    step = np.sqrt(per_day * monitor_s * SECOND_NS / DAY_NS)
    drift = moves.drift_per_day * duration_ns / DAY_NS
    barrier = np.where(b > _TOUCH, b + MONITORING_SHIFT * step, b)
    diffused = brownian_hit_prob(barrier, per_day * duration_ns / DAY_NS, drift)
    jumps = 0.5 * moves.jumps_per_hour * duration_ns / HOUR_NS * np.exp(-np.maximum(b, 0) / moves.jump_mean)
    return np.asarray(1.0 - (1.0 - diffused) * np.exp(-jumps))
