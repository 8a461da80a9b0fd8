"""Windows and deposits in, what each map exposed in every scored cell, from the past alone, out."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

import numpy as np

from faultline.heatmap.grid import BUCKET_LOG, bucket_position
from faultline.heatmap.ledger import Ledger
from faultline.learning.horizon import assumed_ranges, inflow_exposure
from faultline.units import BASIS_POINT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from faultline.evaluation.windows import Cells, Windows
    from faultline.heatmap.ledger import LedgerParameters

__all__ = (
    "LOCATION_BLUR_BPS",
    "Track",
    "blur_cells",
    "deposit_share",
    "expanding_ratio",
    "expected_inflow",
    "expose",
)

#: Deviation of an event's location, in basis points: maps are blurred by it inside a window's swept interval.
LOCATION_BLUR_BPS: Final = 6.0


@dataclasses.dataclass(frozen=True, slots=True)
class Track:
    """One ledger to run: its parameters, what every window deposits (W,), and whether the path consumes it."""

    parameters: LedgerParameters
    deposits: NDArray[np.float64]
    consumes: bool = True


def expanding_ratio(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each value over the mean of the values up to and including itself; 0 where it is missing or not positive."""
    known = np.isfinite(values) & (values >= 0)
    total = np.cumsum(np.where(known, values, 0.0))
    mean = total / np.maximum(np.cumsum(known), 1)
    return np.where(known & (mean > 0), values / np.where(mean > 0, mean, 1.0), 0.0)


def expose(
    windows: Windows, cells: Cells, tracks: Sequence[Track], progress: Callable[[int], None] | None = None
) -> list[NDArray[np.float64]]:
    """Unit exposure per scored cell and leverage of each track, shape (C, L) each.

    Per window: time passes to its start, the exposure of its range is noted, the range is consumed, and at its end the
    deposit is split over its minute closes, leaving out levels that later minutes of the window passed.
    ``progress`` is told how many tracks are done.
    """
    known = np.isfinite(windows.minute_close_usd)
    closes = windows.minute_close_usd
    after_low = np.fmin(closes, _after(windows.minute_low_usd, known))
    after_high = np.fmax(closes, -_after(-windows.minute_high_usd, known))
    entries = np.ascontiguousarray(np.stack([closes, after_low, after_high], axis=2))
    entries[~known] = np.nan
    times = np.stack([windows.start_ns, windows.start_ns + windows.refresh_ns], axis=1)
    ranges = np.stack([windows.low_usd, windows.high_usd], axis=1)
    where = np.zeros((len(windows.start_ns), 3), dtype=np.int64)
    where[cells.window, 0] = cells.starts[:-1]
    where[cells.window, 1] = cells.bucket[cells.starts[:-1]]
    where[cells.window, 2] = np.diff(cells.starts) // 2
    out = []
    for done, track in enumerate(tracks):
        units = track.deposits / np.maximum(known.sum(axis=1), 1)
        ledger = Ledger([track.parameters])
        out.append(ledger.walk(times, ranges, entries, units, where, consumes=track.consumes)[0])
        if progress is not None:
            progress(done + 1)
    return out


def expected_inflow(
    windows: Windows, cells: Cells, parameters: LedgerParameters
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Units that a window is expected to open and force out itself, per scored cell and leverage, shape (C, L) each.

    First given the range that price then covered; second given a range assumed at issue, from the mean range so far.
    Both are in the units of ``deposit_share``'s range.
    """
    owner = np.repeat(cells.window, np.diff(cells.starts))
    low, high, opened = (
        bucket_position(values)[owner] for values in (windows.low_usd, windows.high_usd, windows.open_usd)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        width = np.log(windows.high_usd / windows.low_usd)
    units = expanding_ratio(width)[owner]
    seen = inflow_exposure(parameters, cells.side, cells.bucket, np.stack([low, high, opened], axis=1), units)
    begin, end = np.maximum(cells.bucket, low), np.minimum(cells.bucket + 1, high)
    typical = _mean_before(width)[owner] / BUCKET_LOG
    low, high = assumed_ranges(0.5 * (begin + end), opened, typical)
    units = np.where(typical > 0, (high - low) / np.where(typical > 0, typical, 1.0), 0.0)
    drawn = inflow_exposure(
        parameters, cells.side, cells.bucket, np.stack([low, high, opened], axis=1), units
    )
    # The assumed range holds more of the bucket than was covered.
    held = np.minimum(cells.bucket + 1, high) - np.maximum(cells.bucket, low)
    share = np.where(held > 0, cells.covered_ratio / np.where(held > 0, held, 1.0), 0.0)
    return seen, drawn * np.minimum(share, 1.0)[:, None]


def _mean_before(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of the known values before each place, 0 where there are none."""
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0)
    mean: NDArray[np.float64] = (np.cumsum(filled) - filled) / np.maximum(np.cumsum(known) - known, 1)
    return mean


def _after(low: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Lowest value of the later minutes of the same window, inf after the last."""
    filled = np.where(known, low, np.inf)
    later = np.full_like(filled, np.inf)
    later[:, :-1] = np.minimum.accumulate(filled[:, :0:-1], axis=1)[:, ::-1]
    return later


def deposit_share(windows: Windows) -> dict[str, NDArray[np.float64]]:
    """Deposits per window by proxy, shape (W,), each over its own expanding mean: range, volume, oi_increase.

    ``volume`` falls back to the range where volume is unknown; there, ranges of full windows and of those known by
    their endpoints are different measures with a mean of their own, so that a switch changes no level.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        width = np.log(windows.high_usd / windows.low_usd)
    full, rough = (expanding_ratio(np.where(part, width, np.nan)) for part in (windows.full, ~windows.full))
    stand_in = np.where(windows.full, full, rough)
    return {
        "range": expanding_ratio(width),
        "volume": np.where(np.isfinite(windows.volume_usd), expanding_ratio(windows.volume_usd), stand_in),
        "oi_increase": expanding_ratio(_increase(windows.oi_base)),
    }


def _increase(oi: NDArray[np.float64]) -> NDArray[np.float64]:
    """Growth of open interest since it was last known, 0 where it fell, NaN where it is not known."""
    out = np.full(len(oi), np.nan)
    known = np.flatnonzero(np.isfinite(oi))
    out[known[1:]] = np.maximum(np.diff(oi[known]), 0.0)
    return out


def blur_cells(
    cells: Cells, values: NDArray[np.float64], width_bps: float = LOCATION_BLUR_BPS
) -> NDArray[np.float64]:
    """Values (C, K) blurred by a Gaussian over the buckets of the same window and side, reflected at both ends."""
    out = np.array(values, dtype=np.float64)
    if width_bps <= 0:
        return out
    matrices: dict[int, NDArray[np.float64]] = {}
    for begin, end in zip(cells.starts[:-1], cells.starts[1:], strict=True):
        width = int(end - begin) // 2
        if width not in matrices:
            matrices[width] = _blur_matrix(width, width_bps * BASIS_POINT / BUCKET_LOG)
        middle = begin + width
        out[begin:middle] = matrices[width] @ values[begin:middle]
        out[middle:end] = matrices[width] @ values[middle:end]
    return out


def _blur_matrix(width: int, sigma: float) -> NDArray[np.float64]:
    """Gaussian of deviation ``sigma`` buckets with images at both ends, columns sum to 1, shape (n, n)."""
    place = np.arange(width, dtype=np.float64)
    matrix = np.zeros((width, width))
    images = int(np.ceil(5 * sigma / (2 * width))) + 1
    for image in range(-images, images + 1):
        for source in (place + 2 * width * image, -1 - place + 2 * width * image):
            matrix += np.exp(-0.5 * ((place[:, None] - source[None, :]) / sigma) ** 2)
    total: NDArray[np.float64] = matrix.sum(axis=0)
    return matrix / total
