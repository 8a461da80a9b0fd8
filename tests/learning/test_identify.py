from __future__ import annotations

import numpy as np
import pytest

from faultline.learning.bands import draw_shares
from faultline.learning.identify import (
    BIN_LABELS,
    between_instruments,
    bin_of,
    bin_shares,
    mean_log_sd,
    taught_ratio,
)

GRID = (3.0, 9.0, 10.0, 24.0, 25.0, 59.0, 60.0, 125.0)
SHARES = np.array([0.05, 0.05, 0.1, 0.1, 0.2, 0.1, 0.3, 0.1])


def shares_of(covariance, prior_events=0.0, weights=(1.0,), x=None, assumed=SHARES):
    x = np.log(SHARES)[None] if x is None else x
    covariances = np.repeat(covariance[None], len(x), axis=0)
    draws = draw_shares(x, covariances, np.array(weights))
    return bin_shares(
        GRID, x, covariances, np.array(weights), np.eye(8) * 4.0, np.full(8, prior_events), draws, assumed
    )


def test_edges_belong_to_the_bin_above():
    np.testing.assert_array_equal(bin_of(GRID), [0, 0, 1, 1, 2, 2, 3, 3])


def test_bins_add_up_and_bands_hold_them():
    found = shares_of(np.eye(8) * 0.01)
    assert [part.label for part in found] == list(BIN_LABELS)
    np.testing.assert_allclose([part.share for part in found], [0.1, 0.2, 0.3, 0.4])
    assert all(part.low < part.share < part.high for part in found)
    assert all(part.identified and part.iota == pytest.approx(1 - 0.01 / 4) for part in found)


def test_the_band_covers_as_often_as_it_says():
    rng = np.random.default_rng(1)
    scatter = rng.normal(0, 0.1, (8, 8))
    covariance = scatter @ scatter.T + np.eye(8) * 0.02
    draws = np.exp(rng.multivariate_normal(np.log(SHARES), covariance, 20_000))
    draws /= draws.sum(axis=1, keepdims=True)
    for index, part in enumerate(shares_of(covariance)):
        drawn = draws[:, bin_of(GRID) == index].sum(axis=1)
        assert np.mean((drawn > part.low) & (drawn < part.high)) == pytest.approx(0.95, abs=0.015)


def test_what_was_not_taught_is_not_identified_however_much_was_expected():
    assert not any(part.identified for part in shares_of(np.eye(8) * 3.9))
    assert not any(part.identified for part in shares_of(np.eye(8) * 3.9, prior_events=50.0))
    np.testing.assert_allclose(taught_ratio(np.eye(2) * 5.0, np.eye(2) * 4.0), 0.0)


def test_that_few_came_where_many_were_expected_is_known():
    few = np.log(np.where(bin_of(GRID) == 1, 1e-4, SHARES))[None]
    loose = np.diag(np.where(bin_of(GRID) == 1, 2.4, 3.9))
    found = [part.identified for part in shares_of(loose, prior_events=50.0, x=few)]
    assert found == [False, True, False, False]
    assert not any(part.identified for part in shares_of(loose, prior_events=2.0, x=few))


def test_a_wide_prior_lends_no_knowledge():
    wide = np.eye(8) * 4.0
    before = between_instruments(wide)
    np.testing.assert_allclose(before, np.eye(8) * 0.41)
    # Known to a factor of four is half of the wide prior's variance, and more than instruments differ by.
    np.testing.assert_allclose(taught_ratio(np.eye(8) * 1.9, wide), 0.525)
    np.testing.assert_allclose(taught_ratio(np.eye(8) * 1.9, before), 0.0)
    np.testing.assert_allclose(taught_ratio(np.eye(8) * 0.1, before), 1 - 0.1 / 0.41)


def test_a_prior_that_is_sharper_than_instruments_differ_stays_as_it_is():
    prior = np.array([[0.2, 0.1], [0.1, 0.3]])
    np.testing.assert_allclose(between_instruments(prior), prior)
    mixed = between_instruments(np.array([[4.0, 0.2], [0.2, 0.1]]))
    np.testing.assert_allclose(np.diagonal(mixed), [0.41, 0.1])
    assert mixed[0, 1] / np.sqrt(mixed[0, 0] * mixed[1, 1]) == pytest.approx(0.2 / np.sqrt(0.4))


def test_members_that_disagree_widen_the_band():
    x = np.log(np.stack([SHARES, SHARES[::-1]]))
    alone, both = shares_of(np.eye(8) * 1e-4), shares_of(np.eye(8) * 1e-4, weights=(0.5, 0.5), x=x)
    assert both[0].high - both[0].low > 5 * (alone[0].high - alone[0].low)
    assert both[0].share == pytest.approx(0.5 * (0.1 + 0.4))


def test_deviation_of_the_mean_log_leverage():
    rng = np.random.default_rng(2)
    draws = np.exp(rng.normal(0, 0.1, (50_000, 8)) + np.log(SHARES))
    means = draws / draws.sum(axis=1, keepdims=True) @ np.log(GRID)
    found = mean_log_sd(GRID, np.log(SHARES)[None], np.eye(8)[None] * 0.01, np.ones(1))
    assert found == pytest.approx(means.std(), rel=0.03)
