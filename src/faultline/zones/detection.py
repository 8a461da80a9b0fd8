"""One column of the map in, the places where exposure stands out from its surroundings out.

What is looked at is the column that people see, blurred by the error with which a liquidation can be placed. A peak
counts by its **prominence**: how far heat falls from it before it rises to something higher, as a share of the peak
itself (is it a peak at all?) and of the side's heat (does it matter?). Both are shares, so assets compare.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from faultline.errors import RequestError
from faultline.heatmap.columns import smooth_rows
from faultline.zones.detection_kernels import find_kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faultline.heatmap.display import DisplayRows
    from faultline.zones.parameters import ZoneParameters

__all__ = ("FIND", "KNOWN", "NO_FINDS", "cumulative_usd", "detect_zones", "held_usd")

#: One place that stands out. ``prominence`` is a share of the peak, ``weight`` the share of the side's heat in
#: 100 basis points of it, ``is_strong`` whether that is enough to begin a zone.
FIND: Final = np.dtype(
    [
        ("side", "<i1"),
        ("low_usd", "<f8"),
        ("high_usd", "<f8"),
        ("peak_usd", "<f8"),
        ("notional_usd", "<f8"),
        ("prominence", "<f8"),
        ("weight", "<f8"),
        ("is_strong", "?"),
    ]
)
#: A place where a zone stands already.
KNOWN: Final = np.dtype([("side", "<i1"), ("low_usd", "<f8"), ("high_usd", "<f8")])
#: Nothing found.
NO_FINDS: Final = np.zeros(0, dtype=FIND)

_NONE_KNOWN: Final = np.zeros(0, dtype=KNOWN)


def cumulative_usd(usd: NDArray[Any]) -> NDArray[np.float64]:
    """USD below each edge of the rows, shape (2, P + 1), from USD per row, shape (2, P)."""
    out = np.zeros((2, usd.shape[1] + 1))
    np.cumsum(usd, axis=1, dtype=np.float64, out=out[:, 1:])
    return out


def held_usd(
    cumulative: NDArray[np.float64], rows: DisplayRows, low_usd: Any, high_usd: Any
) -> NDArray[np.float64]:
    """USD of one side between two prices; rows are cut evenly, what is off the rows is nothing.

    Args:
        cumulative: one side of ``cumulative_usd``, shape (P + 1,).
        rows: the display rows.
        low_usd: lower ends, any shape.
        high_usd: upper ends, same shape.
    """
    n_rows = len(cumulative) - 1
    if n_rows < 1:
        return np.zeros(np.shape(low_usd))
    place = np.array([low_usd, high_usd], dtype=np.float64) / rows.row_usd - rows.first_row
    place = np.minimum(np.maximum(place, 0.0), float(n_rows))
    row = np.minimum(place.astype(np.int64), n_rows - 1)
    below = cumulative[row]
    below += (place - row) * (cumulative[row + 1] - below)
    held: NDArray[np.float64] = np.maximum(below[1] - below[0], 0.0)
    return held


def detect_zones(
    usd: NDArray[Any],
    rows: DisplayRows,
    price_usd: float,
    parameters: ZoneParameters,
    known: NDArray[np.void] = _NONE_KNOWN,
) -> NDArray[np.void]:
    """Places of one column where exposure stands out.

    Args:
        usd: USD per side and display row, shape (2, P); longs first.
        rows: the display rows.
        price_usd: price of the column; long zones peak below it, short zones above.
        parameters: settings.
        known: where zones stand already (``KNOWN``): the most prominent peak inside each needs less to be found.

    Returns:
        Rows of ``FIND``, sorted by side and lower edge; intervals of a side do not overlap. Empty where price or a
        row is missing, or nothing stands out.

    Raises:
        RequestError: the column does not have two sides of as many rows as ``rows``.
    """
    if usd.shape != (2, rows.n_rows):
        message = f"a column of shape {usd.shape} does not fit {rows.n_rows} rows"
        raise RequestError(message, where="usd", hint="give one line of USD per side, longs first")
    if not (price_usd > 0 and math.isfinite(price_usd)) or rows.n_rows < 3:
        return NO_FINDS
    totals = usd.sum(axis=1, dtype=np.float64)
    if not np.isfinite(totals).all() or not totals.any():
        return NO_FINDS
    smooth = usd.astype(np.float64)
    if parameters.smooth_bps > 0:
        smooth = smooth_rows(smooth, parameters.smooth_bps, rows)
    ratios = np.array(
        [
            parameters.birth_peak_ratio,
            parameters.birth_side_ratio,
            parameters.life_ratio,
            parameters.edge_ratio,
            parameters.edge_drop_ratio,
            parameters.reach_ratio,
        ]
    )
    out = np.empty(rows.n_rows, dtype=FIND)
    n_finds = find_kernel(
        smooth,
        cumulative_usd(usd),
        known,
        price_usd,
        rows.row_usd,
        rows.first_row,
        parameters.half_width_max_bps,
        ratios,
        out,
    )
    return out[:n_finds].copy()
