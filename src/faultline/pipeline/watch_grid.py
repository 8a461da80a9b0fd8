"""A shard at a whole quarter of an hour or hour in, its watch told what only the shard's ledgers know out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from faultline.heatmap.grid import project_rows
from faultline.units import HOUR_NS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultline.pipeline.instrument_state import InstrumentState
    from faultline.pipeline.shard import Shard
    from faultline.pipeline.watch import MarketWatch

__all__ = ("close_accounts", "close_hour")


def close_accounts(shard: Shard, watch: MarketWatch, time_ns: int, *, says_chains: bool) -> None:
    """Close the quarter's accounts of every scope, and every hour compare the venues' maps.

    Args:
        shard: at ``time_ns``.
        watch: told of the accounts.
        time_ns: end of the quarter.
        says_chains: whether chains are said anew: nobody can see those of a quarter inside a longer step.
    """
    items = [item for item in shard.with_path() if item.price_usd > 0]
    watch.accountant.close(time_ns, items)
    by_id = {item.instrument_id: item for item in items}
    for scope, ids in shard.own_scopes().items():
        members = [by_id[iid] for iid in ids if iid in by_id]
        change = _interest_change(members, time_ns)
        watch.apply_accounts(scope, ids, time_ns, change, says_chains=says_chains)
    if time_ns % HOUR_NS == 0:
        watch.apply_divergence(time_ns, watch.accountant.divergence(items, shard.mix_draws))


def _interest_change(items: Sequence[InstrumentState], time_ns: int) -> float | None:
    """Change of published open interest over the last hour at one price; None where it is not known."""
    times = np.array([time_ns - HOUR_NS, time_ns])
    usd = [item.interest.usd_at(times, np.full(2, item.price_usd)) for item in items]
    total = np.sum(usd, axis=0) if usd else np.full(2, np.nan)
    return float(total[1] / total[0] - 1.0) if np.isfinite(total).all() and total[0] > 0 else None


def close_hour(shard: Shard, watch: MarketWatch, time_ns: int) -> None:
    """Give the watch what was traded in the hour, and, before zones are followed, how dense they are."""
    items = shard.with_path()
    now = np.array([time_ns])
    interest = {
        item.instrument_id: float(item.open_interest_usd(now, np.array([item.price_usd]))[0])
        for item in items
    }
    scopes = shard.own_scopes()
    watch.close_hour(time_ns, scopes, interest)
    rows = shard.rows.rows
    if rows is None or not watch.samples_at(time_ns):
        return
    heat = {
        item.instrument_id: project_rows(
            item.heat_usd(time_ns)[0],
            item.ledger.first_bucket,
            rows.row_usd,
            rows.first_row,
            rows.n_rows,
        )
        for item in items
    }
    for scope, ids in scopes.items():
        parts = [heat[iid] for iid in ids if iid in heat]
        if parts:
            watch.sample_density(scope, time_ns, rows, np.sum(parts, axis=0), shard.price_of(scope))
