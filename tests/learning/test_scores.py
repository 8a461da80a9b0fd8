from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from faultline.learning import scores


@given(st.integers(0, 10_000))
def test_information_gain_equals_the_difference_of_poisson_log_likelihoods(seed):
    rng = np.random.default_rng(seed)
    n, group = 40, np.sort(rng.integers(0, 6, 40))
    rates, base = rng.exponential(2.0, (2, n))
    counts = rng.poisson(rates).astype(float)
    got = scores.information_gain(counts, rates, base, group, 6)
    each = stats.poisson.logpmf(counts, rates) - stats.poisson.logpmf(counts, base)
    np.testing.assert_allclose(got, [each[group == g].sum() for g in range(6)], atol=1e-9)


def test_the_truth_scores_best_on_average():
    rng = np.random.default_rng(1)
    truth = rng.exponential(2.0, 20_000)
    counts = rng.poisson(truth).astype(float)
    best = scores.poisson_scores(counts, truth).sum()
    for wrong in (truth * 1.3, truth * 0.8, np.full(20_000, truth.mean()), np.roll(truth, 1)):
        assert scores.poisson_scores(counts, wrong).sum() < best


def test_an_event_where_nothing_was_predicted_costs_much_but_not_everything():
    value = scores.poisson_scores(np.array([1.0]), np.array([0.0]))[0]
    assert -700 < value < -600


@given(st.integers(0, 10_000))
def test_space_is_the_multinomial_score_given_the_count(seed):
    rng = np.random.default_rng(seed)
    rates, covered = rng.exponential(1.0, (2, 12))
    counts = rng.poisson(3.0, 12).astype(float)
    got = scores.space_scores(counts, rates, covered, np.repeat([0, 1], 6), 2)
    for g, rows in enumerate((slice(0, 6), slice(6, 12))):
        share, flat = rates[rows] / rates[rows].sum(), covered[rows] / covered[rows].sum()
        assert got[g] == pytest.approx(float((counts[rows] * np.log(share / flat)).sum()))


def test_concentration_sorts_by_predicted_density():
    rates = np.array([1.0, 9.0, 2.0, 0.5])
    covered = np.array([1.0, 1.0, 0.5, 1.5])
    amounts = np.array([10.0, 60.0, 20.0, 10.0])
    # Densities 1, 9, 4, 1/3: the first quarter of the area is cell 1, then half a unit of cell 2.
    got = scores.concentration(amounts, rates, covered, [0.0, 0.25, 0.375, 1.0])
    np.testing.assert_allclose(got, [0.0, 0.6, 0.8, 1.0])
    assert np.isnan(scores.concentration(np.zeros(4), rates, covered, [0.5])).all()


def test_the_bootstrap_is_repeatable_and_covers_a_known_mean():
    rng = np.random.default_rng(2)
    hits = 0
    for trial in range(100):
        gains = rng.normal(0.3, 1.0, (40, 1))
        low, high = scores.block_bootstrap(gains, np.ones(40), 400, seed=trial)[0]
        hits += low <= 0.3 <= high
    assert 85 <= hits <= 100
    again = [scores.block_bootstrap(gains, np.ones(40), 400, seed=7) for _ in range(2)]
    np.testing.assert_array_equal(again[0], again[1])


def test_one_block_has_no_interval():
    assert np.isnan(scores.block_bootstrap(np.ones((1, 3)), np.ones(1), 400, seed=1)).all()


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=3, max_size=40))
def test_rank_correlation_equals_scipy(pairs):
    x, y = np.array(pairs, dtype=float).T
    got = scores.rank_correlation(x, y)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        assert math.isnan(got)
    else:
        assert got == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-9)


def test_the_log_fit_looks_only_at_positive_pairs():
    predicted = np.array([1.0, 10.0, 100.0, 0.0, 5.0])
    observed = np.array([2.0, 20.0, 200.0, 5.0, 0.0])
    assert scores.log_fit(predicted, observed) == pytest.approx(1.0)
    assert math.isnan(scores.log_fit(predicted[3:], observed[3:]))


def test_a_density_ratio_compares_the_ends_of_the_ranking():
    covered = np.array([1.0, 1.0, 2.0, 0.5, 0.5])
    amounts = np.array([2.0, 8.0, 5.0, 3.0, 1.0])
    rates = np.array([0.1, 0.9, 1.0, 0.35, 0.05])
    # Ascending density: cells 0 and 4 (0.1 each), 2 (0.5), 3 (0.7), 1 (0.9); a quarter of the area is 1.25.
    thin, thick = 2.0 + 1.0 / 2, 8.0 + 3.0 / 2
    assert scores.density_ratio(amounts, rates, covered) == pytest.approx(thick / thin)
    assert scores.density_ratio(amounts, -rates, covered) == pytest.approx(thin / thick, rel=0.4)
    assert math.isnan(scores.density_ratio(amounts * (rates > 0.5), rates, covered))
