"""A seed in, one busy perpetual's trades out: the input every speed benchmark shares.

Minute intensity is a diurnal wave times the exponential of an AR(1) process; trades inside a minute are Poisson.
Returns scale with the square root of the intensity, with one jump of 30-200 bp in 50,000 trades. Quantities are
lognormal, the taker's side persists. Two million trades are one day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from faultline.messages import Flag, Kind, empty_rows
from faultline.units import DAY_NS, MILLISECOND_NS, MINUTE_NS

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ("INSTRUMENT_ID", "START_NS", "TRADES_PER_DAY", "generate_trades")

#: Instrument the trades belong to.
INSTRUMENT_ID: Final = "binance:BTCUSDT"
#: 2026-01-05T00:00:00Z, a Monday.
START_NS: Final = 1_767_571_200_000_000_000
#: Trades in a day of average activity.
TRADES_PER_DAY: Final = 2_000_000
#: Price of the first trade, in USD.
START_PRICE_USD: Final = 100_000.0
#: Smallest price step, in USD.
TICK_USD: Final = 0.1
#: Smallest quantity step, in base units.
LOT_BASE: Final = 0.001
#: Volatility of one day, as a ratio.
DAILY_VOLATILITY_RATIO: Final = 0.025
#: Trades between two jumps, on average.
TRADES_PER_JUMP: Final = 50_000
#: Probability that the next trade's taker is on the same side.
SIDE_PERSISTENCE_PROB: Final = 0.85


def generate_trades(n: int, seed: int = 1, *, receive_jitter: bool = False) -> NDArray[np.void]:
    """``n`` trades sorted by receive time, dtype of kind trade.

    Args:
        n: number of rows.
        seed: seed of every draw.
        receive_jitter: False: the receive time is the event time, flagged as assumed. True: it lies a
            lognormal delay later (median 8 ms, log deviation 0.35), as a recorder sees it.
    """
    rng = np.random.default_rng(seed)
    times_ms, root_intensity = _event_times_ms(n, rng)
    rows = empty_rows(Kind.TRADE, n)
    rows["ts_event_ns"] = START_NS + times_ms * MILLISECOND_NS
    rows["price_usd"] = _prices_ticks(n, root_intensity, rng) / round(1 / TICK_USD)
    lots = np.maximum(np.rint(rng.lognormal(-4.5, 2.0, n) / LOT_BASE), 1.0)
    rows["qty_base"] = lots / round(1 / LOT_BASE)
    turns = rng.random(n) >= SIDE_PERSISTENCE_PROB
    rows["taker_side"] = np.where(np.cumsum(turns) % 2 == 0, 1, -1)
    rows["seq"] = 5_000_000_000 + np.arange(n)
    if not receive_jitter:
        rows["ts_received_ns"] = rows["ts_event_ns"]
        rows["flags"] = int(Flag.RECEIVED_ASSUMED)
        return rows
    delay_ns = np.rint(rng.lognormal(np.log(8 * MILLISECOND_NS), 0.35, n)).astype(np.int64)
    rows["ts_received_ns"] = np.maximum.accumulate(rows["ts_event_ns"] + delay_ns)
    return rows


def _event_times_ms(n: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Milliseconds after the start, sorted, and the square root of each trade's relative intensity."""
    per_minute = TRADES_PER_DAY / 1_440
    n_minutes = int(1.5 * n / per_minute) + 10
    noise = rng.standard_normal(n_minutes) * 0.25
    level = np.empty(n_minutes)
    state = 0.0
    for minute in range(n_minutes):
        state = 0.93 * state + noise[minute]
        level[minute] = state
    phase = 2 * np.pi * np.arange(n_minutes) * MINUTE_NS / DAY_NS
    intensity = (1 + 0.4 * np.sin(phase)) * np.exp(level)
    intensity /= intensity.mean()
    counts = rng.poisson(per_minute * intensity)
    minutes = np.repeat(np.arange(n_minutes), counts)[:n]
    while len(minutes) < n:
        minutes = np.concatenate((minutes, np.full(n - len(minutes), n_minutes - 1)))
    times_ms = np.sort(minutes * 60_000 + rng.integers(0, 60_000, n))
    return times_ms, np.sqrt(intensity[minutes])


def _prices_ticks(
    n: int, root_intensity: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Prices in whole ticks: a random walk in the logarithm, with jumps."""
    scale = DAILY_VOLATILITY_RATIO / np.sqrt(TRADES_PER_DAY)
    steps = rng.standard_normal(n) * scale * root_intensity / root_intensity.mean()
    jumps = rng.random(n) < 1 / TRADES_PER_JUMP
    size = rng.uniform(0.003, 0.02, n) * rng.choice((-1.0, 1.0), n)
    steps[jumps] += size[jumps]
    return np.rint(START_PRICE_USD * np.exp(np.cumsum(steps)) / TICK_USD)
