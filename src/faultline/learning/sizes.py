"""Sizes of published liquidations in, their law and the mean size per leverage out.

Sizes are marks: they never weigh in the rates, where a handful of large orders would drown the rest. The law is
lognormal; residuals are winsorised at three deviations. Where a venue publishes the largest of a window, a size ``s``
among ``a`` expected events has the density ``a f(s) exp(-a (1 - F(s)))``: the score of the law has a second term::

    d/d mu        = (z - a phi(z)) / sigma          z = (log s - mu) / sigma
    d/d log sigma = z^2 - 1 - a phi(z) z

and one step per event, over the number of events in a half-life, follows it (``a = 0``: all events are published). The
law and the rate of events explain each other where many are hidden: an event weighs ``1 / (1 + a)^2``, so that the law
rests on windows in which little is.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ("SIZE_LAW", "larger_prob", "mean_sizes", "size_law_kernel")

#: State of a law before the first event: mean and log deviation of log size, events in a half-life.
SIZE_LAW: Final = (math.nan, math.log(1.5), 0.0)
_WINSOR: Final = 3.0
_STEEPEST: Final = _WINSOR * _WINSOR - 1.0
_PSEUDO_EVENTS: Final = 10.0
_ROOT_TWO: Final = math.sqrt(2.0)
_ROOT_TWO_PI: Final = math.sqrt(2.0 * math.pi)


@njit(cache=True, nogil=True)
def size_law_kernel(starts: Any, log_size: Any, hidden: Any, fades: Any, law: Any, out: Any) -> None:
    """Winsorise the sizes of each window by the law before it, then move the law on.

    Args:
        starts: i8 (W + 1,), first event of each window.
        log_size: f8 (n,), NaN where the size is unknown.
        hidden: f8 (n,), expected events that the event is the largest of; 0 where all are published.
        fades: f8 (W,), share of the past that is kept; NaN in a window that teaches nothing.
        law: f8 (3,), see ``SIZE_LAW``; moved on.
        out: f8 (n,), filled; where the size is unknown, the mean before the window (NaN before the first size).
    """
    for w in range(starts.shape[0] - 1):
        mean, deviation = law[0], math.exp(law[1])
        if not math.isnan(fades[w]):
            law[2] *= fades[w]
        for i in range(starts[w], starts[w + 1]):
            if math.isnan(mean) and not math.isnan(log_size[i]):
                mean = log_size[i]
                law[0] = mean
            out[i] = mean
            if math.isnan(log_size[i]):
                continue
            out[i] = min(max(log_size[i], mean - _WINSOR * deviation), mean + _WINSOR * deviation)
            if math.isnan(fades[w]):
                continue
            sigma = math.exp(law[1])
            z = min(max((log_size[i] - law[0]) / sigma, -_WINSOR), _WINSOR)
            bump = hidden[i] * math.exp(-0.5 * z * z) / _ROOT_TWO_PI
            weight = 1.0 / (1.0 + hidden[i]) ** 2
            law[2] += weight
            rate = weight / (law[2] + _PSEUDO_EVENTS)
            law[0] += rate * sigma * min(max(z - bump, -_WINSOR), _WINSOR)
            law[1] += 0.5 * rate * min(max(z * z - 1.0 - bump * z, -_STEEPEST), _STEEPEST)


def larger_prob(law: NDArray[np.float64], log_size: NDArray[np.float64]) -> NDArray[np.float64]:
    """Chance that an event is larger than each size under the law, shape (n,); 1 where the size or law is unknown."""
    z = (log_size - law[0]) / math.exp(law[1])
    prob = [0.5 * math.erfc(value / _ROOT_TWO) if math.isfinite(value) else 1.0 for value in z.tolist()]
    return np.array(prob, dtype=np.float64)


def mean_sizes(
    gram: NDArray[np.float64], sums: NDArray[np.float64], law: NDArray[np.float64], between: float = 0.5
) -> NDArray[np.float64]:
    """Mean size per column in USD, shape (K,), shrunk towards that of all.

    The log size of an event whose responsibilities are ``r`` has the mean ``r' mu``. Hence ``mu`` solves the ridge
    regression ``(sum r r' + k I) mu = sum r log s + k m`` with the mean ``m`` of all and ``k = (sigma / between)^2``: a
    plain weighted mean would blend the leverages that share a place. The mean size is ``exp(mu + sigma^2 / 2)``.

    Args:
        gram: sum of products of responsibilities, shape (K, K), lower half.
        sums: sum of responsibilities times winsorised log sizes, shape (K,).
        law: mean and log deviation of log size, and events, as ``size_law_kernel`` keeps them.
        between: assumed deviation of the mean log size between leverages.
    """
    size = len(sums)
    if math.isnan(float(law[0])):
        return np.full(size, np.nan)
    sigma = math.exp(float(law[1]))
    ridge = (sigma / between) ** 2
    whole = np.tril(gram) + np.tril(gram, -1).T + ridge * np.eye(size)
    mean = np.linalg.solve(whole, sums + ridge * law[0])
    sizes: NDArray[np.float64] = np.exp(mean + 0.5 * sigma * sigma)
    return sizes
