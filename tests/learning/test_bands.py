from __future__ import annotations

import numpy as np
import pytest

from faultline.learning.bands import band_of, draw_shares, loosened
from faultline.learning.mixes import smooth_prior

GRID = (2.0, 5.0, 10.0, 25.0, 50.0, 100.0)


def test_draws_are_mixes_that_follow_the_posterior():
    rng = np.random.default_rng(3)
    scatter = rng.normal(0, 0.3, (6, 6))
    covariance = scatter @ scatter.T + 0.02 * np.eye(6)
    x = np.log(smooth_prior(GRID, 20.0))
    found = draw_shares(x[None], covariance[None], np.ones(1))
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    slow = np.exp(rng.multivariate_normal(x, covariance, 50_000))
    slow /= slow.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found.mean(axis=0), slow.mean(axis=0), atol=0.01)
    np.testing.assert_allclose(np.stack(band_of(found, 0.9)), np.stack(band_of(slow, 0.9)), atol=0.05)


def test_draws_repeat_and_each_member_gives_as_many_as_it_weighs():
    x = np.log(np.array([[0.9, 0.1], [0.1, 0.9]]))
    tight = np.repeat(np.eye(2)[None] * 1e-8, 2, axis=0)
    found = draw_shares(x, tight, np.array([0.3, 0.7]))
    assert np.mean(found[:, 0] > 0.5) == pytest.approx(0.3, abs=0.01)
    np.testing.assert_array_equal(found, draw_shares(x, tight, np.array([0.3, 0.7])))


def test_a_band_holds_what_it_promises():
    draws = np.linspace(0.0, 1.0, 1001)[:, None] * np.array([1.0, 2.0])
    low, high = band_of(draws, 0.8)
    np.testing.assert_allclose(low, [0.1, 0.2])
    np.testing.assert_allclose(high, [0.9, 1.8])


def test_an_unknown_centre_moves_leverages_together_and_leaves_the_floor_alone():
    mix = smooth_prior(GRID, 50.0)
    before = np.eye(7) * 4.0
    after = loosened(before, GRID, mix)
    away = np.log(GRID) - mix @ np.log(GRID)
    np.testing.assert_allclose(
        after[:6, :6] - 4.0 * np.eye(6), np.outer(away, away) + np.outer(away**2, away**2) / 16
    )
    np.testing.assert_array_equal(after[6], before[6])


def test_what_is_unknown_of_low_leverage_opens_the_lower_ends_of_the_others():
    x = np.log(smooth_prior(GRID, 50.0))[None]
    tight = np.diag([4.0, 4.0, 4.0, 0.01, 0.01, 0.01])
    loose = loosened(tight, GRID, np.exp(x[0]))
    loose[3:] = loose[:, 3:] = 0.0
    loose[3:, 3:] = tight[3:, 3:]
    (low, high), (low_loose, high_loose) = (
        band_of(draw_shares(x, c[None], np.ones(1)), 0.95) for c in (tight, loose)
    )
    assert high_loose[0] > 3 * high[0]
    assert low_loose[4] < 0.5 * low[4]
    # What events taught of a leverage limits its share from above, whatever the others are.
    assert high_loose[4] < 1.1 * high[4]
