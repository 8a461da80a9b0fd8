"""Prices in, integer log buckets out; and amounts per bucket in, amounts per linear display row out.

A bucket is five basis points of log price: bucket ``b`` covers ``[exp(b*w), exp((b+1)*w))`` with
``w = BUCKET_LOG``. Indices are integers, so a position on the grid never accumulates rounding. A display row
is linear in USD: row ``k`` covers ``[k*row_usd, (k+1)*row_usd)``. The projection spreads a bucket evenly
over its own price interval, so amounts inside the displayed rows are conserved.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, overload

import numpy as np
from numba import njit

from faultline.errors import RequestError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = (
    "BUCKET_LOG",
    "EDGE_SLACK",
    "bucket_edge_usd",
    "bucket_of",
    "bucket_position",
    "gather_rows_kernel",
    "project_kernel",
    "project_rows",
    "row_positions_kernel",
    "row_shares_kernel",
)

#: Width of a bucket in log price: five basis points.
BUCKET_LOG: Final = 5e-4
#: A price this close below an edge (in buckets) belongs to the bucket above: the edge maps to its own bucket.
EDGE_SLACK: Final = 1e-8


@overload
def bucket_position(price_usd: float) -> float: ...
@overload
def bucket_position(price_usd: NDArray[np.float64]) -> NDArray[np.float64]: ...
def bucket_position(price_usd: float | NDArray[np.float64]) -> float | NDArray[np.float64]:
    """Log price in units of buckets: the integer part is the bucket, the rest the place inside it."""
    position = np.log(price_usd) / BUCKET_LOG + EDGE_SLACK
    return float(position) if np.ndim(position) == 0 else position


@overload
def bucket_of(price_usd: float) -> int: ...
@overload
def bucket_of(price_usd: NDArray[np.float64]) -> NDArray[np.int64]: ...
def bucket_of(price_usd: float | NDArray[np.float64]) -> int | NDArray[np.int64]:
    """Bucket that holds a price, ``floor(ln(price) / BUCKET_LOG)``; int for a scalar, int64 array for an array.

    Raises:
        RequestError: a price is not a positive finite number; nothing has no bucket.
    """
    price = np.asarray(price_usd, dtype=np.float64)
    if not bool(np.all((price > 0) & np.isfinite(price))):
        message = "a price without a bucket"
        raise RequestError(
            message, where="price_usd", hint="give positive finite prices; drop missing ones first"
        )
    bucket = np.floor(np.log(price) / BUCKET_LOG + EDGE_SLACK).astype(np.int64)
    return int(bucket) if bucket.ndim == 0 else bucket


@overload
def bucket_edge_usd(bucket: int) -> float: ...
@overload
def bucket_edge_usd(bucket: NDArray[np.int64]) -> NDArray[np.float64]: ...
def bucket_edge_usd(bucket: int | NDArray[np.int64]) -> float | NDArray[np.float64]:
    """Lower edge of a bucket in USD."""
    edge = np.exp(np.asarray(bucket, dtype=np.float64) * BUCKET_LOG)
    return float(edge) if np.ndim(edge) == 0 else edge


@njit(cache=True, nogil=True)
def row_positions_kernel(first_bucket: int, n_buckets: int, row_usd: float, first_row: int, out: Any) -> None:
    """Lower edges of ``n_buckets + 1`` buckets in display rows counted from ``first_row``, into ``out`` f8."""
    for index in range(n_buckets + 1):
        out[index] = math.exp((first_bucket + index) * BUCKET_LOG) / row_usd - first_row


@njit(cache=True, nogil=True)
def project_kernel(values: Any, positions: Any, begin: int, end: int, out: Any) -> None:
    """Spread ``values[begin:end]`` over rows; bucket b covers rows ``positions[b]..positions[b+1]`` evenly."""
    n_rows = out.shape[0]
    for index in range(begin, end):
        value = values[index]
        if value == 0.0:
            continue
        low = positions[index]
        high = positions[index + 1]
        if high <= 0.0 or low >= n_rows:
            continue
        row = math.floor(low)
        if high <= row + 1.0:
            out[row] += value
            continue
        per_row = value / (high - low)
        while row < high and row < n_rows:
            if row >= 0:
                out[row] += per_row * (min(high, row + 1.0) - max(low, row))
            row += 1


@njit(cache=True, nogil=True)
def row_shares_kernel(positions: Any, buckets: Any, shares: Any) -> None:
    """First and last bucket of each display row into ``buckets`` i8 (n, 2), and which share of them falls into it.

    ``shares`` f4 (n, 2). Buckets between the two lie in the row as a whole. A row without buckets has its last bucket
    before its first; in a row inside one bucket the second share is 0.
    """
    n_buckets = positions.shape[0] - 1
    for row in range(buckets.shape[0]):
        first = max(int(np.searchsorted(positions, float(row), side="right")) - 1, 0)
        last = min(int(np.searchsorted(positions, row + 1.0, side="left")) - 1, n_buckets - 1)
        buckets[row, 0], buckets[row, 1] = first, last
        shares[row, :] = 0.0
        if first <= last:
            low, high = positions[first], positions[first + 1]
            shares[row, 0] = max(0.0, min(high, row + 1.0) - max(low, float(row))) / (high - low)
        if first < last:
            low, high = positions[last], positions[last + 1]
            shares[row, 1] = (min(high, row + 1.0) - low) / (high - low)


@njit(cache=True, nogil=True)
def gather_rows_kernel(values: Any, buckets: Any, shares: Any, begin: int, end: int, out: Any) -> None:
    """Add to each row of ``begin..end`` what its buckets hold: no division, no search, each row written once."""
    for row in range(begin, end):
        first, last = buckets[row, 0], buckets[row, 1]
        if first > last:
            continue
        total = values[first] * shares[row, 0] + values[last] * shares[row, 1]
        for index in range(first + 1, last):
            total += values[index]
        out[row] += total


@njit(cache=True, nogil=True)
def _project_all_kernel(values: Any, positions: Any, out: Any) -> None:
    """Project every line of ``values[k, B]`` onto ``out[k, n_rows]``."""
    for line in range(values.shape[0]):
        project_kernel(values[line], positions, 0, values.shape[1], out[line])


def project_rows(
    values: ArrayLike, first_bucket: int, row_usd: float, first_row: int, n_rows: int
) -> NDArray[np.float64]:
    """Amounts per log bucket as amounts per linear display row.

    Args:
        values: shape ``(..., B)``; ``values[..., i]`` is the amount in bucket ``first_bucket + i``.
        first_bucket: bucket of the first column of ``values``.
        row_usd: height of a display row in USD.
        first_row: first row; row ``k`` covers ``[k*row_usd, (k+1)*row_usd)``.
        n_rows: number of rows.

    Returns:
        float64 of shape ``(..., n_rows)``. What lies inside the rows is conserved; what lies outside is left out.

    Raises:
        RequestError: ``row_usd`` is not positive or ``n_rows`` is negative.
    """
    if not (row_usd > 0 and math.isfinite(row_usd)) or n_rows < 0:
        message = f"no display rows of {row_usd!r} USD, {n_rows!r} of them"
        raise RequestError(
            message, where="row_usd, n_rows", hint="give a positive height and a count of 0 or more"
        )
    amounts = np.ascontiguousarray(values, dtype=np.float64)
    n_buckets = amounts.shape[-1]
    positions = np.empty(n_buckets + 1)
    row_positions_kernel(first_bucket, n_buckets, float(row_usd), first_row, positions)
    out = np.zeros((*amounts.shape[:-1], n_rows))
    if out.size:
        _project_all_kernel(amounts.reshape(-1, n_buckets), positions, out.reshape(-1, n_rows))
    return out
