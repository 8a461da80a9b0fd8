"""Closes of the path in, how price is expected to move over the next hour on its own out.

Realised variance is kept with half-lives of 30 minutes, 6 hours and 48 hours. The log of the next hour's variance is a
linear relation of the logs of the three (the log form of Corsi's heterogeneous autoregression, J. Fin. Econometrics
2009), learned hour by hour from an equal-weights prior; its residual is how uncertain the variance is. A return of more
than four of its standard deviations is a jump; jumps are kept out of the variance beyond that, and counted.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from faultline.cascades.first_passage import Volatility
from faultline.cascades.regression import LinearPosterior
from faultline.states import part_of
from faultline.units import DAY_NS, HOUR_NS, MINUTE_NS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ("VolatilityTracker",)

_HALF_LIVES_NS: Final = np.array([30 * MINUTE_NS, 6 * HOUR_NS, 48 * HOUR_NS], dtype=np.float64)
_JUMP_SD: Final = 4.0
_MEMORY_NS: Final = 30 * DAY_NS
#: Hours of closes before the variance is known.
_WARM_NS: Final = 2 * HOUR_NS
#: A pause longer than this is a gap: the return over it teaches nothing.
_PAUSE_NS: Final = 10 * MINUTE_NS
#: Prior of jumps: one in twenty hours, ten basis points beyond nothing; worth ten hours.
_PRIOR_HOURS: Final = 10.0
_PRIOR_JUMPS: Final = 0.5
_PRIOR_JUMP_MEAN: Final = 0.003
#: Least variance per day: a feed that stands still is not a price without risk.
_LEAST: Final = 1e-8


class VolatilityTracker:
    """Follows one price; closes one by one, so it does not matter how they are cut into calls."""

    def __init__(self) -> None:
        self._har = _har()
        self._sums = np.zeros((2, 3))
        self._close_usd, self._close_ns = math.nan, 0
        self._seen_ns = 0
        #: Features at the last whole hour, and squares and time since.
        self._hour_ns = 0
        self._asked = np.full(4, np.nan)
        self._hour_square, self._hour_time = 0.0, 0.0
        #: Faded hours, jumps, summed sizes.
        self._jumps = np.zeros(3)

    def apply(self, end_ns: NDArray[np.int64], close_usd: NDArray[np.float64]) -> None:
        """Take in closes in the order of their times, shapes (n,); missing ones are passed over."""
        for time_ns, close in zip(end_ns.tolist(), close_usd.tolist(), strict=True):
            # Closes of seconds carry the bounce between bid and ask: one a minute is looked at.
            if close > 0 and math.isfinite(close) and time_ns >= self._close_ns + MINUTE_NS:
                self._take(time_ns, close)

    def volatility(self) -> Volatility | None:
        """What is expected now; None before two hours of closes."""
        if self._seen_ns < _WARM_NS:
            return None
        hours, jumps, sizes = self._jumps.tolist()
        rate = (jumps + _PRIOR_JUMPS) / (hours + _PRIOR_HOURS)
        mean = (sizes + _PRIOR_JUMPS * _PRIOR_JUMP_MEAN) / (jumps + _PRIOR_JUMPS)
        spread = self._har.noise_sd
        return Volatility(
            variance_per_day=math.exp(float(self._features() @ self._har.mean) + 0.5 * spread**2),
            log_sd=spread,
            jumps_per_hour=rate,
            jump_mean=mean,
        )

    def _features(self) -> NDArray[np.float64]:
        """1 and the logs of the three variances per day."""
        variances = np.maximum(self._sums[0] / np.maximum(self._sums[1], 1.0) * DAY_NS, _LEAST)
        return np.concatenate([[1.0], np.log(variances)])

    def _take(self, time_ns: int, close: float) -> None:
        before_usd, before_ns = self._close_usd, self._close_ns
        self._close_usd, self._close_ns = close, time_ns
        elapsed = time_ns - before_ns
        if not before_ns or elapsed > _PAUSE_NS:
            self._hour_ns = 0
            return
        square = math.log(close / before_usd) ** 2
        if self._seen_ns >= _WARM_NS:
            square = self._follow_jump(square, elapsed)
        fade = 0.5 ** (elapsed / _HALF_LIVES_NS)
        self._sums = self._sums * fade + np.array([[square], [float(elapsed)]])
        self._seen_ns += elapsed
        self._hour_square += square
        self._hour_time += elapsed
        if time_ns // HOUR_NS > before_ns // HOUR_NS:
            self._close_hour(time_ns)

    def _follow_jump(self, square: float, elapsed: int) -> float:
        """Count a jump; returns the square that remains for the variance."""
        usual = float(self._sums[0, 1] / self._sums[1, 1]) * elapsed
        limit = max(_JUMP_SD**2 * usual, _LEAST * elapsed / DAY_NS)
        self._jumps *= 0.5 ** (elapsed / _MEMORY_NS)
        self._jumps[0] += elapsed / HOUR_NS
        if square <= limit:
            return square
        self._jumps += np.array([0.0, 1.0, math.sqrt(square)])
        return limit

    def _close_hour(self, time_ns: int) -> None:
        if self._hour_ns and self._hour_time >= HOUR_NS / 2 and np.isfinite(self._asked).all():
            realised = max(self._hour_square / self._hour_time * DAY_NS, _LEAST)
            self._har.apply(time_ns, self._asked[None, :], np.array([math.log(realised)]))
        self._hour_ns = time_ns
        self._asked = self._features() if self._seen_ns >= _WARM_NS else np.full(4, np.nan)
        self._hour_square = self._hour_time = 0.0

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on, as flat arrays."""
        scalars = [self._close_usd, self._hour_square, self._hour_time]
        out = {
            "sums": self._sums.copy(),
            "asked": self._asked.copy(),
            "jumps": self._jumps.copy(),
            "scalars": np.array(scalars),
            "times_ns": np.array([self._close_ns, self._seen_ns, self._hour_ns], dtype=np.int64),
        }
        return out | {f"har.{key}": value for key, value in self._har.state().items()}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """A tracker that goes on where ``state()`` was taken."""
        tracker = cls()
        tracker._har.restore(part_of(state, "har."))
        tracker._sums, tracker._asked = state["sums"].copy(), state["asked"].copy()
        tracker._jumps = state["jumps"].copy()
        tracker._close_usd, tracker._hour_square, tracker._hour_time = state["scalars"].tolist()
        tracker._close_ns, tracker._seen_ns, tracker._hour_ns = state["times_ns"].tolist()
        return tracker


def _har() -> LinearPosterior:
    """The relation before anything was learned: the three variances weigh alike, an hour is known within a factor 2."""
    return LinearPosterior(
        mean=np.array([0.0, 1 / 3, 1 / 3, 1 / 3]),
        precision=np.array([100.0, 100.0, 100.0, 100.0]),
        noise_sd=0.7,
        noise_count=20.0,
        half_life_ns=_MEMORY_NS,
    )
