from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultline.errors import RequestError, StoreError
from faultline.learning.pool import FLOOR, LEARNING_RATE, RateGain, RatePool, apply_gain, linear_pool


def world(seed, windows=30, models=3):
    rng = np.random.default_rng(seed)
    starts = np.concatenate([[0], np.cumsum(rng.integers(0, 5, windows))])
    rates = rng.exponential(1.0, (models, starts[-1]))
    counts = rng.poisson(rates[0]).astype(float)
    return starts, rates, counts, rng.uniform(0.1, 1.0, windows)


@settings(max_examples=20)
@given(st.integers(0, 1_000))
def test_the_pool_equals_its_slow_twin(seed):
    starts, rates, counts, hours = world(seed)
    pooled, weights = linear_pool(starts, rates, counts, hours, half_life_h=5.0)
    score = np.zeros(3)
    for w in range(30):
        raw = np.exp(LEARNING_RATE * (score - score.max()))
        weight = FLOOR + (1 - 3 * FLOOR) * raw / raw.sum()
        np.testing.assert_allclose(weights[w], weight)
        rows = slice(starts[w], starts[w + 1])
        np.testing.assert_allclose(pooled[rows], weight @ rates[:, rows])
        score = score * 0.5 ** (hours[w] / 5.0)
        score = score + (counts[rows] * np.log(rates[:, rows]) - rates[:, rows]).sum(axis=1)


def test_weights_go_to_the_model_that_is_right_but_none_is_dropped():
    starts = np.arange(0, 1_001)
    counts = np.random.default_rng(1).poisson(3.0, 1_000).astype(float)
    rates = np.stack([np.full(1_000, 3.0), np.full(1_000, 0.3), np.full(1_000, 30.0)])
    _, weights = linear_pool(starts, rates, counts, np.full(1_000, 0.1))
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    assert weights[-1].argmax() == 0
    assert weights.min() == pytest.approx(FLOOR, abs=1e-6)


def test_a_gain_follows_what_was_seen_before_the_window():
    starts = np.arange(0, 51)
    rates, counts = np.ones(50), np.full(50, 3.0)
    out = apply_gain(starts, rates, counts, np.full(50, 0.01), half_life_h=1e9, pseudo=5.0)
    assert out[0] == 1.0
    np.testing.assert_allclose(out, (5 + 3 * np.arange(50)) / (5 + np.arange(50)))


def test_windows_without_counts_move_neither_gain_nor_weights():
    starts, rates, counts, hours = world(1)
    counts[:] = np.nan
    np.testing.assert_allclose(linear_pool(starts, rates, counts, hours)[1], 1 / 3)
    np.testing.assert_array_equal(
        apply_gain(starts, rates[0], counts, hours, half_life_h=1, pseudo=5), rates[0]
    )


CUTS = st.lists(st.integers(0, 30), max_size=4).map(sorted)


def in_pieces(starts, cuts):
    """(windows, cells, starts of the piece) of each piece."""
    for first, last in itertools.pairwise([0, *cuts, 30]):
        part = starts[first : last + 1]
        yield slice(first, last), slice(int(part[0]), int(part[-1])), part - part[0]


@settings(max_examples=25)
@given(st.integers(0, 1_000), CUTS)
def test_pieces_of_any_length_give_the_bytes_of_the_whole(seed, cuts):
    starts, rates, counts, hours = world(seed)
    counts[starts[7] : starts[9]] = np.nan
    pooled, weights = linear_pool(starts, rates, counts, hours, half_life_h=5.0)
    gained = apply_gain(starts, pooled, counts, hours, half_life_h=0.5, pseudo=5.0)
    pool, gain = RatePool(3, 5.0), RateGain(0.5, 5.0)
    for windows, cells, part in in_pieces(starts, cuts):
        pool, gain = RatePool.from_state(pool.state()), RateGain.from_state(gain.state())
        if windows.start < windows.stop:
            assert np.array_equal(pool.weights, weights[windows.start])
        mixed, used = pool.apply(part, rates[:, cells], counts[cells], hours[windows])
        assert mixed.tobytes() == pooled[cells].tobytes()
        assert used.tobytes() == weights[windows].tobytes()
        before, scaled = gain.gain, gain.apply(part, mixed, counts[cells], hours[windows])
        assert scaled.tobytes() == gained[cells].tobytes()
        if len(part) > 1 and part[1] > 0:
            assert scaled[0] == before * mixed[0]


def test_states_that_are_none_are_refused():
    pool, gain = RatePool(2).state(), RateGain(1.0, 5.0).state()
    for kind, state in (
        (RatePool, pool | {"version": np.array([9])}),
        (RatePool, gain),
        (RateGain, pool),
        (RateGain, gain | {"memory": np.zeros(3)}),
        (RateGain, gain | {"memory": np.array([np.nan, 0.0])}),
    ):
        with pytest.raises(StoreError, match="state"):
            kind.from_state(state)


@pytest.mark.parametrize("make", [lambda: RatePool(0), lambda: RatePool(2, 0.0), lambda: RateGain(1.0, 0.0)])
def test_impossible_settings_are_refused(make):
    with pytest.raises(RequestError, match="half-life"):
        make()


def test_shapes_that_do_not_fit_are_refused():
    starts, rates, counts, hours = world(2)
    with pytest.raises(RequestError, match="do not fit"):
        RatePool(2).apply(starts, rates, counts, hours)
    with pytest.raises(RequestError, match="do not fit"):
        RateGain(1.0, 5.0).apply(starts, rates[0], counts, hours[:-1])
    with pytest.raises(RequestError, match="do not fit"):
        RatePool(3).apply(starts + 1, rates, counts, hours)
