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
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numba import njit

from faultline.errors import RequestError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ("Fit", "NewtonSettings", "filter_rates", "filter_rates_kernel")


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


@njit(cache=True, nogil=True)
def filter_rates_kernel(
    starts: Any, exposure: Any, counts: Any, hours: Any, prior: Any, settings: Any, rates: Any, theta: Any
) -> None:
    """Run the filter over windows ``starts[w]..starts[w+1]`` of cells.

    Args:
        starts: i8 (W + 1,), first cell of each window.
        exposure: f8 (C, K).
        counts: f8 (C,), events per cell; NaN in a window that teaches nothing (predicted all the same).
        hours: f8 (W,), recorded hours since the window before.
        prior: f8 (K,), log rates at the start and in the long run.
        settings: f8 (5,): precision, half-life, step limit, temper, damping.
        rates: f8 (C,), filled.
        theta: f8 (W, K), filled.
    """
    n_columns = exposure.shape[1]
    precision0, half_life, limit, temper, damping = settings
    x = prior.copy()
    precision = np.eye(n_columns) * precision0
    total = np.zeros(n_columns)
    share = np.zeros(n_columns)
    for w in range(starts.shape[0] - 1):
        now = np.exp(x)
        theta[w] = now
        gradient = np.zeros(n_columns)
        information = np.zeros((n_columns, n_columns))
        total[:] = 0.0
        teaches = True
        for c in range(starts[w], starts[w + 1]):
            rate = 0.0
            for k in range(n_columns):
                share[k] = now[k] * exposure[c, k]
                rate += share[k]
            rates[c] = rate
            if np.isnan(counts[c]):
                teaches = False
                continue
            for k in range(n_columns):
                total[k] += share[k]
            if counts[c] > 0.0 and rate > 0.0:
                for k in range(n_columns):
                    share[k] /= rate
                    gradient[k] += counts[c] * share[k]
                for k in range(n_columns):
                    for m in range(n_columns):
                        information[k, m] += counts[c] * share[k] * share[m]
        if not teaches:
            continue
        fade = 2.0 ** (-hours[w] / half_life)
        for k in range(n_columns):
            gradient[k] = temper * (gradient[k] - total[k]) + (1.0 - fade) * precision0 * (prior[k] - x[k])
            for m in range(n_columns):
                precision[k, m] = fade * precision[k, m] + temper * information[k, m]
            precision[k, k] += (1.0 - fade) * precision0 + temper * damping * total[k]
        step = np.linalg.solve(precision, gradient)
        for k in range(n_columns):
            x[k] += min(max(step[k], -limit), limit)


def filter_rates(
    starts: NDArray[np.int64],
    exposure: NDArray[np.float64],
    counts: NDArray[np.float64],
    hours: NDArray[np.float64],
    prior: NDArray[np.float64],
    settings: NewtonSettings | None = None,
) -> Fit:
    """Rates of all cells, each from what was known before its window; see the module for the mathematics.

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
    chosen = settings or NewtonSettings()
    cells = int(starts[-1]) if len(starts) else 0
    fits = (
        exposure.shape == (cells, len(prior))
        and counts.shape == (cells,)
        and hours.shape == (len(starts) - 1,)
    )
    if (
        not fits
        or not bool(np.all(np.isfinite(exposure) & (exposure >= 0)))
        or not bool(np.all(np.isfinite(prior)))
    ):
        message = (
            f"exposures {exposure.shape} do not fit {cells} cells and {len(prior)} columns, or are not >= 0"
        )
        raise RequestError(
            message, where="exposure", hint="give one row per cell and finite values, 0 or more"
        )
    rates = np.zeros(cells)
    theta = np.zeros((len(starts) - 1, len(prior)))
    numbers = np.array(
        [chosen.prior_precision, chosen.half_life_h, chosen.step_limit, chosen.temper, chosen.damping]
    )
    filter_rates_kernel(
        np.ascontiguousarray(starts, dtype=np.int64),
        np.ascontiguousarray(exposure, dtype=np.float64),
        np.ascontiguousarray(counts, dtype=np.float64),
        np.ascontiguousarray(hours, dtype=np.float64),
        np.ascontiguousarray(prior, dtype=np.float64),
        numbers,
        rates,
        theta,
    )
    return Fit(rates, theta)
