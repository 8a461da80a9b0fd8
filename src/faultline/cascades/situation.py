"""What is known at the moment a zone is hit in, the numbers that the chain is judged by out.

The features of the hop from level ``j`` to ``j + 1``, all known at the hit, ``Q_j`` the heat of levels 0..j and
``D_{j+1}`` the distance of level ``j + 1``::

    1
    log(I_law(Q_j) / D_{j+1})                  nominal square-root law
    log(I_book(f Q_j) / I_law(f Q_j))          0 where there is no book, or it is shorter than that
    log(depth now / usual depth)               0 where unknown
    log(1 + momentum / D_{j+1})                move toward the levels over the last quarter of an hour
    log(sigma sqrt((j + 1) tau) / D_{j+1})
    funding z-score                            positive where the side is crowded; 0 where unknown
    j / 5
    logit P(price covers the hop within tau on its own)

The second is the book's impact relative to the law's: the span is the same as with both over the distance, and "no
book" then has a neutral value. The last keeps what plain volatility does from being credited to the chain. The share of
heat that is really liquidated and the true law are common factors that the weights absorb, so the nominal ones serve;
not for a book, which has no scale of its own: there ``f`` is the share as it was believed at the hit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
from scipy.special import logit

from faultline.cascades.first_passage import Volatility, hit_prob
from faultline.cascades.impact import NOMINAL, Book, book_impact
from faultline.cascades.levels import Levels
from faultline.errors import RequestError
from faultline.units import DAY_NS

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ("FEATURES", "Situation", "features", "passage_probs")

#: Names of the features, in order.
FEATURES: Final = (
    "one",
    "law_impact",
    "book_impact",
    "depth",
    "momentum",
    "volatility",
    "funding",
    "depth_of_chain",
    "first_passage",
)
#: First passage is believed to no nearer 0 and 1 than this: the far tail of every model of volatility says too little.
_PROB_LEAST: Final = 0.001


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """A zone was hit, or would be: everything that is known at that moment.

    Attributes:
        id: of the zone.
        symbol: asset or instrument; each has its own intercept.
        time_ns: moment of the hit.
        levels: frozen levels.
        moves: how price is expected to move on its own.
        volume_day_usd: notional traded in a day.
        tau_ns: time that each hop has.
        momentum: log move toward the levels over the last quarter of an hour; None where unknown.
        book: the side of the book that the cascade would eat; None where there is none.
        share: of heat that is liquidated, as far as it is known; the book is walked with as much.
        depth_ratio: depth now over usual depth; None where unknown.
        funding_z: None where unknown.
        mass_log_sd: how well the heat of a level is known.
    """

    id: str
    symbol: str
    time_ns: int
    levels: Levels
    moves: Volatility
    volume_day_usd: float
    tau_ns: int
    momentum: float | None = None
    book: Book | None = None
    share: float = 1.0
    depth_ratio: float | None = None
    funding_z: float | None = None
    mass_log_sd: float = 0.4

    def __post_init__(self) -> None:
        positive = (self.volume_day_usd, self.moves.variance_per_day, float(self.tau_ns))
        if not all(0 < value < np.inf for value in positive):
            message = f"no cascade with volume, variance and time {positive}"
            raise RequestError(
                message, where=self.id, hint="wait until a day's volume and variance are known"
            )


def passage_probs(situation: Situation) -> NDArray[np.float64]:
    """P(price covers each hop within ``tau_ns`` on its own), shape (n,), between 0.001 and 0.999."""
    return _believed(hit_prob(situation.levels.increments(), situation.tau_ns, situation.moves))


def features(
    situation: Situation, passage: NDArray[np.float64], mass_usd: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Features of every hop, shape (..., n, 9).

    Args:
        situation: what is known.
        passage: from ``passage_probs``.
        mass_usd: heat of levels 0..n, shape (..., n + 1): the situation's, or draws of it.
    """
    n = situation.levels.n
    distance = np.asarray(situation.levels.distance, dtype=np.float64)
    flow = np.maximum(np.cumsum(mass_usd, axis=-1)[..., :n], 1.0)
    sigma, volume = situation.moves.sigma_day, situation.volume_day_usd
    law = NOMINAL.of(flow, sigma, volume)
    out = np.zeros((*flow.shape, len(FEATURES)))
    out[..., 0] = 1.0
    out[..., 1] = np.log(law / distance)
    if situation.book is not None and situation.book.usd:
        forced = situation.share * flow
        walked = book_impact(situation.book, forced)
        known = walked > 0
        told = np.log(np.where(known, walked, 1.0) / NOMINAL.of(forced, sigma, volume))
        out[..., 2] = np.where(known, told, 0.0)
    if situation.depth_ratio is not None and situation.depth_ratio > 0:
        out[..., 3] = np.log(situation.depth_ratio)
    if situation.momentum is not None:
        out[..., 4] = np.log1p(max(situation.momentum, 0.0) / distance)
    hops = np.arange(1, n + 1)
    out[..., 5] = np.log(sigma * np.sqrt(hops * situation.tau_ns / DAY_NS) / distance)
    out[..., 6] = 0.0 if situation.funding_z is None else np.clip(situation.funding_z, -5.0, 5.0)
    out[..., 7] = (hops - 1) / 5.0
    out[..., 8] = logit(_believed(passage))
    return out


def _believed(passage: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(passage, _PROB_LEAST, 1.0 - _PROB_LEAST)
