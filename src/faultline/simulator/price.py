"""Volatility, regimes, jumps and impact in, the price and mark of one step out.

Log price is a fundamental (diffusion with two volatility factors, jumps, regimes) plus the impact of the
orders that were executed. Impact is concave in the decayed signed flow, I(S) = sign(S) Y sigma (|S| /
V)^delta with the floor below, the "square-root law" (Donier and Bonart, arXiv 1412.4503; Sato and Kanazawa,
arXiv 2411.13965), and dies out as the flow is forgotten. Voluntary and forced flow are kept apart, so the
price without forced impact is known at any time.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from numba import njit

from faultline.simulator.book import refill_book_kernel
from faultline.simulator.randomness import normal_kernel, restart_kernel, uniform_kernel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from faultline.simulator.state import Parameters, State

__all__ = ("MARK_RULES", "impact_kernel", "move_price_kernel", "move_venue_kernel")

#: What a mark follows, by its name in a world file.
MARK_RULES = {"blend": 0, "index": 1, "last": 2, "median": 3}
_MARK_INDEX, _MARK_LAST, _MARK_MEDIAN = 1, 2, 3

_DAY_S = 86_400.0
_HOUR_NS = 3_600_000_000_000
#: Flow below this share of daily volume meets linear impact: the square root has no slope at zero.
_LINEAR_SHARE = 2e-5
#: The mark's premium term is bounded, as venues bound it.
_PREMIUM_BOUND = 0.005


@njit(cache=True, nogil=True)
def impact_kernel(flow_usd: float, scale: float, daily_volume_usd: float, exponent: float) -> float:
    """Log-price impact sign(S) k ((|S|/V + e)^d - e^d): concave, and linear for |S|/V far below e."""
    share = abs(flow_usd) / daily_volume_usd
    size = scale * ((share + _LINEAR_SHARE) ** exponent - _LINEAR_SHARE**exponent)
    return math.copysign(size, flow_usd)


@njit(cache=True, nogil=True)
def _regime_kernel(par: Parameters, state: State, uniform: float, choice: float, dt_s: float) -> int:
    """Regime of the step: the scheduled one, else a Markov jump with probability dt / mean stay."""
    market = state.market[0]
    schedule = par.schedule
    for k in range(schedule.shape[0]):
        if schedule[k, 0] <= market.now_ns < schedule[k, 1]:
            return int(schedule[k, 2])
        if 0 <= market.now_ns - schedule[k, 1] < dt_s * 1e9:
            return 0
    regime = int(market.regime)
    if uniform < dt_s / par.regimes[regime].mean_s:
        row = par.transitions[regime]
        for following in range(row.shape[0]):
            if choice < row[following]:
                return following
    return regime


@njit(cache=True, nogil=True)
def _season_kernel(now_ns: int, amplitude: float) -> float:
    """Factor exp(a cos(2 pi (h - 15) / 24)) on volatility and activity at UTC hour h."""
    hour = (now_ns % (24 * _HOUR_NS)) / _HOUR_NS
    return math.exp(amplitude * math.cos(2.0 * math.pi * (hour - 15.0) / 24.0))


@njit(cache=True, nogil=True)
def _join_books_kernel(par: Parameters, state: State) -> None:
    """Depth and push of all books by the venues' shares: what the index sees of them."""
    market = state.market[0]
    market.depth, market.book_log, market.book_forced = 0.0, 0.0, 0.0
    for venue in range(state.venues.shape[0]):
        share, here = par.venues[venue].share, state.venues[venue]
        market.depth += share * here.depth
        market.book_log += share * here.displacement
        market.book_forced += share * here.displaced_forced


@njit(cache=True, nogil=True)
def _mark_target_kernel(index_log: float, premium: float, last_log: float, rule: int) -> float:
    """What a mark follows: index and bounded premium, the index, the last price, or the median of the three."""
    blend = index_log + min(max(premium, -_PREMIUM_BOUND), _PREMIUM_BOUND)
    if rule == _MARK_INDEX:
        return index_log
    if rule == _MARK_LAST:
        return last_log
    if rule == _MARK_MEDIAN:
        return max(min(index_log, blend), min(max(index_log, blend), last_log))
    return blend


@njit(cache=True, nogil=True)
def move_price_kernel(par: Parameters, state: State, rng: NDArray[np.uint64], dt_s: float) -> None:
    """One step of the asset: regime, log-volatility factors (Ornstein-Uhlenbeck), diffusion, jumps, decayed
    impact.
    """
    market = state.market[0]
    restart_kernel(rng, par.keys[0].market, market.step, 0)
    shared, shared_fast, shared_slow = normal_kernel(rng), normal_kernel(rng), normal_kernel(rng)
    leave, choice = uniform_kernel(rng), uniform_kernel(rng)
    jump, jump_sign, jump_size = uniform_kernel(rng), uniform_kernel(rng), uniform_kernel(rng)
    restart_kernel(rng, par.keys[0].asset, market.step, 0)
    regime = _regime_kernel(par, state, leave, choice, dt_s)
    if regime != market.regime:
        market.regime = regime
        market.anchor = market.fundamental
    rho = par.correlation
    own = math.sqrt(1.0 - rho * rho)
    keep_fast, keep_slow = math.exp(-dt_s / par.fast_s), math.exp(-dt_s / par.slow_s)
    push_fast = rho * shared_fast + own * normal_kernel(rng)
    push_slow = rho * shared_slow + own * normal_kernel(rng)
    market.fast = market.fast * keep_fast + par.fast_sigma * math.sqrt(1.0 - keep_fast**2) * push_fast
    market.slow = market.slow * keep_slow + par.slow_sigma * math.sqrt(1.0 - keep_slow**2) * push_slow
    level = math.exp(market.fast + market.slow - par.fast_sigma**2 - par.slow_sigma**2)
    season = _season_kernel(market.now_ns, par.season)
    market.volatility = par.vol_per_day * par.regimes[regime].vol * level * season
    spread_s = market.volatility * math.sqrt(dt_s / _DAY_S)
    move = spread_s * (rho * shared + own * normal_kernel(rng))
    move += par.regimes[regime].drift_per_s * dt_s * par.vol_per_day
    move -= par.regimes[regime].reversion_per_s * dt_s * (market.fundamental - market.anchor)
    if jump < par.jumps_per_s * dt_s:
        size = -math.log(jump_size) * par.jump_scale * market.volatility
        move += size * (0.4 + 0.6 * rho) * (1.0 if jump_sign < 0.5 else -1.0)
    market.fundamental += move
    keep = math.exp(-dt_s / par.impact_decay_s)
    market.flow_usd *= keep
    market.forced_usd *= keep
    scale = par.impact_coefficient * par.vol_per_day * par.regimes[regime].impact
    if par.has_book:
        _join_books_kernel(par, state)
        scale = par.impact_coefficient * par.vol_per_day * market.depth**-par.impact_exponent
    flow_target, forced_target = 0.0, 0.0
    if par.flow_impact:
        flow_target = impact_kernel(market.flow_usd, scale, par.daily_volume_usd, par.impact_exponent)
    if par.contagion:
        forced_target = impact_kernel(market.forced_usd, scale, par.daily_volume_usd, par.impact_exponent)
    market.flow_impact = flow_target
    market.forced_impact = forced_target
    old = market.index_log
    impact = flow_target + forced_target
    market.index_log = market.fundamental + (1.0 - par.perp_share) * impact + market.book_log
    keep_momentum = math.exp(-dt_s / par.momentum_s)
    market.momentum = market.momentum * keep_momentum + market.index_log - old
    extent = abs(market.momentum) / max(par.vol_per_day * math.sqrt(par.momentum_s / _DAY_S), 1e-9)
    level_ratio = (level * season) ** 0.7
    market.activity = (
        par.regimes[regime].activity * level_ratio * (1.0 + par.momentum_gain * min(extent, 6.0))
    )


@njit(cache=True, nogil=True)
def move_venue_kernel(
    par: Parameters, state: State, rng: NDArray[np.uint64], venue: int, dt_s: float
) -> None:
    """One step of a venue: basis, last price, premium, and the mark, an index blend that lags
    exponentially.
    """
    market = state.market[0]
    here = state.venues[venue]
    restart_kernel(rng, par.venue_keys[venue].basis, market.step, 0)
    keep = math.exp(-dt_s / 60.0)
    noise = par.venues[venue].basis * math.sqrt(1.0 - keep * keep) * normal_kernel(rng)
    here.basis = here.basis * keep + noise
    impact = market.flow_impact + market.forced_impact
    rules = par.venues[venue]
    if rules.arbitrage_s > 0.0:
        here.followed += (1.0 - math.exp(-dt_s / rules.arbitrage_s)) * (market.index_log - here.followed)
    else:
        here.followed = market.index_log
    if rules.book_usd > 0.0:
        refill_book_kernel(par, state, venue, dt_s)
    local = here.displacement - market.book_log
    here.last_log = here.followed + par.perp_share * impact + here.basis + local
    here.premium += (1.0 - keep) * (here.last_log - market.index_log - here.premium)
    follow = 1.0 - math.exp(-dt_s / rules.mark_lag_s)
    target = _mark_target_kernel(market.index_log, here.premium, here.last_log, rules.mark_rule)
    here.mark_log += follow * (target - here.mark_log)
    here.forced_mark += follow * (market.forced_impact + market.book_forced - here.forced_mark)
    here.mark_low, here.mark_high = min(here.mark_low, here.mark_log), max(here.mark_high, here.mark_log)
    unforced = here.mark_log - here.forced_mark
    here.unforced_low = min(here.unforced_low, unforced)
    here.unforced_high = max(here.unforced_high, unforced)
    interest = min(max(1e-4 - here.premium, -5e-4), 5e-4)
    here.funding_ratio = here.premium + interest
