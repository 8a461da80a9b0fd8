"""An order that was executed in, its trade, its flow and its volume out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from numba import njit

from faultline.simulator.book import displacement_kernel

if TYPE_CHECKING:
    from faultline.simulator.state import Buffers, Parameters, State

__all__ = ("FORCED", "VOLUNTARY", "execute_kernel", "fill_kernel", "notional_kernel", "price_kernel")

#: Kinds of flow: orders that traders chose, and orders of the liquidation engines.
VOLUNTARY = 0
FORCED = 1


@njit(cache=True, nogil=True)
def price_kernel(state: State, level_log: float) -> float:
    """Price in USD of a log level: base x exp(level)."""
    return math.exp(state.market[0].base_log + level_log)


@njit(cache=True, nogil=True)
def notional_kernel(par: Parameters, venue: int, lots: int, price_usd: float) -> float:
    """USD of ``lots`` on a venue: base units at the price, or contracts of fixed USD (inverse)."""
    if par.venues[venue].is_inverse == 1:
        return float(lots * par.venues[venue].unit_usd)
    return float(lots * par.lot_base * price_usd)


@njit(cache=True, nogil=True)
def fill_kernel(
    par: Parameters, state: State, venue: int, taker_side: int, lots: int, at_log: float
) -> float:
    """Log price of a market order: half the spread, and where there is a book the middle of what it walks."""
    fill_log = at_log + taker_side * par.half_spread
    if par.venues[venue].book_usd > 0.0:
        here = state.venues[venue]
        half_usd = 0.5 * notional_kernel(par, venue, lots, price_kernel(state, at_log))
        eaten_usd = here.eaten_usd + taker_side * half_usd
        fill_log += displacement_kernel(par, state, venue, eaten_usd) - here.displacement
    return float(fill_log)


@njit(cache=True, nogil=True)
def execute_kernel(
    par: Parameters,
    state: State,
    out: Buffers,
    venue: int,
    taker_side: int,
    lots: int,
    ts_ns: int,
    at_log: float,
    flow: int,
) -> None:
    """Record a market order: signed flow (voluntary or forced), the minute's volume, and its trade on the
    tick.
    """
    market = state.market[0]
    here = state.venues[venue]
    fill_log = at_log + taker_side * par.half_spread
    if par.has_book:
        fill_log = fill_kernel(par, state, venue, taker_side, lots, at_log)
    price_usd = math.exp(market.base_log + fill_log)
    flow_usd = taker_side * lots * par.lot_base * price_usd
    if par.venues[venue].is_inverse == 1:
        flow_usd = taker_side * lots * par.venues[venue].unit_usd
    if flow == FORCED:
        if par.forced_flow:
            market.forced_usd += flow_usd
            here.eaten_usd += flow_usd
            here.eaten_forced += flow_usd
    else:
        market.flow_usd += flow_usd
        here.eaten_usd += flow_usd
    if taker_side > 0:
        here.buy_lots += lots
    else:
        here.sell_lots += lots
    if par.emits_trades:
        n = out.counts[0]
        trade = out.trades[n]
        trade.ts_ns = ts_ns
        trade.lots = lots
        trade.price_usd = math.floor(price_usd / par.tick_usd + 0.5) * par.tick_usd
        trade.venue = venue
        trade.taker_side = taker_side
        out.counts[0] = n + 1
