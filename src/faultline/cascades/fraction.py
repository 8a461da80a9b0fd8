"""Heat that price went through and liquidations that were seen there in, the share that is really liquidated out.

A Beta belief. A level's observation is ``x = seen / reported_ratio / heat``. Because the reported share is itself
known only within ``Var(log r)``, an observation counts less than one::

    weight = m (1 - m) / (m (1 - m) + m^2 Var(log r)),   m the mean before it

so that a weighted yes-or-no carries the precision that ``x`` has. While positions of winners are closed too (automatic
deleveraging) less is liquidated than stood there: such levels are left out and counted.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.special import betaincinv, ndtr

from faultline.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ("FractionLiquidated",)

#: Belief before anything was seen: worth one level, a fifth is liquidated.
_PRIOR: Final = np.array([0.2, 0.8])


class FractionLiquidated:
    """Belief about the share of heat that is liquidated when price goes through it.

    Args:
        half_life_ns: memory.
    """

    def __init__(self, half_life_ns: int) -> None:
        self._half_life_ns = half_life_ns
        self._counts = _PRIOR.copy()
        self._time_ns: int | None = None
        self.clipped = 0
        self.censored = 0

    @property
    def mean(self) -> float:
        """Mean share."""
        return float(self._counts[0] / self._counts.sum())

    def quantiles(self, levels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Quantiles of the belief, any shape."""
        return np.asarray(betaincinv(self._counts[0], self._counts[1], levels))

    def draws(self, normals: NDArray[np.float64]) -> NDArray[np.float64]:
        """Shares drawn from the belief, one per standard normal draw."""
        return self.quantiles(np.asarray(ndtr(normals)))

    def apply(
        self,
        time_ns: int,
        seen_usd: float,
        heat_usd: float,
        *,
        reported_ratio: float = 1.0,
        reported_log_variance: float = 0.0,
        deleveraging: bool = False,
    ) -> None:
        """Take in one level that price went through.

        Args:
            time_ns: when.
            seen_usd: liquidations seen there, 0 or more.
            heat_usd: what stood there.
            reported_ratio: share of liquidations that the feed reports.
            reported_log_variance: how well its log is known.
            deleveraging: whether winners' positions were being closed too.

        Raises:
            RequestError: a value is impossible.
        """
        possible = 0 <= seen_usd < math.inf and 0 < heat_usd < math.inf and 0 < reported_ratio <= 1
        if not possible or not 0 <= reported_log_variance < math.inf:
            values = (seen_usd, heat_usd, reported_ratio, reported_log_variance)
            message = f"no share liquidated from seen, heat, reported ratio and its variance {values}"
            raise RequestError(message, where="seen_usd", hint="pass over levels without heat")
        if deleveraging:
            self.censored += 1
            return
        if self._time_ns is not None:
            keep = 0.5 ** (max(time_ns - self._time_ns, 0) / self._half_life_ns)
            self._counts = keep * self._counts + (1 - keep) * _PRIOR
        self._time_ns = time_ns if self._time_ns is None else max(time_ns, self._time_ns)
        share = seen_usd / reported_ratio / heat_usd
        self.clipped += share > 1.0
        share = min(share, 1.0)
        m = self.mean
        weight = m * (1 - m) / (m * (1 - m) + m * m * reported_log_variance)
        self._counts = self._counts + weight * np.array([share, 1.0 - share])

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on, as flat arrays."""
        time_ns = -1 if self._time_ns is None else self._time_ns
        return {
            "counts": self._counts.copy(),
            "tallies": np.array([time_ns, self.clipped, self.censored], dtype=np.int64),
        }

    @classmethod
    def from_state(cls, half_life_ns: int, state: Mapping[str, NDArray[Any]]) -> FractionLiquidated:
        """A belief that goes on where ``state()`` was taken."""
        belief = cls(half_life_ns)
        belief._counts = state["counts"].copy()
        time_ns, belief.clipped, belief.censored = state["tallies"].tolist()
        belief._time_ns = None if time_ns < 0 else time_ns
        return belief
