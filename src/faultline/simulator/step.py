"""State and a time in, the state at that time out: the loop over simulation steps, samples and minute
bars.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from faultline.simulator.entries import MAX_OPENS, open_positions_kernel
from faultline.simulator.exits import close_due_kernel, panic_kernel, sweep_kernel, take_profit_kernel
from faultline.simulator.levels import change_wallets_kernel
from faultline.simulator.liquidations import deleverage_kernel
from faultline.simulator.orders import VOLUNTARY, execute_kernel, price_kernel
from faultline.simulator.price import move_price_kernel, move_venue_kernel
from faultline.simulator.randomness import normal_kernel, poisson_kernel, restart_kernel, uniform_kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faultline.simulator.state import Buffers, Parameters, State

__all__ = ("DONE", "NEEDS_DRAIN", "NEEDS_POSITIONS", "advance_kernel")

#: Reasons for which ``advance_kernel`` returns.
DONE = 0
NEEDS_DRAIN = 1
NEEDS_POSITIONS = 2

_MINUTE_NS = 60_000_000_000
_HOUR_NS = 3_600_000_000_000
#: Most background trades of one venue in one step.
_MAX_BACKGROUND = 256


@njit(cache=True, nogil=True)
def _remember_extremes_kernel(state: State) -> None:
    """Keep the high and low of each of the last 24 hours; the day's extremes leave out the running hour."""
    market = state.market[0]
    hour = market.now_ns // _HOUR_NS
    slot = hour % 24
    if hour != market.hour:
        market.hour = hour
        market.high_log, market.low_log = -math.inf, math.inf
        for k in range(24):
            market.high_log = max(market.high_log, state.hours[k, 0])
            market.low_log = min(market.low_log, state.hours[k, 1])
        state.hours[slot, 0] = state.hours[slot, 1] = market.index_log
    state.hours[slot, 0] = max(state.hours[slot, 0], market.index_log)
    state.hours[slot, 1] = min(state.hours[slot, 1], market.index_log)


@njit(cache=True, nogil=True)
def _trade_background_kernel(
    par: Parameters, state: State, out: Buffers, rng: NDArray[np.uint64], venue: int, t0_ns: int
) -> None:
    """Trades that open nothing: Poisson number, log-normal size, sides leaning with momentum."""
    market, here = state.market[0], state.venues[venue]
    restart_kernel(rng, par.venue_keys[venue].background, market.step, 0)
    dt_s = (market.now_ns - t0_ns) * 1e-9
    unit_lots = math.exp(par.background_usd_log) / (par.lot_base * price_kernel(state, here.last_log))
    lean = 0.5 + 0.05 * math.tanh(market.momentum / max(par.vol_per_day * 0.1, 1e-9))
    for _ in range(min(poisson_kernel(rng, par.background_per_s * market.activity * dt_s), _MAX_BACKGROUND)):
        lots = max(1, int(unit_lots * math.exp(1.2 * normal_kernel(rng)) + 0.5))
        taker_side = 1 if uniform_kernel(rng) < lean else -1
        ts_ns = t0_ns + int(uniform_kernel(rng) * (market.now_ns - t0_ns - 1))
        execute_kernel(par, state, out, venue, taker_side, lots, ts_ns, here.last_log, VOLUNTARY)


@njit(cache=True, nogil=True)
def _sample_kernel(par: Parameters, state: State, out: Buffers, venue: int) -> None:
    """Write one sample: prices, open interest max(long, ...) of the venue, funding, and the price without
    forced impact.
    """
    market, here = state.market[0], state.venues[venue]
    n = out.counts[2]
    sample = out.samples[n]
    sample.ts_ns = market.now_ns
    sample.venue = venue
    sample.oi_lots = here.long_lots + max(here.inventory_lots, 0)
    sample.next_funding_ns = (market.now_ns // par.funding_ns + 1) * par.funding_ns
    sample.last_price_usd = price_kernel(state, here.last_log)
    sample.mark_price_usd = price_kernel(state, here.mark_log)
    sample.index_price_usd = price_kernel(state, market.index_log)
    unforced = here.mark_log - here.forced_mark
    sample.unforced_mark_usd = price_kernel(state, unforced)
    sample.unforced_low_usd = price_kernel(state, here.unforced_low)
    sample.unforced_high_usd = price_kernel(state, here.unforced_high)
    sample.mark_low_usd, sample.mark_high_usd = (
        price_kernel(state, here.mark_low),
        price_kernel(state, here.mark_high),
    )
    sample.depth, sample.displacement, sample.fund_usd = here.depth, here.displacement, here.fund_usd
    if market.now_ns % _MINUTE_NS == 0:
        here.unforced_low = here.unforced_high = unforced
        here.mark_low = here.mark_high = here.mark_log
    sample.funding_ratio = here.funding_ratio
    sample.volatility = market.volatility
    sample.regime = market.regime
    out.counts[2] = n + 1


@njit(cache=True, nogil=True)
def _update_bar_kernel(par: Parameters, state: State, out: Buffers, venue: int) -> None:
    """Extend the running minute with the last price, and write it when the minute ends."""
    market, here = state.market[0], state.venues[venue]
    price_usd = math.floor(price_kernel(state, here.last_log) / par.tick_usd + 0.5) * par.tick_usd
    if here.bar_open == 0.0:
        here.bar_open = here.bar_high = here.bar_low = price_usd
    here.bar_high = max(here.bar_high, price_usd)
    here.bar_low = min(here.bar_low, price_usd)
    if market.now_ns % _MINUTE_NS == 0:
        n = out.counts[3]
        bar = out.bars[n]
        bar.ts_ns = market.now_ns - _MINUTE_NS
        bar.venue = venue
        bar.open_usd, bar.close_usd = here.bar_open, price_usd
        bar.high_usd, bar.low_usd = here.bar_high, here.bar_low
        bar.buy_lots, bar.sell_lots = here.buy_lots, here.sell_lots
        out.counts[3] = n + 1
        here.bar_open = here.bar_high = here.bar_low = price_usd
        here.buy_lots = here.sell_lots = 0


@njit(cache=True, nogil=True)
def _room_kernel(par: Parameters, state: State, out: Buffers) -> int:
    """Whether one more step fits whatever happens in it: every position may leave, every venue may open its
    most.
    """
    n_venues = state.venues.shape[0]
    n_open = state.market[0].n_open
    if state.positions.shape[0] - n_open < 2 * MAX_OPENS * n_venues:
        return NEEDS_POSITIONS
    n_orders = n_open * par.events_each + (MAX_OPENS + _MAX_BACKGROUND) * n_venues
    if par.emits_trades and out.trades.shape[0] - out.counts[0] < n_orders:
        return NEEDS_DRAIN
    if out.liquidations.shape[0] - out.counts[1] < n_open * par.events_each:
        return NEEDS_DRAIN
    if out.samples.shape[0] - out.counts[2] < n_venues or out.bars.shape[0] - out.counts[3] < n_venues:
        return NEEDS_DRAIN
    return DONE


@njit(cache=True, nogil=True)
def advance_kernel(par: Parameters, state: State, out: Buffers, until_ns: int, dt_ns: int) -> int:
    """Run whole steps of ``dt_ns`` until ``now >= until_ns``; returns DONE or what the caller must make room
    for.

    Order in a step: price, then per venue its prices, the sweep of levels by the mark, background trades and
    entries, then voluntary closes of the asset, panic, samples and bars.
    """
    market = state.market[0]
    rng = np.zeros(1, dtype=np.uint64)
    dt_s = dt_ns * 1e-9
    while market.now_ns < until_ns:
        lacking = _room_kernel(par, state, out)
        if lacking != DONE:
            return lacking
        t0_ns = market.now_ns
        market.now_ns = t0_ns + dt_ns
        market.step += 1
        move_price_kernel(par, state, rng, dt_s)
        for venue in range(state.venues.shape[0]):
            here = state.venues[venue]
            before_log, mark_before_log = here.last_log, here.mark_log
            move_venue_kernel(par, state, rng, venue, dt_s)
            sweep_kernel(par, state, out, venue, mark_before_log, t0_ns)
            if par.venues[venue].closes_winners == 1:
                deleverage_kernel(state, out, venue)
            if par.takes_profit:
                take_profit_kernel(par, state, out, venue, mark_before_log, t0_ns)
            _trade_background_kernel(par, state, out, rng, venue, t0_ns)
            open_positions_kernel(par, state, out, rng, venue, t0_ns, before_log)
        close_due_kernel(par, state, out, rng, t0_ns)
        panic_kernel(par, state, out, rng, t0_ns)
        if par.wallet_per_s > 0.0:
            change_wallets_kernel(par, state, rng, dt_s)
        _remember_extremes_kernel(state)
        for venue in range(state.venues.shape[0]):
            if par.sample_ns > 0 and market.now_ns % par.sample_ns == 0:
                _sample_kernel(par, state, out, venue)
            if par.emits_bars:
                _update_bar_kernel(par, state, out, venue)
    return DONE
