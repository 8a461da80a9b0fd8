from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultline.errors import RequestError, StoreError
from faultline.learning.pool import (
    FLOOR,
    LEARNING_RATE,
    MapPool,
    RateGain,
    RatePool,
    apply_gain,
    linear_pool,
)


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


def swept_maps(seed, windows=200):
    """Amounts (W, 2 maps, 2 cells), areas (W, 2) and counts (W, 2): the second map is the truth times 7."""
    rng = np.random.default_rng(seed)
    truth = rng.exponential(3.0, (windows, 2))
    swept = np.stack([rng.exponential(1.0, (windows, 2)), 7.0 * truth], axis=1)
    return swept, rng.uniform(1.0, 5.0, (windows, 2)), rng.poisson(truth).astype(float)


def weights_of(maps, swept, areas, counts):
    for window in zip(swept, areas, counts, strict=True):
        maps.learn(*window, 1 / 12)
    return maps.weights


def test_the_map_that_says_when_events_come_gets_the_weight() -> None:
    weights = weights_of(MapPool(2), *swept_maps(1))
    assert weights == pytest.approx([FLOOR, 1 - FLOOR], abs=1e-6)


def test_how_many_events_a_dollar_is_decides_nothing() -> None:
    swept, areas, counts = swept_maps(2, windows=25)
    expected = weights_of(MapPool(2), swept, areas, counts)
    assert abs(expected[0] - 0.5) > 0.05
    scaled = weights_of(MapPool(2), swept * np.array([1e-9, 3e6])[:, None], areas, counts)
    np.testing.assert_allclose(scaled, expected, rtol=1e-9)
    same = weights_of(MapPool(2), swept[:, [0, 0]] * np.array([1.0, 50.0])[:, None], areas, counts)
    np.testing.assert_allclose(same, 0.5, rtol=1e-9)


def test_maps_are_not_judged_before_their_level_is_known() -> None:
    swept, areas, counts = swept_maps(3, windows=6)
    counts[:] = 0.0
    counts[0, 0] = 29.0
    np.testing.assert_array_equal(weights_of(MapPool(2), swept, areas, counts), 0.5)


def test_an_event_where_a_map_has_nothing_costs_it_no_more_than_the_even_share_allows() -> None:
    swept, areas, counts = swept_maps(4)
    maps = MapPool(2)
    weights_of(maps, swept, areas, counts)
    empty = np.array([[0.0, 0.0], [1.0, 1.0]])
    maps.learn(empty, np.ones(2), np.array([3.0, 0.0]), 1 / 12)
    assert np.isfinite(maps.weights).all()
    assert maps.weights.sum() == pytest.approx(1.0)


def test_a_pool_of_maps_goes_on_from_its_state() -> None:
    swept, areas, counts = swept_maps(5, windows=40)
    whole, piece = MapPool(2), MapPool(2)
    for k, window in enumerate(zip(swept, areas, counts, strict=True)):
        whole.learn(*window, 1 / 12)
        piece.learn(*window, 1 / 12)
        if k % 7 == 0:
            piece = MapPool.from_state(piece.state())
        assert piece.weights.tobytes() == whole.weights.tobytes()
    assert {key: value.tobytes() for key, value in piece.state().items()} == {
        key: value.tobytes() for key, value in whole.state().items()
    }


@pytest.mark.parametrize("broken", ["version", "totals", "pool.score", "gain1.memory"])
def test_what_is_no_state_of_a_pool_of_maps_is_refused(broken) -> None:
    state = MapPool(2).state()
    del state[broken]
    with pytest.raises(StoreError, match="state"):
        MapPool.from_state(state)
    state = MapPool(2).state()
    state["totals"] = state["totals"][:3]
    with pytest.raises(StoreError, match="3 totals of 2 maps"):
        MapPool.from_state(state)
