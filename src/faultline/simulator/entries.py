"""Momentum, round prices and retests in, newly opened positions out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from faultline.simulator.margin import bankruptcy_ratio_kernel, liquidation_ratio_kernel, tier_kernel
from faultline.simulator.orders import VOLUNTARY, execute_kernel, price_kernel
from faultline.simulator.positions import (
    change_interest_kernel,
    link_due_kernel,
    link_level_kernel,
    link_profit_kernel,
    side_row_kernel,
    take_slot_kernel,
)
from faultline.simulator.randomness import normal_kernel, poisson_kernel, restart_kernel, uniform_kernel
from faultline.simulator.state import MAX_LEVERAGE, TRIGGER_LIQUIDATION, TRIGGER_STOP, TRIGGER_TOPUP

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faultline.simulator.state import Buffers, Parameters, State

__all__ = ("MAX_OPENS", "draw_life_ns_kernel", "open_positions_kernel")

#: Most takers that may open on one venue in one step.
MAX_OPENS = 512
#: Most venues of a world.
_MOST_VENUES = 8
#: Whole leverages that traders choose far more often than their neighbours.
_ROUND = np.array([1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 25.0, 50.0, 75.0, 100.0, 125.0])
_DAY_S = 86_400.0
#: A new position's level must lie at least this far (log) from entry and mark, or the venue refuses the
#: order.
_NEAREST = 2e-4


@njit(cache=True, nogil=True)
def draw_life_ns_kernel(par: Parameters, rng: NDArray[np.uint64], trader: int, leverage: int) -> int:
    """Weibull life scale (10/L)^e (-ln u)^(1/k), ns: for k < 1 the hazard of closing falls with age."""
    traders = par.traders
    scale_s = traders[trader].life_s * (10.0 / leverage) ** traders[trader].life_exponent
    life_s = scale_s * (-math.log(uniform_kernel(rng))) ** (1.0 / traders[trader].life_shape)
    return int(min(life_s, 4e8) * 1e9)


@njit(cache=True, nogil=True)
def _draw_leverage_kernel(
    par: Parameters, rng: NDArray[np.uint64], trader: int, venue: int, regime: int, now_ns: int
) -> int:
    """Log-normal leverage of the class, scaled by venue, regime and switch, often snapped to a round number
    (in log).
    """
    traders = par.traders
    wanted = traders[trader].leverage_log + traders[trader].leverage_sigma * normal_kernel(rng)
    response = traders[trader].regime_response * math.log(par.regimes[regime].leverage)
    wanted += math.log(par.venues[venue].leverage) + response
    if now_ns >= par.switch_ns:
        wanted += par.switch_log
    wanted = min(max(wanted, 0.0), math.log(float(MAX_LEVERAGE)))
    if uniform_kernel(rng) < traders[trader].round_prob:
        best = 0
        for k in range(_ROUND.shape[0]):
            if abs(math.log(_ROUND[k]) - wanted) < abs(math.log(_ROUND[best]) - wanted):
                best = k
        return int(_ROUND[best])
    return max(1, int(math.exp(wanted) + 0.5))


@njit(cache=True, nogil=True)
def _draw_size_kernel(par: Parameters, rng: NDArray[np.uint64], trader: int) -> float:
    """Notional in USD: log-normal, with probability p times a Pareto factor u^(-1/a)."""
    traders = par.traders
    size = math.exp(traders[trader].size_log + traders[trader].size_sigma * normal_kernel(rng))
    chance, tail = uniform_kernel(rng), uniform_kernel(rng)
    if chance < traders[trader].pareto_prob:
        size *= tail ** (-1.0 / traders[trader].pareto_exponent)
    return float(min(size, traders[trader].size_cap_usd) * par.size_ratio)


@njit(cache=True, nogil=True)
def _draw_trader_kernel(par: Parameters, rng: NDArray[np.uint64]) -> int:
    """Class of a trader by its share."""
    uniform = uniform_kernel(rng)
    trader = 0
    while trader < par.traders.shape[0] - 1 and uniform >= par.traders[trader].cumulative:
        trader += 1
    return trader


@njit(cache=True, nogil=True)
def _set_levels_kernel(
    par: Parameters, state: State, rng: NDArray[np.uint64], row: int, notional_usd: float
) -> bool:
    """Margin, liquidation, bankruptcy and trigger levels of a filled-in row; False where the order is
    refused.
    """
    position = state.positions[row]
    traders, trader = par.traders, position.trader
    tiers = par.tiers[position.venue]
    tier = tier_kernel(tiers, notional_usd)
    position.leverage = min(position.leverage, int(tiers[tier, 2]))
    rules = par.venues[position.venue]
    maintenance, deduction = tiers[tier, 1], tiers[tier, 3] / notional_usd
    if rules.is_adjusted == 1:
        maintenance /= position.leverage
    extra_chance, extra, noise = uniform_kernel(rng), uniform_kernel(rng), normal_kernel(rng)
    stop_chance, stop_place, topup_chance = uniform_kernel(rng), uniform_kernel(rng), uniform_kernel(rng)
    margin = math.exp(traders[trader].margin_noise * noise) / position.leverage
    position.is_cross = 1 if extra_chance < traders[trader].cross_prob else 0
    if position.is_cross == 1:
        margin *= 1.0 - math.log(extra) * traders[trader].cross_margin
    side = position.side
    level = position.entry_log + math.log(
        liquidation_ratio_kernel(
            side, margin, maintenance, deduction, rules.rule, rules.is_inverse, rules.fee
        )
    )
    mark_log = state.venues[position.venue].mark_log
    if side * (min(side * position.entry_log, side * mark_log) * side - level) < _NEAREST:
        return False
    position.margin_ratio = margin
    position.maintenance_ratio = maintenance
    position.deduction_ratio = deduction
    position.level_log = level
    position.bankruptcy_log = position.entry_log + math.log(
        bankruptcy_ratio_kernel(side, margin, rules.is_inverse)
    )
    position.trigger_log = level
    position.trigger = TRIGGER_LIQUIDATION
    way = level - position.entry_log
    if stop_chance < traders[trader].stop_prob:
        place = traders[trader].stop_from + stop_place * (traders[trader].stop_to - traders[trader].stop_from)
        position.trigger, position.trigger_log = TRIGGER_STOP, position.entry_log + place * way
    elif topup_chance < traders[trader].topup_prob:
        position.trigger, position.trigger_log = TRIGGER_TOPUP, position.entry_log + 0.8 * way
    return bool(side * (mark_log - position.trigger_log) > 0.0)


@njit(cache=True, nogil=True)
def _set_profit_kernel(par: Parameters, state: State, rng: NDArray[np.uint64], row: int) -> None:
    """A take-profit for some: as far on the winning side as a drawn share of the way to liquidation."""
    position = state.positions[row]
    trader = par.traders[position.trader]
    if trader.profit_prob > 0.0 and uniform_kernel(rng) < trader.profit_prob:
        place = trader.profit_from + uniform_kernel(rng) * (trader.profit_to - trader.profit_from)
        way = min(abs(position.level_log - position.entry_log), 1.0)
        profit_log = position.entry_log + position.side * place * way
        if position.side * (profit_log - state.venues[position.venue].mark_log) > 0.0:
            position.has_profit, position.profit_log = 1, profit_log
            link_profit_kernel(state, row)


@njit(cache=True, nogil=True)
def _open_kernel(
    par: Parameters,
    state: State,
    rng: NDArray[np.uint64],
    venue: int,
    trader: int,
    side: int,
    lots: int,
    ts_ns: int,
    entry_log: float,
    draw: int,
) -> bool:
    """Open one position if the venue accepts it, index it and count it in the true mix."""
    market = state.market[0]
    leverage = _draw_leverage_kernel(par, rng, trader, venue, int(market.regime), market.now_ns)
    row = take_slot_kernel(state)
    position = state.positions[row]
    position.venue, position.side, position.trader, position.leverage = venue, side, trader, leverage
    position.lots, position.entry_log, position.opened_ns = lots, entry_log, ts_ns
    notional_usd = lots * par.lot_base * price_kernel(state, entry_log)
    if par.venues[venue].is_inverse == 1:
        notional_usd = lots * par.venues[venue].unit_usd
    if not _set_levels_kernel(par, state, rng, row, notional_usd):
        position.next_level = market.free_head
        market.free_head = row
        market.n_open -= 1
        market.n_rejected += 1
        return False
    position.id = market.next_id
    position.origin = (market.step * _MOST_VENUES + venue) * 2 * MAX_OPENS + draw
    position.n_steps = 0
    market.next_id += 1
    position.is_open = 1
    position.due_ns = max(ts_ns + draw_life_ns_kernel(par, rng, trader, position.leverage), market.now_ns)
    link_level_kernel(state, row)
    link_due_kernel(state, row)
    position.has_profit = 0
    if par.takes_profit:
        _set_profit_kernel(par, state, rng, row)
    change_interest_kernel(state, venue, side, lots)
    lane = side_row_kernel(side)
    state.mix[venue, lane, position.leverage, 0] += 1.0
    state.mix[venue, lane, position.leverage, 1] += notional_usd
    return True


@njit(cache=True, nogil=True)
def _crowd_kernel(par: Parameters, state: State, venue: int) -> float:
    """Factor on the entry rate: 1 + gains where price is within the clustering width of a round price or day
    extreme.
    """
    market, here = state.market[0], state.venues[venue]
    price_usd = price_kernel(state, here.last_log)
    nearest = math.floor(price_usd / par.round_step_usd + 0.5) * par.round_step_usd
    factor = 1.0
    if abs(price_usd - nearest) < par.clustering * price_usd:
        factor += par.round_gain
    if min(abs(here.last_log - market.high_log), abs(here.last_log - market.low_log)) < par.clustering:
        factor += par.retest_gain
    return factor


@njit(cache=True, nogil=True)
def _long_prob_kernel(par: Parameters, state: State, venue: int, trader: int) -> float:
    """Probability that a taker opens long: one half, tilted by class, momentum, funding and inventory."""
    market, here = state.market[0], state.venues[venue]
    extent = market.momentum / max(par.vol_per_day * math.sqrt(par.momentum_s / _DAY_S), 1e-9)
    stock = here.inventory_lots / max(1.0, float(here.long_lots + here.short_lots))
    prob = 0.5 + par.traders[trader].long_bias + par.traders[trader].momentum_bias * math.tanh(extent)
    prob += par.inventory_aversion * math.tanh(5.0 * stock)
    prob -= par.funding_aversion * math.tanh(here.funding_ratio / 5e-4)
    return float(min(max(prob, 0.03), 0.97))


@njit(cache=True, nogil=True)
def open_positions_kernel(
    par: Parameters,
    state: State,
    out: Buffers,
    rng: NDArray[np.uint64],
    venue: int,
    t0_ns: int,
    before_log: float,
) -> None:
    """Takers of one venue and step: Poisson number, each with an entry on the way from the last price to
    this one.

    The counterparty opens the opposite position of the same size with probability ``matched_prob``;
    otherwise the market makers' inventory takes it.
    """
    market, here = state.market[0], state.venues[venue]
    dt_s = (market.now_ns - t0_ns) * 1e-9
    key = par.venue_keys[venue].opens
    restart_kernel(rng, key, market.step, 0)
    rate = par.opens_per_s * par.venues[venue].share * market.activity * _crowd_kernel(par, state, venue)
    for k in range(min(poisson_kernel(rng, rate * dt_s), MAX_OPENS)):
        restart_kernel(rng, key, market.step, 1 + 2 * k)
        trader = _draw_trader_kernel(par, rng)
        side = 1 if uniform_kernel(rng) < _long_prob_kernel(par, state, venue, trader) else -1
        when = uniform_kernel(rng)
        entry_log = before_log + when * (here.last_log - before_log)
        ts_ns = t0_ns + int(when * (market.now_ns - t0_ns - 1))
        size_usd = _draw_size_kernel(par, rng, trader)
        lot_usd = par.lot_base * price_kernel(state, entry_log)
        if par.venues[venue].is_inverse == 1:
            lot_usd = par.venues[venue].unit_usd
        lots = max(1, int(size_usd / lot_usd + 0.5))
        taker_log = entry_log + side * par.half_spread
        if not _open_kernel(par, state, rng, venue, trader, side, lots, ts_ns, taker_log, 2 * k):
            continue
        execute_kernel(par, state, out, venue, side, lots, ts_ns, entry_log, VOLUNTARY)
        restart_kernel(rng, key, market.step, 2 + 2 * k)
        if uniform_kernel(rng) < par.matched_prob:
            maker = _draw_trader_kernel(par, rng)
            _open_kernel(par, state, rng, venue, maker, -side, lots, ts_ns, taker_log, 2 * k + 1)
