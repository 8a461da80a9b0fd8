"""A market at one moment in, how often its futures reach each distance with and without forced orders out.

The market is copied and run on with fresh random numbers, each draw twice: once as it is, and once with liquidations
that from that moment on leave no trace in the price. Both runs of a draw share every number, so the difference of the
two frequencies is what liquidations add: the part of a move that is a chain and not plain volatility.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from faultline.simulator.emission import instrument_id
from faultline.simulator.state import CLOSED_WINNER
from faultline.units import MINUTE_NS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faultline.simulator.asset_market import AssetMarket

__all__ = ("DISTANCES_BPS", "odds_table")

#: Distances from the mark, bp, whose odds are recorded.
DISTANCES_BPS = (10.0, 20.0, 30.0, 50.0, 75.0, 100.0, 150.0, 200.0, 300.0, 500.0)


def odds_table(market: AssetMarket) -> dict[str, NDArray[np.generic]]:
    """Odds of each instrument, side and distance over the world's horizon, one row each."""
    world = market.world
    n_venues, n_runs = len(world.venues), world.truth_odds_runs
    end_ns = market.now_ns + world.truth_odds_minutes * MINUTE_NS
    before = market.state.venues["mark_log"].copy()
    reach = np.zeros((2, n_runs, n_venues, 2))
    forced_usd = np.zeros((2, n_runs, n_venues, 2))
    for run in range(n_runs):
        for row, forced in enumerate((True, False)):
            reach[row, run], forced_usd[row, run] = _future(market, run, end_ns, before, forced=forced)
    hit = reach[..., None] >= np.array(DISTANCES_BPS) * 1e-4
    prob = hit.mean(axis=1)
    n_hit = hit.sum(axis=1)
    total = (forced_usd[..., None] * hit).sum(axis=1)
    usd = np.divide(total, n_hit, out=np.full(total.shape, np.nan), where=n_hit > 0)
    n_rows = n_venues * 2 * len(DISTANCES_BPS)
    ids = np.array([instrument_id(venue, market.asset) for venue in world.venues])
    return {
        "t_ns": np.full(n_rows, market.now_ns, dtype=np.int64),
        "instrument": np.repeat(ids, 2 * len(DISTANCES_BPS)),
        "side": np.tile(np.repeat(np.array([1, -1], dtype=np.int8), len(DISTANCES_BPS)), n_venues),
        "distance_bps": np.tile(np.array(DISTANCES_BPS), 2 * n_venues),
        "horizon_s": np.full(n_rows, world.truth_odds_minutes * 60, dtype=np.int64),
        "n_runs": np.full(n_rows, n_runs, dtype=np.int64),
        "hit_prob": prob[0].ravel(),
        "unforced_hit_prob": prob[1].ravel(),
        "liquidated_usd": usd[0].ravel(),
        "unforced_liquidated_usd": usd[1].ravel(),
    }


def _future(
    market: AssetMarket, run: int, end_ns: int, before: NDArray[np.float64], *, forced: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far (log) the mark of each venue falls and rises, and USD liquidated of longs and shorts: (V, 2) each."""
    happened = market.fork(f"future {market.now_ns} {run}", forced=forced).run(end_ns)
    n_venues = len(before)
    lows, highs = np.full(n_venues, np.inf), np.full(n_venues, -np.inf)
    base_log = float(market.state.market["base_log"][0])
    np.minimum.at(lows, happened.samples["venue"], np.log(happened.samples["mark_low_usd"]) - base_log)
    np.maximum.at(highs, happened.samples["venue"], np.log(happened.samples["mark_high_usd"]) - base_log)
    exits = happened.liquidations[happened.liquidations["kind"] != CLOSED_WINNER]
    usd = np.zeros((n_venues, 2))
    worth = market.notional_usd(exits["venue"], exits["lots"], exits["level_price_usd"])
    np.add.at(usd, (exits["venue"], np.where(exits["side"] > 0, 0, 1)), worth)
    return np.stack([before - lows, highs - before], axis=1), usd
