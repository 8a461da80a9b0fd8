"""Maps that somebody froze before the outcome in, their exposure in every scored cell out."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from faultline.errors import RequestError
from faultline.heatmap.forecast import passed_ratio
from faultline.heatmap.grid import bucket_position

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from faultline.evaluation.windows import Cells, Windows

__all__ = ("FrozenMap", "chain_sha256", "expose_frozen", "frozen_maps")


@dataclasses.dataclass(frozen=True, slots=True)
class FrozenMap:
    """One map: amounts per log bucket and side, and the part of each bucket that price has not passed.

    Attributes:
        issued_ns: nothing later was used.
        first_bucket: log bucket of index 0.
        density: float64 (2, n), any unit; long, short.
        remaining: float64 (2, n), in [0, 1].
    """

    issued_ns: int
    first_bucket: int
    density: NDArray[np.float64]
    remaining: NDArray[np.float64]


def frozen_maps(forecasts: Iterable[Any]) -> list[FrozenMap]:
    """Maps in the order of issue, from tuples ``(issued_ns, first_bucket, density, remaining)`` or forecast records.

    A record has ``issued_ns``, ``first_bucket``, ``heat_usd`` and ``remaining``.

    Raises:
        RequestError: a map has an impossible shape or value.
    """
    maps = []
    for item in forecasts:
        if isinstance(item, FrozenMap):
            maps.append(item)
            continue
        issued, first, density, remaining = (
            item
            if isinstance(item, tuple)
            else (item.issued_ns, item.first_bucket, item.heat_usd, item.remaining)
        )
        amounts, left = np.asarray(density, dtype=np.float64), np.asarray(remaining, dtype=np.float64)
        fits = amounts.ndim == 2 and amounts.shape[0] == 2 and amounts.shape == left.shape
        if not fits or not bool(np.all(np.isfinite(amounts) & (amounts >= 0) & (left >= 0) & (left <= 1))):
            message = f"the forecast issued at {int(issued)} ns is no map"
            raise RequestError(
                message, where="forecasts", hint="give (2, n) finite amounts and parts left in [0, 1]"
            )
        maps.append(FrozenMap(int(issued), int(first), amounts, left))
    return sorted(maps, key=lambda frozen: frozen.issued_ns)


def chain_sha256(forecasts: Iterable[Any]) -> str:
    """Hash of the last record where records carry a chain, else of all maps in order; empty without any."""
    items = list(forecasts)
    if not items:
        return ""
    if hasattr(items[-1], "sha256"):
        return str(items[-1].sha256)
    digest = hashlib.sha256()
    for frozen in frozen_maps(items):
        digest.update(f"{frozen.issued_ns}|{frozen.first_bucket}|{frozen.density.shape[1]}|".encode())
        digest.update(frozen.density.tobytes())
        digest.update(frozen.remaining.tobytes())
    return digest.hexdigest()


def expose_frozen(windows: Windows, cells: Cells, maps: list[FrozenMap]) -> NDArray[np.float64]:
    """Amount that each cell's window consumes of the map frozen last at or before the window's start, shape (C, 1).

    Between its issue and the window the realised path, known by then, consumes the map as it consumes a ledger.
    """
    out = np.zeros((int(cells.starts[-1]), 1))
    slot = np.full(len(windows.start_ns), -1, dtype=np.int64)
    slot[cells.window] = np.arange(len(cells.window))
    low, high = bucket_position(windows.low_usd), bucket_position(windows.high_usd)
    issued = np.array([frozen.issued_ns for frozen in maps], dtype=np.int64)
    latest = np.searchsorted(issued, windows.start_ns, side="right") - 1
    held, density, remaining = -1, np.zeros((2, 0)), np.zeros((2, 0))
    for w in range(len(windows.start_ns)):
        if latest[w] < 0:
            continue
        if latest[w] != held:
            held = int(latest[w])
            density, remaining = maps[held].density.copy(), maps[held].remaining.copy()
        if math.isnan(low[w]):
            continue
        first = maps[held].first_bucket
        share, remaining = passed_ratio(remaining, first, float(low[w]), float(high[w]))
        gone = density * share
        if slot[w] >= 0:
            row = slice(int(cells.starts[slot[w]]), int(cells.starts[slot[w] + 1]))
            index = cells.bucket[row] - first
            inside = (index >= 0) & (index < density.shape[1])
            out[row, 0][inside] = gone[cells.side[row][inside], index[inside]]
        density -= gone
    return out
