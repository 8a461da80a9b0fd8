"""Nothing in, the documented shape of a world file out: one frozen struct per table, one sentence per key."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

__all__ = (
    "Archetype",
    "AssetSpec",
    "RegimeSpec",
    "ScheduledRegime",
    "TierSpec",
    "TraderSpec",
    "VenueSpec",
    "World",
)

#: How a simulated venue computes liquidation levels and what it publishes.
Archetype = Literal[
    "latest-per-second", "largest-per-second", "all-events", "immediate", "leverage-adjusted", "silent"
]


class TierSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One margin tier of a venue; tiers follow each other by rising cap."""

    cap_usd: Annotated[
        float, Meta(gt=0, description="Notional up to which the tier holds; the last tier has no cap.")
    ]
    maintenance_ratio: Annotated[float, Meta(gt=0, lt=1, description="Maintenance margin over notional.")]
    max_leverage: Annotated[int, Meta(ge=1, le=200, description="Highest leverage allowed in the tier.")]


class VenueSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One simulated venue; it lists every asset of the world."""

    slug: Annotated[
        str,
        Meta(pattern="^sim[a-z0-9]+$", description="Venue slug; starts with sim, so it is never a real one."),
    ]
    archetype: Annotated[
        Archetype,
        Meta(description="Kind of venue: its margin rule, what it publishes and the price it prints."),
    ]
    tiers: Annotated[tuple[TierSpec, ...], Meta(min_length=1, description="Margin tiers, smallest first.")]
    share_ratio: Annotated[
        float, Meta(gt=0, description="Weight of the venue in where positions are opened.")
    ] = 1.0
    leverage_ratio: Annotated[
        float, Meta(gt=0, description="Factor on every median leverage chosen on this venue.")
    ] = 1.0
    mark_lag_s: Annotated[
        float, Meta(gt=0, description="Time constant with which the mark follows the index, s.")
    ] = 3.0
    basis_bps: Annotated[
        float, Meta(ge=0, description="Standard deviation of the venue's own basis, bp.")
    ] = 1.5
    latency_ms: Annotated[int, Meta(ge=0, description="Delay between an event and its receipt, ms.")] = 40
    margin_rule: Annotated[
        Literal["", "at-mark", "at-entry", "leverage-adjusted"],
        Meta(
            description="Where maintenance margin is valued; leverage-adjusted: at entry, the tier's ratio over "
            "the leverage. Empty: the archetype's."
        ),
    ] = ""
    contract: Annotated[
        Literal["linear", "inverse"],
        Meta(description="What one contract is: base units, or USD settled in the base asset."),
    ] = "linear"
    contract_usd: Annotated[float, Meta(gt=0, description="Size of one inverse contract, USD.")] = 1.0
    taker_fee_ratio: Annotated[
        float, Meta(ge=0, lt=0.01, description="Closing fee that the venue counts when it sets the level.")
    ] = 0.0
    reporting: Annotated[
        Literal["", "latest-per-second", "largest-per-second", "batch", "immediate", "none"],
        Meta(
            description="Liquidations that are published: one a second, every one each half second or at once, "
            "or none. Empty: the archetype's."
        ),
    ] = ""
    report_ratio: Annotated[
        float, Meta(gt=0, le=1, description="Probability that a liquidation reaches the channel at all.")
    ] = 1.0
    report_delay_ms: Annotated[
        int, Meta(ge=0, description="Delay of published liquidations beyond the latency, ms.")
    ] = 0
    print_price: Annotated[
        Literal["", "bankruptcy", "fill", "trigger", "mark"],
        Meta(description="Price that is printed with a liquidation. Empty: the archetype's."),
    ] = ""
    wrong_side_prob: Annotated[
        float, Meta(ge=0, le=1, description="Probability that a published liquidation names the wrong side.")
    ] = 0.0
    duplicate_prob: Annotated[
        float, Meta(ge=0, le=1, description="Probability that a published liquidation arrives twice.")
    ] = 0.0
    mark_rule: Annotated[
        Literal["blend", "index", "last", "median"],
        Meta(
            description="What the mark follows: index and bounded premium, the index, the last price, or their median."
        ),
    ] = "blend"
    arbitrage_lag_s: Annotated[
        float,
        Meta(ge=0, description="Time constant with which the venue's price follows the others, s; 0: none."),
    ] = 0.0
    partial_steps: Annotated[
        int,
        Meta(
            ge=0, le=20, description="Steps in which a large position may be taken before its end; 0: none."
        ),
    ] = 0
    partial_ratio: Annotated[
        float, Meta(gt=0, lt=1, description="Share of a position that one step takes.")
    ] = 0.25
    partial_from_usd: Annotated[
        float, Meta(ge=0, description="Notional from which a position is taken in steps.")
    ] = 50_000.0
    insurance_fund_usd: Annotated[
        float, Meta(ge=0, description="Insurance fund at the start; 0: the venue keeps none.")
    ] = 0.0
    insurance_gain_ratio: Annotated[
        float,
        Meta(ge=0, le=1, description="Share of a fill beyond the bankruptcy price that the fund keeps."),
    ] = 0.5
    auto_deleveraging: Annotated[
        bool, Meta(description="Close winners at the bankruptcy price once the insurance fund is empty.")
    ] = False
    book_usd: Annotated[
        float,
        Meta(ge=0, description="Depth of a side of the order book within 1 % of its middle; 0: no book."),
    ] = 0.0
    book_exponent: Annotated[
        float, Meta(ge=1, le=4, description="Power of distance with which depth adds up; 1 is an even book.")
    ] = 2.0
    book_resilience_s: Annotated[
        float, Meta(gt=0, description="Time constant with which a book is refilled, s.")
    ] = 30.0
    book_withdrawal: Annotated[
        float, Meta(ge=0, le=4, description="Power of volatility over normal by which depth falls.")
    ] = 1.0
    book_least_ratio: Annotated[
        float, Meta(gt=0, le=1, description="Depth that always stays, as a ratio of the normal one.")
    ] = 0.02
    iceberg_ratio: Annotated[float, Meta(ge=0, description="Hidden depth over the depth that is shown.")] = (
        0.0
    )
    wall_usd: Annotated[
        float, Meta(ge=0, description="Order that rests at the nearest round price of each side; 0: none.")
    ] = 0.0
    spoof_usd: Annotated[
        float, Meta(ge=0, description="Order that is shown but moves away before it is reached; 0: none.")
    ] = 0.0
    spoof_bps: Annotated[float, Meta(gt=0, description="Distance that such an order keeps, bp.")] = 30.0
    outages_per_hour: Annotated[
        float,
        Meta(
            ge=0,
            description="Outages of the public channels an hour, per multiple of normal volatility above two.",
        ),
    ] = 0.0
    outage_s: Annotated[int, Meta(ge=1, le=3600, description="Length of an outage, s.")] = 60
    stress_latency_ms: Annotated[
        int, Meta(ge=0, description="Latency added per multiple of normal volatility above one, ms.")
    ] = 0
    open_interest_every_s: Annotated[
        int,
        Meta(
            ge=0,
            description="Seconds between open-interest rows of this venue, a multiple of the marks'; 0: the world's.",
        ),
    ] = 0


class AssetSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One asset; each venue lists one linear perpetual on it."""

    base: Annotated[str, Meta(pattern="^[A-Z0-9]{1,12}$", description="Asset name, e.g. BTC.")]
    price_usd: Annotated[float, Meta(gt=0, description="Price at the start of the emitted market.")]
    tick_usd: Annotated[float, Meta(gt=0, description="Smallest price step.")]
    lot_base: Annotated[float, Meta(gt=0, description="Smallest quantity step, in base units.")]
    round_step_usd: Annotated[
        float, Meta(gt=0, description="Spacing of the round prices where entries cluster.")
    ]
    daily_volume_usd: Annotated[
        float, Meta(gt=0, description="Traded volume a day that scales market impact.")
    ]
    opens_per_hour: Annotated[
        float,
        Meta(
            ge=0, le=1_000_000, description="Positions opened by takers an hour over all venues, on average."
        ),
    ]
    quote: Annotated[str, Meta(pattern="^[A-Z0-9]{1,12}$", description="Currency of the price.")] = "USDT"
    vol_per_day_ratio: Annotated[
        float, Meta(gt=0, lt=1, description="Typical volatility of a day, as a ratio.")
    ] = 0.025
    market_correlation: Annotated[
        float,
        Meta(ge=0, le=1, description="Correlation of the asset's price innovations with the common factor."),
    ] = 0.8
    size_ratio: Annotated[float, Meta(gt=0, description="Factor on every position size.")] = 1.0
    background_trades_per_minute: Annotated[
        float,
        Meta(
            ge=0, description="Trades a minute and venue that open no position (transfers between accounts)."
        ),
    ] = 60.0
    background_trade_usd: Annotated[
        float, Meta(gt=0, description="Median notional of a background trade.")
    ] = 900.0


class TraderSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One class of traders: what they open, with how much leverage, and how they leave."""

    name: Annotated[str, Meta(min_length=1, description="Name of the class.")]
    share_ratio: Annotated[float, Meta(gt=0, description="Weight of the class among opened positions.")]
    leverage_median: Annotated[float, Meta(ge=1, le=200, description="Median leverage of the class.")]
    leverage_sigma: Annotated[float, Meta(ge=0, description="Standard deviation of log leverage.")]
    size_median_usd: Annotated[float, Meta(gt=0, description="Median notional of a position.")]
    life_hours_at_10x: Annotated[
        float, Meta(gt=0, description="Weibull scale of a 10x position's life, hours.")
    ]
    size_sigma: Annotated[float, Meta(ge=0, description="Standard deviation of log notional.")] = 1.2
    pareto_prob: Annotated[
        float, Meta(ge=0, le=1, description="Probability that the size has a Pareto tail factor.")
    ] = 0.02
    pareto_exponent: Annotated[float, Meta(gt=0.5, description="Tail exponent of that factor.")] = 1.6
    size_cap_usd: Annotated[float, Meta(gt=0, description="Largest notional of one position.")] = 20_000_000.0
    regime_response: Annotated[
        float, Meta(ge=-2, le=2, description="Power with which a regime's leverage factor acts on the class.")
    ] = 1.0
    round_leverage_prob: Annotated[
        float, Meta(ge=0, le=1, description="Probability that leverage snaps to a popular round number.")
    ] = 0.6
    life_exponent: Annotated[float, Meta(description="Life scales as (10 / leverage) to this power.")] = 0.6
    life_shape: Annotated[
        float, Meta(gt=0.1, description="Weibull shape; below 1 the close hazard falls with age.")
    ] = 0.75
    long_bias: Annotated[
        float, Meta(ge=-0.5, le=0.5, description="Added to the probability one half of opening long.")
    ] = 0.0
    momentum_bias: Annotated[
        float,
        Meta(
            ge=-0.5,
            le=0.5,
            description="How far recent momentum moves that probability; positive follows it.",
        ),
    ] = 0.1
    cross_prob: Annotated[float, Meta(ge=0, le=1, description="Probability of cross margin.")] = 0.2
    cross_margin_ratio: Annotated[
        float,
        Meta(ge=0, description="Mean extra margin of a cross position, as a ratio of its initial margin."),
    ] = 0.8
    margin_noise: Annotated[
        float,
        Meta(
            ge=0,
            le=1.5,
            description="Standard deviation of the log of posted margin (uneven entries, top-ups).",
        ),
    ] = 0.15
    topup_prob: Annotated[
        float, Meta(ge=0, le=1, description="Probability of adding margin once at 80 % of the way.")
    ] = 0.05
    topup_ratio: Annotated[
        float, Meta(ge=0, description="Margin added then, as a ratio of the initial margin.")
    ] = 0.5
    stop_prob: Annotated[
        float, Meta(ge=0, le=1, description="Probability of a stop-loss before the liquidation level.")
    ] = 0.25
    stop_from_ratio: Annotated[
        float, Meta(gt=0, lt=1, description="Nearest place of a stop, as a ratio of the way to liquidation.")
    ] = 0.3
    stop_to_ratio: Annotated[
        float, Meta(gt=0, lt=1, description="Farthest place of a stop, as a ratio of the way to liquidation.")
    ] = 0.9
    partial_close_prob: Annotated[
        float,
        Meta(ge=0, le=1, description="Probability that a voluntary close takes only half and lives on."),
    ] = 0.15
    take_profit_prob: Annotated[
        float, Meta(ge=0, le=1, description="Probability of a take-profit on the winning side.")
    ] = 0.0
    take_profit_from_ratio: Annotated[
        float, Meta(gt=0, description="Nearest place of a take-profit, as a ratio of the way to liquidation.")
    ] = 0.3
    take_profit_to_ratio: Annotated[
        float,
        Meta(gt=0, description="Farthest place of a take-profit, as a ratio of the way to liquidation."),
    ] = 1.5


class RegimeSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One state of the market-wide Markov regime."""

    name: Annotated[str, Meta(min_length=1, description="Name of the regime.")]
    mean_hours: Annotated[float, Meta(gt=0, description="Mean stay, hours.")]
    next: Annotated[
        dict[str, float], Meta(description="Weight of each regime that may follow; empty stays for ever.")
    ] = {}
    vol_ratio: Annotated[float, Meta(gt=0, description="Factor on volatility.")] = 1.0
    drift_vols_per_day: Annotated[
        float, Meta(description="Drift of log price a day, in typical daily volatilities.")
    ] = 0.0
    reversion_per_hour: Annotated[
        float, Meta(ge=0, description="Pull to the price at which the regime began.")
    ] = 0.0
    depth_ratio: Annotated[
        float, Meta(gt=0, le=1, description="Liquidity relative to normal; impact grows as it falls.")
    ] = 1.0
    leverage_ratio: Annotated[float, Meta(gt=0, description="Factor on every median leverage.")] = 1.0
    activity_ratio: Annotated[float, Meta(ge=0, description="Factor on the rate of opening positions.")] = 1.0
    panic_per_hour: Annotated[
        float,
        Meta(ge=0, description="Rate at which losing positions are given up; winning ones at a third of it."),
    ] = 0.0


class ScheduledRegime(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A regime forced at a given time after the start."""

    regime: Annotated[str, Meta(min_length=1, description="Name of the regime.")]
    at_hours: Annotated[float, Meta(ge=0, description="Hours after the start.")]
    for_hours: Annotated[
        float, Meta(gt=0, description="How long it lasts, hours; then the first regime follows.")
    ]


class World(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A whole simulated market."""

    name: Annotated[
        str, Meta(pattern="^[a-z0-9-]{1,40}$", description="Name; written on every tape made from the world.")
    ]
    title: Annotated[str, Meta(description="One sentence that says what the world is for.")]
    assets: Annotated[tuple[AssetSpec, ...], Meta(min_length=1, description="Assets.")]
    venues: Annotated[tuple[VenueSpec, ...], Meta(min_length=1, max_length=8, description="Venues.")]
    traders: Annotated[tuple[TraderSpec, ...], Meta(min_length=1, description="Classes of traders.")]
    regimes: Annotated[
        tuple[RegimeSpec, ...], Meta(min_length=1, description="Regimes; the first is the one at the start.")
    ]
    schedule: Annotated[tuple[ScheduledRegime, ...], Meta(description="Regimes forced at given times.")] = ()
    extends: Annotated[
        str,
        Meta(description="Built-in world whose top-level keys hold wherever this file does not give them."),
    ] = ""
    step_s: Annotated[
        float, Meta(ge=0.05, le=60, description="Length of a simulation step; divides 60 s.")
    ] = 1.0
    warmup_days: Annotated[
        float, Meta(ge=0, le=60, description="Days simulated before the start, without output.")
    ] = 5.0
    warmup_step_s: Annotated[
        float, Meta(ge=0.05, le=60, description="Step of the warm-up; divides 60 s.")
    ] = 15.0
    trades: Annotated[bool, Meta(description="Emit trades.")] = True
    bars: Annotated[bool, Meta(description="Emit one-minute bars.")] = False
    marks_every_s: Annotated[
        int, Meta(ge=0, le=60, description="Seconds between marks; divides 60; 0 emits none.")
    ] = 1
    open_interest_every_s: Annotated[
        int,
        Meta(ge=0, description="Seconds between open-interest rows; a multiple of the marks'; 0 emits none."),
    ] = 10
    funding_every_s: Annotated[int, Meta(ge=0, description="Seconds between funding rows; 0 emits none.")] = (
        60
    )
    funding_hours: Annotated[int, Meta(ge=1, le=24, description="Funding interval, hours.")] = 8
    contagion: Annotated[
        bool, Meta(description="Forced orders move the price; off, they leave no trace in it.")
    ] = True
    flow_impact: Annotated[bool, Meta(description="Voluntary orders move the price.")] = True
    impact_coefficient: Annotated[
        float, Meta(ge=0, description="Impact of a day's volume executed at once, in daily volatilities.")
    ] = 1.2
    impact_exponent: Annotated[
        float, Meta(gt=0, le=1, description="Exponent of impact in size; one half is the square root.")
    ] = 0.5
    impact_decay_s: Annotated[float, Meta(gt=0, description="Time constant with which impact decays, s.")] = (
        900.0
    )
    perp_share_ratio: Annotated[
        float,
        Meta(ge=0, le=1, description="Part of impact that stays in the perpetual and shows as premium."),
    ] = 0.15
    half_spread_bps: Annotated[float, Meta(ge=0, description="Half of the bid-ask spread, bp.")] = 0.3
    fast_vol_sigma: Annotated[
        float, Meta(ge=0, description="Standard deviation of the fast log-volatility factor.")
    ] = 0.45
    fast_vol_hours: Annotated[float, Meta(gt=0, description="Time constant of the fast factor, hours.")] = 1.0
    slow_vol_sigma: Annotated[
        float, Meta(ge=0, description="Standard deviation of the slow log-volatility factor.")
    ] = 0.3
    slow_vol_days: Annotated[float, Meta(gt=0, description="Time constant of the slow factor, days.")] = 3.0
    season_amplitude: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="Amplitude of the daily pattern of log volatility; the peak is at 15:00 UTC.",
        ),
    ] = 0.25
    jumps_per_day: Annotated[float, Meta(ge=0, description="Price jumps a day.")] = 6.0
    jump_scale_ratio: Annotated[float, Meta(ge=0, description="Mean jump size, in daily volatilities.")] = (
        0.12
    )
    matched_prob: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="Probability that a taker's counterparty opens too; else a market maker takes it.",
        ),
    ] = 0.6
    momentum_minutes: Annotated[
        float, Meta(gt=0, description="Time constant of the momentum traders look at.")
    ] = 15.0
    momentum_gain: Annotated[
        float, Meta(ge=0, description="How much momentum raises the rate of entries.")
    ] = 0.35
    round_gain: Annotated[
        float, Meta(ge=0, description="How much a round price raises the rate of entries.")
    ] = 1.0
    retest_gain: Annotated[
        float, Meta(ge=0, description="How much the day's high or low raises the rate of entries.")
    ] = 1.0
    clustering_bps: Annotated[
        float, Meta(gt=0, description="Width of the neighbourhood of such prices, bp.")
    ] = 6.0
    wallet_changes_per_day: Annotated[
        float,
        Meta(
            ge=0, description="Times a day that the rest of a cross wallet gains or loses, and levels move."
        ),
    ] = 0.0
    wallet_change_ratio: Annotated[
        float,
        Meta(ge=0, description="Standard deviation of such a change, as a ratio of the initial margin."),
    ] = 0.3
    leverage_switch_hours: Annotated[
        float, Meta(ge=0, description="Hours after the start at which median leverages change; 0: never.")
    ] = 0.0
    leverage_switch_ratio: Annotated[
        float, Meta(gt=0, description="Factor on every median leverage from then on.")
    ] = 1.0
    inventory_aversion: Annotated[
        float,
        Meta(ge=0, le=0.5, description="How far market makers' inventory pushes takers to the other side."),
    ] = 0.3
    funding_aversion: Annotated[
        float, Meta(ge=0, le=0.5, description="How far funding pushes traders to the paid side.")
    ] = 0.1
    book_every_s: Annotated[
        int, Meta(ge=0, description="Seconds between book snapshots, a multiple of the marks'; 0 emits none.")
    ] = 0
    book_levels: Annotated[int, Meta(ge=1, le=500, description="Levels of a side in a book snapshot.")] = 20
    book_level_bps: Annotated[float, Meta(gt=0, description="Distance between these levels, bp.")] = 5.0
    truth_map_every_s: Annotated[
        int, Meta(ge=0, description="Seconds between true standing maps; 0 records none.")
    ] = 3600
    truth_counterfactual: Annotated[
        bool,
        Meta(
            description="Run the world a second time without contagion, and tell what forced orders caused."
        ),
    ] = False
    truth_odds_every_s: Annotated[
        int,
        Meta(
            ge=0,
            description="Seconds between true odds of reaching each distance, a multiple of 60; 0: none.",
        ),
    ] = 0
    truth_odds_runs: Annotated[int, Meta(ge=2, le=1000, description="Futures that are drawn for them.")] = 32
    truth_odds_minutes: Annotated[int, Meta(ge=1, le=1440, description="Their horizon, minutes.")] = 60
    truth_positions_every_s: Annotated[
        int, Meta(ge=0, description="Seconds between full position tables; 0 records none.")
    ] = 0
