"""How long hops took, and how long they were waited for in vain, in, the time that a hop takes out.

The log of the delay of a hop is normal with unknown mean and variance (normal-inverse-gamma). A hop that did not
happen within its time may still have come, or may never come: with ``p`` the probability that it would happen in time,
it is one of those still to come with probability ``p (1 - F) / F / (1 - p)``, ``F`` the share of delays within the
time. It then counts with the moments of a normal beyond the limit: one step of expectation-maximisation per hop.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
from scipy.special import log_ndtr, ndtr, stdtrit

from faultline.cascades.memory import Memory
from faultline.cascades.positive import check_positive
from faultline.errors import RequestError
from faultline.units import DAY_NS, MINUTE_NS, SECOND_NS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ("DelaySettings", "HopDelay")

#: Belief before anything was seen, worth five hops: five minutes, a factor of e either way.
_PRIOR_MEAN: Final = math.log(300.0)
_PRIOR_COUNT: Final = 5.0
_PRIOR_VARIANCE: Final = 1.0


class DelaySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Memory and limits.

    Attributes:
        half_life_ns: memory.
        tau_min_ns: least time that a hop is given.
        tau_max_ns: most.

    Raises:
        ValueError: a value is not positive, or the least time is more than the most; the message names it.
    """

    half_life_ns: int = 30 * DAY_NS
    tau_min_ns: int = 5 * MINUTE_NS
    tau_max_ns: int = 30 * MINUTE_NS

    def __post_init__(self) -> None:
        check_positive("a delay", self, ("half_life_ns", "tau_min_ns", "tau_max_ns"))
        if self.tau_min_ns > self.tau_max_ns:
            raise ValueError(f"a delay cannot have tau_min_ns = {self.tau_min_ns!r} above tau_max_ns")


class HopDelay:
    """Belief about the log delay of a hop in seconds."""

    def __init__(self, settings: DelaySettings | None = None) -> None:
        self.settings = settings or DelaySettings()
        #: Count, sum and sum of squares of log delays, the prior's included.
        self._sums = _prior_sums()
        self._memory = Memory(self.settings.half_life_ns)

    @property
    def log_mean(self) -> float:
        """Mean of the log of the delay in seconds."""
        return float(self._sums[1] / self._sums[0])

    @property
    def log_sd(self) -> float:
        """Standard deviation of it."""
        return math.sqrt(max(float(self._sums[2] / self._sums[0]) - self.log_mean**2, 1e-6))

    def quantiles_s(self, levels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Quantiles of the delay of the next hop in seconds: Student's t on the log."""
        count = float(self._sums[0])
        spread = self.log_sd * math.sqrt(1.0 + 1.0 / count)
        return np.asarray(np.exp(self.log_mean + spread * stdtrit(count, levels)))

    def draws_s(self, normals: NDArray[np.float64]) -> NDArray[np.float64]:
        """Delays in seconds for standard normal draws, any shape."""
        return self.quantiles_s(np.clip(ndtr(normals), 1e-6, 1 - 1e-6))

    def tau_ns(self) -> int:
        """Time to give a hop: the 95 % quantile, within limits."""
        wanted = float(self.quantiles_s(np.array([0.95]))[0]) * SECOND_NS
        return round(min(max(wanted, self.settings.tau_min_ns), self.settings.tau_max_ns))

    def share_within(self, seconds: float) -> float:
        """Share of delays within a time."""
        return float(ndtr((math.log(seconds) - self.log_mean) / self.log_sd))

    def apply(self, time_ns: int, delay_s: float) -> None:
        """Take in a hop that took ``delay_s``.

        Raises:
            RequestError: the delay is not positive and finite.
        """
        self._check(delay_s)
        self._fade(time_ns)
        z = math.log(delay_s)
        self._sums = self._sums + np.array([1.0, z, z * z])

    def apply_unseen(self, time_ns: int, waited_s: float, chance: float | None = None) -> None:
        """Take in a hop that had not happened after ``waited_s``.

        Args:
            time_ns: when waiting ended.
            waited_s: how long it was.
            chance: probability that it would happen within that time; None where it is certain to come some day.

        Raises:
            RequestError: the time is not positive and finite.
        """
        self._check(waited_s)
        self._fade(time_ns)
        m, s = self.log_mean, self.log_sd
        a = (math.log(waited_s) - m) / s
        share = float(ndtr(a))
        weight = 1.0
        if chance is not None:
            chance = min(chance, share * (1 - 1e-9))
            weight = chance * (1 - share) / max(share, 1e-9) / (1 - chance)
        # Moments of a standard normal beyond a: the ratio of density to tail, in logs for far limits.
        ratio = math.exp(-0.5 * a * a - 0.5 * math.log(2 * math.pi) - float(log_ndtr(-a)))
        first = m + s * ratio
        second = m * m + 2 * m * s * ratio + s * s * (1 + a * ratio)
        self._sums = self._sums + weight * np.array([1.0, first, second])

    def _fade(self, time_ns: int) -> None:
        keep = self._memory.move(time_ns)
        self._sums = keep * self._sums + (1 - keep) * _prior_sums()

    @staticmethod
    def _check(seconds: float) -> None:
        if not 0 < seconds < math.inf:
            message = f"a hop cannot take {seconds!r} seconds"
            raise RequestError(message, where="delay_s", hint="give a positive finite time")

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on, as flat arrays."""
        return {"sums": self._sums.copy(), "time_ns": np.array([self._memory.last_ns], dtype=np.int64)}

    @classmethod
    def from_state(cls, settings: DelaySettings, state: Mapping[str, NDArray[Any]]) -> HopDelay:
        """A belief that goes on where ``state()`` was taken."""
        delay = cls(settings)
        delay._sums = state["sums"].copy()
        delay._memory.last_ns = int(state["time_ns"][0])
        return delay


def _prior_sums() -> NDArray[np.float64]:
    square = _PRIOR_VARIANCE + _PRIOR_MEAN**2
    return _PRIOR_COUNT * np.array([1.0, _PRIOR_MEAN, square])
