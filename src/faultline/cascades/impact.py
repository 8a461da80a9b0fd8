"""A forced flow in USD in, how far it moves price out: the square-root law, and a walk through the book.

``I(Q) = Y sigma (Q / V) ** delta`` with ``sigma`` the standard deviation of log price over a day and ``V`` the notional
traded in a day. ``delta`` starts at N(0.5, 0.1^2): 0.489 over all accounts of the Tokyo exchange (Sato and Kanazawa,
arXiv 2411.13965), one half over four decades of Bitcoin orders (Donier and Bonart, arXiv 1412.4503). ``Y`` and
``delta`` are learned together by a regression of ``log(I / sigma)`` on ``log(Q / V)``. Whether the law holds is not
assumed anywhere: the hazard weighs the law and the book as features.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from faultline.cascades.regression import LinearPosterior
from faultline.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ("NOMINAL", "Book", "Impact", "ImpactLaw", "book_flow_usd", "book_impact")


class Impact(msgspec.Struct, frozen=True):
    """One square-root law: ``scale`` is Y, ``exponent`` delta."""

    scale: float = 1.0
    exponent: float = 0.5

    def of(self, flow_usd: Any, sigma_day: float, volume_day_usd: float) -> NDArray[np.float64]:
        """Log price moved by a flow, any shape; 0 for no flow."""
        share = np.maximum(np.asarray(flow_usd, dtype=np.float64), 0.0) / volume_day_usd
        return np.asarray(self.scale * sigma_day * share**self.exponent)

    def flow_usd(self, moved: Any, sigma_day: float, volume_day_usd: float) -> NDArray[np.float64]:
        """Flow that moves log price by ``moved``: the inverse of ``of``."""
        ratio = np.maximum(np.asarray(moved, dtype=np.float64), 0.0) / (self.scale * sigma_day)
        return np.asarray(volume_day_usd * ratio ** (1.0 / self.exponent))


#: The law before anything was learned.
NOMINAL: Final = Impact()


class Book(msgspec.Struct, frozen=True):
    """One side of the book that a cascade would eat into.

    Attributes:
        distance: log distance of its levels from the best price, ascending.
        usd: notional at them, above 0.
        instruments: whose books it is made of.
        age_s: time since the last row of the one that is oldest; None where it is not known.
    """

    distance: tuple[float, ...]
    usd: tuple[float, ...]
    instruments: tuple[str, ...] = ()
    age_s: float | None = None


def book_impact(book: Book, flow_usd: Any) -> NDArray[np.float64]:
    """Log distance to which a flow eats through the book; NaN where the flow is larger than what the book shows.

    Args:
        book: the side that is hit.
        flow_usd: USD, any shape.
    """
    total = np.cumsum(np.asarray(book.usd, dtype=np.float64))
    flow = np.asarray(flow_usd, dtype=np.float64)
    index = np.searchsorted(total, flow, side="left")
    beyond = np.append(np.asarray(book.distance, dtype=np.float64), np.nan)
    return np.asarray(np.where(np.isnan(flow), np.nan, beyond[np.minimum(index, len(total))]))


def book_flow_usd(book: Book, moved: Any) -> NDArray[np.float64]:
    """USD that stands in the book up to a log distance; NaN where the book does not reach so far."""
    distance = np.asarray(book.distance, dtype=np.float64)
    total = np.concatenate([[0.0], np.cumsum(np.asarray(book.usd, dtype=np.float64))])
    reach = np.asarray(moved, dtype=np.float64)
    held = total[np.searchsorted(distance, reach, side="right")]
    known = len(distance) > 0 and distance[-1]
    return np.asarray(np.where(reach <= known, held, np.nan))


class ImpactLaw:
    """Learns Y and delta from flows and the moves that went with them.

    A move that follows a flow is not all caused by it, and only moves that reached a level are seen, so ``Y`` reads
    high; see ``docs/concepts/cascades.md``.

    Args:
        half_life_ns: memory.
    """

    def __init__(self, half_life_ns: int) -> None:
        # log Y ~ N(0, 0.7^2), delta ~ N(0.5, 0.1^2), independent; noise of a single move about 0.8.
        self._posterior = LinearPosterior(
            mean=np.array([0.0, 0.5]),
            precision=np.array([1 / 0.7**2, 1 / 0.1**2]),
            noise_sd=0.8,
            noise_count=10.0,
            half_life_ns=half_life_ns,
        )

    @property
    def law(self) -> Impact:
        """Y and delta in the middle of what is believed."""
        log_scale, exponent = self._posterior.mean.tolist()
        return Impact(math.exp(log_scale), max(exponent, 0.05))

    @property
    def n_flows(self) -> float:
        """Flows with a move that were learned from, faded."""
        return self._posterior.n

    @property
    def sd(self) -> tuple[float, float]:
        """Standard deviations of log Y and delta."""
        spread = self._posterior.sd()
        return float(spread[0]), float(spread[1])

    def draws(self, normals: NDArray[np.float64]) -> list[Impact]:
        """A law per row of ``normals``, shape (n, 2)."""
        drawn = self._posterior.draws(normals)
        return [Impact(math.exp(row[0]), max(row[1], 0.05)) for row in drawn.tolist()]

    def apply(
        self, time_ns: int, flow_usd: float, moved: float, sigma_day: float, volume_day_usd: float
    ) -> None:
        """Take in that ``flow_usd`` went with a move of ``moved`` in log price.

        Raises:
            RequestError: a value is not positive and finite.
        """
        values = (flow_usd, moved, sigma_day, volume_day_usd)
        if not all(0 < value < math.inf for value in values):
            message = f"no impact of flow, move, sigma and volume {values}"
            raise RequestError(message, where="flow_usd", hint="pass over hops without a flow or a move")
        row = np.array([[1.0, math.log(flow_usd / volume_day_usd)]])
        self._posterior.apply(time_ns, row, np.array([math.log(moved / sigma_day)]))

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything needed to go on, as flat arrays."""
        return self._posterior.state()

    @classmethod
    def from_state(cls, half_life_ns: int, state: Mapping[str, NDArray[Any]]) -> ImpactLaw:
        """A law that goes on where ``state()`` was taken."""
        law = cls(half_life_ns)
        law._posterior.restore(state)
        return law
