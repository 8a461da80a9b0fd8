"""Zones that stood a minute ago and what is found now in, which find each zone goes on in out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from faultline.zones.detection_kernels import pair_kernel

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
    shared, apart = np.empty((2, len(tracks), len(finds)))
    pair_kernel(
        own,
        finds,
        cumulative,
        rows.row_usd,
        rows.first_row,
        parameters.overlap_ratio,
        parameters.near_bps,
        shared,
        apart,
    )
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
        for i, k in np.argwhere(~np.isnan(shared)).tolist()
    )
    out: dict[int, int] = {}
    taken: set[int] = set()
    for *_, find, track in pairs:
        if track not in out and find not in taken:
            out[track] = find
            taken.add(find)
    return out
