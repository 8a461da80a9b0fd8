"""Liquidations in, those that are large for their asset out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from faultline.units import DAY_NS, HOUR_NS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ("LargeLiquidations",)

#: Share of liquidations that count as large.
_LARGE_SHARE: Final = 1e-3
#: Fewer liquidations than this say nothing about a thousandth.
_SAMPLE_MIN: Final = 1_000
#: Days that a size is compared with.
_DAYS: Final = 30
#: Sizes are counted in bins of 2 % from 1 USD to 1e12 USD.
_BIN_LOG: Final = 0.02
_BINS: Final = math.ceil(math.log(1e12) / _BIN_LOG)


class LargeLiquidations:
    """Sizes of one asset's liquidations over the trailing 30 days, and the size that one in a thousand exceeds.

    The threshold changes at whole hours only, from sizes known by then.
    """

    def __init__(self) -> None:
        self._counts = np.zeros((_DAYS, _BINS), dtype=np.int64)
        self._day = -1
        #: Smallest size that counts as large, in USD; infinite while fewer than 1,000 are known.
        self.threshold_usd = math.inf
        self._hour = -1

    def apply(self, received_ns: NDArray[np.int64], notional_usd: NDArray[np.float64]) -> NDArray[np.float64]:
        """Take in liquidations, sorted by receive time; returns the threshold that held at each, shape (n,)."""
        thresholds = np.empty(len(received_ns))
        hours = received_ns // HOUR_NS
        for hour in np.unique(hours).tolist():
            self._turn(hour)
            part = hours == hour
            thresholds[part] = self.threshold_usd
            bins = np.clip(np.log(np.maximum(notional_usd[part], 1.0)) / _BIN_LOG, 0, _BINS - 1).astype(
                np.int64
            )
            np.add.at(self._counts[self._day % _DAYS], bins, 1)
        return thresholds

    def _turn(self, hour: int) -> None:
        """Begin an hour: forget days that are too old, and set the threshold from what is known."""
        if hour <= self._hour:
            return
        self._hour = hour
        day = hour * HOUR_NS // DAY_NS
        first = self._day + 1 if self._day >= 0 else day
        for new in range(max(first, day - _DAYS + 1), day + 1):
            self._counts[new % _DAYS] = 0
        self._day = max(day, self._day)
        counts = self._counts.sum(axis=0)
        total = int(counts.sum())
        if total < _SAMPLE_MIN:
            self.threshold_usd = math.inf
            return
        beyond = counts[::-1].cumsum()[::-1]
        large = int(np.flatnonzero(beyond > total * _LARGE_SHARE)[-1]) + 1
        self.threshold_usd = math.exp(large * _BIN_LOG)

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on, as arrays."""
        return {
            "counts": self._counts.copy(),
            "clock": np.array([self._day, self._hour]),
            "threshold": np.array([self.threshold_usd]),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> LargeLiquidations:
        """One that goes on where ``state()`` was taken."""
        made = cls()
        made._counts = state["counts"].copy()
        made._day, made._hour = (int(value) for value in state["clock"])
        made.threshold_usd = float(state["threshold"][0])
        return made
