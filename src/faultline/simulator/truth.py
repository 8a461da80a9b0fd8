"""What happened and what stood in, tables of the truth out: what an engine sees only through a venue's
channels.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from faultline.simulator.emission import instrument_id
from faultline.simulator.odds import odds_table
from faultline.simulator.reporting import event_key
from faultline.simulator.state import CLOSED_WINNER, HANDED_OVER, LIQUIDATION, SAMPLE
from faultline.units import MINUTE_NS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faultline.simulator.asset_market import AssetMarket, Happenings
    from faultline.simulator.schema import AssetSpec, World

__all__ = ("CONTAGION_MINUTES", "MAP_BUCKET_LOG", "Table", "TruthLog", "positions_table")

#: Width of a bucket of the true standing map, in log price (5 bp).
MAP_BUCKET_LOG = 5e-4

#: Buckets of that map on either side of the price: a factor 20.
_MAP_REACH = 6000

#: A liquidation is contagion where its level would not have been reached for this long without forced orders.
CONTAGION_MINUTES = 30

#: Columns of one table, each shape (n,).
Table = dict[str, "NDArray[np.generic]"]


def positions_table(market: AssetMarket) -> Table:
    """Every open position now: one row each, ordered by id."""
    world, asset = market.world, market.asset
    rows = market.open_positions()
    entry_usd = market.price_usd(rows["entry_log"])
    qty_base = market.qty_base(rows["venue"], rows["lots"], entry_usd)
    return {
        "t_ns": np.full(len(rows), market.now_ns, dtype=np.int64),
        "instrument": _venue_ids(world, asset)[rows["venue"]],
        "position_id": rows["id"].copy(),
        "side": rows["side"].astype(np.int8),
        "trader": np.array([trader.name for trader in world.traders])[rows["trader"]],
        "leverage": rows["leverage"].astype(np.int16),
        "is_cross": rows["is_cross"].astype(bool),
        "qty_base": qty_base,
        "notional_usd": qty_base * entry_usd,
        "entry_price_usd": entry_usd,
        "level_price_usd": market.price_usd(rows["level_log"]),
        "bankruptcy_price_usd": market.price_usd(rows["bankruptcy_log"]),
        "margin_ratio": rows["margin_ratio"].copy(),
        "has_stop": rows["trigger"] == 1,
        "opened_ns": rows["opened_ns"].copy(),
    }


def _venue_ids(world: World, asset: AssetSpec) -> NDArray[np.str_]:
    return np.array([instrument_id(venue, asset) for venue in world.venues])


@njit(cache=True, nogil=True)
def _map_kernel(
    positions: NDArray[np.void],
    base_log: float,
    units: NDArray[np.float64],
    first: int,
    usd: NDArray[np.float64],
    count: NDArray[np.int64],
) -> None:
    """Sum notional at entry and number of open positions into (V, 2, B) by floor((base + level) / width) -
    first.

    ``units`` (V,): base units of a lot, or minus the USD of a contract of an inverse venue.
    """
    for row in range(positions.shape[0]):
        position = positions[row]
        if position.is_open == 1:
            lane = 0 if position.side > 0 else 1
            bucket = math.floor((base_log + position.level_log) / MAP_BUCKET_LOG) - first
            bucket = min(max(bucket, 0), usd.shape[2] - 1)
            unit = units[position.venue]
            worth = -position.lots * unit
            if unit > 0.0:
                worth = position.lots * unit * math.exp(base_log + position.entry_log)
            usd[position.venue, lane, bucket] += worth
            count[position.venue, lane, bucket] += 1


def _map_table(market: AssetMarket) -> Table:
    """True standing map: notional at entry of open positions by instrument, side and 5-bp bucket of their
    level.

    Levels beyond a factor 20 of the present price are counted in the outermost bucket.
    """
    base_log = float(market.state.market["base_log"][0])
    centre = math.floor((base_log + float(market.state.market["index_log"][0])) / MAP_BUCKET_LOG)
    first = centre - _MAP_REACH
    shape = (len(market.world.venues), 2, 2 * _MAP_REACH)
    usd, count = np.zeros(shape), np.zeros(shape, dtype=np.int64)
    units = np.array(
        [
            -venue.contract_usd if venue.contract == "inverse" else market.asset.lot_base
            for venue in market.world.venues
        ]
    )
    _map_kernel(market.state.positions, base_log, units, first, usd, count)
    venue, lane, low = np.nonzero(count)
    filled = count[venue, lane, low]
    return {
        "t_ns": np.full(len(filled), market.now_ns, dtype=np.int64),
        "instrument": _venue_ids(market.world, market.asset)[venue],
        "side": np.where(lane == 0, 1, -1).astype(np.int8),
        "price_low_usd": np.exp((first + low) * MAP_BUCKET_LOG),
        "price_high_usd": np.exp((first + low + 1) * MAP_BUCKET_LOG),
        "notional_usd": usd[venue, lane, low],
        "n_positions": filled,
    }


class TruthLog:
    """The truth of one asset: liquidations, opens by leverage, price path, and snapshots at chosen times."""

    def __init__(self, market: AssetMarket) -> None:
        self._market = market
        self._ids = _venue_ids(market.world, market.asset)
        self._traders = np.array([trader.name for trader in market.world.traders])
        self._regimes = np.array([regime.name for regime in market.world.regimes])
        self._liquidations: list[NDArray[np.void]] = []
        self._path: list[NDArray[np.void]] = []
        self._published: list[NDArray[np.int64]] = []
        self._tables: dict[str, list[Table]] = {"standing": [], "positions": [], "opens": [], "odds": []}
        self._twin_liquidations: list[NDArray[np.void]] = []
        self._twin_ns = 0
        self._mix_from_ns = market.now_ns

    def add(self, happenings: Happenings) -> None:
        """Keep every liquidation and one price sample a minute."""
        if len(happenings.liquidations):
            self._liquidations.append(happenings.liquidations)
        samples = happenings.samples
        self._path.append(samples[samples["ts_ns"] % MINUTE_NS == 0])

    def add_twin(self, happenings: Happenings) -> None:
        """Keep the liquidations of the run without contagion, up to the time of its last sample."""
        self._twin_liquidations.append(happenings.liquidations)
        if len(happenings.samples):
            self._twin_ns = int(happenings.samples["ts_ns"][-1])

    def add_odds(self) -> None:
        """Record the odds of reaching each distance from here."""
        self._tables["odds"].append(odds_table(self._market))

    def add_published(self, keys: NDArray[np.int64]) -> None:
        """Remember which liquidations a venue published, by ``event_key``."""
        if len(keys):
            self._published.append(keys)

    def snapshot(self, *, standing: bool, positions: bool) -> None:
        """Record the standing map or the position table as of now, and the opens since the last snapshot."""
        if standing:
            self._tables["standing"].append(_map_table(self._market))
        if positions:
            self._tables["positions"].append(positions_table(self._market))
        self._close_mix()

    def tables(self) -> dict[str, Table]:
        """Everything recorded so far."""
        self._close_mix()
        found = {name: _stack(parts) for name, parts in self._tables.items() if parts}
        found["liquidations"] = self._liquidation_table()
        found["path"] = self._path_table()
        if any(venue.auto_deleveraging for venue in self._market.world.venues):
            found["winners"] = self._winner_table()
        return found

    def _close_mix(self) -> None:
        now_ns = self._market.now_ns
        mix = self._market.take_mix()
        venue, lane, leverage = np.nonzero(mix[..., 0])
        if len(venue):
            self._tables["opens"].append(
                {
                    "from_ns": np.full(len(venue), self._mix_from_ns, dtype=np.int64),
                    "to_ns": np.full(len(venue), now_ns, dtype=np.int64),
                    "instrument": self._ids[venue],
                    "side": np.where(lane == 0, 1, -1).astype(np.int8),
                    "leverage": leverage.astype(np.int16),
                    "n_opens": mix[venue, lane, leverage, 0].astype(np.int64),
                    "notional_usd": mix[venue, lane, leverage, 1],
                }
            )
        self._mix_from_ns = now_ns

    def _liquidation_table(self) -> Table:
        exits = _stacked(self._liquidations, LIQUIDATION)
        rows = exits[exits["kind"] != CLOSED_WINNER]
        published = np.concatenate([*self._published, np.zeros(0, dtype=np.int64)])
        qty_base = self._market.qty_base(rows["venue"], rows["lots"], rows["level_price_usd"])
        return {
            "ts_event_ns": rows["ts_ns"],
            "instrument": self._ids[rows["venue"]],
            "position_id": rows["position_id"],
            "side": rows["side"].astype(np.int8),
            "trader": self._traders[rows["trader"]],
            "leverage": rows["leverage"].astype(np.int16),
            "is_cross": rows["is_cross"].astype(bool),
            "qty_base": qty_base,
            "notional_usd": qty_base * rows["level_price_usd"],
            "entry_price_usd": rows["entry_price_usd"],
            "level_price_usd": rows["level_price_usd"],
            "bankruptcy_price_usd": rows["bankruptcy_price_usd"],
            "mark_price_usd": rows["mark_price_usd"],
            "fill_price_usd": rows["fill_price_usd"],
            "step": rows["step"].astype(np.int16),
            "is_handed_over": rows["kind"] == HANDED_OVER,
            "opened_ns": rows["opened_ns"],
            "is_reported": np.isin(event_key(rows), published),
            "contagion": self._contagion(rows),
            "caused": self._caused(rows),
        }

    def _caused(self, events: NDArray[np.void]) -> NDArray[np.int8]:
        """1 where the run without contagion did not liquidate the position of the same origin by the end of the
        horizon, 0 where it did, -1 where there was no such run or it has not come so far.
        """
        twin = _stacked(self._twin_liquidations, LIQUIDATION)
        order = np.argsort(twin["origin"], kind="stable")
        origins = twin["origin"][order]
        at = np.minimum(np.searchsorted(origins, events["origin"]), max(len(twin) - 1, 0))
        horizon_ns = events["ts_ns"] + CONTAGION_MINUTES * MINUTE_NS
        if len(twin):
            is_found = origins[at] == events["origin"]
            is_taken = is_found & (twin["ts_ns"][order][at] <= horizon_ns)
        else:
            is_taken = np.zeros(len(events), dtype=np.bool_)
        label = np.where(is_taken, 0, np.where(horizon_ns < self._twin_ns, 1, -1))
        return np.asarray(label, dtype=np.int8)

    def _winner_table(self) -> Table:
        exits = _stacked(self._liquidations, LIQUIDATION)
        rows = exits[exits["kind"] == CLOSED_WINNER]
        return {
            "ts_event_ns": rows["ts_ns"],
            "instrument": self._ids[rows["venue"]],
            "position_id": rows["position_id"],
            "side": rows["side"].astype(np.int8),
            "leverage": rows["leverage"].astype(np.int16),
            "qty_base": self._market.qty_base(rows["venue"], rows["lots"], rows["fill_price_usd"]),
            "entry_price_usd": rows["entry_price_usd"],
            "price_usd": rows["fill_price_usd"],
        }

    def _contagion(self, events: NDArray[np.void]) -> NDArray[np.int8]:
        """1 where the mark without forced impact did not reach the level within the horizon, 0 where it did,
        -1 not yet known.

        The horizon starts with the minute of the event; the mark without forced impact is that of this run.
        """
        label = np.full(len(events), -1, dtype=np.int8)
        path = _stacked(self._path, SAMPLE)
        for venue in range(len(self._ids)):
            minutes = path[path["venue"] == venue]
            mine = np.flatnonzero(events["venue"] == venue)
            n_ahead = CONTAGION_MINUTES + 1
            if len(minutes) < n_ahead:
                continue
            low = np.lib.stride_tricks.sliding_window_view(minutes["unforced_low_usd"], n_ahead).min(axis=1)
            high = np.lib.stride_tricks.sliding_window_view(minutes["unforced_high_usd"], n_ahead).max(axis=1)
            first = np.searchsorted(minutes["ts_ns"], events["ts_ns"][mine], side="right")
            mine, first = mine[first < len(low)], first[first < len(low)]
            level = events["level_price_usd"][mine]
            is_reached = np.where(events["side"][mine] > 0, low[first] <= level, high[first] >= level)
            label[mine] = np.where(is_reached, 0, 1)
        return label

    def _path_table(self) -> Table:
        rows = _stacked(self._path, SAMPLE)
        return {
            "t_ns": rows["ts_ns"],
            "instrument": self._ids[rows["venue"]],
            "last_price_usd": rows["last_price_usd"],
            "mark_price_usd": rows["mark_price_usd"],
            "unforced_mark_usd": rows["unforced_mark_usd"],
            "volatility_per_day_ratio": rows["volatility"],
            "regime": self._regimes[rows["regime"]],
            "depth_ratio": rows["depth"],
            "insurance_fund_usd": rows["fund_usd"],
            "oi_base": self._market.qty_base(rows["venue"], rows["oi_lots"], rows["mark_price_usd"]),
        }


def _stacked(parts: list[NDArray[np.void]], dtype: np.dtype[np.void]) -> NDArray[np.void]:
    return np.concatenate([np.zeros(0, dtype=dtype), *parts])


def _stack(parts: list[Table]) -> Table:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
