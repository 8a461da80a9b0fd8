"""A recovered mix, its bands or its odds and the truth beside it in, one number per score out: no files, no state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = (
    "area_under_curve",
    "coverage",
    "distance_w1",
    "identified_tv",
    "lag_h",
    "shares_on_grid",
    "total_variation",
)


def shares_on_grid(
    leverage: NDArray[np.float64], n_opens: NDArray[np.float64], grid: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Shares of opens on a grid of leverages, shape (L,): each open goes to the nearest in log; NaN without opens."""
    nearest = np.abs(np.log(leverage)[:, None] - np.log(grid)[None, :]).argmin(axis=1)
    counts = np.bincount(nearest, weights=n_opens, minlength=len(grid))
    total = counts.sum()
    return np.asarray(counts / total if total > 0 else np.full(len(grid), np.nan))


def total_variation(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """Half the sum of absolute differences of two distributions on the same bins."""
    return float(0.5 * np.abs(p - q).sum())


def identified_tv(
    p: NDArray[np.float64], q: NDArray[np.float64], is_identified: NDArray[np.bool_]
) -> float | None:
    """Total variation where all bins that are not identified count as one; None where none is identified."""
    if not is_identified.any():
        return None
    rest = abs(float((p - q)[~is_identified].sum()))
    return 0.5 * (float(np.abs(p - q)[is_identified].sum()) + rest)


def distance_w1(p: NDArray[np.float64], q: NDArray[np.float64], grid: NDArray[np.float64]) -> float:
    """Wasserstein-1 distance of log leverage: the area between the two cumulative distributions."""
    return float((np.abs(np.cumsum(p - q))[:-1] * np.diff(np.log(grid))).sum())


def coverage(low: NDArray[np.float64], high: NDArray[np.float64], true: NDArray[np.float64]) -> float | None:
    """Share of true values inside their bands; None where no bin has one."""
    has_band = ~(np.isnan(low) | np.isnan(high))
    if not has_band.any():
        return None
    return float(((low <= true) & (true <= high))[has_band].mean())


def lag_h(
    times_ns: NDArray[np.int64], values: NDArray[np.float64], switch_ns: int, target: float, share: float
) -> float | None:
    """Hours after a switch until a series has gone ``share`` of the way from its last value before it to ``target``,
    for the first time; None where it never does or has no value before.
    """
    before = np.flatnonzero(times_ns <= switch_ns)
    after = np.flatnonzero(times_ns > switch_ns)
    if not len(before) or not len(after):
        return None
    start = values[before[-1]]
    if target == start:
        return 0.0
    progress = (values[after] - start) / (target - start)
    reached = np.flatnonzero(progress >= share)
    if not len(reached):
        return None
    return float((times_ns[after[reached[0]]] - switch_ns) / 3.6e12)


def area_under_curve(prob: NDArray[np.float64], label: NDArray[np.bool_]) -> float | None:
    """Probability that a random true case was given more than a random false one (ties count half); None where there
    is only one kind of case.
    """
    n_true = int(label.sum())
    n_false = len(label) - n_true
    if n_true == 0 or n_false == 0:
        return None
    _, group, count = np.unique(prob, return_inverse=True, return_counts=True)
    rank = np.cumsum(count) - (count - 1) / 2.0
    return float((rank[group][label].sum() - n_true * (n_true + 1) / 2.0) / (n_true * n_false))
