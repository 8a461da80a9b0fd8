"""A normal posterior of log rates per hypothesis in, evenly spread draws of the mix and credible bands out.

Bands of shares are quantiles of draws, not moments: shares add up to 1, so what nobody knows of leverage that price
never reached widens the lower ends of all others, and no normal law of a logit has that shape. Draws follow a fixed
sequence of low discrepancy: no random numbers, the same posterior gives the same bands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import ndtri

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ("band_of", "draw_shares", "loosened")

#: Draws of a mix; each is of one member of the bank.
_DRAWS: Final = 512
#: Deviation of the centre of the prior's lognormal, in log leverage: as wide as the lognormal itself.
_CENTRE_SD: Final = 1.0
#: Deviation of its inverse variance, which is 1.
_WIDTH_SD: Final = 0.5
#: Keeps a covariance that is singular by rounding positive.
_JITTER: Final = 1e-12


def loosened(
    covariance: NDArray[np.float64], leverages: Sequence[float], mix: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Covariance (K, K) of the prior's log rates where centre and width of its lognormal are not known either.

    ``log mix = -(u - c)^2 w / 2`` with ``u`` the log leverage: an error of the centre moves all log rates by ``u - c``
    together, an error of the inverse variance by ``(u - c)^2 / 2``. Columns beyond the leverages stay as they are.

    Args:
        covariance: of the log rates given centre and width.
        leverages: the grid, (L,).
        mix: the prior's shares, shape (L,), sum 1; their mean log leverage is the centre.
    """
    log_leverage = np.log(np.asarray(leverages, dtype=np.float64))
    away = log_leverage - mix @ log_leverage
    out, size = covariance.copy(), len(away)
    for direction in (_CENTRE_SD * away, _WIDTH_SD * away**2 / 2.0):
        out[:size, :size] += np.outer(direction, direction)
    return out


def draw_shares(
    x: NDArray[np.float64], covariances: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Draws of the mix over the members' posteriors, each as often as it weighs, shape (N, L).

    Args:
        x: log rates per member, shape (M, L).
        covariances: of them, shape (M, L, L).
        weights: of the members, shape (M,), sum 1.
    """
    size = x.shape[1]
    # Fractional parts of multiples of square roots of primes fill the cube evenly, one coordinate each.
    places = (np.arange(1, _DRAWS + 1)[:, None] * np.sqrt(_primes(size + 1))) % 1.0
    member = np.minimum(np.searchsorted(np.cumsum(weights), places[:, 0], side="right"), len(weights) - 1)
    roots = np.linalg.cholesky(covariances + _JITTER * np.eye(size))
    drawn = x[member] + np.einsum("nij,nj->ni", roots[member], ndtri(np.clip(places[:, 1:], 1e-9, 1 - 1e-9)))
    shares = np.exp(drawn - drawn.max(axis=1, keepdims=True))
    out: NDArray[np.float64] = shares / shares.sum(axis=1, keepdims=True)
    return out


def band_of(draws: NDArray[np.float64], promise: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ends between which a part ``promise`` of the draws (N, ...) lies, as many below as above, both of shape (...)."""
    low, high = np.quantile(draws, [(1.0 - promise) / 2.0, (1.0 + promise) / 2.0], axis=0)
    return np.asarray(low), np.asarray(high)


def _primes(n: int) -> NDArray[np.float64]:
    """The first ``n`` primes, n <= 200."""
    numbers = np.arange(2, 1224)
    found = numbers[[bool(np.all(p % np.arange(2, int(p**0.5) + 1))) for p in numbers.tolist()]]
    return np.asarray(found[:n], dtype=np.float64)
