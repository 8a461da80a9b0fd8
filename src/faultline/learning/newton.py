"""Exposures and counts per cell in, rates per cell known before each window out: an online Newton filter.

A window ``w`` has cells with exposures ``X[c, k]`` and counts ``n[c]``; the rate of a cell is ``lam_c = sum_k
theta_k X[c, k]``. The filter holds ``x = log theta`` and a precision matrix ``P``. After each window::

    r_c   = theta * X_c / lam_c                              responsibility of the columns for an event in c
    g     = temper * (sum_c n_c r_c - theta * sum_c X_c)     gradient of the Poisson log likelihood
    J     = temper * (sum_c n_c r_c r_c' + damping * diag(theta * sum_c X_c))
    fade  = 2 ** (-dt / half_life)
    P     = fade P + (1 - fade) P0 + J
    x    += clip(P^-1 (g + (1 - fade) P0 (x0 - x)), +-step_limit)

so what is not observed drifts back to the prior ``N(x0, P0^-1)``, never to nothing. This is the Laplace form of
an extended Kalman filter on log rates; ``J`` is the expected observed information of a Poisson mixture.
``RateFilter`` goes on where it stopped: any cut of the same windows into calls gives the same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from faultline.errors import RequestError
from faultline.learning.newton_kernels import filter_rates_kernel
from faultline.states import restoring

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ("Fit", "NewtonSettings", "RateFilter", "filter_rates")

_STATE_VERSION: Final = 1


class NewtonSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How fast the filter learns and forgets.

    Attributes:
        prior_precision: precision of the prior of each log rate.
        half_life_h: recorded hours after which an observation counts half.
        step_limit: largest change of a log rate per window.
        temper: weight of the likelihood, 1 for all of it.
        damping: share of the expected exposure that counts as information even without events.
    """

    prior_precision: float = 0.25
    half_life_h: float = 24.0
    step_limit: float = 0.5
    temper: float = 1.0
    damping: float = 0.05


class Fit(msgspec.Struct, frozen=True):
    """Result of a filter.

    Attributes:
        rates: float64 (C,), rate of each cell from the state before its window.
        theta: float64 (W, K), rates per column before each window.
    """

    rates: Any
    theta: Any


class RateFilter:
    """The filter of the module, kept between calls.

    Args:
        prior: log rates at the start and in the long run, shape (K,).
        settings: learning and forgetting.

    Raises:
        RequestError: a prior rate is not finite.
    """

    def __init__(self, prior: NDArray[np.float64], settings: NewtonSettings | None = None) -> None:
        self.settings = settings or NewtonSettings()
        self.prior: NDArray[np.float64] = np.array(prior, dtype=np.float64)
        if self.prior.ndim != 1 or not bool(np.all(np.isfinite(self.prior))):
            message = f"no prior log rates of shape {self.prior.shape}, or not finite"
            raise RequestError(message, where="prior", hint="give one finite log rate per column")
        size = len(self.prior)
        self._prior_precision = np.eye(size) * self.settings.prior_precision
        self._x = self.prior.copy()
        self._precision = self._prior_precision.copy()

    @property
    def log_theta(self) -> NDArray[np.float64]:
        """Log rates now, shape (K,)."""
        return self._x.copy()

    @property
    def theta(self) -> NDArray[np.float64]:
        """Rates now, shape (K,)."""
        rates: NDArray[np.float64] = np.exp(self._x)
        return rates

    @property
    def precision(self) -> NDArray[np.float64]:
        """Precision of the log rates, shape (K, K)."""
        return self._precision.copy()

    def apply(
        self,
        starts: NDArray[np.int64],
        exposure: NDArray[np.float64],
        counts: NDArray[np.float64],
        hours: NDArray[np.float64],
    ) -> Fit:
        """Predict and learn windows in order.

        Args:
            starts: first cell of each window and the number of cells, shape (W + 1,).
            exposure: exposure of each cell per column, shape (C, K), not negative.
            counts: events per cell, shape (C,); NaN in windows that teach nothing.
            hours: recorded hours between the end of each window and the end of the one before, shape (W,).

        Raises:
            RequestError: shapes do not fit, or exposures are negative or not finite.
        """
        cells, size = int(starts[-1]) if len(starts) else 0, len(self.prior)
        fits = (
            exposure.shape == (cells, size) and counts.shape == (cells,) and hours.shape == (len(starts) - 1,)
        )
        if not fits or not bool(np.all(np.isfinite(exposure) & (exposure >= 0))):
            message = (
                f"exposures {exposure.shape} do not fit {cells} cells and {size} columns, or are not >= 0"
            )
            raise RequestError(
                message, where="exposure", hint="give one row per cell and finite values, 0 or more"
            )
        rates, theta = np.zeros(cells), np.zeros((len(starts) - 1, size))
        chosen = self.settings
        filter_rates_kernel(
            np.ascontiguousarray(starts, dtype=np.int64),
            np.ascontiguousarray(exposure, dtype=np.float64),
            np.ascontiguousarray(counts, dtype=np.float64),
            np.ascontiguousarray(hours, dtype=np.float64),
            self.prior,
            float(chosen.half_life_h),
            np.array([chosen.step_limit, chosen.temper, chosen.damping, 0.0]),
            self._x,
            self._precision,
            self._prior_precision,
            rates,
            theta,
        )
        return Fit(rates, theta)

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on."""
        return {
            "version": np.array([_STATE_VERSION]),
            "prior": self.prior.copy(),
            "x": self._x.copy(),
            "precision": self._precision.copy(),
        }

    @classmethod
    def from_state(
        cls, state: Mapping[str, NDArray[Any]], settings: NewtonSettings | None = None
    ) -> RateFilter:
        """A filter that goes on where ``state()`` was taken.

        Raises:
            StoreError: that is no state of such a filter.
        """
        with restoring("a rate filter", state, _STATE_VERSION):
            kept = cls(state["prior"], settings)
            np.copyto(kept._x, state["x"], casting="safe")
            np.copyto(kept._precision, state["precision"], casting="safe")
        return kept


def filter_rates(
    starts: NDArray[np.int64],
    exposure: NDArray[np.float64],
    counts: NDArray[np.float64],
    hours: NDArray[np.float64],
    prior: NDArray[np.float64],
    settings: NewtonSettings | None = None,
) -> Fit:
    """Rates of all cells from a new filter, each from what was known before its window; see ``RateFilter.apply``.

    Args:
        starts: first cell of each window and the number of cells, shape (W + 1,).
        exposure: exposure of each cell per column, shape (C, K), not negative.
        counts: events per cell, shape (C,); NaN in windows that teach nothing.
        hours: recorded hours between the end of each window and the end of the one before, shape (W,).
        prior: log rates at the start, shape (K,).
        settings: learning and forgetting.

    Raises:
        RequestError: shapes do not fit, or exposures are negative or not finite.
    """
    return RateFilter(prior, settings).apply(starts, exposure, counts, hours)
