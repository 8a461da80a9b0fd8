"""Gains of what was learned over its static prior in, when the prior takes over and gives back out.

The rule is that of ``faultline.fallback_kernels``. The balance fades with time, each gain is held within what one
outcome may count, and the past counts one threshold at most: a few outliers are no failure, a good past no licence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from faultline.fallback_kernels import fall_back_kernel
from faultline.learning.history import Fact
from faultline.units import HOUR_NS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from faultline.learning.history import FactKind

__all__ = ("PriorGuard",)


class PriorGuard:
    """Watches one learner, kept between calls.

    Args:
        threshold_nats: see the module.
        most_nats: what one outcome counts at most, either way.
        half_life_h: memory.
    """

    def __init__(self, threshold_nats: float, most_nats: float, half_life_h: float) -> None:
        self._threshold_nats, self._most_nats = threshold_nats, most_nats
        self._half_life_ns = half_life_h * HOUR_NS
        self._balance_nats = 0.0
        self._time_ns = 0
        #: Whether the prior is in force.
        self.has_fallen_back = False

    def apply(self, gains_nats: NDArray[np.float64], times_ns: NDArray[np.int64]) -> list[tuple[int, Fact]]:
        """Take in outcomes in their order; what happened, with the row at which it did.

        Args:
            gains_nats: log score of what was learned over the prior's, shape (n,); NaN counts nothing.
            times_ns: when, shape (n,).
        """
        found: list[tuple[int, Fact]] = []
        for row in np.flatnonzero(np.isfinite(gains_nats)).tolist():
            time_ns = max(int(times_ns[row]), self._time_ns)
            fade = 0.5 ** ((time_ns - self._time_ns) / self._half_life_ns)
            self._time_ns = time_ns
            gain = float(np.clip(gains_nats[row], -self._most_nats, self._most_nats))
            had_fallen_back, threshold = self.has_fallen_back, self._threshold_nats
            self._balance_nats, self.has_fallen_back = fall_back_kernel(
                self._balance_nats, had_fallen_back, fade, gain, threshold, threshold
            )
            if self.has_fallen_back is not had_fallen_back:
                kind: FactKind = "fallback" if self.has_fallen_back else "restored"
                found.append((row, Fact(kind, time_ns, self._balance_nats, self._threshold_nats)))
        return found

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on."""
        return {
            "balance": np.array([self._balance_nats]),
            "time_ns": np.array([self._time_ns], dtype=np.int64),
            "has_fallen_back": np.array([self.has_fallen_back]),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on where ``state()`` was taken; the settings are the constructor's."""
        self._balance_nats = float(state["balance"][0])
        self._time_ns = int(state["time_ns"][0])
        self.has_fallen_back = bool(state["has_fallen_back"][0])
