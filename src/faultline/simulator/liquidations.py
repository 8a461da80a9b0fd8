"""A position at its liquidation level in, what the venue does with it out: steps, insurance fund, auto-deleveraging.

A venue may take a large position in steps: each closes a share f of it, and since equity does not change, the margin
of the rest rises from a to a + e f / (1 - f), with e the equity over entry notional at the level; the level moves
away. What a fill brings beyond the bankruptcy price goes to the insurance fund, what it lacks is paid from it. Where
the fund is empty and the venue deleverages, the position is not sold: winners of the other side, those with the
largest profit over margin first, are closed at its bankruptcy price, and no order reaches the market.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from faultline.simulator.levels import move_level_kernel
from faultline.simulator.margin import equity_ratio_kernel, tier_kernel
from faultline.simulator.orders import FORCED, execute_kernel, fill_kernel, notional_kernel, price_kernel
from faultline.simulator.positions import change_interest_kernel, remove_kernel
from faultline.simulator.state import CLOSED_WINNER, HANDED_OVER, TAKEN, TRIGGER_LIQUIDATION

if TYPE_CHECKING:
    from faultline.simulator.state import Buffers, Parameters, State

__all__ = ("deleverage_kernel", "liquidate_kernel")

#: Winners are ranked in this many classes of profit over margin, each this wide.
_N_RANKS = 256
_RANKS_PER_UNIT = 32.0


@njit(cache=True, nogil=True)
def _log_kernel(
    state: State, out: Buffers, row: int, lots: int, ts_ns: int, kind: int, fill_log: float
) -> None:
    """Write one forced exit with its truth."""
    position = state.positions[row]
    n = out.counts[1]
    event = out.liquidations[n]
    event.ts_ns = ts_ns
    event.position_id, event.origin = position.id, position.origin
    event.step, event.kind = position.n_steps, kind
    event.opened_ns = position.opened_ns
    event.lots = lots
    event.entry_price_usd = price_kernel(state, position.entry_log)
    event.level_price_usd = price_kernel(state, position.level_log)
    event.bankruptcy_price_usd = price_kernel(state, position.bankruptcy_log)
    event.mark_price_usd = price_kernel(state, state.venues[position.venue].mark_log)
    event.fill_price_usd = price_kernel(state, fill_log)
    event.venue, event.side = position.venue, position.side
    event.leverage, event.trader, event.is_cross = position.leverage, position.trader, position.is_cross
    out.counts[1] = n + 1


@njit(cache=True, nogil=True)
def _take_kernel(par: Parameters, state: State, out: Buffers, row: int, lots: int, ts_ns: int) -> None:
    """Take ``lots`` of a position: into the market, where it pushes the price, or from the winners."""
    position = state.positions[row]
    venue, side = position.venue, position.side
    here, rules = state.venues[venue], par.venues[venue]
    if rules.closes_winners == 1 and here.fund_usd <= 0.0:
        if side > 0:
            here.owed_short_lots += lots
        else:
            here.owed_long_lots += lots
        _log_kernel(state, out, row, lots, ts_ns, HANDED_OVER, position.bankruptcy_log)
        return
    fill_log = fill_kernel(par, state, venue, -side, lots, here.last_log)
    if rules.has_fund == 1:
        margin = side * (1.0 - math.exp(position.bankruptcy_log - fill_log))
        gain_usd = margin * notional_kernel(par, venue, lots, price_kernel(state, fill_log))
        here.fund_usd += gain_usd * rules.fund_gain if gain_usd > 0.0 else gain_usd
    _log_kernel(state, out, row, lots, ts_ns, TAKEN, fill_log)
    execute_kernel(par, state, out, venue, -side, lots, ts_ns, here.last_log, FORCED)


@njit(cache=True, nogil=True)
def liquidate_kernel(par: Parameters, state: State, out: Buffers, row: int, ts_ns: int) -> None:
    """Take a position whose level the mark has passed: whole, or step by step until its level lies beyond again."""
    position = state.positions[row]
    venue, side = position.venue, position.side
    rules, mark_log = par.venues[venue], state.venues[venue].mark_log
    while True:
        entry_usd = price_kernel(state, position.entry_log)
        size_usd = notional_kernel(par, venue, position.lots, entry_usd)
        lots = max(1, int(rules.partial_ratio * position.lots + 0.5))
        is_whole = position.n_steps >= rules.partial_steps or size_usd < rules.partial_from_usd
        if is_whole or lots >= position.lots:
            _take_kernel(par, state, out, row, position.lots, ts_ns)
            remove_kernel(state, row)
            return
        _take_kernel(par, state, out, row, lots, ts_ns)
        share = lots / position.lots
        reached = math.exp(position.level_log - position.entry_log)
        equity = equity_ratio_kernel(side, position.margin_ratio, reached, rules.is_inverse)
        change_interest_kernel(state, venue, side, -lots)
        position.lots -= lots
        position.n_steps += 1
        position.trigger = TRIGGER_LIQUIDATION
        size_usd = notional_kernel(par, venue, position.lots, entry_usd)
        tier = tier_kernel(par.tiers[venue], size_usd)
        position.maintenance_ratio = par.tiers[venue, tier, 1]
        if rules.is_adjusted == 1:
            position.maintenance_ratio /= position.leverage
        position.deduction_ratio = par.tiers[venue, tier, 3] / size_usd
        move_level_kernel(par, state, row, position.margin_ratio + equity * share / (1.0 - share))
        if side * (mark_log - position.level_log) > 0.0:
            return


@njit(cache=True, nogil=True)
def _rank_kernel(state: State, row: int) -> int:
    """Class of a position by its profit over margin; -1 where it does not win."""
    position = state.positions[row]
    profit = position.side * (state.venues[position.venue].last_log - position.entry_log)
    if profit <= 0.0:
        return -1
    return min(_N_RANKS - 1, int(profit / position.margin_ratio * _RANKS_PER_UNIT))


@njit(cache=True, nogil=True)
def _close_winners_kernel(state: State, out: Buffers, venue: int, side: int, owed_lots: int) -> None:
    """Close winners of a side, best class first, until ``owed_lots`` are covered; the last one in part."""
    market = state.market[0]
    lots_of = np.zeros(_N_RANKS, dtype=np.int64)
    for row in range(state.positions.shape[0]):
        position = state.positions[row]
        if position.is_open == 1 and position.venue == venue and position.side == side:
            rank = _rank_kernel(state, row)
            if rank >= 0:
                lots_of[rank] += position.lots
    least = _N_RANKS
    covered = 0
    while least > 0 and covered < owed_lots:
        least -= 1
        covered += lots_of[least]
    spare = owed_lots - (covered - lots_of[least] if least < _N_RANKS else 0)
    for row in range(state.positions.shape[0]):
        position = state.positions[row]
        if position.is_open == 1 and position.venue == venue and position.side == side:
            rank = _rank_kernel(state, row)
            lots = position.lots if rank > least else min(position.lots, spare)
            if rank < least or lots == 0:
                continue
            if rank == least:
                spare -= lots
            last_log = state.venues[venue].last_log
            _log_kernel(state, out, row, lots, market.now_ns - 1, CLOSED_WINNER, last_log)
            if lots == position.lots:
                remove_kernel(state, row)
            else:
                change_interest_kernel(state, venue, side, -lots)
                position.lots -= lots


@njit(cache=True, nogil=True)
def deleverage_kernel(state: State, out: Buffers, venue: int) -> None:
    """Close winners for what was handed over in the step; what no winner covers stays with the market makers."""
    here = state.venues[venue]
    if here.owed_long_lots > 0:
        _close_winners_kernel(state, out, venue, 1, here.owed_long_lots)
    if here.owed_short_lots > 0:
        _close_winners_kernel(state, out, venue, -1, here.owed_short_lots)
    here.owed_long_lots = here.owed_short_lots = 0
