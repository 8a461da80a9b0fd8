"""An order book in, what stands on each side by log distance from its best price out.

Books of several venues can be added up this way, though each has ticks and a price level of its own.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numba import njit

from faultline.market.book_kernels import BEST, COUNTS, FIRST, N_NEAR, NOTHING
from faultline.units import BASIS_POINT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faultline.market.book import Book

__all__ = ("EDGES", "NEAR_EDGES", "BookCurve", "book_curve")

#: Log distances at which depth is told: eight per doubling, from 0.6 to 640 basis points, 10 among them.
EDGES: Final[NDArray[np.float64]] = 10.0 * BASIS_POINT * 2.0 ** (np.arange(-32, 49) / 8.0)
#: Edges up to 10 basis points: how deep a book is near its best prices.
NEAR_EDGES: Final = 33
#: Keys fall away from the best one on both sides: an ask's is the negative of its price.
_FALLS: Final = np.stack([np.exp(-EDGES), np.exp(EDGES)])
#: Part of a tick by which a level may seem to lie beyond an edge.
_SLACK: Final = 1e-6


class BookCurve(NamedTuple):
    """Both sides of a book, bids first.

    Attributes:
        usd: what rests up to each of ``EDGES``, f8 (2, E).
        reach: log distance of the worst level, f8 (2,); NaN for an empty side.
    """

    usd: NDArray[np.float64]
    reach: NDArray[np.float64]


@njit(cache=True, nogil=True)
def _curve_kernel(
    integers: Any, near: Any, keys: Any, amounts: Any, scale: float, worst: Any, usd: Any, last: Any
) -> None:
    """Sum ``key * scale * quantity`` of a side's levels between its bounds.

    ``worst[side, e]``, falling in e, is the key down to which edge e reaches; ``usd[side, e]`` gets what rests between
    edge e - 1 and e. ``last[side]`` gets the worst key there is.
    """
    for side in range(2):
        best = integers[side, BEST]
        if best == NOTHING:
            continue
        place, left, edge = best - integers[side, FIRST], integers[side, N_NEAR], 0
        while left > 0:
            if near[side, place] > 0.0:
                left -= 1
                key = integers[side, FIRST] + place
                last[side] = key
                while edge < worst.shape[1] and key < worst[side, edge]:
                    edge += 1
                if edge < worst.shape[1]:
                    usd[side, edge] += abs(key) * scale * near[side, place]
            place -= 1
        for slot in range(keys.shape[1]):
            if amounts[side, slot] > 0.0:
                key = keys[side, slot]
                last[side] = min(last[side], key)
                if key >= worst[side, -1]:
                    # The first edge that reaches so far; bounds fall, so those that do not come first.
                    low, high = 0, worst.shape[1] - 1
                    while low < high:
                        middle = (low + high) // 2
                        if key >= worst[side, middle]:
                            high = middle
                        else:
                            low = middle + 1
                    usd[side, low] += abs(key) * scale * amounts[side, slot]


def book_curve(book: Book) -> BookCurve:
    """What rests on each side of a book by distance from that side's best price; prices beyond ``EDGES`` left out."""
    best = book.arrays[0][:COUNTS, BEST].copy()
    last, known = best.copy(), best != NOTHING
    usd, reach = np.zeros((2, len(EDGES))), np.full(2, math.nan)
    worst = best[:, None] * _FALLS - _SLACK
    _curve_kernel(*book.arrays, book.tick_usd, worst, usd, last)
    reach[known] = np.abs(np.log(last[known] / best[known]))
    return BookCurve(np.cumsum(usd, axis=1), reach)
