"""Rates of several models in, one linear pool out whose weights follow their discounted score.

Models that were right lately weigh more, none less than a floor: a model that fails in one regime costs little and
comes back when it is right again. Weights of a window use only the windows before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ("FLOOR", "LEARNING_RATE", "apply_gain", "linear_pool")

#: Weight of one nat of discounted log likelihood.
LEARNING_RATE: Final = 0.05
#: Smallest weight of a model.
FLOOR: Final = 0.05


@njit(cache=True, nogil=True)
def _pool_kernel(
    starts: Any, rates: Any, counts: Any, fades: Any, rate: float, floor: float, pooled: Any, weights: Any
) -> None:
    """Pool ``rates`` (M, C) into ``pooled`` (C,); ``weights`` (W, M) are those used in each window."""
    n_models = rates.shape[0]
    score = np.zeros(n_models)
    for w in range(starts.shape[0] - 1):
        best = score.max()
        weight = np.exp(rate * (score - best))
        weight /= weight.sum()
        weight = floor + (1.0 - n_models * floor) * weight
        weights[w] = weight
        for m in range(n_models):
            score[m] *= fades[w]
        for c in range(starts[w], starts[w + 1]):
            mixed = 0.0
            for m in range(n_models):
                mixed += weight[m] * rates[m, c]
            pooled[c] = mixed
            if np.isnan(counts[c]):
                continue
            for m in range(n_models):
                score[m] -= rates[m, c]
                if counts[c] > 0.0:
                    score[m] += counts[c] * np.log(max(rates[m, c], 1e-300))


def linear_pool(
    starts: NDArray[np.int64],
    rates: NDArray[np.float64],
    counts: NDArray[np.float64],
    hours: NDArray[np.float64],
    half_life_h: float = 24.0,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pool models by ``exp(LEARNING_RATE * discounted log likelihood)`` with a floor of ``FLOOR``.

    Args:
        starts: first cell of each window and the number of cells, shape (W + 1,).
        rates: rates per model, shape (M, C).
        counts: events per cell, shape (C,); NaN where nothing is learned.
        hours: recorded hours per window, shape (W,).
        half_life_h: recorded hours after which a score counts half.

    Returns:
        Pooled rates (C,) and the weights used in each window (W, M).
    """
    pooled = np.zeros(rates.shape[1])
    weights = np.zeros((len(starts) - 1, rates.shape[0]))
    fades = 2.0 ** (-hours / half_life_h)
    floor = min(FLOOR, 1.0 / rates.shape[0])
    _pool_kernel(starts, np.ascontiguousarray(rates), counts, fades, LEARNING_RATE, floor, pooled, weights)
    return pooled, weights


@njit(cache=True, nogil=True)
def _gain_kernel(starts: Any, rates: Any, amounts: Any, fades: Any, pseudo: float, out: Any) -> None:
    """Out = rates * (pseudo + faded amounts) / (pseudo + faded rates), both sums from windows before."""
    seen, expected = 0.0, 0.0
    for w in range(starts.shape[0] - 1):
        gain = (pseudo + seen) / (pseudo + expected)
        total, rate, teaches = 0.0, 0.0, True
        for c in range(starts[w], starts[w + 1]):
            out[c] = gain * rates[c]
            rate += rates[c]
            if np.isnan(amounts[c]):
                teaches = False
            else:
                total += amounts[c]
        seen *= fades[w]
        expected *= fades[w]
        if teaches:
            seen += total
            expected += rate


def apply_gain(
    starts: NDArray[np.int64],
    rates: NDArray[np.float64],
    amounts: NDArray[np.float64],
    hours: NDArray[np.float64],
    *,
    half_life_h: float,
    pseudo: float,
) -> NDArray[np.float64]:
    """Rates times the ratio of what was seen lately to what was expected lately, shape (C,).

    ``(pseudo + sum of faded amounts) / (pseudo + sum of faded rates)``, from windows before only. With counts, a
    half-life of minutes and 5 pseudo-events it is a short memory of bursts; with capped USD, 24 hours and 20 it
    calibrates a count map to money.
    """
    out = np.zeros_like(rates)
    _gain_kernel(starts, rates, amounts, 2.0 ** (-hours / half_life_h), float(pseudo), out)
    return out
