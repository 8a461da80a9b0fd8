from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.zones import twins
from tests.zones.made import PRICE, ROWS, bumps

from faultline.errors import RequestError
from faultline.heatmap.columns import smooth_rows
from faultline.heatmap.display import DisplayRows
from faultline.zones.detection import KNOWN, cumulative_usd, detect_zones, held_usd
from faultline.zones.parameters import ZoneParameters

P = ZoneParameters()


def test_bumps_are_found_where_they_are() -> None:
    usd = bumps((0, 92_000, 3e8), (0, 88_000, 1e8), (1, 97_500, 2e8), floor_usd=1e3)
    found = detect_zones(usd, ROWS, PRICE, P)
    assert found["side"].tolist() == [0, 0, 1]
    assert found["peak_usd"] == pytest.approx([88_000, 92_000, 97_500], abs=ROWS.row_usd)
    assert np.all(found["low_usd"] < found["peak_usd"])
    assert np.all(found["high_usd"] > found["peak_usd"])
    # Edges at 0.7 of a drop of at most 0.55: 61.5 % of the peak, just inside one standard deviation of a Gaussian.
    assert (found["high_usd"] - found["low_usd"]) / found["peak_usd"] == pytest.approx(51.6e-4, rel=0.05)
    assert found["notional_usd"] == pytest.approx([0.67e8, 2.0e8, 1.34e8], rel=0.06)


@pytest.mark.parametrize(
    ("usd", "price"),
    [
        (np.zeros((2, 1000)), PRICE),
        (np.full((2, 1000), 5e6), PRICE),
        (np.full((2, 1000), np.nan), PRICE),
        (bumps((0, 92_000, 3e8)), np.nan),
        (bumps((0, 92_000, 3e8)), 0.0),
        # Exposure of longs above price and of shorts below is what the path has not yet told.
        (bumps((0, 97_000, 3e8), (1, 93_000, 1e8)), PRICE),
    ],
    ids=["empty", "constant", "missing", "no price", "price 0", "wrong sides"],
)
def test_where_nothing_stands_out_nothing_is_found(usd, price) -> None:
    assert len(detect_zones(usd, ROWS, price, P)) == 0


def test_one_missing_row_makes_a_column_unreadable() -> None:
    usd = bumps((0, 92_000, 3e8))
    usd[1, 17] = np.nan
    assert len(detect_zones(usd, ROWS, PRICE, P)) == 0


def test_a_column_must_fit_its_rows() -> None:
    with pytest.raises(RequestError, match="does not fit 1000 rows"):
        detect_zones(np.zeros((2, 999)), ROWS, PRICE, P)


def test_ripples_on_a_slope_are_no_zones() -> None:
    usd = bumps((0, 92_000, 3e8), width_bps=150)
    ripple = 1.0 + 0.03 * np.sin(np.arange(1000) / 3.0)
    assert len(detect_zones(usd * ripple, ROWS, PRICE, P)) == 1


def test_a_small_bump_is_found_only_where_a_zone_stands() -> None:
    usd = bumps((0, 92_000, 3e8), (0, 88_000, 2e7))
    minor = ZoneParameters(birth_side_ratio=0.2)
    assert detect_zones(usd, ROWS, PRICE, minor)["peak_usd"] == pytest.approx([92_000], abs=50)
    known = np.array([(0, 87_900, 88_100)], dtype=KNOWN)
    again = detect_zones(usd, ROWS, PRICE, minor, known)
    assert again["peak_usd"] == pytest.approx([88_000, 92_000], abs=50)
    assert again["is_strong"].tolist() == [False, True]
    elsewhere = np.array([(1, 87_900, 88_100), (0, 86_000, 87_000)], dtype=KNOWN)
    assert len(detect_zones(usd, ROWS, PRICE, minor, elsewhere)) == 1


def test_rows_of_another_height_or_place_show_the_same_zones() -> None:
    places = (0, 92_000, 3e8), (0, 88_030, 1e8), (1, 97_500, 2e8)
    one = detect_zones(bumps(*places), ROWS, PRICE, P)
    finer = DisplayRows(20.0, 3900, 1300)
    other = detect_zones(bumps(*places, rows=finer), finer, PRICE, P)
    for name, tolerance in (("low_usd", 60), ("high_usd", 60), ("peak_usd", 35)):
        assert one[name] == pytest.approx(other[name], abs=tolerance)
    assert one["notional_usd"] == pytest.approx(other["notional_usd"], rel=0.05)
    assert one["weight"] == pytest.approx(other["weight"], rel=0.05)


def test_it_does_not_matter_which_of_two_neighbours_is_higher() -> None:
    one = detect_zones(bumps((0, 92_000, 1.001e8), (0, 91_200, 1e8)), ROWS, PRICE, P)
    other = detect_zones(bumps((0, 92_000, 1e8), (0, 91_200, 1.001e8)), ROWS, PRICE, P)
    assert len(one) == 2
    assert one["low_usd"] == pytest.approx(other["low_usd"], abs=5)
    assert one["high_usd"] == pytest.approx(other["high_usd"], abs=5)


columns = st.integers(0, 10_000).map(
    lambda seed: np.random.default_rng(seed).lognormal(12, 1.0 + seed % 3, (2, 300))
)


@given(columns, st.sampled_from([0.0, 8.0, 25.0]))
def test_finds_are_those_of_a_slow_walk(usd, smooth_bps) -> None:
    rows, price = DisplayRows(50.0, 1800, 300), 97_510.0
    p = ZoneParameters(smooth_bps=smooth_bps)
    found = detect_zones(usd, rows, price, p)
    smooth = smooth_rows(usd, smooth_bps, rows) if smooth_bps else usd
    row_bps = 50.0 / price * 1e4
    here = price / 50.0 - 1800 - 0.5
    for side in range(2):
        mine = found[found["side"] == side]
        twin = twins.finds(smooth[side].tolist(), row_bps, here, side, p)
        assert (mine["peak_usd"] / 50.0 - 1800 - 0.5) == pytest.approx([t[0] for t in twin])
        assert (mine["low_usd"] / 50.0 - 1800 - 0.5) == pytest.approx([t[1] for t in twin], abs=1e-6)
        assert (mine["high_usd"] / 50.0 - 1800 - 0.5) == pytest.approx([t[2] for t in twin], abs=1e-6)
        assert mine["prominence"] == pytest.approx([t[3] for t in twin])
        sums = [twins.held(usd[side], rows, f["low_usd"], f["high_usd"]) for f in mine]
        assert mine["notional_usd"] == pytest.approx(sums, rel=1e-9)


@given(columns)
def test_finds_do_not_overlap_and_lie_on_their_side(usd) -> None:
    rows, price = DisplayRows(50.0, 1800, 300), 97_510.0
    found = detect_zones(usd, rows, price, P)
    assert found.tolist() == sorted(found.tolist(), key=lambda find: find[:2])
    for side in range(2):
        mine = found[found["side"] == side]
        assert np.all(mine["high_usd"][:-1] <= mine["low_usd"][1:] + 1e-9)
        assert np.all(mine["low_usd"] < mine["high_usd"])
        assert np.all((mine["peak_usd"] < price) == (side == 0))


@given(columns, st.floats(0.25, 4.0))
def test_more_exposure_everywhere_changes_no_zone(usd, factor) -> None:
    rows = DisplayRows(50.0, 1800, 300)
    one, other = (detect_zones(part, rows, 97_510.0, P) for part in (usd, usd * factor))
    assert one["low_usd"] == pytest.approx(other["low_usd"])
    assert one["notional_usd"] * factor == pytest.approx(other["notional_usd"])


@given(st.lists(st.tuples(st.floats(80_000, 120_000), st.floats(0, 9_000)), min_size=1, max_size=5))
def test_usd_between_two_prices_is_that_of_a_slow_sum(places) -> None:
    rows = DisplayRows(50.0, 1800, 300)
    usd = np.random.default_rng(3).lognormal(12, 2, (2, 300))
    low = np.array([place[0] for place in places])
    high = low + [place[1] for place in places]
    fast = held_usd(cumulative_usd(usd)[1], rows, low, high)
    assert fast == pytest.approx(
        [twins.held(usd[1], rows, a, b) for a, b in zip(low, high, strict=True)], abs=1e-3
    )


def test_a_column_of_a_thousand_rows_costs_little() -> None:
    usd = bumps(*((k % 2, 95_000 + 700 * (k - 8) + (k % 2) * 6_000, 1e8) for k in range(16)), floor_usd=1e3)
    costs = []
    for _ in range(50):
        begin = time.process_time()
        detect_zones(usd, ROWS, PRICE, P)
        costs.append(time.process_time() - begin)
    # Measured 0.25 ms; the bound only catches a change of order.
    assert np.median(costs) < 3e-3
