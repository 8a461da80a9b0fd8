"""Levels ahead of a price: what stands out, in distance, with nothing lost on the way."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.cascades.levels import LEVELS_MAX, LevelSettings, find_levels, heat_ahead
from faultline.errors import RequestError

PRICE = 50_000.0


def edges(n=2000, width=5e-4, centre=PRICE):
    return centre * np.exp((np.arange(n + 1) - n / 2) * width)


def row(side, *bumps, n=2000):
    """Heat per cell with Gaussian bumps (distance ahead, USD)."""
    e = edges(n)
    middle = np.sqrt(e[1:] * e[:-1])
    ahead = np.log(PRICE / middle) if side == 0 else np.log(middle / PRICE)
    usd = np.zeros(n)
    for distance, total in bumps:
        shape = np.exp(-0.5 * ((ahead - distance) / 0.001) ** 2)
        usd += total * shape / shape.sum()
    return e, usd


def ahead_twin(e, usd, price, side):
    """Cell by cell, the slow way."""
    out = []
    for low, high, heat in zip(e[:-1], e[1:], usd, strict=True):
        a, b = (low, min(high, price)) if side == 0 else (max(low, price), high)
        if b > a:
            near, far = (b, a) if side == 0 else (a, b)
            out.append(
                (abs(math.log(near / price)), abs(math.log(far / price)), heat * (b - a) / (high - low))
            )
    return sorted(out)


@pytest.mark.parametrize("side", [0, 1])
@given(shift=st.floats(-0.4, 0.4), seed=st.integers(0, 99))
def test_heat_ahead_is_what_cutting_cell_by_cell_gives(side, shift, seed):
    e = edges(60, 0.01)
    usd = np.random.default_rng(seed).random(60)
    price = PRICE * math.exp(shift)
    slow = ahead_twin(e, usd, price, side)
    fast = heat_ahead(e, usd, price, side)
    first = slow[0][0] if slow else 0.0
    assert len(fast.usd) == len(slow)
    np.testing.assert_allclose(fast.usd, [cell[2] for cell in slow], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(fast.distance[1:], [cell[1] - first for cell in slow], atol=1e-12)


@pytest.mark.parametrize("side", [0, 1])
def test_planted_levels_are_found_where_they_are_with_their_heat(side):
    places = [0.004, 0.02, 0.035, 0.06]
    e, usd = row(side, *((place, 1e6 * (k + 1)) for k, place in enumerate(places)))
    levels = find_levels(heat_ahead(e, usd, PRICE, side), 0.008, LevelSettings(prominence_quantile=0.0))
    assert levels.n == 3
    np.testing.assert_allclose(levels.distance, places[1:], atol=5e-4)
    np.testing.assert_allclose(levels.mass_usd, [1e6, 2e6, 3e6, 4e6], rtol=0.02)
    sign = -1 if side == 0 else 1
    np.testing.assert_allclose(levels.prices_usd(), PRICE * np.exp(sign * np.array(places[1:])), rtol=1e-3)
    assert levels.ahead_of(levels.prices_usd()[1]) == pytest.approx(levels.distance[1])


def test_only_the_most_prominent_quarter_of_peaks_are_levels():
    bumps = [(0.01 * k, 1e6 * (10 if k % 4 == 0 else 1)) for k in range(1, 17)]
    e, usd = row(0, *bumps)
    levels = find_levels(heat_ahead(e, usd, PRICE, 0), 0.005)
    np.testing.assert_allclose(levels.distance, [0.04, 0.08, 0.12, 0.16], atol=5e-4)


def test_of_two_peaks_too_close_the_more_prominent_one_stays():
    e, usd = row(0, (0.02, 1e6), (0.0235, 3e6), (0.05, 1e6))
    wide = LevelSettings(prominence_quantile=0.0, merge_buckets=10.0, smooth_bps=0.0)
    levels = find_levels(heat_ahead(e, usd, PRICE, 0), 0.005, wide)
    np.testing.assert_allclose(levels.distance, [0.0235, 0.05], atol=5e-4)


@given(seed=st.integers(0, 300), width=st.floats(0.0, 0.05))
def test_no_heat_before_the_last_edge_is_lost_and_distances_ascend(seed, width):
    rng = np.random.default_rng(seed)
    usd = np.exp(rng.standard_normal(600)) * (rng.random(600) < 0.7)
    ahead = heat_ahead(edges(600), usd, PRICE, seed % 2)
    levels = find_levels(ahead, width)
    assert levels.n <= LEVELS_MAX
    assert len(levels.mass_usd) == levels.n + 1
    assert len(levels.edges) == levels.n + 2
    assert sum(levels.mass_usd) == pytest.approx(ahead.held_usd(np.array([levels.edges[-1]]))[0], abs=1e-9)
    assert all(np.diff(levels.distance) > 0)
    assert all(np.diff(levels.edges) >= 0)
    assert all(distance > width for distance in levels.distance)
    for k, distance in enumerate(levels.distance):
        assert levels.edges[k + 1] <= distance <= levels.edges[k + 2]


@pytest.mark.parametrize("usd", [np.zeros(2000), np.ones(2000), np.zeros(0)])
def test_nothing_that_stands_out_is_no_level(usd):
    ahead = heat_ahead(edges(len(usd)), usd, PRICE, 0)
    assert find_levels(ahead, 0.001).n == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"price_usd": math.nan}, "do not fit"),
        ({"price_usd": -1.0}, "do not fit"),
        ({"side": 2}, "do not fit"),
        ({"usd": np.full(10, np.nan)}, "negative or missing"),
        ({"usd": np.full(10, -1.0)}, "negative or missing"),
        ({"usd": np.full(10, np.inf)}, "negative or missing"),
        ({"usd": np.ones(9)}, "do not fit"),
    ],
)
def test_an_impossible_row_is_refused(change, said):
    args = {"edges_usd": edges(10), "usd": np.ones(10), "price_usd": PRICE, "side": 0} | change
    with pytest.raises(RequestError, match=said):
        heat_ahead(**args)


def test_an_impossible_setting_is_named():
    with pytest.raises(ValueError, match="reach"):
        LevelSettings(reach=0.0)
