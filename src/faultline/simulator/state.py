"""A world in, the arrays that the simulation kernels read and change out: parameters, state and output
buffers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = (
    "BAR",
    "LEVEL_BUCKETS",
    "LIQUIDATION",
    "MARKET",
    "MAX_LEVERAGE",
    "POSITION",
    "RING_BUCKETS",
    "RING_WIDTH_NS",
    "SAMPLE",
    "TRADE",
    "TRIGGER_LIQUIDATION",
    "TRIGGER_STOP",
    "TRIGGER_TOPUP",
    "VENUE",
    "Buffers",
    "Parameters",
    "Regimes",
    "State",
    "Streams",
    "Traders",
    "Venues",
)

#: Buckets of the index of trigger levels, 10 bp each; the index wraps round (levels are compared exactly).
LEVEL_BUCKETS = 4096
#: Buckets of the calendar of voluntary closes; it wraps round (times are compared exactly).
RING_BUCKETS = 65536
#: Width of a calendar bucket.
RING_WIDTH_NS = 10_000_000_000
#: Leverage settings are whole numbers from 1 to this.
MAX_LEVERAGE = 200

TRIGGER_LIQUIDATION = 0
TRIGGER_STOP = 1
TRIGGER_TOPUP = 2

#: One position. Logs are of price over the market's base price; ``*_level`` and ``*_due`` are list links.
POSITION = np.dtype(
    [
        ("id", "<i8"),
        ("opened_ns", "<i8"),
        ("due_ns", "<i8"),
        ("lots", "<i8"),
        ("entry_log", "<f8"),
        ("level_log", "<f8"),
        ("bankruptcy_log", "<f8"),
        ("trigger_log", "<f8"),
        ("margin_ratio", "<f8"),
        ("maintenance_ratio", "<f8"),
        ("deduction_ratio", "<f8"),
        ("venue", "<i4"),
        ("side", "<i4"),
        ("leverage", "<i4"),
        ("trader", "<i4"),
        ("trigger", "<i4"),
        ("is_cross", "<i4"),
        ("is_open", "<i4"),
        ("next_level", "<i4"),
        ("prev_level", "<i4"),
        ("next_due", "<i4"),
        ("prev_due", "<i4"),
        ("spare", "<i4"),
    ]
)

#: State of one asset.
MARKET = np.dtype(
    [
        ("step", "<i8"),
        ("now_ns", "<i8"),
        ("regime", "<i8"),
        ("free_head", "<i8"),
        ("n_open", "<i8"),
        ("next_id", "<i8"),
        ("hour", "<i8"),
        ("base_log", "<f8"),
        ("fundamental", "<f8"),
        ("anchor", "<f8"),
        ("fast", "<f8"),
        ("slow", "<f8"),
        ("volatility", "<f8"),
        ("flow_usd", "<f8"),
        ("forced_usd", "<f8"),
        ("flow_impact", "<f8"),
        ("forced_impact", "<f8"),
        ("index_log", "<f8"),
        ("momentum", "<f8"),
        ("high_log", "<f8"),
        ("low_log", "<f8"),
        ("activity", "<f8"),
        ("n_rejected", "<i8"),
    ]
)

#: State of one venue of one asset.
VENUE = np.dtype(
    [
        ("long_lots", "<i8"),
        ("short_lots", "<i8"),
        ("inventory_lots", "<i8"),
        ("basis", "<f8"),
        ("premium", "<f8"),
        ("last_log", "<f8"),
        ("mark_log", "<f8"),
        ("forced_mark", "<f8"),
        ("unforced_low", "<f8"),
        ("unforced_high", "<f8"),
        ("funding_ratio", "<f8"),
        ("bar_open", "<f8"),
        ("bar_high", "<f8"),
        ("bar_low", "<f8"),
        ("buy_lots", "<i8"),
        ("sell_lots", "<i8"),
    ]
)

#: One trade, as it happened.
TRADE = np.dtype(
    [("ts_ns", "<i8"), ("lots", "<i8"), ("price_usd", "<f8"), ("venue", "<i4"), ("taker_side", "<i4")]
)

#: One liquidation, as it happened, reported or not.
LIQUIDATION = np.dtype(
    [
        ("ts_ns", "<i8"),
        ("position_id", "<i8"),
        ("opened_ns", "<i8"),
        ("lots", "<i8"),
        ("entry_price_usd", "<f8"),
        ("level_price_usd", "<f8"),
        ("bankruptcy_price_usd", "<f8"),
        ("mark_price_usd", "<f8"),
        ("venue", "<i4"),
        ("side", "<i4"),
        ("leverage", "<i4"),
        ("trader", "<i4"),
        ("is_cross", "<i4"),
        ("spare", "<i4"),
    ]
)

#: One sample of one venue.
SAMPLE = np.dtype(
    [
        ("ts_ns", "<i8"),
        ("oi_lots", "<i8"),
        ("next_funding_ns", "<i8"),
        ("last_price_usd", "<f8"),
        ("mark_price_usd", "<f8"),
        ("index_price_usd", "<f8"),
        ("unforced_mark_usd", "<f8"),
        ("unforced_low_usd", "<f8"),
        ("unforced_high_usd", "<f8"),
        ("funding_ratio", "<f8"),
        ("volatility", "<f8"),
        ("venue", "<i4"),
        ("regime", "<i4"),
    ]
)

#: One finished minute of one venue.
BAR = np.dtype(
    [
        ("ts_ns", "<i8"),
        ("buy_lots", "<i8"),
        ("sell_lots", "<i8"),
        ("open_usd", "<f8"),
        ("high_usd", "<f8"),
        ("low_usd", "<f8"),
        ("close_usd", "<f8"),
        ("venue", "<i4"),
        ("spare", "<i4"),
    ]
)


class Venues(NamedTuple):
    """Venue parameters, each shape (V,), and their tiers, shape (V, T, 4)."""

    share: NDArray[np.float64]
    leverage: NDArray[np.float64]
    mark_lag_s: NDArray[np.float64]
    basis: NDArray[np.float64]
    rule: NDArray[np.int64]
    tiers: NDArray[np.float64]


class Traders(NamedTuple):
    """Parameters of the classes of traders, each shape (C,); ``cumulative`` is the running share."""

    cumulative: NDArray[np.float64]
    leverage_log: NDArray[np.float64]
    leverage_sigma: NDArray[np.float64]
    round_prob: NDArray[np.float64]
    size_log: NDArray[np.float64]
    size_sigma: NDArray[np.float64]
    pareto_prob: NDArray[np.float64]
    pareto_exponent: NDArray[np.float64]
    size_cap_usd: NDArray[np.float64]
    life_s: NDArray[np.float64]
    life_exponent: NDArray[np.float64]
    life_shape: NDArray[np.float64]
    long_bias: NDArray[np.float64]
    momentum_bias: NDArray[np.float64]
    cross_prob: NDArray[np.float64]
    cross_margin: NDArray[np.float64]
    margin_noise: NDArray[np.float64]
    topup_prob: NDArray[np.float64]
    topup_ratio: NDArray[np.float64]
    stop_prob: NDArray[np.float64]
    stop_from: NDArray[np.float64]
    stop_to: NDArray[np.float64]
    partial_prob: NDArray[np.float64]


class Regimes(NamedTuple):
    """Parameters of the regimes, each shape (R,); ``cumulative`` is (R, R); ``schedule`` (K, 3): from, to,
    regime.
    """

    mean_s: NDArray[np.float64]
    vol: NDArray[np.float64]
    drift_per_s: NDArray[np.float64]
    reversion_per_s: NDArray[np.float64]
    impact: NDArray[np.float64]
    leverage: NDArray[np.float64]
    activity: NDArray[np.float64]
    panic_per_s: NDArray[np.float64]
    cumulative: NDArray[np.float64]
    schedule: NDArray[np.int64]


class Streams(NamedTuple):
    """Keys of the random streams; per-venue keys have shape (V,)."""

    market: np.uint64
    asset: np.uint64
    panic: np.uint64
    basis: NDArray[np.uint64]
    opens: NDArray[np.uint64]
    closes: NDArray[np.uint64]
    background: NDArray[np.uint64]


class Parameters(NamedTuple):
    """Everything about one asset that does not change while it runs."""

    venues: Venues
    traders: Traders
    regimes: Regimes
    streams: Streams
    vol_per_day: float
    correlation: float
    daily_volume_usd: float
    opens_per_s: float
    size_ratio: float
    lot_base: float
    tick_usd: float
    round_step_usd: float
    background_per_s: float
    background_usd_log: float
    emits_trades: bool
    emits_bars: bool
    sample_ns: int
    funding_ns: int
    contagion: bool
    flow_impact: bool
    impact_coefficient: float
    impact_exponent: float
    impact_decay_s: float
    perp_share: float
    half_spread: float
    fast_sigma: float
    fast_s: float
    slow_sigma: float
    slow_s: float
    season: float
    jumps_per_s: float
    jump_scale: float
    matched_prob: float
    momentum_s: float
    momentum_gain: float
    round_gain: float
    retest_gain: float
    clustering: float
    inventory_aversion: float
    funding_aversion: float


class State(NamedTuple):
    """Everything about one asset that changes; ``mix`` counts opens (V, 2, MAX_LEVERAGE + 1, 2: number,
    USD).
    """

    market: NDArray[np.void]
    venues: NDArray[np.void]
    positions: NDArray[np.void]
    level_head: NDArray[np.int32]
    due_head: NDArray[np.int32]
    hours: NDArray[np.float64]
    mix: NDArray[np.float64]


class Buffers(NamedTuple):
    """What happened since the last drain; ``counts`` (4,): trades, liquidations, samples, bars."""

    trades: NDArray[np.void]
    liquidations: NDArray[np.void]
    samples: NDArray[np.void]
    bars: NDArray[np.void]
    counts: NDArray[np.int64]
