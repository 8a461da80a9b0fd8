"""A position whose margin changed in, its new liquidation and bankruptcy levels out, and its place in the index."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from numba import njit

from faultline.simulator.margin import bankruptcy_ratio_kernel, liquidation_ratio_kernel
from faultline.simulator.positions import link_level_kernel, unlink_level_kernel
from faultline.simulator.randomness import normal_kernel, poisson_kernel, restart_kernel, uniform_kernel
from faultline.simulator.state import TRIGGER_LIQUIDATION

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from faultline.simulator.state import Parameters, State

__all__ = ("change_wallets_kernel", "level_kernel", "move_level_kernel")

#: A change of margin never puts a level nearer to the mark than this (log).
_NEAREST = 1e-3


@njit(cache=True, nogil=True)
def level_kernel(par: Parameters, state: State, row: int, margin_ratio: float) -> float:
    """Log liquidation level of a position if its posted margin were ``margin_ratio``."""
    position = state.positions[row]
    rules = par.venues[position.venue]
    ratio = liquidation_ratio_kernel(
        position.side,
        margin_ratio,
        position.maintenance_ratio,
        position.deduction_ratio,
        rules.rule,
        rules.is_inverse,
        rules.fee,
    )
    return float(position.entry_log + math.log(ratio))


@njit(cache=True, nogil=True)
def move_level_kernel(par: Parameters, state: State, row: int, margin_ratio: float) -> None:
    """Give a position another posted margin: its levels follow; a stop that now lies beyond the level is dropped."""
    position = state.positions[row]
    unlink_level_kernel(state, row)
    position.margin_ratio = margin_ratio
    position.level_log = level_kernel(par, state, row, margin_ratio)
    is_inverse = par.venues[position.venue].is_inverse
    position.bankruptcy_log = position.entry_log + math.log(
        bankruptcy_ratio_kernel(position.side, margin_ratio, is_inverse)
    )
    if position.side * (position.trigger_log - position.level_log) <= 0.0:
        position.trigger = TRIGGER_LIQUIDATION
    if position.trigger == TRIGGER_LIQUIDATION:
        position.trigger_log = position.level_log
    link_level_kernel(state, row)


@njit(cache=True, nogil=True)
def change_wallets_kernel(par: Parameters, state: State, rng: NDArray[np.uint64], dt_s: float) -> None:
    """What else a cross wallet holds gains or loses: every row is picked at the world's rate; a cross position's
    margin moves by sigma z over its leverage, unless its level would come to lie at the mark.
    """
    market = state.market[0]
    n_rows = state.positions.shape[0]
    restart_kernel(rng, par.keys[0].wallet, market.step, 0)
    for k in range(min(poisson_kernel(rng, par.wallet_per_s * n_rows * dt_s), n_rows)):
        restart_kernel(rng, par.keys[0].wallet, market.step, 1 + k)
        row = int(uniform_kernel(rng) * n_rows)
        position = state.positions[row]
        if position.is_open == 1 and position.is_cross == 1:
            margin_ratio = position.margin_ratio + par.wallet_sigma * normal_kernel(rng) / position.leverage
            mark_log = state.venues[position.venue].mark_log
            level = level_kernel(par, state, row, margin_ratio)
            if position.side * (mark_log - level) > _NEAREST:
                move_level_kernel(par, state, row, margin_ratio)
