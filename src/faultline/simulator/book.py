"""Executed flow in, how far it has pushed the price of one venue's order book out.

A book holds, within a log distance x of its middle, C(x) = D (x / 1 %)^g USD per side, plus a wall at the nearest round
price. Market orders eat into one side; what was eaten is refilled with the time constant of the book's resilience
(Obizhaeva and Wang, "Optimal trading strategy and supply/demand dynamics", 2013), and the price stands where C equals
what is eaten. With g = 2 (a book that thickens linearly) the push is the square root of the flow. Makers withdraw:
depth falls with volatility and with the regime, quickly, and comes back slowly. Icebergs hide further depth that
orders meet and nobody sees.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from numba import njit

from faultline.simulator.state import PERCENT

if TYPE_CHECKING:
    from faultline.simulator.state import Parameters, State

__all__ = ("displacement_kernel", "refill_book_kernel")

#: Time constants with which makers withdraw and come back, s.
_WITHDRAW_S = 5.0
_RETURN_S = 600.0


@njit(cache=True, nogil=True)
def _wall_distance_kernel(par: Parameters, state: State, sign: float) -> float:
    """Log distance from the middle to the nearest round price on the side that is eaten."""
    market = state.market[0]
    steps = math.exp(market.base_log + market.index_log - market.book_log) / par.round_step_usd
    if sign > 0.0:
        return math.log(max(math.ceil(steps), 1.0) / steps)
    return math.log(steps / max(math.floor(steps), 0.5))


@njit(cache=True, nogil=True)
def displacement_kernel(par: Parameters, state: State, venue: int, eaten_usd: float) -> float:
    """Log price change sign(S) x with C(x) = |S|: the inverse of the book's cumulative depth."""
    rules = par.venues[venue]
    capacity = rules.book_usd * state.venues[venue].depth * (1.0 + rules.iceberg)
    size = abs(eaten_usd)
    if rules.wall_usd > 0.0 and size > 0.0:
        distance = _wall_distance_kernel(par, state, eaten_usd)
        before = capacity * (distance / PERCENT) ** rules.book_exponent
        if before < size <= before + rules.wall_usd:
            return math.copysign(distance, eaten_usd)
        if size > before:
            size -= rules.wall_usd
    return math.copysign(PERCENT * (size / capacity) ** (1.0 / rules.book_exponent), eaten_usd)


@njit(cache=True, nogil=True)
def refill_book_kernel(par: Parameters, state: State, venue: int, dt_s: float) -> None:
    """One step of a venue's book: refill, withdraw with volatility and regime, and push the price."""
    market, here, rules = state.market[0], state.venues[venue], par.venues[venue]
    keep = math.exp(-dt_s / rules.resilience_s)
    here.eaten_usd *= keep
    here.eaten_forced *= keep
    calm = min(1.0, par.vol_per_day / market.volatility) ** rules.withdrawal
    wanted = max(calm * par.regimes[int(market.regime)].depth, rules.least_depth)
    time_s = _WITHDRAW_S if wanted < here.depth else _RETURN_S
    here.depth += (wanted - here.depth) * (1.0 - math.exp(-dt_s / time_s))
    here.displacement = displacement_kernel(par, state, venue, here.eaten_usd)
    unforced = displacement_kernel(par, state, venue, here.eaten_usd - here.eaten_forced)
    here.displaced_forced = here.displacement - unforced
