"""Log rates, their precision and the sums of a window in, the same after one Newton step out: compiled loops."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

__all__ = ("filter_rates_kernel", "newton_step_kernel", "solve_kernel")


@njit(cache=True, nogil=True)
def solve_kernel(matrix: Any, vector: Any) -> None:
    """Overwrite ``vector`` (K,) with the solution of ``matrix`` (K, K), positive definite, its lower half overwritten.

    Cholesky: ``matrix = C C'``, then one forward and one backward substitution.
    """
    size = vector.shape[0]
    for i in range(size):
        for j in range(i + 1):
            value = matrix[i, j]
            for k in range(j):
                value -= matrix[i, k] * matrix[j, k]
            matrix[i, j] = np.sqrt(max(value, 1e-300)) if i == j else value / matrix[j, j]
    for i in range(size):
        value = vector[i]
        for k in range(i):
            value -= matrix[i, k] * vector[k]
        vector[i] = value / matrix[i, i]
    for back in range(size):
        i = size - 1 - back
        value = vector[i]
        for k in range(i + 1, size):
            value -= matrix[k, i] * vector[k]
        vector[i] = value / matrix[i, i]


@njit(cache=True, nogil=True)
def newton_step_kernel(
    x: Any,
    precision: Any,
    prior: Any,
    prior_precision: Any,
    expected: Any,
    gradient: Any,
    information: Any,
    fade: float,
    settings: Any,
    scratch: Any,
) -> None:
    """One step of the recursion of ``learning.newton``, in place.

    Args:
        x: f8 (K,), log rates.
        precision: f8 (K, K).
        prior: f8 (K,), log rates in the long run.
        prior_precision: f8 (K, K).
        expected: f8 (K,), ``theta * sum_c X_c``.
        gradient: f8 (K,), ``sum_c n_c r_c``; overwritten by the step.
        information: f8 (K, K), ``sum_c n_c r_c r_c'``, lower half.
        fade: share of the past that is kept.
        settings: f8 (4,): step limit, temper, damping, and 1 to keep only as much information of a window as its
            clipped step used (a burst then neither moves the rates far nor makes them stiff), 0 to keep all.
        scratch: f8 (K, K).
    """
    limit, temper, damping, returns = settings[0], settings[1], settings[2], settings[3]
    size = x.shape[0]
    for k in range(size):
        gradient[k] = temper * (gradient[k] - expected[k])
        for m in range(size):
            gradient[k] += (1.0 - fade) * prior_precision[k, m] * (prior[m] - x[m])
        for m in range(k + 1):
            value = fade * precision[k, m] + (1.0 - fade) * prior_precision[k, m] + temper * information[k, m]
            if m == k:
                value += temper * damping * expected[k]
            precision[k, m] = value
            precision[m, k] = value
            scratch[k, m] = value
    solve_kernel(scratch, gradient)
    largest = 0.0
    for k in range(size):
        largest = max(largest, abs(gradient[k]))
        x[k] += min(max(gradient[k], -limit), limit)
    if returns == 0.0 or largest <= limit:
        return
    unused = temper * (1.0 - limit / largest)
    for k in range(size):
        for m in range(k + 1):
            precision[k, m] -= unused * information[k, m]
            precision[m, k] = precision[k, m]
        precision[k, k] -= unused * damping * expected[k]


@njit(cache=True, nogil=True)
def filter_rates_kernel(
    starts: Any,
    exposure: Any,
    counts: Any,
    hours: Any,
    prior: Any,
    half_life_h: float,
    settings: Any,
    x: Any,
    precision: Any,
    prior_precision: Any,
    rates: Any,
    theta: Any,
) -> None:
    """Run the filter over windows ``starts[w]..starts[w+1]`` of cells.

    Args:
        starts: i8 (W + 1,), first cell of each window.
        exposure: f8 (C, K).
        counts: f8 (C,), events per cell; NaN in a window that teaches nothing (predicted all the same).
        hours: f8 (W,), recorded hours since the window before.
        prior: f8 (K,), log rates in the long run.
        half_life_h: recorded hours after which an observation counts half.
        settings: f8 (4,), as ``newton_step_kernel`` takes them.
        x: f8 (K,), log rates, moved on.
        precision: f8 (K, K), moved on.
        prior_precision: f8 (K, K).
        rates: f8 (C,), filled.
        theta: f8 (W, K), filled.
    """
    n_columns = exposure.shape[1]
    total, share, gradient = np.zeros(n_columns), np.zeros(n_columns), np.zeros(n_columns)
    information, scratch = np.zeros((n_columns, n_columns)), np.zeros((n_columns, n_columns))
    for w in range(starts.shape[0] - 1):
        now = np.exp(x)
        theta[w] = now
        gradient[:] = 0.0
        information[:] = 0.0
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
                    for m in range(k + 1):
                        information[k, m] += counts[c] * share[k] * share[m]
        if teaches:
            fade = 2.0 ** (-hours[w] / half_life_h)
            newton_step_kernel(
                x, precision, prior, prior_precision, total, gradient, information, fade, settings, scratch
            )
