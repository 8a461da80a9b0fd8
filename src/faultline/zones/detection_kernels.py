"""Rows of one column and the zones that stand in, peaks with their edges, and what zones and finds share, out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ("find_kernel", "held_kernel", "pair_kernel", "peaks_kernel", "prominence_kernel")


@njit(cache=True, nogil=True)
def held_kernel(cumulative: Any, row_usd: float, first_row: int, low_usd: float, high_usd: float) -> float:
    """USD between two prices: the difference of the cumulative sum there, rows cut evenly (``held_usd``)."""
    last = cumulative.shape[0] - 1
    below = np.zeros(2)
    for end in range(2):
        place = (high_usd if end else low_usd) / row_usd - first_row
        place = min(max(place, 0.0), float(last))
        row = min(int(place), last - 1)
        below[end] = cumulative[row] + (place - row) * (cumulative[row + 1] - cumulative[row])
    return float(max(below[1] - below[0], 0.0))


@njit(cache=True, nogil=True)
def peaks_kernel(heat: Any, least: float, low: float, high: float, peaks: Any) -> int:
    """Local maxima of at least a height between two places (exclusive); of a plateau its middle, rounded down."""
    n, k, last = 0, 1, heat.shape[0] - 1
    while k < last:
        if heat[k - 1] < heat[k]:
            after = k + 1
            while after < last and heat[after] == heat[k]:
                after += 1
            if heat[after] < heat[k]:
                middle = (k + after - 1) // 2
                if heat[middle] >= least and low < middle < high:
                    peaks[n] = middle
                    n += 1
                k = after
        k += 1
    return n


@njit(cache=True, nogil=True)
def prominence_kernel(heat: Any, peak: int) -> float:
    """Height of a peak over the higher one of the lowest rows on its two ways to something higher, or to the end."""
    top = heat[peak]
    highest = -np.inf
    for step in (-1, 1):
        lowest, k = top, peak
        while 0 <= k < heat.shape[0] and heat[k] <= top:
            lowest = min(lowest, heat[k])
            k += step
        highest = max(highest, lowest)
    return float(top - highest)


@njit(cache=True, nogil=True)
def _edge_kernel(heat: Any, peak: int, other: int, step: int, far: int, ratios: Any) -> float:
    """Where heat has fallen far enough on one side of a peak, between two rows by straight line.

    The valley is the lowest row (the first of equal ones) between the peak and the ``other`` one. With top t and
    valley v the edge lies where heat is ``t - ratios[3] * min(t - v, ratios[4] * t)``: no farther than the valley and
    ``far`` rows.
    """
    first, last = min(peak, other), max(peak, other)
    valley = first + int(np.argmin(heat[first : last + 1]))
    bound = max(valley, peak - far) if step < 0 else min(valley, peak + far)
    top = heat[peak]
    level = top - ratios[3] * min(top - heat[valley], ratios[4] * top)
    k = peak
    while k != bound and level < heat[k]:
        k += step
    if heat[k] < level:
        return float(k - step * ((level - heat[k]) / (heat[k - step] - heat[k])))
    return float(k)


@njit(cache=True, nogil=True)
def _live_on_kernel(
    known: Any, side: int, centres: Any, prominence: Any, strength: Any, life: float, taken: Any
) -> None:
    """Take the most prominent peak (the first of equal ones) inside each place where a zone of the side stands."""
    for place in known:
        if place.side != side:
            continue
        best = -1
        for k in range(centres.shape[0]):
            inside = place.low_usd <= centres[k] <= place.high_usd and strength[k] >= life
            if inside and (best < 0 or prominence[k] > prominence[best]):
                best = k
        if best >= 0:
            taken[best] = True


@njit(cache=True, nogil=True)
def find_kernel(
    heat: NDArray[np.float64],
    cumulative: NDArray[np.float64],
    known: NDArray[np.void],
    price_usd: float,
    row_usd: float,
    first_row: int,
    half_width_bps: float,
    ratios: NDArray[np.float64],
    out: NDArray[np.void],
) -> int:
    """Finds of both sides; returns how many rows of ``out`` were filled.

    A peak's strength is min(p/h / birth, w / birth of the side) with prominence p, height h, and w the share of the
    side's heat that 100 basis points of p are. It is found where that is 1, or ``life`` and it is the most prominent
    (the first of equal ones) inside a place where a zone stands.

    Args:
        heat: blurred USD by side and row, shape (2, P).
        cumulative: of the column as it is, shape (2, P + 1).
        known: places where zones stand (``KNOWN``).
        price_usd: price of the column.
        row_usd: height of a row.
        first_row: number of the first one.
        half_width_bps: edges lie no farther than this from the peak.
        ratios: ``birth_peak``, ``birth_side``, ``life``, ``edge``, ``edge_drop`` and ``reach`` of ``ZoneParameters``.
        out: rows of ``FIND``, as many as there may be peaks on both sides.
    """
    n_rows, n_out = heat.shape[1], 0
    row_bps = row_usd / price_usd * 1e4
    here = price_usd / row_usd - first_row - 0.5
    far = int(np.ceil(half_width_bps / row_bps))
    reach = ratios[5] * 1e4 / row_bps
    peaks = np.empty(n_rows, np.int64)
    prominence, weight = np.empty(n_rows), np.empty(n_rows)
    strength, taken = np.empty(n_rows), np.empty(n_rows, np.bool_)
    for side in range(2):
        per_weight = row_bps / 100.0 * cumulative[side, n_rows]
        if not per_weight > 0.0:
            continue
        least = max(ratios[2] * ratios[1] * per_weight, 1e-300)
        ends = (-np.inf, here) if side == 0 else (here, np.inf)
        n = peaks_kernel(heat[side], least, ends[0], ends[1], peaks)
        for k in range(n):
            prominence[k] = prominence_kernel(heat[side], peaks[k])
            weight[k] = prominence[k] / per_weight
            share = prominence[k] / heat[side, peaks[k]]
            strength[k] = min(share / ratios[0], weight[k] / max(ratios[1], 1e-300))
            if abs(peaks[k] - here) > reach:
                strength[k] = -1.0
            taken[k] = strength[k] >= 1.0
        _live_on_kernel(
            known, side, (first_row + peaks[:n] + 0.5) * row_usd, prominence, strength, ratios[2], taken
        )
        before = 0
        for k in range(n):
            if not taken[k]:
                continue
            after = n_rows - 1
            for later in range(n - 1, k, -1):
                after = peaks[later] if taken[later] else after
            peak, row = peaks[k], out[n_out]
            row.side = side
            row.low_usd = (
                first_row + 0.5 + _edge_kernel(heat[side], peak, before, -1, far, ratios)
            ) * row_usd
            row.high_usd = (first_row + 0.5 + _edge_kernel(heat[side], peak, after, 1, far, ratios)) * row_usd
            row.peak_usd = (first_row + peak + 0.5) * row_usd
            row.notional_usd = held_kernel(cumulative[side], row_usd, first_row, row.low_usd, row.high_usd)
            row.prominence, row.weight = prominence[k] / heat[side, peak], weight[k]
            row.is_strong = strength[k] >= 1.0
            before, n_out = peak, n_out + 1
    return n_out


@njit(cache=True, nogil=True)
def pair_kernel(
    own: NDArray[np.float64],
    finds: NDArray[np.void],
    cumulative: NDArray[np.float64],
    row_usd: float,
    first_row: int,
    overlap_ratio: float,
    near_bps: float,
    shared: NDArray[np.float64],
    apart: NDArray[np.float64],
) -> None:
    """USD that zones and finds of one side share, and the distance of their peaks in bp; NaN where they do not fit.

    They fit where they overlap by a share of the narrower one and one holds the other's peak, or where peaks are near.

    Args:
        own: lower edge, upper edge and peak of each zone, shape (n, 3).
        finds: rows of ``FIND``, shape (m,).
        cumulative: USD below each edge of the rows, shape (P + 1,).
        row_usd: height of a row.
        first_row: number of the first one.
        overlap_ratio: share of the narrower interval that must overlap.
        near_bps: or their peaks lie this close.
        shared: filled, shape (n, m).
        apart: filled, shape (n, m).
    """
    for i in range(own.shape[0]):
        own_low, own_high, own_peak = own[i, 0], own[i, 1], own[i, 2]
        for k in range(finds.shape[0]):
            find = finds[k]
            low, high = max(own_low, find.low_usd), min(own_high, find.high_usd)
            width = min(own_high - own_low, find.high_usd - find.low_usd)
            apart[i, k] = abs(own_peak - find.peak_usd) / find.peak_usd * 1e4
            holds = (
                find.low_usd <= own_peak <= find.high_usd or own_low <= find.peak_usd <= own_high
            ) and high - low >= overlap_ratio * width
            shared[i, k] = np.nan
            if holds or apart[i, k] <= near_bps:
                shared[i, k] = held_kernel(cumulative, row_usd, first_row, low, max(high, low))
