"""A mark move or the passing of time in, positions that left out: liquidations, stops, top-ups, voluntary
closes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from numba import njit

from faultline.simulator.entries import draw_life_ns_kernel
from faultline.simulator.levels import move_level_kernel
from faultline.simulator.liquidations import liquidate_kernel
from faultline.simulator.orders import VOLUNTARY, execute_kernel
from faultline.simulator.positions import (
    bucket_kernel,
    change_interest_kernel,
    link_due_kernel,
    remove_kernel,
    side_row_kernel,
    unlink_due_kernel,
)
from faultline.simulator.randomness import poisson_kernel, restart_kernel, uniform_kernel
from faultline.simulator.state import (
    LEVEL_BUCKETS,
    RING_BUCKETS,
    RING_WIDTH_NS,
    TRIGGER_LIQUIDATION,
    TRIGGER_STOP,
    TRIGGER_TOPUP,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from faultline.simulator.state import Buffers, Parameters, State

__all__ = ("close_due_kernel", "panic_kernel", "sweep_kernel", "take_profit_kernel")


@njit(cache=True, nogil=True)
def _trigger_kernel(par: Parameters, state: State, out: Buffers, row: int, ts_ns: int) -> None:
    """What a position does when the mark reaches its trigger; a stop or top-up that came too late is
    liquidated.
    """
    position = state.positions[row]
    mark_log = state.venues[position.venue].mark_log
    is_beyond = position.side * (mark_log - position.level_log) <= 0.0
    if position.trigger == TRIGGER_TOPUP:
        position.trigger = TRIGGER_LIQUIDATION
        added = par.traders[position.trader].topup_ratio / position.leverage
        move_level_kernel(par, state, row, position.margin_ratio + added)
        is_beyond = position.side * (mark_log - position.level_log) <= 0.0
    if is_beyond:
        liquidate_kernel(par, state, out, row, ts_ns)
    elif position.trigger == TRIGGER_STOP:
        execute_kernel(
            par,
            state,
            out,
            position.venue,
            -position.side,
            position.lots,
            ts_ns,
            position.trigger_log,
            VOLUNTARY,
        )
        remove_kernel(state, row)


@njit(cache=True, nogil=True)
def sweep_kernel(
    par: Parameters, state: State, out: Buffers, venue: int, mark_before_log: float, t0_ns: int
) -> None:
    """Walk the trigger buckets between the old and the new mark: longs when it fell, shorts when it rose.

    The mark moves evenly within the step, so a level at share w of the way is reached at t0 + w dt.
    """
    market, here = state.market[0], state.venues[venue]
    mark_log = here.mark_log
    if mark_log == mark_before_log:
        return
    side = 1 if mark_log < mark_before_log else -1
    lane = side_row_kernel(side)
    bucket, last = bucket_kernel(mark_before_log), bucket_kernel(mark_log)
    n_buckets = abs(last - bucket) + 1
    for _ in range(n_buckets):
        row = state.level_head[venue, lane, bucket % LEVEL_BUCKETS]
        while row >= 0:
            position = state.positions[row]
            following = position.next_level
            if side * (mark_log - position.trigger_log) <= 0.0:
                share = (position.trigger_log - mark_before_log) / (mark_log - mark_before_log)
                share = min(max(share, 0.0), 1.0)
                ts_ns = t0_ns + int(share * (market.now_ns - t0_ns - 1))
                _trigger_kernel(par, state, out, row, ts_ns)
            row = following
        bucket -= side


@njit(cache=True, nogil=True)
def take_profit_kernel(
    par: Parameters, state: State, out: Buffers, venue: int, mark_before_log: float, t0_ns: int
) -> None:
    """Walk the take-profits between the old and the new mark: longs when it rose, shorts when it fell."""
    market, here = state.market[0], state.venues[venue]
    mark_log = here.mark_log
    if mark_log == mark_before_log:
        return
    side = 1 if mark_log > mark_before_log else -1
    lane = side_row_kernel(side)
    bucket, last = bucket_kernel(mark_before_log), bucket_kernel(mark_log)
    for _ in range(abs(last - bucket) + 1):
        row = state.profit_head[venue, lane, bucket % LEVEL_BUCKETS]
        while row >= 0:
            position = state.positions[row]
            following = position.next_profit
            if side * (mark_log - position.profit_log) >= 0.0:
                share = (position.profit_log - mark_before_log) / (mark_log - mark_before_log)
                ts_ns = t0_ns + int(min(max(share, 0.0), 1.0) * (market.now_ns - t0_ns - 1))
                lots, profit_log = position.lots, position.profit_log
                remove_kernel(state, row)
                execute_kernel(par, state, out, venue, -side, lots, ts_ns, profit_log, VOLUNTARY)
            row = following
        bucket += side


@njit(cache=True, nogil=True)
def close_due_kernel(
    par: Parameters, state: State, out: Buffers, rng: NDArray[np.uint64], t0_ns: int
) -> None:
    """Voluntary closes that fall due in [t0, now): whole, or half and then a new life is drawn."""
    market = state.market[0]
    for cell in range(t0_ns // RING_WIDTH_NS, (market.now_ns - 1) // RING_WIDTH_NS + 1):
        row = state.due_head[cell % RING_BUCKETS]
        while row >= 0:
            position = state.positions[row]
            following = position.next_due
            if position.due_ns < market.now_ns:
                venue = position.venue
                restart_kernel(rng, par.venue_keys[venue].closes, position.id, market.step)
                last_log = state.venues[venue].last_log
                ts_ns = max(position.due_ns, t0_ns)
                if uniform_kernel(rng) < par.traders[position.trader].partial_prob and position.lots > 1:
                    lots = position.lots // 2
                    unlink_due_kernel(state, row)
                    position.lots -= lots
                    life_ns = draw_life_ns_kernel(par, rng, position.trader, position.leverage)
                    position.due_ns = max(ts_ns + life_ns, market.now_ns)
                    link_due_kernel(state, row)
                    change_interest_kernel(state, venue, position.side, -lots)
                else:
                    lots = position.lots
                    remove_kernel(state, row)
                execute_kernel(par, state, out, venue, -position.side, lots, ts_ns, last_log, VOLUNTARY)
            row = following


@njit(cache=True, nogil=True)
def panic_kernel(par: Parameters, state: State, out: Buffers, rng: NDArray[np.uint64], t0_ns: int) -> None:
    """Closes in panic: every row is picked at the regime's rate; a losing position goes, a winning one with 1/3."""
    market = state.market[0]
    rate = par.regimes[int(market.regime)].panic_per_s
    if rate == 0.0:
        return
    n_rows = state.positions.shape[0]
    restart_kernel(rng, par.keys[0].panic, market.step, 0)
    for k in range(min(poisson_kernel(rng, rate * n_rows * (market.now_ns - t0_ns) * 1e-9), n_rows)):
        restart_kernel(rng, par.keys[0].panic, market.step, 1 + k)
        row = int(uniform_kernel(rng) * n_rows)
        position = state.positions[row]
        last_log = state.venues[position.venue].last_log
        is_losing = position.side * (last_log - position.entry_log) < 0.0
        if position.is_open == 1 and (is_losing or uniform_kernel(rng) < 1.0 / 3.0):
            venue, side, lots = position.venue, position.side, position.lots
            ts_ns = t0_ns + int(uniform_kernel(rng) * (market.now_ns - t0_ns - 1))
            remove_kernel(state, row)
            execute_kernel(par, state, out, venue, -side, lots, ts_ns, last_log, VOLUNTARY)
