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
    "CLOSED_WINNER",
    "HANDED_OVER",
    "KEYS",
    "LEVEL_BUCKETS",
    "LIQUIDATION",
    "MARKET",
    "MAX_LEVERAGE",
    "PERCENT",
    "POSITION",
    "REGIME",
    "RING_BUCKETS",
    "RING_WIDTH_NS",
    "SAMPLE",
    "TAKEN",
    "TRADE",
    "TRADER",
    "TRIGGER_LIQUIDATION",
    "TRIGGER_STOP",
    "TRIGGER_TOPUP",
    "VENUE",
    "VENUE_KEYS",
    "VENUE_RULES",
    "Buffers",
    "Parameters",
    "State",
)

#: Buckets of the index of trigger levels, 10 bp each; the index wraps round (levels are compared exactly).
LEVEL_BUCKETS = 4096
#: Buckets of the calendar of voluntary closes; it wraps round (times are compared exactly).
RING_BUCKETS = 65536
#: Width of a calendar bucket.
RING_WIDTH_NS = 10_000_000_000
#: Leverage settings are whole numbers from 1 to this.
MAX_LEVERAGE = 200

#: Depth of a book is quoted within this log distance of its middle.
PERCENT = 0.01

TRIGGER_LIQUIDATION = 0
TRIGGER_STOP = 1
TRIGGER_TOPUP = 2

#: Kinds of forced exit: sold into the market, handed to winners at the bankruptcy price, and a winner closed for it.
TAKEN = 0
HANDED_OVER = 1
CLOSED_WINNER = 2

#: One position. Logs are of price over the market's base price; ``*_level`` and ``*_due`` are list links.
POSITION = np.dtype(
    [
        ("id", "<i8"),
        ("origin", "<i8"),
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
        ("profit_log", "<f8"),
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
        ("next_profit", "<i4"),
        ("prev_profit", "<i4"),
        ("has_profit", "<i4"),
        ("n_steps", "<i4"),
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
        ("depth", "<f8"),
        ("book_log", "<f8"),
        ("book_forced", "<f8"),
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
        ("followed", "<f8"),
        ("eaten_usd", "<f8"),
        ("eaten_forced", "<f8"),
        ("displacement", "<f8"),
        ("displaced_forced", "<f8"),
        ("depth", "<f8"),
        ("fund_usd", "<f8"),
        ("owed_long_lots", "<i8"),
        ("owed_short_lots", "<i8"),
        ("mark_low", "<f8"),
        ("mark_high", "<f8"),
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
        ("origin", "<i8"),
        ("opened_ns", "<i8"),
        ("lots", "<i8"),
        ("entry_price_usd", "<f8"),
        ("level_price_usd", "<f8"),
        ("bankruptcy_price_usd", "<f8"),
        ("mark_price_usd", "<f8"),
        ("fill_price_usd", "<f8"),
        ("venue", "<i4"),
        ("side", "<i4"),
        ("leverage", "<i4"),
        ("trader", "<i4"),
        ("is_cross", "<i4"),
        ("step", "<i4"),
        ("kind", "<i4"),
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
        ("depth", "<f8"),
        ("displacement", "<f8"),
        ("fund_usd", "<f8"),
        ("mark_low_usd", "<f8"),
        ("mark_high_usd", "<f8"),
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


#: Parameters of one venue.
VENUE_RULES = np.dtype(
    [
        ("share", "<f8"),
        ("leverage", "<f8"),
        ("mark_lag_s", "<f8"),
        ("basis", "<f8"),
        ("rule", "<i8"),
        ("is_inverse", "<i8"),
        ("is_adjusted", "<i8"),
        ("fee", "<f8"),
        ("unit_usd", "<f8"),
        ("mark_rule", "<i8"),
        ("arbitrage_s", "<f8"),
        ("partial_ratio", "<f8"),
        ("partial_from_usd", "<f8"),
        ("partial_steps", "<i8"),
        ("has_fund", "<i8"),
        ("fund_usd", "<f8"),
        ("fund_gain", "<f8"),
        ("closes_winners", "<i8"),
        ("book_usd", "<f8"),
        ("book_exponent", "<f8"),
        ("resilience_s", "<f8"),
        ("withdrawal", "<f8"),
        ("least_depth", "<f8"),
        ("iceberg", "<f8"),
        ("wall_usd", "<f8"),
    ]
)

#: Parameters of one class of traders; ``cumulative`` is the running share.
TRADER = np.dtype(
    [
        ("cumulative", "<f8"),
        ("leverage_log", "<f8"),
        ("leverage_sigma", "<f8"),
        ("regime_response", "<f8"),
        ("round_prob", "<f8"),
        ("size_log", "<f8"),
        ("size_sigma", "<f8"),
        ("pareto_prob", "<f8"),
        ("pareto_exponent", "<f8"),
        ("size_cap_usd", "<f8"),
        ("life_s", "<f8"),
        ("life_exponent", "<f8"),
        ("life_shape", "<f8"),
        ("long_bias", "<f8"),
        ("momentum_bias", "<f8"),
        ("cross_prob", "<f8"),
        ("cross_margin", "<f8"),
        ("margin_noise", "<f8"),
        ("topup_prob", "<f8"),
        ("topup_ratio", "<f8"),
        ("stop_prob", "<f8"),
        ("stop_from", "<f8"),
        ("stop_to", "<f8"),
        ("partial_prob", "<f8"),
        ("profit_prob", "<f8"),
        ("profit_from", "<f8"),
        ("profit_to", "<f8"),
    ]
)

#: Parameters of one regime.
REGIME = np.dtype(
    [
        ("mean_s", "<f8"),
        ("vol", "<f8"),
        ("drift_per_s", "<f8"),
        ("reversion_per_s", "<f8"),
        ("impact", "<f8"),
        ("leverage", "<f8"),
        ("activity", "<f8"),
        ("panic_per_s", "<f8"),
        ("depth", "<f8"),
    ]
)

#: Keys of the random streams of an asset.
KEYS = np.dtype(
    [
        ("market", "<u8"),
        ("asset", "<u8"),
        ("panic", "<u8"),
        ("wallet", "<u8"),
    ]
)

#: Keys of the random streams of one venue of an asset.
VENUE_KEYS = np.dtype(
    [
        ("basis", "<u8"),
        ("opens", "<u8"),
        ("closes", "<u8"),
        ("background", "<u8"),
    ]
)


class Parameters(NamedTuple):
    """Everything about one asset that does not change while it runs.

    Arrays: ``venues`` (V,) of VENUE_RULES, ``tiers`` (V, T, 4), ``traders`` (C,) of TRADER, ``regimes`` (R,) of
    REGIME, ``transitions`` (R, R) running probabilities, ``schedule`` (K, 3): from, to, regime; ``keys`` (1,) of
    KEYS, ``venue_keys`` (V,) of VENUE_KEYS.
    """

    venues: NDArray[np.void]
    tiers: NDArray[np.float64]
    traders: NDArray[np.void]
    regimes: NDArray[np.void]
    transitions: NDArray[np.float64]
    schedule: NDArray[np.int64]
    keys: NDArray[np.void]
    venue_keys: NDArray[np.void]
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
    switch_ns: int
    switch_log: float
    takes_profit: bool
    has_book: bool
    wallet_per_s: float
    wallet_sigma: float
    events_each: int
    forced_flow: bool


class State(NamedTuple):
    """Everything about one asset that changes; ``mix`` counts opens (V, 2, MAX_LEVERAGE + 1, 2: number,
    USD).
    """

    market: NDArray[np.void]
    venues: NDArray[np.void]
    positions: NDArray[np.void]
    level_head: NDArray[np.int32]
    profit_head: NDArray[np.int32]
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
