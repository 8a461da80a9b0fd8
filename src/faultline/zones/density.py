"""Traded notional per hour and the sizes of an asset's own zones in, how dense a zone is for that asset out.

Density is what a zone holds over the median hourly turnover of the trailing 30 days: a zone of one holds what is
traded in an ordinary hour. Its level is the decile of that ratio among the asset's own zones of the trailing 30
days, as they were known at the time.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from faultline.units import DAY_NS, MINUTE_NS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ("LEVEL_SAMPLES_MIN", "LOADED_LEVEL", "TRAILING_NS", "DensityScale")

#: Memory of turnover and densities.
TRAILING_NS: Final = 30 * DAY_NS
#: Fewer densities than this give no level.
LEVEL_SAMPLES_MIN: Final = 100
#: A zone of this level or more is loaded.
LOADED_LEVEL: Final = 5


class DensityScale:
    """Trailing turnover and densities of one scope. Times must not go back."""

    def __init__(self) -> None:
        self._turnover = np.zeros((0, 2))
        self._samples = np.zeros((0, 2))
        self._median_usd = math.nan
        #: Densities in order; None while nobody asked since they changed.
        self._sorted: NDArray[np.float64] | None = None

    def feed_hour(self, end_ns: int, traded_usd: float, stand_in_usd: float = math.nan) -> None:
        """Take in one hour's traded notional.

        Args:
            end_ns: end of the hour.
            traded_usd: what was traded in it; NaN where volume is unknown.
            stand_in_usd: what counts then: open interest times the hour's range over price. NaN: no observation.
        """
        turnover_usd = stand_in_usd if math.isnan(traded_usd) else traded_usd
        kept = self._turnover[self._turnover[:, 0] > end_ns - TRAILING_NS]
        if 0.0 <= turnover_usd < math.inf:
            kept = np.vstack([kept, [float(end_ns), turnover_usd]])
        self._turnover = kept
        self._median_usd = float(np.median(kept[:, 1])) if len(kept) else math.nan

    def sample(self, time_ns: int, notionals_usd: Sequence[float]) -> None:
        """Remember the densities of the zones that stand, once an hour."""
        ratios = [self.ratio(usd) for usd in notionals_usd]
        fresh = np.array([(float(time_ns), ratio) for ratio in ratios if ratio is not None]).reshape(-1, 2)
        self._samples = np.vstack([self._samples[self._samples[:, 0] > time_ns - TRAILING_NS], fresh])
        self._sorted = None

    @property
    def hourly_turnover_usd(self) -> float | None:
        """Median of the trailing hours; None before the first, or where nothing was traded in most hours."""
        return self._median_usd if self._median_usd > 0 else None

    @property
    def n_samples(self) -> int:
        """Densities remembered."""
        return len(self._samples)

    def ratio(self, notional_usd: float) -> float | None:
        """Density of a zone; None where the turnover is not known."""
        return (
            notional_usd / self._median_usd if self._median_usd > 0 and math.isfinite(notional_usd) else None
        )

    def level(self, ratio: float | None) -> int | None:
        """Decile 1-10 of a density among those remembered; None where there are too few of them.

        Of equal densities half count as smaller.
        """
        if ratio is None or len(self._samples) < LEVEL_SAMPLES_MIN:
            return None
        if self._sorted is None:
            self._sorted = np.sort(self._samples[:, 1])
        below = self._sorted.searchsorted(ratio, side="left")
        upto = self._sorted.searchsorted(ratio, side="right")
        return min(10, int(5.0 * float(below + upto) / len(self._sorted)) + 1)

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on: hours (end in ns, USD) and samples (time in ns, density), each (n, 2)."""
        return {"turnover": self._turnover.copy(), "samples": self._samples.copy()}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> DensityScale:
        """A scale that goes on where ``state()`` was taken."""
        scale = cls()
        scale._turnover, scale._samples = state["turnover"].copy(), state["samples"].copy()
        scale._median_usd = float(np.median(scale._turnover[:, 1])) if len(scale._turnover) else math.nan
        return scale


# Times are kept as float64, which holds whole minutes of this century exactly.
assert float(MINUTE_NS * 29_600_001) == MINUTE_NS * 29_600_001  # noqa: S101 - an import-time invariant
