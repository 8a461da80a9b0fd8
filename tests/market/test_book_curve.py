"""What rests on a book by distance, beside sums over its levels."""

from __future__ import annotations

import numpy as np
import pytest

from faultline.market.book import ASKS, BIDS, Book
from faultline.market.book_curve import EDGES, NEAR_EDGES, book_curve


def levels(rng, middle, sign):
    """Levels near the best price, and some far beyond the window that a book keeps densely."""
    away = np.unique(np.concatenate([rng.integers(1, 900, 300), rng.integers(1, 60_000, 400)]))
    return np.stack([middle + sign * 0.1 * away, rng.random(len(away)) + 0.1], axis=1)


@pytest.mark.parametrize("seed", range(3))
def test_usd_up_to_each_distance_is_the_sum_over_the_levels(seed) -> None:
    rng = np.random.default_rng(seed)
    bids, asks = levels(rng, 60_000.0, -1), levels(rng, 60_000.0, 1)
    book = Book(0.1)
    book.apply(bids, asks, is_snapshot=True)
    curve = book_curve(book)
    for side, made, best in ((BIDS, bids, bids[:, 0].max()), (ASKS, asks, asks[:, 0].min())):
        away = np.abs(np.log(made[:, 0] / best))
        expected = [made[away <= edge].prod(axis=1).sum() for edge in EDGES]
        np.testing.assert_allclose(curve.usd[side], expected, rtol=1e-9)
        assert curve.reach[side] == pytest.approx(away.max())


def test_an_empty_side_holds_nothing_and_reaches_nowhere() -> None:
    book = Book(0.5)
    book.apply([(99.5, 2.0)], [], is_snapshot=True)
    curve = book_curve(book)
    assert curve.usd[BIDS].tolist() == [199.0] * len(EDGES)
    assert (curve.reach[BIDS], curve.usd[ASKS].sum()) == (0.0, 0.0)
    assert np.isnan(curve.reach[ASKS])


def test_ten_basis_points_are_an_edge() -> None:
    assert EDGES[NEAR_EDGES - 1] == pytest.approx(1e-3)
