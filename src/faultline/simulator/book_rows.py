"""Samples of a venue in, snapshots of its visible order book as messages out.

Quantities are what stands between neighbouring levels of the cumulative depth C(x) = D (x / 1 %)^g. The side that
orders have eaten into lacks what is nearest. Icebergs do not show; walls rest at round prices; an order that is only
shown stands a fixed distance away on either side and is never reached.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from faultline.messages import Flag, Kind, empty_rows
from faultline.simulator.state import PERCENT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faultline.simulator.schema import AssetSpec, VenueSpec, World

__all__ = ("book_rows",)


def book_rows(
    samples: NDArray[np.void], world: World, asset: AssetSpec, venue: VenueSpec
) -> NDArray[np.void]:
    """Book levels, nearest first, of every sample: bids, then asks; event time is the sample's."""
    n_levels = world.book_levels
    width = world.book_level_bps * 1e-4
    parts = []
    for side in (1, -1):
        eaten = np.maximum(-side * samples["displacement"], 0.0)
        depth_usd = venue.book_usd * samples["depth"]
        edges = eaten[:, None] + np.arange(n_levels + 1) * width
        stands = np.diff((edges / PERCENT) ** venue.book_exponent, axis=1) * depth_usd[:, None]
        near = np.log(samples["last_price_usd"])[:, None] - side * world.half_spread_bps * 1e-4
        nearest = near - side * np.arange(n_levels) * width
        stands += venue.wall_usd * _has_round(nearest, nearest - side * width, asset.round_step_usd)
        spoofed = min(int(venue.spoof_bps * 1e-4 / width), n_levels - 1)
        stands[:, spoofed] += venue.spoof_usd
        rows = empty_rows(Kind.BOOK_LEVEL, stands.size)
        rows["ts_event_ns"] = np.repeat(samples["ts_ns"], n_levels)
        rows["flags"] = Flag.SNAPSHOT
        rows["side"] = side
        rows["price_usd"] = np.round(np.exp(nearest).ravel() / asset.tick_usd) * asset.tick_usd
        rows["qty_base"] = stands.ravel() / rows["price_usd"]
        parts.append(rows)
    rows = np.concatenate(parts)
    return np.take(rows, np.argsort(rows["ts_event_ns"], kind="stable"))


def _has_round(a_log: NDArray[np.float64], b_log: NDArray[np.float64], step_usd: float) -> NDArray[np.bool_]:
    """Whether a round price lies between two log prices."""
    return np.asarray(np.floor(np.exp(a_log) / step_usd) != np.floor(np.exp(b_log) / step_usd))
