"""A posterior over log rates in, shares of leverage with a credible band and what events taught about them out.

Neighbouring leverages are hardly told apart, so shares are shown in four bins, with bands from draws of the mix. What
the events taught about a bin is ``iota = 1 - Var_post / Var_prior`` of its log rate, the gradient of which is the share
of each leverage in its bin. ``Var_prior`` is how far instruments lie apart (``between_instruments``): the filter
forgets towards a wider prior, so that few events can teach it, and beside that a rate known to a factor of four would
count as known.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Final

import numpy as np

from faultline.learning.bands import band_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = (
    "BIN_EDGES",
    "BIN_LABELS",
    "IDENTIFIED_FROM",
    "BinShare",
    "between_instruments",
    "bin_of",
    "bin_shares",
    "mean_log_sd",
    "taught_ratio",
)

#: Leverages below the first edge, between two edges, and from the last edge up are shown together.
BIN_EDGES: Final = (10.0, 25.0, 60.0)
BIN_LABELS: Final = ("<10x", "10-25x", "25-60x", ">60x")
#: Variance of a log rate among the instruments of a class: of a venue around its class, and of an instrument around its
#: venue (``prior.HierarchySettings``).
_APART: Final = 0.5**2 + 0.4**2
#: A leverage or a bin is identified where events taught this share of the variance...
IDENTIFIED_FROM: Final = 0.5
#: ...a bin also where the prior expected this many independent events in a half-life and so few came that its whole
#: band lies below what was assumed: a rate near zero is never known well in logarithms.
_EXPECTED: Final = 10.0
_SMALLEST: Final = 1e-12


@dataclasses.dataclass(frozen=True, slots=True)
class BinShare:
    """Share of gross opens in a bin of leverage.

    Attributes:
        label: the bin.
        share: posterior mean share, 0 to 1.
        low: lower end of the credible band.
        high: upper end.
        iota: share of the variance of the log rate between instruments that events removed, 0 to 1.
        prior_events: events that the prior expected in a half-life along the path that price travelled.
        identified: False where too few liquidations were seen to tell: the share is the prior's.
    """

    label: str
    share: float
    low: float
    high: float
    iota: float
    prior_events: float
    identified: bool


def bin_of(leverages: Sequence[float]) -> NDArray[np.int64]:
    """Index of the bin of each leverage, shape (L,)."""
    return np.searchsorted(np.array(BIN_EDGES), np.asarray(leverages, dtype=np.float64), side="right").astype(
        np.int64
    )


def between_instruments(prior: NDArray[np.float64]) -> NDArray[np.float64]:
    """Covariance (L, L) of the prior's log rates with no variance above that between instruments."""
    scale = np.sqrt(np.minimum(1.0, _APART / np.diagonal(prior)))
    capped: NDArray[np.float64] = prior * np.outer(scale, scale)
    return capped


def taught_ratio(covariance: NDArray[np.float64], prior: NDArray[np.float64]) -> NDArray[np.float64]:
    """``1 - Var_post / Var_prior`` per log rate, shape (L,), between 0 and 1."""
    ratio: NDArray[np.float64] = 1.0 - np.diagonal(covariance) / np.diagonal(prior)
    return np.clip(ratio, 0.0, 1.0)


def bin_shares(
    leverages: Sequence[float],
    x: NDArray[np.float64],
    covariances: NDArray[np.float64],
    weights: NDArray[np.float64],
    prior: NDArray[np.float64],
    prior_events: NDArray[np.float64],
    draws: NDArray[np.float64],
    assumed: NDArray[np.float64],
    promise: float = 0.95,
) -> tuple[BinShare, ...]:
    """Shares of the four bins; a bin without leverages is left out.

    Args:
        leverages: the grid, (L,).
        x: log rates per member, shape (M, L).
        covariances: of them, shape (M, L, L).
        weights: of the members, shape (M,), sum 1.
        prior: covariance of the prior's log rates, shape (L, L).
        prior_events: events that the prior expected per leverage in a half-life, shape (L,).
        draws: of the mix, shape (N, L): ``bands.draw_shares``.
        assumed: shares of the prior, shape (L,), sum 1.
        promise: part of the draws inside the band.
    """
    bins, found = bin_of(leverages), []
    for index, label in enumerate(BIN_LABELS):
        inside = bins == index
        if not inside.any():
            continue
        share, iota = _bin_moments(x, covariances, weights, prior, inside)
        events = float(prior_events[inside].sum())
        low, high = band_of(draws[:, inside].sum(axis=1), promise)
        few_came = events >= _EXPECTED and float(high) < float(assumed[inside].sum())
        identified = iota >= IDENTIFIED_FROM or few_came
        found.append(BinShare(label, share, float(low), float(high), iota, events, identified))
    return tuple(found)


def mean_log_sd(
    leverages: Sequence[float],
    x: NDArray[np.float64],
    covariances: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> float:
    """Deviation of the mean log leverage of a mix: each member's own, ``g' C g``, and how far they lie apart.

    Args:
        leverages: the grid, (L,).
        x: log rates per member, shape (M, L).
        covariances: of them, shape (M, L, L).
        weights: of the members, shape (M,), sum 1.
    """
    log_leverage = np.log(np.asarray(leverages, dtype=np.float64))
    shares = np.exp(x - x.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    means = shares @ log_leverage
    gradients = shares * (log_leverage - means[:, None])
    variances = np.einsum("ml,mlk,mk->m", gradients, covariances, gradients)
    mean = float(weights @ means)
    return math.sqrt(float(weights @ (variances + (means - mean) ** 2)))


def _bin_moments(
    x: NDArray[np.float64],
    covariances: NDArray[np.float64],
    weights: NDArray[np.float64],
    prior: NDArray[np.float64],
    inside: NDArray[np.bool_],
) -> tuple[float, float]:
    """The mean share of a bin and what was taught about its log rate, over the members."""
    shares, rates, before = [], [], []
    for member, covariance in zip(x, covariances, strict=True):
        theta = np.exp(member - member.max())
        within = theta * inside / max((theta * inside).sum(), _SMALLEST)
        shares.append(float(theta[inside].sum() / theta.sum()))
        rates.append(float(within @ covariance @ within))
        before.append(float(within @ prior @ within))
    iota = float(np.dot(weights, 1.0 - np.array(rates) / np.array(before)))
    return float(np.dot(weights, shares)), min(max(iota, 0.0), 1.0)
