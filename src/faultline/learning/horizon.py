"""The range that a window covers in, what opens inside that window and is forced out in it per leverage out.

A map holds what stood when it was issued. The longer the window, the more of its liquidations are of positions that
were opened after the issue. Those need two visits: price was at their entry first and at their liquidation level
later. How much passes that way follows from the path alone. For a driftless walk from ``u`` that covers exactly
``[0, 1]``, ``passage_table`` has the share of the window's time spent at ``q`` before the last visit of ``v``::

    K(u, v, q) = E[ time at q before the last visit of v | range is [0, 1] ]        per unit of q

by an exact recursion over position and which ends were touched. A long position of margin distance ``d`` that is
forced out at ``y`` was opened at ``y - ln(1 - d)``, a short one at ``y - ln(1 + d)``; so a window of units ``g`` and
range ``R`` forces out ``g K / R`` per unit of log price. It adds to the exposure of what stood at the issue: the same
rates per leverage hold for both. See ``docs/concepts/evaluation.md``.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit

from faultline.errors import RequestError
from faultline.heatmap.grid import BUCKET_LOG

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faultline.heatmap.ledger import LedgerParameters

__all__ = ("TABLE_LEVELS", "assumed_ranges", "inflow_exposure", "passage_table")

#: Levels that the range is split into.
TABLE_LEVELS: Final = 24
#: Expected range of a driftless walk over the deviation of its end: sqrt(8 / pi) (Feller 1951).
_RANGE_OF_DEVIATION: Final = 1.6
#: Where the end of a window is not known: how far beyond a level it reaches, in typical ranges.
_OVERSHOOT: Final = 0.125
#: Last index of the four sets of touched ends: none, low, high, both.
_BOTH: Final = 3


@functools.cache
def passage_table(levels: int = TABLE_LEVELS, steps: int | None = None) -> NDArray[np.float64]:
    """Share of the time a walk spends at ``q`` before its last visit of ``v``, given start and range.

    The walk stays with probability 1/2, and moves one level up or down with 1/4 each.

    Args:
        levels: levels ``n`` of the range; level ``i`` stands for ``(i + 1/2) / n`` of it.
        steps: steps of the walk; None for as many as make the range typical.

    Returns:
        Density of the time per start, visited level and place, times the range, shape (n, n, n), read-only.

    Raises:
        RequestError: fewer than two levels, or too few steps to touch both ends from everywhere.
    """
    n = levels
    total = round(2.0 * (n / _RANGE_OF_DEVIATION) ** 2) if steps is None else steps
    if n < 2 or total < 2 * (n - 1):
        message = f"no walk of {total} steps covers {n} levels from everywhere"
        raise RequestError(
            message, where="levels, steps", hint="give two levels or more, and twice as many steps"
        )
    end = np.zeros((4, n))
    end[_BOTH] = 1.0
    reaches = [end]
    for _ in range(total):
        reaches.append(_before_step(reaches[-1]))
    level = np.arange(n)
    forward = np.zeros((n, 4, n))
    forward[level, (level == 0) + 2 * (level == n - 1), level] = 1.0
    visits = [forward]
    for _ in range(total):
        visits.append(_after_step(visits[-1]))
    later = np.zeros((n, 4, n))
    table = np.zeros((n, n, n))
    for t in range(total, -1, -1):
        later = _before_step(later) if t < total else later
        later[level, :, level] = reaches[total - t][:, level].T
        table += np.einsum("usq,vsq->uvq", visits[t], later)
    table *= n / ((total + 1) * visits[-1][:, _BOTH].sum(axis=1))[:, None, None]
    table.setflags(write=False)
    return table


def _before_step(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Expectation one step earlier of a value (..., 4, n) of touched ends and level; leaving the range is worth 0."""
    arrived = values.copy()
    arrived[..., 0, 0], arrived[..., 2, 0] = values[..., 1, 0], values[..., 3, 0]
    arrived[..., 0, -1], arrived[..., 1, -1] = values[..., 2, -1], values[..., 3, -1]
    out = 0.5 * arrived
    out[..., 1:] += 0.25 * arrived[..., :-1]
    out[..., :-1] += 0.25 * arrived[..., 1:]
    return out


def _after_step(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities (..., 4, n) of touched ends and level one step later; what leaves the range is lost."""
    out = 0.5 * weights
    out[..., 1:] += 0.25 * weights[..., :-1]
    out[..., :-1] += 0.25 * weights[..., 1:]
    for place, moves in ((0, ((0, 1), (2, 3))), (-1, ((0, 2), (1, 3)))):
        for old, new in moves:
            out[..., new, place] += out[..., old, place]
            out[..., old, place] = 0.0
    return out


def assumed_ranges(
    place: NDArray[np.float64], opened: NDArray[np.float64], typical: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Low and high of a window that is still to come and reaches a level, (C,) each, in buckets.

    Half a typical range either side of the price at issue, stretched to an eighth beyond the level where that lies
    farther out. With it ``inflow_exposure`` needs nothing that happens after the issue and can be drawn as a map.

    Args:
        place: level, as a position in buckets, shape (C,).
        opened: price at issue, shape (C,) or a scalar.
        typical: mean range of windows of this length, shape (C,) or a scalar.
    """
    low = np.minimum(opened - 0.5 * typical, place - _OVERSHOOT * typical)
    high = np.maximum(opened + 0.5 * typical, place + _OVERSHOOT * typical)
    return low, high


def inflow_exposure(
    parameters: LedgerParameters,
    side: NDArray[np.int8],
    bucket: NDArray[np.int64],
    ranges: NDArray[np.float64],
    units: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Units expected to be opened inside a window and forced out in it, per cell and leverage, shape (C, L).

    Args:
        parameters: margins of the ledger whose exposure this adds to.
        side: 0 long, 1 short, shape (C,).
        bucket: log bucket of each cell, shape (C,).
        ranges: low, high and price at issue of each cell's window as positions in buckets, shape (C, 3); NaN or
            an empty range forces nothing out.
        units: units that the window opens per side, shape (C,), not negative.

    Raises:
        RequestError: shapes do not fit, or units are negative or not finite.
    """
    cells = len(side)
    if (
        bucket.shape != (cells,)
        or ranges.shape != (cells, 3)
        or units.shape != (cells,)
        or not bool(np.all(np.isfinite(units) & (units >= 0)))
    ):
        message = (
            f"ranges {ranges.shape} and units {units.shape} do not fit {cells} cells, or units are negative"
        )
        raise RequestError(
            message, where="ranges, units", hint="give low, high, price and units >= 0 per cell"
        )
    distances = parameters.distances()
    possible = (distances > 0) & (distances < 1)
    inside = np.where(possible, distances, 0.5)
    steps = np.stack([-np.log1p(-inside), np.log1p(inside)]) / BUCKET_LOG
    steps[:, ~possible] = math.inf
    out = np.zeros((cells, len(parameters.leverages)))
    _inflow_kernel(
        np.ascontiguousarray(side, dtype=np.int8),
        np.ascontiguousarray(bucket, dtype=np.int64),
        np.ascontiguousarray(ranges, dtype=np.float64),
        np.ascontiguousarray(units, dtype=np.float64),
        steps,
        parameters.nodes()[1],
        passage_table(),
        out,
    )
    return out


@njit(cache=True, nogil=True)
def _between_kernel(x: float, n: int) -> tuple[int, float]:
    """Lower of the two levels around a share ``x`` of the range, and the weight of the upper one."""
    position = min(max(x * n - 0.5, 0.0), n - 1.0)
    lower = min(int(position), n - 2)
    return lower, position - lower


@njit(cache=True, nogil=True)
def _inflow_kernel(
    sides: Any, buckets: Any, ranges: Any, units: Any, steps: Any, weights: Any, table: Any, out: Any
) -> None:
    """Fill ``out`` (C, L): sum over nodes of ``weight * units * covered * K(u, v, v + step / R) / R``.

    ``steps`` is f8 (2, L, nodes), buckets from a level up (long) or down (short) to its entry; ``table`` (n, n, n).
    Shares of the range are measured from the end that the side is forced out towards.
    """
    n = table.shape[0]
    for c in range(out.shape[0]):
        low, high, opened = ranges[c]
        begin, end = max(low, float(buckets[c])), min(high, buckets[c] + 1.0)
        if math.isnan(opened) or not (high > low and end > begin):
            continue
        width, side = high - low, sides[c]
        place, start = 0.5 * (begin + end), min(max(opened, low), high)
        v = (place - low) / width if side == 0 else (high - place) / width
        u = (start - low) / width if side == 0 else (high - start) / width
        i, a = _between_kernel(u, n)
        j, b = _between_kernel(v, n)
        scale = units[c] * (end - begin) / width
        for lev in range(out.shape[1]):
            total = 0.0
            for k in range(weights.shape[0]):
                q = v + steps[side, lev, k] / width
                if q > 1.0:
                    continue
                m, w = _between_kernel(q, n)
                near = (1.0 - a) * (
                    (1.0 - b) * ((1.0 - w) * table[i, j, m] + w * table[i, j, m + 1])
                    + b * ((1.0 - w) * table[i, j + 1, m] + w * table[i, j + 1, m + 1])
                )
                far = a * (
                    (1.0 - b) * ((1.0 - w) * table[i + 1, j, m] + w * table[i + 1, j, m + 1])
                    + b * ((1.0 - w) * table[i + 1, j + 1, m] + w * table[i + 1, j + 1, m + 1])
                )
                total += weights[k] * (near + far)
            out[c, lev] = scale * total
