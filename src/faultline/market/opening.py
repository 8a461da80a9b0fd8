"""Path bars in, gross opens per bar out: how much new exposure each bar deposits into the ledger.

Traded volume is the proxy for what was opened; positive changes of open interest are not, because
opens and closes net out inside a few minutes. Where volume is missing the traded range stands in.
Each proxy is divided by its own trailing mean, so a switch between them changes no level. One unit is
what an average hour deposits. Long opens equal short opens: every contract has two sides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit

from faultline.units import DAY_NS, HOUR_NS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ("PROXIES", "OpeningProxy")

#: Proxies, in the order of the rows of the state.
PROXIES: Final = ("volume", "range", "endpoints")

#: Half-life of the trailing means, in nanoseconds: long against a day's seasonality, short against a regime.
MEAN_HALF_LIFE_NS: Final = 7 * DAY_NS


@njit(cache=True, nogil=True)
def _units_kernel(
    duration_ns: NDArray[np.int64],
    low_usd: NDArray[np.float64],
    high_usd: NDArray[np.float64],
    volume_usd: NDArray[np.float64],
    quality: NDArray[np.uint8],
    half_life_ns: float,
    means: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Units = (x / trailing mean of x per hour) for x = volume, else range (a bar's range scales with sqrt(time)).

    ``means[proxy] = [weighted sum of x, weighted hours]``, both fading with ``half_life_ns`` of observed
    time. The mean includes the bar itself, so the first bar of a proxy deposits its own duration.
    """
    for i in range(duration_ns.shape[0]):
        hours = duration_ns[i] / 3.6e12
        x = volume_usd[i]
        proxy = 0
        if np.isnan(x):
            # sqrt(hours) makes ranges of different bar lengths comparable; times hours makes it an amount.
            if not (low_usd[i] > 0.0 and high_usd[i] > low_usd[i]):
                out[i] = 0.0
                continue
            proxy = 1 if quality[i] == 0 else 2
            x = np.log(high_usd[i] / low_usd[i]) * np.sqrt(hours)
        fade = 0.5 ** (duration_ns[i] / half_life_ns)
        means[proxy, 0] = means[proxy, 0] * fade + x
        means[proxy, 1] = means[proxy, 1] * fade + hours
        out[i] = x * means[proxy, 1] / means[proxy, 0] if x > 0.0 else 0.0


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
            np.ascontiguousarray(path["quality"]),
            float(MEAN_HALF_LIFE_NS),
            self._means,
            out,
        )
        return out

    @property
    def hourly_volume_usd(self) -> float:
        """Trailing mean of the traded volume per hour; NaN where no volume was ever seen."""
        total, hours = self._means[0]
        return float(total / hours) if hours > 0 else float("nan")

    def state(self) -> dict[str, NDArray[Any]]:
        """The trailing means, shape (3, 2): weighted sum and weighted hours per proxy."""
        return {"means": self._means.copy()}

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> OpeningProxy:
        """A proxy that goes on where ``state()`` was taken."""
        proxy = cls()
        proxy._means = state["means"].copy()
        return proxy


# The kernel writes the number out; a change of the unit must not pass unnoticed.
assert HOUR_NS == 3.6e12  # noqa: S101 - an import-time invariant, not input validation
