"""One side of a map and a price in, the levels that a cascade from there would meet one after another out.

Everything is measured as **distance ahead**: log price from where the cascade begins, growing in the direction in which
the side is forced out (down for longs, up for shorts). Level 0 is the zone that was hit, at distance 0; the levels
beyond it are the places where heat stands out most. Heat between two levels is split at the lowest place between them,
so nothing that lies before the last level is lost.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
from scipy.ndimage import gaussian_filter1d

from faultline.errors import RequestError
from faultline.heatmap.grid import BUCKET_LOG
from faultline.units import BASIS_POINT
from faultline.zones.detection_kernels import peaks_kernel, prominence_kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ("LEVELS_MAX", "HeatAhead", "LevelSettings", "Levels", "find_levels", "heat_ahead")

#: Peaks lower than this are no peaks.
_LEAST: Final = 1e-300
#: Depth to which a cascade is followed.
LEVELS_MAX: Final = 10
_ROUNDING: Final = 1e-9


class LevelSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What counts as a level.

    Attributes:
        prominence_quantile: a peak is a level when its prominence is at least this quantile of all peaks ahead.
        merge_buckets: of peaks closer than this many buckets of five basis points the more prominent one stays.
        smooth_bps: standard deviation of the blur before peaks are looked for: the error of a location.
        reach: log distance beyond which nothing is looked at.

    Raises:
        ValueError: a value is impossible; the message names it.
    """

    prominence_quantile: float = 0.75
    merge_buckets: float = 2.0
    smooth_bps: float = 8.0
    reach: float = 0.25

    def __post_init__(self) -> None:
        rules = {
            "prominence_quantile": 0 <= self.prominence_quantile < 1,
            "merge_buckets": 0 <= self.merge_buckets < math.inf,
            "smooth_bps": 0 <= self.smooth_bps < math.inf,
            "reach": 0 < self.reach < math.inf,
        }
        for name, holds in rules.items():
            if not holds:
                raise ValueError(f"levels cannot have {name} = {getattr(self, name)!r}")


class HeatAhead(msgspec.Struct, frozen=True):
    """Heat of one side beyond a price.

    Attributes:
        side: 0 longs (ahead is down), 1 shorts.
        price_usd: where distance is 0.
        distance: float64 (n + 1,), edges of the cells in log price from there, ascending, the first 0.
        usd: float64 (n,), heat of the cells.
    """

    side: int
    price_usd: float
    distance: Any
    usd: Any

    def held_usd(self, upto: NDArray[np.float64]) -> NDArray[np.float64]:
        """USD between the price and each distance; cells are cut evenly, what lies beyond the last is nothing."""
        total = np.concatenate([[0.0], np.cumsum(self.usd)])
        return np.asarray(np.interp(upto, self.distance, total), dtype=np.float64)


class Levels(msgspec.Struct, frozen=True):
    """Level 0 (the zone that was hit) and up to ten levels beyond it, frozen at one moment.

    Attributes:
        side: 0 longs, 1 shorts.
        start_usd: price of the hit, distance 0.
        distance: log distance of levels 1..n, ascending, above 0.
        mass_usd: heat of levels 0..n, shape (n + 1,).
        edges: log distances between which each level's heat lies, shape (n + 2,), the first 0.
    """

    side: int
    start_usd: float
    distance: tuple[float, ...]
    mass_usd: tuple[float, ...]
    edges: tuple[float, ...]

    @property
    def n(self) -> int:
        """Number of levels beyond the zone."""
        return len(self.distance)

    def prices_usd(self) -> tuple[float, ...]:
        """Prices of levels 1..n."""
        sign = -1.0 if self.side == 0 else 1.0
        return tuple(self.start_usd * math.exp(sign * distance) for distance in self.distance)

    def increments(self) -> NDArray[np.float64]:
        """Log distance from each level to the next, shape (n,)."""
        return np.diff(np.array([0.0, *self.distance]))

    def ahead_of(self, price_usd: float) -> float:
        """Log distance of a price, negative before the hit."""
        moved = math.log(price_usd / self.start_usd)
        return -moved if self.side == 0 else moved


def heat_ahead(edges_usd: NDArray[np.float64], usd: NDArray[Any], price_usd: float, side: int) -> HeatAhead:
    """The part of one side's heat that lies beyond a price.

    Args:
        edges_usd: edges of the cells in USD, ascending, shape (P + 1,): log buckets or display rows.
        usd: heat per cell, shape (P,).
        price_usd: where the cascade begins; the cell that holds it is cut.
        side: 0 longs, 1 shorts.

    Raises:
        RequestError: shapes do not fit, the price is not positive, or heat is negative or missing.
    """
    heat = np.asarray(usd, dtype=np.float64)
    fits = heat.ndim == 1 and np.shape(edges_usd) == (len(heat) + 1,) and side in {0, 1}
    if not fits or not (price_usd > 0 and math.isfinite(price_usd)):
        message = (
            f"{np.shape(edges_usd)} edges, {heat.shape} cells, side {side} and price {price_usd!r} do not fit"
        )
        raise RequestError(
            message, where="usd", hint="give P + 1 ascending edges, P cells and a positive price"
        )
    if not bool(np.all(np.isfinite(heat) & (heat >= 0))):
        raise RequestError(
            "heat is negative or missing", where="usd", hint="pass over columns with missing rows"
        )
    edges = np.asarray(edges_usd, dtype=np.float64)
    low = np.clip(edges[:-1], None, price_usd) if side == 0 else np.clip(edges[:-1], price_usd, None)
    high = np.clip(edges[1:], None, price_usd) if side == 0 else np.clip(edges[1:], price_usd, None)
    share = (high - low) / (edges[1:] - edges[:-1])
    kept = (share > 0) & (low > 0)
    if not kept.any():
        return HeatAhead(side, price_usd, np.zeros(1), np.zeros(0))
    low, high, heat = low[kept], high[kept], (heat * share)[kept]
    if side == 0:
        distance = np.log(price_usd / np.append(high[::-1], low[0]))
        return HeatAhead(side, price_usd, distance - distance[0], heat[::-1].copy())
    distance = np.log(np.append(low, high[-1]) / price_usd)
    return HeatAhead(side, price_usd, distance - distance[0], heat)


def find_levels(ahead: HeatAhead, zone_width: float, settings: LevelSettings | None = None) -> Levels:
    """Levels of a cascade that begins where ``ahead`` does.

    Args:
        ahead: heat beyond the near edge of the zone that was hit.
        zone_width: log width of that zone: peaks inside it belong to level 0.
        settings: what counts as a level.

    Returns:
        Up to ``LEVELS_MAX`` levels; none where nothing stands out beyond the zone.
    """
    chosen = settings or LevelSettings()
    width = np.diff(ahead.distance)
    n = int(np.searchsorted(ahead.distance[1:], chosen.reach, side="right"))
    if n < 3:
        end = float(min(zone_width, ahead.distance[-1]))
        mass = float(ahead.held_usd(np.array([end]))[0])
        return Levels(ahead.side, ahead.price_usd, (), (mass,), (0.0, end))
    centre = (ahead.distance[:-1] + ahead.distance[1:])[:n] / 2.0
    density = ahead.usd[:n] / width[:n]
    blur = chosen.smooth_bps * BASIS_POINT / float(np.median(width[:n]))
    heat = gaussian_filter1d(density, blur, mode="nearest") if blur > 0 else density
    peaks = _stand_out(heat, centre, zone_width, chosen)
    kept = peaks[:LEVELS_MAX]
    marks = [
        int(np.argmin(centre < zone_width)) if zone_width < centre[-1] else n - 1,
        *peaks[: len(kept) + 1],
    ]
    edges = [0.0]
    for before, after in itertools.pairwise(marks):
        valley = before + int(np.argmin(heat[before : after + 1]))
        edges.append(max(float(centre[valley]), edges[-1]))
    if len(marks) == len(kept) + 1:
        last = float(centre[marks[-1]]) if len(kept) else zone_width
        edges.append(min(last + (last - edges[-1]), float(ahead.distance[n])))
    held = ahead.held_usd(np.array(edges))
    return Levels(
        ahead.side,
        ahead.price_usd,
        tuple(float(centre[k]) for k in kept),
        tuple(float(usd) for usd in np.diff(held)),
        tuple(edges),
    )


def _stand_out(
    heat: NDArray[np.float64], centre: NDArray[np.float64], zone_width: float, settings: LevelSettings
) -> list[int]:
    """Cells of the peaks beyond the zone that stand out, by distance; close ones merged into the more prominent."""
    places = np.zeros(len(heat), dtype=np.int64)
    peaks = places[: peaks_kernel(heat, _LEAST, -np.inf, np.inf, places)]
    prominence = np.array([prominence_kernel(heat, peak) for peak in peaks])
    # What is no more than rounding does not stand out.
    real = prominence > _ROUNDING * heat[peaks]
    peaks, prominence = peaks[real], prominence[real]
    if not len(peaks):
        return []
    enough = prominence >= np.quantile(prominence, settings.prominence_quantile)
    ahead = (centre[peaks] > zone_width) & enough
    peaks, prominence = peaks[ahead], prominence[ahead]
    gap = settings.merge_buckets * BUCKET_LOG
    kept: list[int] = []
    for k in np.argsort(-prominence, kind="stable").tolist():
        if all(abs(centre[peaks[k]] - centre[other]) >= gap for other in kept):
            kept.append(int(peaks[k]))
    return sorted(kept)
