"""Predicted and observed counts per cell in, scores out: pure functions of arrays.

All scores are differences to a baseline ``lam0`` per event, in nats, and consistent: a model that states its true
expectation cannot be beaten in expectation, whatever the counts' distribution.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = (
    "block_bootstrap",
    "concentration",
    "density_ratio",
    "information_gain",
    "log_fit",
    "poisson_scores",
    "rank_correlation",
    "space_scores",
    "sum_by",
)

_SMALLEST = 1e-300


def sum_by(group: NDArray[np.int64], values: NDArray[np.float64], n_groups: int) -> NDArray[np.float64]:
    """Sum of ``values`` (C,) per group, shape (n_groups,)."""
    return np.bincount(group, values, n_groups).astype(np.float64)


def poisson_scores(counts: NDArray[np.float64], rates: NDArray[np.float64]) -> NDArray[np.float64]:
    """``n ln lam - lam`` per cell, shape (C,). An event where the rate is 0 costs as much as 1e-300 allows."""
    return counts * np.log(np.maximum(rates, _SMALLEST)) - rates


def information_gain(
    counts: NDArray[np.float64],
    rates: NDArray[np.float64],
    base: NDArray[np.float64],
    group: NDArray[np.int64],
    n_groups: int,
) -> NDArray[np.float64]:
    """Sum over the cells of each group of ``(n ln lam - lam) - (n ln lam0 - lam0)``, shape (n_groups,)."""
    return sum_by(group, poisson_scores(counts, rates) - poisson_scores(counts, base), n_groups)


def space_scores(
    counts: NDArray[np.float64],
    rates: NDArray[np.float64],
    covered: NDArray[np.float64],
    group: NDArray[np.int64],
    n_groups: int,
) -> NDArray[np.float64]:
    """Multinomial score given each group's count, ``sum n ln[(lam / sum lam) / (a / sum a)]``, ``a`` the area."""
    share = rates / np.maximum(sum_by(group, rates, n_groups)[group], _SMALLEST)
    flat = covered / np.maximum(sum_by(group, covered, n_groups)[group], _SMALLEST)
    return sum_by(
        group, counts * np.log(np.maximum(share, _SMALLEST) / np.maximum(flat, _SMALLEST)), n_groups
    )


def concentration(
    amounts: NDArray[np.float64],
    rates: NDArray[np.float64],
    covered: NDArray[np.float64],
    shares: Sequence[float],
) -> NDArray[np.float64]:
    """Share of ``amounts`` in the densest part of the swept area, for each share of that area, shape (len(shares),).

    Cells are sorted by predicted density ``lam / covered``, ties in cell order; the last cell counts in part.
    """
    order = np.argsort(-rates / covered, kind="stable")
    area = np.concatenate([[0.0], np.cumsum(covered[order])])
    found = np.concatenate([[0.0], np.cumsum(amounts[order])])
    if not (area[-1] > 0 and found[-1] > 0):
        return np.full(len(shares), np.nan)
    share: NDArray[np.float64] = np.interp(np.asarray(shares) * area[-1], area, found) / found[-1]
    return share


def density_ratio(
    amounts: NDArray[np.float64],
    rates: NDArray[np.float64],
    covered: NDArray[np.float64],
    share: float = 0.25,
) -> float:
    """Amount per area in the densest ``share`` of the area over that in the thinnest, by predicted density.

    Cells are sorted by ``rates / covered``, ties in cell order; the last cell counts in part. NaN where the thinnest
    part holds nothing.
    """
    order = np.argsort(rates / covered, kind="stable")
    area = np.concatenate([[0.0], np.cumsum(covered[order])])
    found = np.concatenate([[0.0], np.cumsum(amounts[order])])
    thin, thick = np.interp([share * area[-1], (1.0 - share) * area[-1]], area, found)
    return float((found[-1] - thick) / thin) if thin > 0 else float("nan")


def block_bootstrap(
    gains: NDArray[np.float64], weights: NDArray[np.float64], n_resamples: int, seed: int, level: float = 0.95
) -> NDArray[np.float64]:
    """Interval of ``sum gains / sum weights`` when whole blocks are drawn with replacement.

    Args:
        gains: per block and quantity, shape (B, Q).
        weights: per block, shape (B,); events in it.
        n_resamples: number of draws.
        seed: of the draws.
        level: probability inside the interval.

    Returns:
        Lower and upper end per quantity, shape (Q, 2); NaN where there are fewer than two blocks.
    """
    blocks, quantities = gains.shape
    if blocks < 2 or n_resamples < 1:
        return np.full((quantities, 2), np.nan)
    drawn = np.random.default_rng(seed).integers(0, blocks, (n_resamples, blocks))
    times = np.zeros((n_resamples, blocks))
    np.add.at(times, (np.arange(n_resamples)[:, None], drawn), 1.0)
    totals = times @ weights
    with np.errstate(invalid="ignore", divide="ignore"):
        means = (times @ gains) / totals[:, None]
    means = means[totals > 0]
    if not len(means):
        return np.full((quantities, 2), np.nan)
    tail = 50 * (1 - level)
    return np.percentile(means, [tail, 100 - tail], axis=0).T


def rank_correlation(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Spearman's correlation with mean ranks for ties; NaN for fewer than three pairs or a constant."""
    return _correlation(_ranks(x), _ranks(y))


def log_fit(predicted: NDArray[np.float64], observed: NDArray[np.float64]) -> float:
    """Squared correlation of log10 predicted and log10 observed, where both are positive; NaN below three pairs."""
    both = (predicted > 0) & (observed > 0)
    return _correlation(np.log10(predicted[both]), np.log10(observed[both])) ** 2


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 0, ties share their mean."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    mean: NDArray[np.float64] = (ends - (counts + 1) / 2)[inverse]
    return mean


def _correlation(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Pearson's correlation, NaN where it is not defined."""
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])
