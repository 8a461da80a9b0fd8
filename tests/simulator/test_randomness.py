"""Streams of random numbers: right law, same numbers for the same decision, independent for different ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from faultline.simulator.randomness import (
    normal_kernel,
    poisson_kernel,
    restart_kernel,
    stream_key,
    uniform_kernel,
)

MASK = (1 << 64) - 1


def draws(kernel, n, *arguments, purpose="test"):
    rng = np.zeros(1, dtype=np.uint64)
    restart_kernel(rng, stream_key(1, purpose), 1, 0)
    return np.array([kernel(rng, *arguments) for _ in range(n)])


def mixed(word):
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & MASK
    return word ^ (word >> 31)


def test_uniforms_are_those_of_whole_number_arithmetic():
    rng = np.array([12345], dtype=np.uint64)
    state = 12345
    for _ in range(100):
        state = (state + 0x9E3779B97F4A7C15) & MASK
        assert uniform_kernel(rng) == ((mixed(state) >> 11) + 0.5) / 2**53


def test_uniform_and_normal_have_their_laws():
    assert stats.kstest(draws(uniform_kernel, 20_000), "uniform").pvalue > 0.01
    assert stats.kstest(draws(normal_kernel, 20_000), "norm").pvalue > 0.01


@pytest.mark.parametrize("mean", [0.01, 0.7, 9.0, 39.0, 90.0])
def test_poisson_has_its_mean_and_variance(mean):
    counts = draws(poisson_kernel, 20_000, mean, purpose=f"poisson {mean}")
    error = 5 * np.sqrt(mean / len(counts))
    assert abs(counts.mean() - mean) < error
    assert counts.var() == pytest.approx(mean, rel=0.1, abs=5 * error)


def test_no_mean_gives_no_count():
    assert draws(poisson_kernel, 10, 0.0).tolist() == [0] * 10
    assert draws(poisson_kernel, 10, -1.0).tolist() == [0] * 10


def test_a_stream_is_named_by_seed_purpose_step_and_index():
    firsts = set()
    rng = np.zeros(1, dtype=np.uint64)
    for seed in range(3):
        for purpose in ("a", "b"):
            for step in range(40):
                for index in range(40):
                    restart_kernel(rng, stream_key(seed, purpose), step, index)
                    firsts.add(uniform_kernel(rng))
    assert len(firsts) == 3 * 2 * 40 * 40
