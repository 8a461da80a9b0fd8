"""Heat of several venues around their own prices in, how far their maps lie apart out.

Two maps are compared as shapes: the heat of a side within ten percent of each venue's own mark, normalised, over
log distance. The distance is Wasserstein's (how far exposure would have to be moved to turn one into the other, in
basis points), because overlaps and divergences saturate as soon as two peaks stand apart. It means something only over
what the estimates of one venue differ from each other by chance.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from faultline.errors import RequestError
from faultline.heatmap.grid import BUCKET_LOG, bucket_position

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = (
    "REACH_LOG",
    "SideDivergence",
    "VenueDivergence",
    "VenueMean",
    "barycentre_bps",
    "compare_venues",
    "near_shape",
    "noise_floor_bps",
    "overlap_ratio",
    "wasserstein_bps",
)

#: Half width of the stretch that is compared, in log price.
REACH_LOG: Final = 0.1
#: Quantile of the distances between two draws of one venue that is its noise floor.
_FLOOR_QUANTILE: Final = 0.95
#: Venues needed for one to be the odd one out.
_OUTLIER_VENUES: Final = 3
#: Venues needed for a comparison.
_PAIR_VENUES: Final = 2
_BPS_PER_BUCKET: Final = BUCKET_LOG * 1e4
_N_BUCKETS: Final = round(2 * REACH_LOG / BUCKET_LOG)


class VenueMean(msgspec.Struct, frozen=True):
    """Mean distance of one venue's exposure from its own price, in basis points; negative below it."""

    venue: str
    barycentre_bps: float


class VenueDivergence(msgspec.Struct, frozen=True, kw_only=True):
    """How far the maps of the venues lie apart on one side, as everybody outside sees it.

    Attributes:
        at_ns: when they were compared.
        venues: the venues compared, sorted.
        pair: the two that lie farthest over their noise floor, or farthest apart where no floor is known.
        distance_bps: Wasserstein distance of these two.
        floor_bps: what chance alone gives in 95 of 100 cases; None where it is not known.
        excess_bps: distance less floor: only where it is above 0 does the distance mean anything.
        overlap_ratio: share that the two shapes have in common.
        outlier: the venue that lies farther from each of the others than they do among themselves; None with two.
    """

    at_ns: int
    venues: list[VenueMean]
    pair: tuple[str, str]
    distance_bps: float
    floor_bps: float | None
    excess_bps: float | None
    overlap_ratio: float
    outlier: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class SideDivergence:
    """How far the maps of several venues lie apart on one side.

    Attributes:
        side: 0 long, 1 short.
        venues: the venues that hold anything there, sorted; (n,).
        distance_bps: Wasserstein distance of each pair, shape (n, n), symmetric, diagonal 0.
        overlap_ratio: shared share of each pair of shapes, shape (n, n), diagonal 1.
        barycentre_bps: mean distance from each venue's own mark, shape (n,); negative below it.
        floor_bps: larger noise floor of each pair, shape (n, n); NaN where one is not known.
        outlier: the venue that lies farther from each of the others than they do among themselves, over the floor of
            each; None with two venues or where no venue does.
    """

    side: int
    venues: tuple[str, ...]
    distance_bps: NDArray[np.float64]
    overlap_ratio: NDArray[np.float64]
    barycentre_bps: NDArray[np.float64]
    floor_bps: NDArray[np.float64]
    outlier: str | None

    def widest(self) -> tuple[str, str, float, float] | None:
        """The pair farthest over its floor: venues, distance and floor in bp; None where no pair is over it."""
        excess = np.triu(np.nan_to_num(self.distance_bps - self.floor_bps, nan=-1.0), 1)
        if not excess.size or excess.max() <= 0.0:
            return None
        a, b = np.unravel_index(int(np.argmax(excess)), excess.shape)
        return self.venues[a], self.venues[b], float(self.distance_bps[a, b]), float(self.floor_bps[a, b])

    def shown(self, at_ns: int) -> VenueDivergence | None:
        """The comparison made at ``at_ns`` as others see it; None where fewer than two venues hold anything."""
        n = len(self.venues)
        if n < _PAIR_VENUES:
            return None
        excess = self.distance_bps - self.floor_bps
        first, second = np.triu_indices(n, 1)
        ranks = excess[first, second]
        if not np.isfinite(ranks).any():
            ranks = self.distance_bps[first, second]
        widest = int(np.nanargmax(ranks))
        a, b = int(first[widest]), int(second[widest])
        is_floored = bool(np.isfinite(self.floor_bps[a, b]))
        means = zip(self.venues, self.barycentre_bps.tolist(), strict=True)
        return VenueDivergence(
            at_ns=at_ns,
            venues=[VenueMean(venue, mean) for venue, mean in means],
            pair=(self.venues[a], self.venues[b]),
            distance_bps=float(self.distance_bps[a, b]),
            floor_bps=float(self.floor_bps[a, b]) if is_floored else None,
            excess_bps=float(excess[a, b]) if is_floored else None,
            overlap_ratio=float(self.overlap_ratio[a, b]),
            outlier=self.outlier,
        )


def near_shape(heat: NDArray[np.float64], first_bucket: int, price_usd: float) -> NDArray[np.float64]:
    """Heat within ``REACH_LOG`` of a price, by distance from it, shape (..., 400); the last axis sums to 1.

    Buckets are cut evenly where the price lies inside one. All NaN where nothing stands there: nothing has no shape.

    Args:
        heat: amounts per log bucket, shape (..., B).
        first_bucket: bucket of index 0.
        price_usd: the venue's own mark.

    Raises:
        RequestError: the price is not a positive finite number.
    """
    if not 0 < price_usd < math.inf:
        message = f"no shape around a price of {price_usd!r}"
        raise RequestError(message, where="price_usd", hint="leave out venues without a price")
    edges = bucket_position(price_usd) - first_bucket + np.arange(_N_BUCKETS + 1) - _N_BUCKETS / 2
    cumulative = np.concatenate([np.zeros((*heat.shape[:-1], 1)), np.cumsum(heat, axis=-1)], axis=-1)
    place = np.clip(edges, 0.0, heat.shape[-1])
    below = np.minimum(place.astype(np.int64), heat.shape[-1] - 1)
    part = place - below
    at_edges = cumulative[..., below] * (1.0 - part) + cumulative[..., below + 1] * part
    shape = np.maximum(np.diff(at_edges, axis=-1), 0.0)
    total = shape.sum(axis=-1, keepdims=True)
    out: NDArray[np.float64] = np.divide(shape, total, out=np.full(shape.shape, math.nan), where=total > 0)
    return out


def wasserstein_bps(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Wasserstein-1 distance of shapes on the same grid, shape (...), in basis points: the area between their sums.

    Args:
        one: shapes that sum to 1, (..., B).
        other: the same; leading axes broadcast.
    """
    out: NDArray[np.float64] = np.abs(np.cumsum(one - other, axis=-1)).sum(axis=-1) * _BPS_PER_BUCKET
    return out


def overlap_ratio(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share that two shapes have in common, shape (...): 1 for equal ones, 0 for disjoint ones."""
    out: NDArray[np.float64] = np.minimum(one, other).sum(axis=-1)
    return out


def barycentre_bps(shape: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean log distance of shapes from price in basis points, shape (...)."""
    centres = (np.arange(shape.shape[-1]) + 0.5 - shape.shape[-1] / 2) * _BPS_PER_BUCKET
    out: NDArray[np.float64] = shape @ centres
    return out


def noise_floor_bps(
    lanes: NDArray[np.float64], first_bucket: int, price_usd: float, draws: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How far two estimates of one venue lie apart by chance, per side, shape (2,).

    The 95th percentile of the distance between the maps under two draws of the leverage mix, over all pairs. NaN with
    fewer than two draws, or where nothing stands.

    Args:
        lanes: heat before any mix, by side, bucket and leverage, shape (2, B, L).
        first_bucket: bucket of index 0.
        price_usd: the venue's own mark.
        draws: draws of the leverage mix, shape (n, L).
    """
    if len(draws) < 2:
        return np.full(2, math.nan)
    shapes = near_shape(np.einsum("sbl,nl->nsb", lanes, draws), first_bucket, price_usd)
    first, second = np.triu_indices(len(draws), 1)
    distances = wasserstein_bps(shapes[first], shapes[second])
    out = np.full(2, math.nan)
    known = np.isfinite(distances).all(axis=0)
    out[known] = np.quantile(distances[:, known], _FLOOR_QUANTILE, axis=0)
    return out


def compare_venues(
    shapes: Mapping[str, NDArray[np.float64]], floors_bps: Mapping[str, NDArray[np.float64]]
) -> list[SideDivergence]:
    """Compare every pair of venues, side by side.

    Args:
        shapes: by venue, ``near_shape`` of both sides, shape (2, B).
        floors_bps: by venue, ``noise_floor_bps``, shape (2,); venues without one have no floor and are never over it.
    """
    return [_compare_side(side, shapes, floors_bps) for side in range(2)]


def _compare_side(
    side: int, shapes: Mapping[str, NDArray[np.float64]], floors_bps: Mapping[str, NDArray[np.float64]]
) -> SideDivergence:
    venues = tuple(sorted(name for name, shape in shapes.items() if np.isfinite(shape[side]).all()))
    rows = np.array([shapes[name][side] for name in venues]).reshape(len(venues), _N_BUCKETS)
    distance = wasserstein_bps(rows[:, None], rows[None])
    floor = np.array([floors_bps[name][side] if name in floors_bps else math.nan for name in venues])
    floors = np.maximum(floor[:, None], floor[None])
    return SideDivergence(
        side=side,
        venues=venues,
        distance_bps=distance,
        overlap_ratio=overlap_ratio(rows[:, None], rows[None]),
        barycentre_bps=barycentre_bps(rows),
        floor_bps=floors,
        outlier=_outlier(venues, distance, floors),
    )


def _outlier(venues: Sequence[str], distance: NDArray[np.float64], floors: NDArray[np.float64]) -> str | None:
    """The venue farthest from the others, if it is over the floor from each of them while they are nearer together."""
    if len(venues) < _OUTLIER_VENUES:
        return None
    odd = int(np.argmax(distance.sum(axis=1)))
    others = [k for k in range(len(venues)) if k != odd]
    alone = distance[odd, others]
    among = distance[np.ix_(others, others)]
    stands_out = np.all(alone > floors[odd, others]) and alone.min() > among.max()
    return venues[odd] if stands_out else None
