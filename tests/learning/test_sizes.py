from __future__ import annotations

import math

import numpy as np
import pytest

from faultline.learning.sizes import SIZE_LAW, larger_prob, mean_sizes, size_law_kernel


def learn(log_size, hidden=None, per_window=5, law=None):
    law = np.array(SIZE_LAW) if law is None else law
    n = len(log_size)
    starts = np.arange(0, n + 1, per_window)
    out = np.zeros(n)
    fades = np.full(len(starts) - 1, 1.0)
    size_law_kernel(starts, log_size, np.zeros(n) if hidden is None else hidden, fades, law, out)
    return law, out


def test_the_law_of_published_sizes_is_found():
    rng = np.random.default_rng(1)
    law, out = learn(rng.normal(8.0, 0.7, 20_000))
    assert law[0] == pytest.approx(8.0, abs=0.03)
    assert math.exp(law[1]) == pytest.approx(0.7, rel=0.05)
    assert law[2] == 20_000
    assert np.abs(out - 8.0).max() < 3.5


def test_the_law_behind_the_largest_of_each_window_is_found():
    rng = np.random.default_rng(2)
    counts = rng.poisson(1.5, 30_000)
    largest = np.array([rng.normal(8.0, 0.7, n).max() for n in counts if n])
    law, _ = learn(largest[: len(largest) // 5 * 5], np.full(len(largest) // 5 * 5, 1.5))
    naive, _ = learn(largest[: len(largest) // 5 * 5])
    assert law[0] == pytest.approx(8.0, abs=0.08)
    assert math.exp(law[1]) == pytest.approx(0.7, rel=0.1)
    assert naive[0] > 8.25


def test_a_wild_guess_of_what_is_hidden_does_not_run_away():
    rng = np.random.default_rng(3)
    sizes = rng.normal(8.0, 0.7, 5_000)
    law, _ = learn(sizes, np.full(5_000, 1e4))
    assert np.isfinite(law).all()
    assert law[2] < 1.0


def test_one_giant_moves_the_law_as_far_as_three_deviations():
    rng = np.random.default_rng(4)
    law, out = learn(np.append(rng.normal(8.0, 0.7, 999), 60.0))
    assert law[0] < 8.1
    assert out[-1] < 11.0


def test_unknown_sizes_and_silent_windows_change_nothing():
    law = np.array([8.0, -0.3, 50.0])
    starts, out = np.array([0, 2, 3]), np.zeros(3)
    size_law_kernel(starts, np.array([np.nan, np.nan, 99.0]), np.zeros(3), np.array([1.0, np.nan]), law, out)
    np.testing.assert_array_equal(law, [8.0, -0.3, 50.0])
    assert out[0] == 8.0


def test_the_chance_of_a_larger_event():
    law = np.array([8.0, math.log(0.7), 100.0])
    np.testing.assert_allclose(larger_prob(law, np.array([8.0, np.nan])), [0.5, 1.0])
    assert larger_prob(law, np.array([8.7]))[0] == pytest.approx(0.158655, abs=1e-6)
    assert larger_prob(np.array(SIZE_LAW), np.array([8.0]))[0] == 1.0


def test_mean_sizes_shrink_to_that_of_all():
    law = np.array([8.0, math.log(1.0), 100.0])
    sizes = mean_sizes(np.diag([0.0, 4.0, 1e6]), np.array([0.0, 40.0, 9e6]), law)
    np.testing.assert_allclose(sizes, np.exp(np.array([8.0, 9.0, 9.0]) + 0.5), rtol=1e-4)
    assert np.isnan(mean_sizes(np.zeros((2, 2)), np.zeros(2), np.array(SIZE_LAW))).all()


def test_leverages_that_share_a_place_are_told_apart_by_their_sizes():
    rng = np.random.default_rng(5)
    share = rng.beta(2, 2, 20_000)
    row = np.stack([share, 1 - share], axis=1)
    log_size = np.where(rng.random(20_000) < share, 7.0, 9.0) + rng.normal(0, 0.7, 20_000)
    law = np.array([8.0, math.log(1.2), 20_000.0])
    sizes = mean_sizes(np.tril(row.T @ row), row.T @ log_size, law)
    np.testing.assert_allclose(sizes, np.exp(np.array([7.0, 9.0]) + 0.72), rtol=0.1)
