"""Heat beyond a price and an impact law in, how much each stretch of price feeds its own move out.

The local reproduction number is ``R(p) = m(p) I'(Q)``: ``m`` the notional liquidated per unit of log price, ``I'`` the
slope of impact at the flow released so far (the continuum limit of default cascades with hitting-time feedback, Hambly,
Ledger and Sojmark, arXiv 1801.07703). Averaged over a cell of width ``dx`` that is exactly
``(I(Q + q) - I(Q)) / dx`` with ``q`` what the cell releases, which is finite also where nothing was released yet.
Above 1 a stretch carries itself: what it releases moves price farther than the stretch is wide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faultline.cascades.impact import Impact
    from faultline.cascades.levels import HeatAhead

__all__ = ("reproduction", "sustained_stretches")


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
