"""An asset of a world and a seed in, what happened on all its venues since the last call out."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from faultline.simulator.archetypes import venue_rules
from faultline.simulator.margin import MARK_VALUED, tier_table
from faultline.simulator.price import MARK_RULES
from faultline.simulator.randomness import stream_key
from faultline.simulator.state import (
    BAR,
    KEYS,
    LEVEL_BUCKETS,
    LIQUIDATION,
    MARKET,
    MAX_LEVERAGE,
    POSITION,
    REGIME,
    RING_BUCKETS,
    SAMPLE,
    TRADE,
    TRADER,
    VENUE,
    VENUE_KEYS,
    VENUE_RULES,
    Buffers,
    Parameters,
    State,
)
from faultline.simulator.step import DONE, NEEDS_POSITIONS, advance_kernel
from faultline.units import DAY_NS, HOUR_NS, SECOND_NS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faultline.simulator.schema import AssetSpec, World

__all__ = ("AssetMarket", "Happenings", "sample_interval_s")

_FIRST_POSITIONS = 1 << 15
_SPARE_ROWS = 1 << 13
_NEVER_NS = np.iinfo(np.int64).max


class Happenings(NamedTuple):
    """Raw rows since the last call, each sorted by time."""

    trades: NDArray[np.void]
    liquidations: NDArray[np.void]
    samples: NDArray[np.void]
    bars: NDArray[np.void]


def _cumulative(weights: list[float]) -> NDArray[np.float64]:
    total: NDArray[np.float64] = np.cumsum(np.array(weights, dtype=np.float64))
    shares: NDArray[np.float64] = total / total[-1]
    return shares


def _records(dtype: np.dtype[np.void], columns: dict[str, list[Any]]) -> NDArray[np.void]:
    """A structured array from its columns, every field of which must be given."""
    rows = np.zeros(len(next(iter(columns.values()))), dtype=dtype)
    for name in dtype.names or ():
        rows[name] = columns[name]
    return rows


def _venues(world: World) -> NDArray[np.void]:
    total = sum(venue.share_ratio for venue in world.venues)
    kinds = [venue_rules(venue) for venue in world.venues]
    return _records(
        VENUE_RULES,
        {
            "share": [venue.share_ratio / total for venue in world.venues],
            "leverage": [venue.leverage_ratio for venue in world.venues],
            "mark_lag_s": [venue.mark_lag_s for venue in world.venues],
            "basis": [venue.basis_bps * 1e-4 for venue in world.venues],
            "rule": [MARK_VALUED if rules.margin_rule == "at-mark" else 0 for rules in kinds],
            "is_inverse": [int(venue.contract == "inverse") for venue in world.venues],
            "is_adjusted": [int(rules.margin_rule == "leverage-adjusted") for rules in kinds],
            "fee": [venue.taker_fee_ratio for venue in world.venues],
            "unit_usd": [venue.contract_usd for venue in world.venues],
            "mark_rule": [MARK_RULES[venue.mark_rule] for venue in world.venues],
            "arbitrage_s": [venue.arbitrage_lag_s for venue in world.venues],
            "partial_ratio": [venue.partial_ratio for venue in world.venues],
            "partial_from_usd": [venue.partial_from_usd for venue in world.venues],
            "partial_steps": [venue.partial_steps for venue in world.venues],
            "has_fund": [int(venue.insurance_fund_usd > 0) for venue in world.venues],
            "fund_usd": [venue.insurance_fund_usd for venue in world.venues],
            "fund_gain": [venue.insurance_gain_ratio for venue in world.venues],
            "closes_winners": [int(venue.auto_deleveraging) for venue in world.venues],
            "book_usd": [venue.book_usd for venue in world.venues],
            "book_exponent": [venue.book_exponent for venue in world.venues],
            "resilience_s": [venue.book_resilience_s for venue in world.venues],
            "withdrawal": [venue.book_withdrawal for venue in world.venues],
            "least_depth": [venue.book_least_ratio for venue in world.venues],
            "iceberg": [venue.iceberg_ratio for venue in world.venues],
            "wall_usd": [venue.wall_usd for venue in world.venues],
        },
    )


def _traders(world: World) -> NDArray[np.void]:
    kinds = world.traders
    return _records(
        TRADER,
        {
            "cumulative": _cumulative([kind.share_ratio for kind in kinds]).tolist(),
            "leverage_log": [math.log(kind.leverage_median) for kind in kinds],
            "leverage_sigma": [kind.leverage_sigma for kind in kinds],
            "regime_response": [kind.regime_response for kind in kinds],
            "round_prob": [kind.round_leverage_prob for kind in kinds],
            "size_log": [math.log(kind.size_median_usd) for kind in kinds],
            "size_sigma": [kind.size_sigma for kind in kinds],
            "pareto_prob": [kind.pareto_prob for kind in kinds],
            "pareto_exponent": [kind.pareto_exponent for kind in kinds],
            "size_cap_usd": [kind.size_cap_usd for kind in kinds],
            "life_s": [kind.life_hours_at_10x * 3600.0 for kind in kinds],
            "life_exponent": [kind.life_exponent for kind in kinds],
            "life_shape": [kind.life_shape for kind in kinds],
            "long_bias": [kind.long_bias for kind in kinds],
            "momentum_bias": [kind.momentum_bias for kind in kinds],
            "cross_prob": [kind.cross_prob for kind in kinds],
            "cross_margin": [kind.cross_margin_ratio for kind in kinds],
            "margin_noise": [kind.margin_noise for kind in kinds],
            "topup_prob": [kind.topup_prob for kind in kinds],
            "topup_ratio": [kind.topup_ratio for kind in kinds],
            "stop_prob": [kind.stop_prob for kind in kinds],
            "stop_from": [kind.stop_from_ratio for kind in kinds],
            "stop_to": [kind.stop_to_ratio for kind in kinds],
            "partial_prob": [kind.partial_close_prob for kind in kinds],
            "profit_prob": [kind.take_profit_prob for kind in kinds],
            "profit_from": [kind.take_profit_from_ratio for kind in kinds],
            "profit_to": [kind.take_profit_to_ratio for kind in kinds],
        },
    )


def _regimes(world: World) -> NDArray[np.void]:
    kinds = world.regimes
    return _records(
        REGIME,
        {
            "mean_s": [kind.mean_hours * 3600.0 for kind in kinds],
            "vol": [kind.vol_ratio for kind in kinds],
            "drift_per_s": [kind.drift_vols_per_day / 86_400.0 for kind in kinds],
            "reversion_per_s": [kind.reversion_per_hour / 3600.0 for kind in kinds],
            "impact": [kind.depth_ratio**-world.impact_exponent for kind in kinds],
            "leverage": [kind.leverage_ratio for kind in kinds],
            "activity": [kind.activity_ratio for kind in kinds],
            "panic_per_s": [kind.panic_per_hour / 3600.0 for kind in kinds],
            "depth": [kind.depth_ratio for kind in kinds],
        },
    )


def _transitions(world: World) -> NDArray[np.float64]:
    """Running probabilities of the regime that follows, (R, R); a row of -1 never changes."""
    names = [kind.name for kind in world.regimes]
    cumulative = np.full((len(names), len(names)), -1.0)
    for row, kind in enumerate(world.regimes):
        weights = [kind.next.get(name, 0.0) for name in names]
        if sum(weights) > 0:
            cumulative[row] = _cumulative(weights)
    return cumulative


def _schedule(world: World, start_ns: int) -> NDArray[np.int64]:
    names = [kind.name for kind in world.regimes]
    rows = [
        (
            start_ns + round(entry.at_hours * HOUR_NS),
            start_ns + round((entry.at_hours + entry.for_hours) * HOUR_NS),
            names.index(entry.regime),
        )
        for entry in world.schedule
    ]
    return np.array(rows, dtype=np.int64).reshape(len(rows), 3)


def _asset_keys(asset: AssetSpec, seed: int, prefix: str) -> NDArray[np.void]:
    return _records(
        KEYS,
        {
            "market": [stream_key(seed, f"{prefix}market")],
            "asset": [stream_key(seed, f"{prefix}asset {asset.base}")],
            "panic": [stream_key(seed, f"{prefix}panic {asset.base}")],
            "wallet": [stream_key(seed, f"{prefix}wallet {asset.base}")],
        },
    )


def _venue_keys(world: World, asset: AssetSpec, seed: int, prefix: str) -> NDArray[np.void]:
    def keys(purpose: str) -> list[np.uint64]:
        return [stream_key(seed, f"{prefix}{purpose} {asset.base} {venue.slug}") for venue in world.venues]

    return _records(VENUE_KEYS, {purpose: keys(purpose) for purpose in VENUE_KEYS.names or ()})


def sample_interval_s(world: World) -> int:
    """Seconds between samples: what is emitted from them, and at least one a minute for the true price
    path.
    """
    return world.marks_every_s or math.gcd(world.open_interest_every_s, 60) or 60


def _parameters(world: World, asset: AssetSpec, seed: int, start_ns: int) -> Parameters:
    n_tiers = max(len(venue.tiers) for venue in world.venues)
    return Parameters(
        venues=_venues(world),
        tiers=np.stack([tier_table(venue, n_tiers) for venue in world.venues]),
        traders=_traders(world),
        regimes=_regimes(world),
        transitions=_transitions(world),
        schedule=_schedule(world, start_ns),
        keys=_asset_keys(asset, seed, ""),
        venue_keys=_venue_keys(world, asset, seed, ""),
        vol_per_day=float(asset.vol_per_day_ratio),
        correlation=float(asset.market_correlation),
        daily_volume_usd=float(asset.daily_volume_usd),
        opens_per_s=float(asset.opens_per_hour) / 3600.0,
        size_ratio=float(asset.size_ratio),
        lot_base=float(asset.lot_base),
        tick_usd=float(asset.tick_usd),
        round_step_usd=float(asset.round_step_usd),
        background_per_s=float(asset.background_trades_per_minute) / 60.0,
        background_usd_log=math.log(asset.background_trade_usd),
        emits_trades=bool(world.trades),
        emits_bars=bool(world.bars),
        sample_ns=sample_interval_s(world) * SECOND_NS,
        funding_ns=world.funding_hours * HOUR_NS,
        contagion=bool(world.contagion),
        flow_impact=bool(world.flow_impact),
        impact_coefficient=float(world.impact_coefficient),
        impact_exponent=float(world.impact_exponent),
        impact_decay_s=float(world.impact_decay_s),
        perp_share=float(world.perp_share_ratio),
        half_spread=world.half_spread_bps * 1e-4,
        fast_sigma=float(world.fast_vol_sigma),
        fast_s=world.fast_vol_hours * 3600.0,
        slow_sigma=float(world.slow_vol_sigma),
        slow_s=world.slow_vol_days * 86_400.0,
        season=float(world.season_amplitude),
        jumps_per_s=world.jumps_per_day / 86_400.0,
        jump_scale=float(world.jump_scale_ratio),
        matched_prob=float(world.matched_prob),
        momentum_s=world.momentum_minutes * 60.0,
        momentum_gain=float(world.momentum_gain),
        round_gain=float(world.round_gain),
        retest_gain=float(world.retest_gain),
        clustering=world.clustering_bps * 1e-4,
        inventory_aversion=float(world.inventory_aversion),
        funding_aversion=float(world.funding_aversion),
        switch_ns=start_ns + round(world.leverage_switch_hours * HOUR_NS)
        if world.leverage_switch_hours
        else _NEVER_NS,
        switch_log=math.log(world.leverage_switch_ratio),
        takes_profit=any(kind.take_profit_prob > 0 for kind in world.traders),
        has_book=any(venue.book_usd > 0 for venue in world.venues),
        wallet_per_s=world.wallet_changes_per_day / 86_400.0,
        wallet_sigma=float(world.wallet_change_ratio),
        events_each=_events_each(world),
        forced_flow=bool(world.contagion),
    )


def _events_each(world: World) -> int:
    """Most forced exits of one position in one step: its steps, its end, and once as a winner."""
    most_steps = max(venue.partial_steps for venue in world.venues)
    return 1 + most_steps + int(any(venue.auto_deleveraging for venue in world.venues))


def _new_state(world: World, start_ns: int, price_usd: float) -> State:
    market = np.zeros(1, dtype=MARKET)
    market["now_ns"] = start_ns
    market["base_log"] = math.log(price_usd)
    market["hour"] = -1
    market["free_head"] = -1
    market["depth"] = 1.0
    n_venues = len(world.venues)
    venues = np.zeros(n_venues, dtype=VENUE)
    venues["depth"] = 1.0
    venues["fund_usd"] = [venue.insurance_fund_usd for venue in world.venues]
    state = State(
        market=market,
        venues=venues,
        positions=np.zeros(0, dtype=POSITION),
        level_head=np.full((n_venues, 2, LEVEL_BUCKETS), -1, dtype=np.int32),
        profit_head=np.full((n_venues, 2, LEVEL_BUCKETS), -1, dtype=np.int32),
        due_head=np.full(RING_BUCKETS, -1, dtype=np.int32),
        hours=np.zeros((24, 2)),
        mix=np.zeros((n_venues, 2, MAX_LEVERAGE + 1, 2)),
    )
    return _grown(state, _FIRST_POSITIONS)


def _grown(state: State, n_more: int) -> State:
    """The same state with ``n_more`` free position rows, used before the free rows there already are."""
    n_old = len(state.positions)
    fresh = np.zeros(n_more, dtype=POSITION)
    fresh["next_level"] = np.arange(n_old + 1, n_old + n_more + 1)
    fresh["next_level"][-1] = state.market["free_head"][0]
    state.market["free_head"] = n_old
    return state._replace(positions=np.concatenate([state.positions, fresh]))


class AssetMarket:
    """One asset on every venue of its world.

    Args:
        world: the world.
        asset: the asset.
        seed: seed of every random stream.
        start_ns: where the emitted market begins, a whole minute; the warm-up has been run when this returns.
    """

    def __init__(self, world: World, asset: AssetSpec, seed: int, start_ns: int) -> None:
        self.world = world
        self.asset = asset
        self.seed = seed
        self._step_ns = round(world.step_s * SECOND_NS)
        self._parameters = _parameters(world, asset, seed, start_ns)
        warmup_ns = round(world.warmup_days * DAY_NS) // (60 * SECOND_NS) * (60 * SECOND_NS)
        self._state = _new_state(world, start_ns - warmup_ns, asset.price_usd)
        self._buffers = self._new_buffers()
        self._warm_up(start_ns)

    @property
    def now_ns(self) -> int:
        """Time up to which the asset has been simulated."""
        return int(self._state.market["now_ns"][0])

    @property
    def state(self) -> State:
        """The state, for reading."""
        return self._state

    def run(self, until_ns: int) -> Happenings:
        """Simulate whole steps until ``now_ns >= until_ns``; returns what happened meanwhile."""
        parts: list[Happenings] = []
        self._run(self._parameters, until_ns, self._step_ns, parts)
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
        return Happenings(*(rows[np.argsort(rows["ts_ns"], kind="stable")] for rows in columns))

    def fork(self, name: str, *, forced: bool) -> AssetMarket:
        """A copy that runs on from here with the random numbers of another stream, and is asked only for samples.

        Args:
            name: names the stream; copies of one name share every number.
            forced: whether forced orders that come from now on move the price.
        """
        state = State(
            self._state.market.copy(),
            self._state.venues.copy(),
            self._state.positions.copy(),
            self._state.level_head.copy(),
            self._state.profit_head.copy(),
            self._state.due_head.copy(),
            self._state.hours.copy(),
            self._state.mix.copy(),
        )
        for side in ("mark_low", "mark_high"):
            state.venues[side] = state.venues["mark_log"]
        parameters = self._parameters._replace(
            keys=_asset_keys(self.asset, self.seed, f"{name} "),
            venue_keys=_venue_keys(self.world, self.asset, self.seed, f"{name} "),
            emits_trades=False,
            emits_bars=False,
            sample_ns=60 * SECOND_NS,
            forced_flow=forced and self._parameters.forced_flow,
        )
        other = copy.copy(self)
        other.resume(state, parameters)
        return other

    def resume(self, state: State, parameters: Parameters) -> None:
        """Go on from a state with parameters of the same world; buffers are shared with whom this is a copy of."""
        self._state, self._parameters = state, parameters

    def open_positions(self) -> NDArray[np.void]:
        """Open positions, dtype ``POSITION``, ordered by id."""
        rows = self._state.positions[self._state.positions["is_open"] == 1]
        return np.take(rows, np.argsort(rows["id"]))

    def price_usd(self, level_log: NDArray[np.float64]) -> NDArray[np.float64]:
        """Price of log levels."""
        return np.exp(float(self._state.market["base_log"][0]) + level_log)

    def notional_usd(
        self, venue: NDArray[np.integer], lots: NDArray[np.integer], price_usd: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """USD of lots on venues at prices; contracts of inverse venues are worth the same at any."""
        unit_usd = np.array([kind.contract_usd for kind in self.world.venues])
        is_inverse = np.array([kind.contract == "inverse" for kind in self.world.venues])
        linear_usd = lots * self.asset.lot_base * price_usd
        return np.asarray(np.where(is_inverse[venue], lots * unit_usd[venue], linear_usd))

    def qty_base(
        self, venue: NDArray[np.integer], lots: NDArray[np.integer], price_usd: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Base units of lots on venues; contracts of inverse venues at prices."""
        is_inverse = np.array([kind.contract == "inverse" for kind in self.world.venues])[venue]
        linear = lots * self.asset.lot_base
        return np.asarray(np.where(is_inverse, self.notional_usd(venue, lots, price_usd) / price_usd, linear))

    def take_mix(self) -> NDArray[np.float64]:
        """Opens since the last call, (V, 2, MAX_LEVERAGE + 1, 2): number and USD by venue, side and
        leverage.
        """
        taken = self._state.mix.copy()
        self._state.mix[:] = 0.0
        return taken

    def _warm_up(self, start_ns: int) -> None:
        """Fill the book: coarse steps without output, then shift prices so that the start is the asset's
        price.
        """
        quiet = self._parameters._replace(emits_trades=False, emits_bars=False, sample_ns=0)
        self._run(quiet, start_ns, round(self.world.warmup_step_s * SECOND_NS), [])
        market, venues = self._state.market, self._state.venues
        market["base_log"] = math.log(self.asset.price_usd) - market["index_log"]
        for name in ("buy_lots", "sell_lots"):
            venues[name] = 0
        venues["unforced_low"] = venues["unforced_high"] = venues["mark_log"] - venues["forced_mark"]
        venues["mark_low"] = venues["mark_high"] = venues["mark_log"]
        venues["fund_usd"] = [venue.insurance_fund_usd for venue in self.world.venues]
        self._state.mix[:] = 0.0

    def _run(self, parameters: Parameters, until_ns: int, dt_ns: int, parts: list[Happenings]) -> None:
        while True:
            status = advance_kernel(parameters, self._state, self._buffers, until_ns, dt_ns)
            parts.append(self._drain())
            if status == DONE:
                return
            if status == NEEDS_POSITIONS:
                self._state = _grown(self._state, len(self._state.positions))
                self._buffers = self._new_buffers()

    def _drain(self) -> Happenings:
        buffers = self._buffers
        n_rows = [int(count) for count in buffers.counts]
        buffers.counts[:] = 0
        return Happenings(
            buffers.trades[: n_rows[0]].copy(),
            buffers.liquidations[: n_rows[1]].copy(),
            buffers.samples[: n_rows[2]].copy(),
            buffers.bars[: n_rows[3]].copy(),
        )

    def _new_buffers(self) -> Buffers:
        """Buffers with room for every position leaving at once; untouched pages cost no memory."""
        n_positions, each = len(self._state.positions), self._parameters.events_each
        return Buffers(
            trades=np.empty(2 * n_positions * each + _SPARE_ROWS * len(self.world.venues), dtype=TRADE),
            liquidations=np.empty(2 * n_positions * each, dtype=LIQUIDATION),
            samples=np.empty(_SPARE_ROWS, dtype=SAMPLE),
            bars=np.empty(_SPARE_ROWS, dtype=BAR),
            counts=np.zeros(4, dtype=np.int64),
        )
