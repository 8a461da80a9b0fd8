from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.zones import twins

from faultline.errors import RequestError
from faultline.heatmap.grid import bucket_of
from faultline.zones.divergence import (
    barycentre_bps,
    compare_venues,
    near_shape,
    noise_floor_bps,
    overlap_ratio,
    wasserstein_bps,
)

PRICE = 70_000.0
FIRST = bucket_of(PRICE) - 500


def bump(offset_bps, width_bps=30.0, price=PRICE):
    """Heat of both sides: longs below, shorts above the price by an offset."""
    places = (FIRST + np.arange(1000) + 0.5) * 5.0
    mark = np.log(price) * 1e4
    return np.stack(
        [np.exp(-0.5 * ((places - mark - sign * offset_bps) / width_bps) ** 2) for sign in (-1, 1)]
    )


def shape(offset_bps, price=PRICE):
    return near_shape(bump(offset_bps, price=price), FIRST, price)


@pytest.mark.parametrize("shift", [10.0, 50.0, 200.0])
def test_the_distance_of_a_shifted_map_is_the_shift_where_an_overlap_has_long_been_0(shift) -> None:
    assert wasserstein_bps(shape(300), shape(300 + shift)) == pytest.approx([shift, shift], rel=1e-3)
    assert barycentre_bps(shape(300 + shift)) == pytest.approx([-300 - shift, 300 + shift], abs=0.1)
    if shift == 200.0:
        assert overlap_ratio(shape(300), shape(500)) == pytest.approx([0.0, 0.0], abs=2e-3)


def test_venues_are_compared_around_their_own_marks() -> None:
    assert wasserstein_bps(shape(200), shape(200, price=PRICE * 1.004)) == pytest.approx([0.0, 0.0], abs=0.6)


def test_equal_maps_of_different_size_are_equal() -> None:
    one, other = near_shape(bump(100), FIRST, PRICE), near_shape(bump(100) * 1e9, FIRST, PRICE)
    assert wasserstein_bps(one, other) == pytest.approx([0.0, 0.0], abs=1e-9)
    assert overlap_ratio(one, other) == pytest.approx([1.0, 1.0])


def test_nothing_has_no_shape_and_no_price_has_no_surroundings() -> None:
    assert np.isnan(near_shape(np.zeros((2, 1000)), FIRST, PRICE)).all()
    assert np.isnan(near_shape(bump(100), FIRST + 5000, PRICE)).all()
    with pytest.raises(RequestError, match="no shape around"):
        near_shape(bump(100), FIRST, np.nan)


heats = st.integers(0, 10_000).map(lambda seed: np.random.default_rng(seed).gamma(0.3, 1.0, (3, 60)))


@given(heats)
def test_distances_are_those_of_moving_earth_and_obey_the_triangle(heat) -> None:
    a, b, c = heat / heat.sum(axis=1, keepdims=True)
    assert wasserstein_bps(a, b) == pytest.approx(twins.moved_bps(a, b, 5.0))
    assert wasserstein_bps(a, b) == pytest.approx(wasserstein_bps(b, a))
    assert wasserstein_bps(a, c) <= wasserstein_bps(a, b) + wasserstein_bps(b, c) + 1e-9
    assert 0.0 <= overlap_ratio(a, b) <= 1.0 + 1e-12
    assert abs(barycentre_bps(a) - barycentre_bps(b)) <= wasserstein_bps(a, b) + 1e-9


@given(heats, st.floats(0.0, 1.0))
def test_cutting_buckets_at_the_price_conserves_what_is_near(heat, part) -> None:
    price = np.exp((bucket_of(PRICE) + part) * 5e-4)
    wide = np.zeros((3, 1000))
    wide[:, 470:530] = heat
    near = near_shape(wide, FIRST, float(price))
    assert near.shape == (3, 400)
    assert near.sum(axis=1) == pytest.approx([1.0] * 3)


def lanes(*offsets):
    return np.stack([bump(offset) for offset in offsets], axis=-1)


def test_the_noise_floor_is_what_two_draws_of_the_mix_differ_by() -> None:
    rng = np.random.default_rng(1)
    draws = rng.dirichlet([2.0, 2.0], 200)
    floor = noise_floor_bps(lanes(100, 300), FIRST, PRICE, draws)
    # Moving a share between two bumps 200 bp apart costs 200 bp per share.
    first, second = np.triu_indices(200, 1)
    moved = 200 * np.abs(draws[first, 0] - draws[second, 0])
    assert floor == pytest.approx([np.quantile(moved, 0.95)] * 2, rel=0.01)
    assert noise_floor_bps(lanes(100, 300), FIRST, PRICE, np.tile([0.5, 0.5], (5, 1))) == pytest.approx(
        [0, 0]
    )


def test_one_draw_or_an_empty_side_has_no_floor() -> None:
    assert np.isnan(noise_floor_bps(lanes(100, 300), FIRST, PRICE, np.ones((1, 2)))).all()
    half = lanes(100, 300)
    half[1] = 0.0
    floor = noise_floor_bps(half, FIRST, PRICE, np.random.default_rng(1).dirichlet([2, 2], 20))
    assert floor[0] > 0
    assert np.isnan(floor[1])


def test_the_outlier_is_the_venue_that_lies_apart_from_all_others() -> None:
    shapes = {"okx": shape(150), "binance": shape(160), "bybit": shape(400), "gate": shape(145)}
    floors = {name: np.array([30.0, 30.0]) for name in shapes}
    for side, found in enumerate(compare_venues(shapes, floors)):
        assert found.side == side
        assert found.venues == ("binance", "bybit", "gate", "okx")
        assert found.outlier == "bybit"
        a, b, distance, floor = found.widest()
        assert {a, b} == {"bybit", "gate"}
        assert (distance, floor) == (pytest.approx(255, rel=0.01), 30.0)
        assert np.array_equal(found.distance_bps, found.distance_bps.T)
        assert np.diag(found.overlap_ratio) == pytest.approx(1.0)


def test_below_the_floor_with_two_venues_or_without_floors_nobody_stands_apart() -> None:
    shapes = {"okx": shape(150), "binance": shape(160), "bybit": shape(400)}
    high = {name: np.array([300.0, 300.0]) for name in shapes}
    for found in compare_venues(shapes, high) + compare_venues(shapes, {}):
        assert found.outlier is None
        assert found.widest() is None
    two = {name: shapes[name] for name in ("okx", "bybit")}
    low = {name: np.array([5.0, 5.0]) for name in two}
    for found in compare_venues(two, low):
        assert found.outlier is None
        assert found.widest()[:2] == ("bybit", "okx")


def test_two_clusters_have_no_outlier() -> None:
    shapes = {"a": shape(150), "b": shape(160), "c": shape(400), "d": shape(410)}
    floors = {name: np.array([5.0, 5.0]) for name in shapes}
    assert [found.outlier for found in compare_venues(shapes, floors)] == [None, None]


def test_a_venue_without_exposure_is_left_out() -> None:
    half = shape(150)
    half[0] = np.nan
    long, short = compare_venues({"a": half, "b": shape(100)}, {})
    assert (long.venues, short.venues) == (("b",), ("a", "b"))
    empty = compare_venues({}, {})
    assert [found.venues for found in empty] == [(), ()]
    assert empty[0].widest() is None


def test_what_is_shown_is_the_pair_farthest_over_its_floor_and_every_venues_mean() -> None:
    shapes = {"okx": shape(150), "binance": shape(160), "bybit": shape(400)}
    floors = {name: np.array([5.0, 5.0]) for name in shapes}
    for found in compare_venues(shapes, floors):
        shown = found.shown(7)
        assert (shown.at_ns, shown.pair, shown.outlier) == (7, ("bybit", "okx"), "bybit")
        assert shown.distance_bps == pytest.approx(250, abs=1)
        assert shown.floor_bps == 5.0
        assert shown.excess_bps == shown.distance_bps - 5.0
        assert 0.0 <= shown.overlap_ratio < 0.1
        assert [mean.venue for mean in shown.venues] == ["binance", "bybit", "okx"]
        assert [mean.barycentre_bps for mean in shown.venues] == found.barycentre_bps.tolist()


def test_what_is_shown_says_where_chance_would_do_and_where_no_floor_is_known() -> None:
    shapes = {"a": shape(150), "b": shape(160), "c": shape(300)}
    under = compare_venues(shapes, {name: np.array([500.0, 500.0]) for name in shapes})[0].shown(0)
    assert under.pair == ("a", "c")
    assert under.excess_bps < 0
    unknown = compare_venues(shapes, {"b": np.array([1.0, 1.0])})[0].shown(0)
    assert (unknown.pair, unknown.floor_bps, unknown.excess_bps) == (("a", "c"), None, None)
    assert compare_venues({"a": shape(150)}, {})[0].shown(0) is None
