"""Heat beyond a price and an impact law in, how much each stretch of price feeds its own move out.

The local reproduction number is ``R(p) = m(p) I'(Q)``: ``m`` the notional liquidated per unit of log price, ``I'`` the
slope of impact at the flow released so far (the continuum limit of default cascades with hitting-time feedback, Hambly,
Ledger and Sojmark, arXiv 1801.07703). Averaged over a cell of width ``dx`` that is exactly
``(I(Q + q) - I(Q)) / dx`` with ``q`` what the cell releases, which is finite also where nothing was released yet.
Above 1 a stretch carries itself: what it releases moves price farther than the stretch is wide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from faultline.cascades.levels import heat_ahead
from faultline.cascades.logistic import normal_draws

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faultline.cascades.chain import CascadeLearner
    from faultline.cascades.impact import Impact
    from faultline.cascades.levels import HeatAhead

__all__ = ("RowReproduction", "reproduction", "row_reproduction", "sustained_stretches")

_TAILS: Final = (0.025, 0.975)


class RowReproduction(msgspec.Struct, frozen=True):
    """R of the rows of a map, of longs below the price and of shorts above it.

    Attributes:
        value: shape (P,), under the law and the share liquidated in the middle of what is believed.
        low: shape (P,), lower end of the 95 % interval over what is believed about both.
        high: shape (P,), its upper end.
        n_flows: flows with a move that the law was learned from, faded.
    """

    value: Any
    low: Any
    high: Any
    n_flows: float


def reproduction(
    ahead: HeatAhead,
    law: Impact,
    *,
    sigma_day: float,
    volume_day_usd: float,
    liquidated_ratio: float = 1.0,
    released_usd: float = 0.0,
) -> NDArray[np.float64]:
    """R of every cell ahead, shape (n,); O(n).

    Args:
        ahead: heat beyond the price.
        law: impact of a flow.
        sigma_day: standard deviation of log price over a day.
        volume_day_usd: notional traded in a day.
        liquidated_ratio: share of the heat that is really liquidated when price gets there.
        released_usd: flow that was released before the price came here.
    """
    flow = released_usd + liquidated_ratio * np.concatenate([[0.0], np.cumsum(ahead.usd)])
    moved = law.of(flow, sigma_day, volume_day_usd)
    return np.asarray(np.diff(moved) / np.diff(ahead.distance))


def sustained_stretches(ahead: HeatAhead, numbers: NDArray[Any]) -> list[tuple[float, float]]:
    """Log distances (from, to) of the stretches with R above 1, nearest first."""
    above = np.concatenate([[False], np.asarray(numbers) > 1.0, [False]])
    turns = np.flatnonzero(above[1:] != above[:-1])
    return [
        (float(ahead.distance[first]), float(ahead.distance[last]))
        for first, last in zip(turns[::2], turns[1::2], strict=True)
    ]


def row_reproduction(
    edges_usd: NDArray[np.float64],
    usd: NDArray[np.float64],
    price_usd: float,
    learner: CascadeLearner,
    *,
    sigma_day: float,
    volume_day_usd: float,
) -> RowReproduction:
    """R of every row of a map, were price to move there from where it is; O(draws P).

    Args:
        edges_usd: edges of the rows, ascending, shape (P + 1,).
        usd: heat by side and row, shape (2, P).
        price_usd: where price is; the row that holds it belongs to the side on which its middle lies.
        learner: what is believed about impact and the share liquidated.
        sigma_day: standard deviation of log price over a day.
        volume_day_usd: notional traded in a day.

    Raises:
        RequestError: heat is negative or missing, or the price is not positive.
    """
    out = np.full((3, len(edges_usd) - 1), np.nan)
    middle = (edges_usd[:-1] + edges_usd[1:]) / 2.0
    normals = normal_draws(learner.settings.draws, 3, learner.settings.seed)
    believed = list(
        zip(learner.impact.draws(normals[:, :2]), learner.fraction.draws(normals[:, 2]).tolist(), strict=True)
    )
    for side in (0, 1):
        ahead = heat_ahead(edges_usd, usd[side], price_usd, side)
        below = np.flatnonzero((edges_usd[:-1] < price_usd) & (edges_usd[:-1] > 0))[::-1]
        index = below if side == 0 else np.flatnonzero(edges_usd[1:] > price_usd)
        found = np.stack(
            [
                reproduction(
                    ahead, law, sigma_day=sigma_day, volume_day_usd=volume_day_usd, liquidated_ratio=share
                )
                for law, share in [(learner.impact.law, learner.fraction.mean), *believed]
            ]
        )
        ends = np.quantile(found[1:], _TAILS, axis=0)
        rows = np.stack([found[0], np.minimum(ends[0], found[0]), np.maximum(ends[1], found[0])])
        mine = middle[index] <= price_usd if side == 0 else middle[index] > price_usd
        out[:, index[mine]] = rows[:, mine]
    return RowReproduction(out[0], out[1], out[2], learner.impact.n_flows)
