"""Path bars in, gross opens per bar out: how much new exposure each bar deposits into the ledger.

Traded volume is the proxy for what was opened; positive changes of open interest are not, because
opens and closes net out inside a few minutes. Where volume is missing the traded range stands in. The range is
measured against its own trailing mean, volume against the units that the range gave for the same bars: a switch
between them changes no level, and a busy month stays a busy month. One unit is what an average hour deposits.
Long opens equal short opens: every contract has two sides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit

from faultline.units import DAY_NS, HOUR_NS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ("MEAN_HALF_LIFE_NS", "PROXIES", "OpeningProxy")

#: Proxies, in the order of the rows of the state.
PROXIES: Final = ("volume", "range")

#: Half-life of the trailing means: long against a day's seasonality and a week's regime.
MEAN_HALF_LIFE_NS: Final = 30 * DAY_NS


@njit(cache=True, nogil=True)
def _units_kernel(
    duration_ns: NDArray[np.int64],
    low_usd: NDArray[np.float64],
    high_usd: NDArray[np.float64],
    volume_usd: NDArray[np.float64],
    half_life_ns: float,
    means: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Units by range r * sqrt(hours) / its mean per hour; by volume / mean volume per unit of range where known.

    A range scales with the square root of time, so times sqrt(hours) it is an amount that adds up over bars of any
    length. ``means[proxy] = [weighted sum, weight]``, fading with ``half_life_ns`` of observed time; a mean
    includes the bar itself, so the first bar deposits its own duration.
    """
    for i in range(duration_ns.shape[0]):
        hours = duration_ns[i] / 3.6e12
        fade = 0.5 ** (duration_ns[i] / half_life_ns)
        by_range = 0.0
        if low_usd[i] > 0.0 and high_usd[i] >= low_usd[i]:
            amount = np.log(high_usd[i] / low_usd[i]) * np.sqrt(hours)
            means[1, 0] = means[1, 0] * fade + amount
            means[1, 1] = means[1, 1] * fade + hours
            by_range = amount * means[1, 1] / means[1, 0] if means[1, 0] > 0.0 else 0.0
        out[i] = by_range
        volume = volume_usd[i]
        if volume >= 0.0:
            means[0, 0] = means[0, 0] * fade + volume
            means[0, 1] = means[0, 1] * fade + by_range
            known = means[0, 0] > 0.0 and means[0, 1] > 0.0
            out[i] = volume * means[0, 1] / means[0, 0] if known else (hours if volume > 0.0 else 0.0)


class OpeningProxy:
    """Turns path bars into deposits; carries the trailing means."""

    def __init__(self) -> None:
        self._means = np.zeros((len(PROXIES), 2))

    def units(self, path: NDArray[np.void]) -> NDArray[np.float64]:
        """Opens per side of each path bar, shape (n,), in average hours.

        Args:
            path: rows of ``market.path.PATH_ROW``. A bar that traded nothing opens nothing; one whose
                volume is unknown (NaN) is judged by its range.
        """
        out = np.zeros(len(path))
        _units_kernel(
            path["end_ns"] - path["start_ns"],
            np.ascontiguousarray(path["low_usd"]),
            np.ascontiguousarray(path["high_usd"]),
            np.ascontiguousarray(path["volume_usd"]),
            float(MEAN_HALF_LIFE_NS),
            self._means,
            out,
        )
        return out

    @property
    def hourly_volume_usd(self) -> float:
        """Traded volume of an average hour (one unit); NaN where no volume was ever seen."""
        total, units = self._means[0]
        return float(total / units) if units > 0 else float("nan")

    def state(self) -> dict[str, NDArray[Any]]:
        """The trailing means, shape (2, 2): weighted sum and weight per proxy."""
        return {"means": self._means.copy()}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> OpeningProxy:
        """A proxy that goes on where ``state()`` was taken."""
        proxy = cls()
        proxy._means = state["means"].copy()
        return proxy


# The kernel writes the number out; a change of the unit must not pass unnoticed.
assert HOUR_NS == 3.6e12  # noqa: S101 - an import-time invariant, not input validation
