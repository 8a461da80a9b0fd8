"""Heat that price went through and liquidations that were seen meanwhile in, the share that is really liquidated out.

What is seen is a share of what was swept, ``l = phi s``, give or take bursts that grow with it: over blocks of time::

    e = sum s + t / 10,   t = sum s^2 / sum s: a usual block,   r: share of liquidations that is reported
    phi = (sum l / r + phi_0 t / 10) / e
    V   = (sum (l / r - phi s)^2 + d_0 (phi t)^2) / (phi e)^2
    phi ~ Gamma with that mean and relative variance V + Var(log r)

Before anything was seen ``phi`` is a twentieth, with a band over three orders of magnitude, and no more than a tenth of
a block speaks for it: on recorded feeds it lies between one in two thousand and a few in a thousand, in made-up markets
near one half. While positions of winners are closed too (automatic deleveraging) less is liquidated than stood there:
such blocks are left out and counted.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.special import gammaincinv, ndtr

from faultline.cascades.memory import Memory
from faultline.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ("FractionLiquidated",)

#: Share before anything was seen, how many blocks that is worth, and the relative variance of what one block shows.
_PRIOR_RATIO: Final = 0.05
_PRIOR_BLOCKS: Final = 0.1
_PRIOR_DISPERSION: Final = 2.0


class FractionLiquidated:
    """Belief about the share of heat that is liquidated when price goes through it.

    Args:
        half_life_ns: memory.
        reported_ratio: share of liquidations that the feeds report.
        reported_log_variance: how well its log is known.
    """

    def __init__(
        self, half_life_ns: int, reported_ratio: float = 1.0, reported_log_variance: float = 0.0
    ) -> None:
        self._reported_ratio, self._reported_log_variance = reported_ratio, reported_log_variance
        #: Sums over blocks of l, s, l^2, l s, s^2; faded.
        self._sums = np.zeros(5)
        self._memory = Memory(half_life_ns)
        self.censored = 0

    @property
    def mean(self) -> float:
        """Mean share, at most 1."""
        return min(self._belief()[0], 1.0)

    def quantiles(self, levels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Quantiles of the belief, any shape, at most 1."""
        mean, shape = self._belief()
        return np.asarray(np.minimum(gammaincinv(shape, levels) * (mean / shape), 1.0))

    def draws(self, normals: NDArray[np.float64]) -> NDArray[np.float64]:
        """Shares drawn from the belief, one per standard normal draw."""
        return self.quantiles(np.asarray(ndtr(normals)))

    def _belief(self) -> tuple[float, float]:
        """Mean and shape of the Gamma."""
        seen, swept, seen2, both, swept2 = self._sums.tolist()
        if not swept > 0:
            return _PRIOR_RATIO, 1.0 / (_PRIOR_DISPERSION + self._reported_log_variance)
        usual = swept2 / swept
        exposure = swept + _PRIOR_BLOCKS * usual
        mean = (seen + _PRIOR_RATIO * _PRIOR_BLOCKS * usual) / exposure
        scatter = max(seen2 - 2.0 * mean * both + mean**2 * swept2, 0.0)
        variance = (scatter + _PRIOR_DISPERSION * (mean * usual) ** 2) / (mean * exposure) ** 2
        return mean, 1.0 / (variance + self._reported_log_variance)

    def apply(self, time_ns: int, seen_usd: float, heat_usd: float, *, deleveraging: bool = False) -> None:
        """Take in one block of time.

        Args:
            time_ns: its end.
            seen_usd: liquidations seen in it, 0 or more.
            heat_usd: what stood where price went in it.
            deleveraging: whether winners' positions were being closed too.

        Raises:
            RequestError: a value is impossible.
        """
        if not (0 <= seen_usd < math.inf and 0 < heat_usd < math.inf):
            message = f"no share liquidated from seen and heat {(seen_usd, heat_usd)}"
            raise RequestError(message, where="seen_usd", hint="pass over blocks in which no heat was swept")
        if deleveraging:
            self.censored += 1
            return
        seen = seen_usd / self._reported_ratio
        self._sums = self._sums * self._memory.move(time_ns) + np.array(
            [seen, heat_usd, seen**2, seen * heat_usd, heat_usd**2]
        )

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on, as flat arrays."""
        tallies = np.array([self._memory.last_ns, self.censored], dtype=np.int64)
        return {"sums": self._sums.copy(), "tallies": tallies}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on where ``state()`` was taken; the settings are the constructor's."""
        self._sums = state["sums"].copy()
        self._memory.last_ns, self.censored = state["tallies"].tolist()
