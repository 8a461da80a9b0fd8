"""Places of events that come from a model are spread evenly over what it expects; others say where they lie."""

from __future__ import annotations

import numpy as np
import pytest

from faultline.evaluation.places import N_BINS, place_shares


def cells(n_windows=400, seed=1):
    """Two sides a window with 1 to 30 buckets each and uneven rates."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 30, 2 * n_windows)
    group = np.repeat(np.arange(2 * n_windows), sizes)
    return rng, group, rng.gamma(0.5, 1.0, len(group)), n_windows


def test_events_of_the_model_are_spread_evenly():
    rng, group, rates, n = cells()
    shares = place_shares(group, rng.poisson(rates).astype(float), rates, n).sum(axis=0)
    np.testing.assert_allclose(shares / shares.sum(), np.full(N_BINS, 0.1), atol=0.015)


@pytest.mark.parametrize("side", [0, 1])
def test_events_farther_than_foretold_fill_the_last_bins(side):
    rng, group, rates, n = cells()
    mine = group % 2 == side
    place = np.arange(len(group)) - np.searchsorted(group, group)
    size = np.bincount(group)[group]
    ahead = (size - place) / size if side == 0 else (place + 1) / size
    count = np.where(mine, rng.poisson(3.0 * rates * ahead), 0).astype(float)
    found = place_shares(group, count, rates, n).sum(axis=0)
    assert found[-3:].sum() > 1.5 * found[:3].sum()


def test_one_bucket_says_nothing_and_every_event_counts_once():
    group, rates = np.array([0, 1, 2, 2, 3]), np.array([0.3, 2.0, 1.0, 3.0, 0.0])
    found = place_shares(group, np.array([2.0, 0.0, 1.0, 0.0, 5.0]), rates, 2)
    np.testing.assert_allclose(found[0], np.full(N_BINS, 0.2))
    # Longs come from above: the lower of two buckets, with a quarter of what is expected, is the far end.
    np.testing.assert_allclose(found[1], [0] * 7 + [0.2, 0.4, 0.4])
    assert place_shares(np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0), 3).shape == (3, N_BINS)


def test_an_event_where_none_is_expected_counts_where_it_is():
    group, rates = np.array([1, 1, 1]), np.array([1.0, 0.0, 1.0])
    (found,) = place_shares(group, np.array([0.0, 1.0, 0.0]), rates, 1)
    assert found.sum() == pytest.approx(1.0)
    assert found[4] + found[5] == pytest.approx(1.0)
