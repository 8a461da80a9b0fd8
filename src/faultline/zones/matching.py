"""Zones that stood a minute ago and what is found now in, which find each zone goes on in out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from faultline.zones.detection import held_usd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from faultline.heatmap.display import DisplayRows
    from faultline.zones.parameters import ZoneParameters
    from faultline.zones.track import Track

__all__ = ("match",)


def match(
    tracks: Sequence[Track],
    finds: NDArray[np.void],
    cumulative: NDArray[np.float64],
    rows: DisplayRows,
    parameters: ZoneParameters,
) -> dict[int, int]:
    """Which find each zone of one side goes on in.

    A zone and a find can be the same where their intervals overlap by a share of the narrower one and one holds the
    other's peak, or where their peaks lie close. Pairs are made in the order of the exposure that they share, confirmed
    zones before candidates and older before younger where it is the same: so when two zones merge the one that holds
    more goes on, and when one splits it goes on where most of it is.

    Args:
        tracks: zones and candidates of the side.
        finds: rows of ``FIND`` of the side.
        cumulative: ``detection.cumulative_usd`` of the side, shape (P + 1,).
        rows: display rows.
        parameters: settings.

    Returns:
        Index of the find by index of the track; those without one are left out.
    """
    if not tracks or not len(finds):
        return {}
    own = np.array([(t.low_usd, t.high_usd, t.peak_usd) for t in tracks])
    low = np.maximum(own[:, None, 0], finds["low_usd"])
    high = np.minimum(own[:, None, 1], finds["high_usd"])
    width = np.minimum((own[:, 1] - own[:, 0])[:, None], finds["high_usd"] - finds["low_usd"])
    apart = np.abs(own[:, None, 2] - finds["peak_usd"]) / finds["peak_usd"] * 1e4
    inside = (own[:, None, 2] >= finds["low_usd"]) & (own[:, None, 2] <= finds["high_usd"])
    inside |= (finds["peak_usd"] >= own[:, None, 0]) & (finds["peak_usd"] <= own[:, None, 1])
    fits = (inside & (high - low >= parameters.overlap_ratio * width)) | (apart <= parameters.near_bps)
    shared = held_usd(cumulative, rows, low, np.maximum(high, low))
    pairs = sorted(
        (
            not tracks[i].confirmed,
            -float(shared[i, k]),
            float(apart[i, k]),
            tracks[i].born_ns,
            tracks[i].id,
            int(k),
            i,
        )
        for i, k in np.argwhere(fits).tolist()
    )
    out: dict[int, int] = {}
    taken: set[int] = set()
    for *_, find, track in pairs:
        if track not in out and find not in taken:
            out[track] = find
            taken.add(find)
    return out
