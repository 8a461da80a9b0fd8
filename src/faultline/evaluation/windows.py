"""Minute bars, coarse bars, liquidations and gaps as arrays in, the windows that can be scored out.

A window is ``[t, t + refresh)`` on the UTC grid. It is scored only if it is *full* - every minute bar of the
five-minute blocks it touches exists, and the block's last close agrees within 1 % with the coarse price where there
is one - and no gap of the liquidation feed touches those blocks. Other windows still move price, and never count.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Final

import numpy as np

from faultline.errors import RequestError
from faultline.heatmap.grid import BUCKET_LOG, bucket_position
from faultline.units import MINUTE_NS, PriceKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = (
    "BLOCK_MINUTES",
    "COVERED_FLOOR",
    "Cells",
    "Events",
    "MinutePath",
    "Windows",
    "build_windows",
    "cells_of",
)

#: Minutes per block: the mask is decided per block, for every refresh interval alike.
BLOCK_MINUTES: Final = 5
#: Smallest share of a bucket that counts as swept.
COVERED_FLOOR: Final = 1e-3
#: The last minute close of a block and the coarse price must agree to this.
_AGREEMENT_LOG: Final = 0.01
#: Where only the endpoints of a block are known, its range is wider by this many deviations of a block return.
_ENDPOINT_SIGMAS: Final = 0.4


@dataclasses.dataclass(frozen=True, slots=True)
class MinutePath:
    """Dense minutes from ``first_ns``: shape (M,) each, NaN where a bar is missing.

    ``coarse_first_usd`` and ``coarse_last_usd`` have shape (M / 5,): prices at the ends of each five-minute block
    from a second source, NaN where there is none. ``oi_base`` has the same shape: open interest at the block's end.
    """

    first_ns: int
    low_usd: NDArray[np.float64]
    high_usd: NDArray[np.float64]
    close_usd: NDArray[np.float64]
    volume_usd: NDArray[np.float64]
    coarse_first_usd: NDArray[np.float64]
    coarse_last_usd: NDArray[np.float64]
    oi_base: NDArray[np.float64]

    def __post_init__(self) -> None:
        minutes, block_ns = len(self.low_usd), BLOCK_MINUTES * MINUTE_NS
        if (
            self.first_ns % block_ns
            or minutes % BLOCK_MINUTES
            or len(self.coarse_last_usd) * BLOCK_MINUTES != minutes
        ):
            message = (
                f"a path of {minutes} minutes from {self.first_ns} ns is not made of whole five-minute blocks"
            )
            raise RequestError(message, where="first_ns", hint="start and end on multiples of five minutes")


@dataclasses.dataclass(frozen=True, slots=True)
class Events:
    """Liquidations, sorted by time, shape (n,) each; ``side`` is 0 long, 1 short."""

    time_ns: NDArray[np.int64]
    side: NDArray[np.int8]
    price_usd: NDArray[np.float64]
    notional_usd: NDArray[np.float64]
    price_kind: NDArray[np.uint8]


@dataclasses.dataclass(frozen=True, slots=True)
class Windows:
    """Windows of one asset, shape (W,) or (W, minutes); NaN where price is unknown.

    Attributes:
        start_ns: first moment of each window.
        refresh_ns: length of a window.
        low_usd: lowest price, or NaN.
        high_usd: highest price, or NaN.
        open_usd: last price known before the window.
        live: whether the window is full and the feed was up.
        full: whether the price path is complete.
        minute_low_usd: the same per minute, shape (W, m).
        minute_high_usd: shape (W, m).
        minute_close_usd: shape (W, m).
        volume_usd: traded notional, NaN where a minute of it is unknown.
        oi_base: open interest at the window's end, NaN unknown.
    """

    start_ns: NDArray[np.int64]
    refresh_ns: int
    low_usd: NDArray[np.float64]
    high_usd: NDArray[np.float64]
    open_usd: NDArray[np.float64]
    live: NDArray[np.bool_]
    full: NDArray[np.bool_]
    minute_low_usd: NDArray[np.float64]
    minute_high_usd: NDArray[np.float64]
    minute_close_usd: NDArray[np.float64]
    volume_usd: NDArray[np.float64]
    oi_base: NDArray[np.float64]


def build_windows(path: MinutePath, gaps_ns: NDArray[np.int64], refresh_ns: int) -> Windows:
    """Cut a path into windows and decide which of them can be scored.

    Args:
        path: the reference instrument's path.
        gaps_ns: stretches in which liquidations are missing, shape (n, 2): start, end (exclusive).
        refresh_ns: length of a window, a multiple of a minute up to 240 minutes that divides a day.

    Raises:
        RequestError: the refresh interval is not such a multiple.
    """
    minutes = refresh_ns // MINUTE_NS
    if refresh_ns % MINUTE_NS or not 1 <= minutes <= 240 or (24 * 60) % minutes:
        message = f"a forecast cannot be refreshed every {refresh_ns / 1e9:g} s"
        raise RequestError(
            message, where="refresh_ns", hint="give whole minutes that divide a day, at most 4h"
        )
    low, high, close, full = _filled(path)
    live = full & ~_touched(path, gaps_ns)
    skipped = (-(path.first_ns // MINUTE_NS)) % minutes
    count = (len(low) - skipped) // minutes
    cut = slice(skipped, skipped + count * minutes)

    def grouped(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return values[cut].reshape(count, minutes)

    minute_low, minute_high, minute_close = grouped(low), grouped(high), grouped(close)
    oi = np.full(len(low), np.nan)
    oi[BLOCK_MINUTES - 1 :: BLOCK_MINUTES] = path.oi_base
    last = _last_known(close)
    before = np.concatenate([[np.nan], last])[skipped : skipped + count * minutes : minutes]
    return Windows(
        start_ns=path.first_ns + (skipped + np.arange(count) * minutes) * MINUTE_NS,
        refresh_ns=refresh_ns,
        low_usd=_least(minute_low),
        high_usd=-_least(-minute_high),
        open_usd=before,
        live=live[cut].reshape(count, minutes).all(axis=1) & np.isfinite(before),
        full=np.asarray(full[cut].reshape(count, minutes).all(axis=1)),
        minute_low_usd=minute_low,
        minute_high_usd=minute_high,
        minute_close_usd=minute_close,
        volume_usd=grouped(path.volume_usd).sum(axis=1),
        oi_base=grouped(oi)[:, -1],
    )


def _least(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Smallest known value of each row, NaN where none is known."""
    least: NDArray[np.float64] = np.where(np.isnan(rows), np.inf, rows).min(axis=1)
    return np.where(np.isinf(least), np.nan, least)


def _last_known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The last value that was known at each place, NaN before the first."""
    index = np.where(np.isfinite(values), np.arange(len(values)), -1)
    index = np.maximum.accumulate(index)
    return np.where(index >= 0, values[np.maximum(index, 0)], np.nan)


def _filled(
    path: MinutePath,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Low, high and close per minute with blocks that are not full replaced by their endpoints, and which are full."""
    shape = (-1, BLOCK_MINUTES)
    low, high, close = (v.copy().reshape(shape) for v in (path.low_usd, path.high_usd, path.close_usd))
    known = np.isfinite(low) & np.isfinite(high) & np.isfinite(close)
    full = known.all(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        differs = np.abs(np.log(close[:, -1] / path.coarse_last_usd)) > _AGREEMENT_LOG
        returns = np.log(path.coarse_last_usd / path.coarse_first_usd)
    full &= ~differs
    # Bars that contradict the second source are not believed at all.
    wrong = differs & np.isfinite(close[:, -1])
    low[wrong], high[wrong], close[wrong] = np.nan, np.nan, np.nan
    widen = np.exp(_ENDPOINT_SIGMAS * _expanding_sigma(returns))
    ends = np.stack([path.coarse_first_usd, path.coarse_last_usd])
    coarse = ~full & np.isfinite(ends).all(axis=0)
    with np.errstate(invalid="ignore"):
        low[coarse, -1] = np.fmin(low[coarse, -1], ends[:, coarse].min(axis=0) / widen[coarse])
        high[coarse, -1] = np.fmax(high[coarse, -1], ends[:, coarse].max(axis=0) * widen[coarse])
    close[coarse, -1] = path.coarse_last_usd[coarse]
    return low.ravel(), high.ravel(), close.ravel(), np.repeat(full, BLOCK_MINUTES)


def _expanding_sigma(returns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Root mean square of the returns before each place, 0 before the first."""
    known = np.isfinite(returns)
    squares = np.concatenate([[0.0], np.cumsum(np.where(known, returns, 0.0) ** 2)[:-1]])
    counts = np.concatenate([[0], np.cumsum(known)[:-1]])
    sigma: NDArray[np.float64] = np.sqrt(squares / np.maximum(counts, 1))
    return sigma


def _touched(path: MinutePath, gaps_ns: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Minutes of blocks that a gap touches."""
    block_ns = BLOCK_MINUTES * MINUTE_NS
    n_blocks = len(path.low_usd) // BLOCK_MINUTES
    touched = np.zeros(n_blocks, dtype=np.bool_)
    for start, end in gaps_ns:
        first = max(0, (int(start) - path.first_ns) // block_ns)
        last = min(n_blocks, -((path.first_ns - int(end)) // block_ns))
        if first < last:
            touched[first:last] = True
    return np.repeat(touched, BLOCK_MINUTES)


@dataclasses.dataclass(frozen=True, slots=True)
class Cells:
    """Swept cells of the scored windows, shape (C,) each, and which window they belong to.

    Attributes:
        window: int64 (V,), index into ``Windows`` of each scored window.
        starts: int64 (V + 1,), first cell of each scored window; longs first, then shorts, buckets ascending.
        side: 0 long, 1 short.
        bucket: log bucket.
        covered_ratio: share of the bucket between the window's low and high.
        count: events located in the cell.
        notional_usd: their notional.
        capped_usd: the same with single events capped.
        excluded: events that are not in any cell, by reason.
        n_raw: events at all.
    """

    window: NDArray[np.int64]
    starts: NDArray[np.int64]
    side: NDArray[np.int8]
    bucket: NDArray[np.int64]
    covered_ratio: NDArray[np.float64]
    count: NDArray[np.float64]
    notional_usd: NDArray[np.float64]
    capped_usd: NDArray[np.float64]
    excluded: dict[str, int]
    n_raw: int


def cells_of(windows: Windows, events: Events, location_ratio: float, cap_usd: float) -> Cells:
    """Cells of the live windows with their events.

    Args:
        windows: all windows.
        events: liquidations.
        location_ratio: maintenance ratio by which a bankruptcy print lies beyond its trigger.
        cap_usd: largest notional of a single event in ``capped_usd``.
    """
    live = np.flatnonzero(windows.live)
    low, high = bucket_position(windows.low_usd[live]), bucket_position(windows.high_usd[live])
    first, last = np.floor(low).astype(np.int64), np.floor(high).astype(np.int64)
    width = last - first + 1
    starts = np.concatenate([[0], np.cumsum(2 * width)])
    cell = np.arange(starts[-1])
    owner = np.repeat(np.arange(len(live)), 2 * width)
    inside = cell - starts[owner]
    side = (inside >= width[owner]).astype(np.int8)
    bucket = first[owner] + inside - side * width[owner]
    covered = np.minimum(high[owner], bucket + 1) - np.maximum(low[owner], bucket)
    place, row, excluded = _located(windows, events, location_ratio)
    slot = np.full(len(windows.live), -1, dtype=np.int64)
    slot[live] = np.arange(len(live))
    kept = row >= 0
    at = slot[row[kept]]
    where = np.clip(np.floor(place[kept]).astype(np.int64), first[at], last[at])
    index = starts[at] + events.side[kept] * width[at] + where - first[at]
    notional = events.notional_usd[kept]
    n = len(cell)
    return Cells(
        window=live,
        starts=starts,
        side=side,
        bucket=bucket,
        covered_ratio=np.clip(covered, COVERED_FLOOR, 1.0),
        count=np.bincount(index, minlength=n).astype(np.float64),
        notional_usd=np.bincount(index, notional, n).astype(np.float64),
        capped_usd=np.bincount(index, np.minimum(notional, cap_usd), n).astype(np.float64),
        excluded=excluded,
        n_raw=len(events.time_ns),
    )


def _located(
    windows: Windows, events: Events, location_ratio: float
) -> tuple[NDArray[np.float64], NDArray[np.int64], dict[str, int]]:
    """Place of each event in buckets, clipped into its minute's range; its window or -1; exclusions by reason."""
    minutes = windows.minute_low_usd.shape[1]
    first_ns = int(windows.start_ns[0]) if len(windows.start_ns) else 0
    minute = (events.time_ns - first_ns) // MINUTE_NS
    outside = (minute < 0) | (minute >= len(windows.start_ns) * minutes)
    minute = np.where(outside, 0, minute)
    row = minute // minutes
    low, high = windows.minute_low_usd.ravel()[minute], windows.minute_high_usd.ravel()[minute]
    bankrupt = events.price_kind == PriceKind.BANKRUPTCY
    shift = np.where(events.side == 0, math.log1p(-location_ratio), math.log1p(location_ratio))
    with np.errstate(invalid="ignore", divide="ignore"):
        log_price = np.log(events.price_usd) - np.where(bankrupt, shift, 0.0)
        place = np.clip(log_price / BUCKET_LOG, bucket_position(low), bucket_position(high))
    reasons = {
        "outside_span": outside,
        "no_price": ~np.isfinite(events.price_usd),
        "no_bar": ~windows.full[row],
        "gap": ~windows.live[row],
    }
    taken = np.zeros(len(outside), dtype=np.bool_)
    excluded = {}
    for name, applies in reasons.items():
        excluded[name] = int((applies & ~taken).sum())
        taken |= applies
    return place, np.where(taken, -1, row), excluded
