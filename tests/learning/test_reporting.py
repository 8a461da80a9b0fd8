from __future__ import annotations

import math

import numpy as np
import pytest

from faultline.errors import RequestError
from faultline.heatmap.ledger import PATH_BAR
from faultline.learning.reporting import EVENT, Likelihood, Reporting, plan_bars

S = 10**9
T0 = 1_760_000_400 * S


def path(prices, step_ns=S):
    bars = np.zeros(len(prices) - 1, dtype=PATH_BAR)
    bars["start_ns"] = T0 + np.arange(len(bars)) * step_ns
    bars["end_ns"] = bars["start_ns"] + step_ns
    bars["low_usd"], bars["high_usd"] = (
        np.minimum(prices[:-1], prices[1:]),
        np.maximum(prices[:-1], prices[1:]),
    )
    bars["close_usd"] = prices[1:]
    return bars


def told(*rows):
    events = np.zeros(len(rows), dtype=EVENT)
    for index, (second, side, price, size) in enumerate(rows):
        events[index] = (T0 + round(second * S), side, price, 1.0, size)
    return events


FALL = path([100.0, 99.9, 99.8, 99.7])


def test_all_events_leave_the_whole_exposure():
    plan = plan_bars(FALL, told((0.5, 0, 99.95, 1), (2.5, 1, 99.75, 1)), Reporting())
    np.testing.assert_array_equal(plan.bar, [0, 2])
    np.testing.assert_array_equal(plan.after[:, :3], [[1, 1, -1]] * 3)
    np.testing.assert_allclose(plan.place, np.log([99.95, 99.75]) / 5e-4, atol=1e-6)


def test_a_place_outside_of_its_bar_is_moved_to_the_nearest_end():
    plan = plan_bars(FALL, told((0.5, 0, 120.0, 1), (0.6, 0, 10.0, 1)), Reporting())
    np.testing.assert_allclose(plan.place, np.log([100.0, 99.9]) / 5e-4, atol=1e-6)


def test_of_the_latest_only_what_lies_beyond_it_counts():
    plan = plan_bars(FALL, told((0.2, 0, 99.98, 1), (0.8, 0, 99.92, 1)), Reporting(scheme="latest"))
    assert plan.excluded["surplus_in_window"] == 1
    assert plan.after[0, 2] == 0
    assert plan.after[0, 3] == pytest.approx(math.log(99.92) / 5e-4, abs=1e-6)
    np.testing.assert_array_equal(plan.after[1:, :3], [[1, 1, -1]] * 2)
    assert set(plan.likelihood) == {Likelihood.EXACT}


@pytest.mark.parametrize(
    ("close", "side", "other"), [(99.0, 0, 0.0), (99.0, 1, 1.0), (101.0, 0, 1.0), (101.0, 1, 0.0)]
)
def test_the_close_tells_which_side_was_swept_last(close, side, other):
    bars = path([100.0, 100.0])
    bars["low_usd"], bars["high_usd"], bars["close_usd"] = 98.9, 101.1, close
    plan = plan_bars(bars, told((0.5, side, 100.0, 1)), Reporting(scheme="latest"))
    assert plan.after[0, 1 - side] == other


def test_bars_of_the_window_before_the_latest_say_nothing():
    plan = plan_bars(FALL, told((1.5, 0, 99.85, 1)), Reporting(scheme="latest", window_ns=3 * S))
    # The window of three seconds begins with the first bar.
    np.testing.assert_array_equal(plan.after[0, :2], [0, 0])
    assert plan.after[1, 2] == 0
    np.testing.assert_array_equal(plan.after[2, :2], [1, 1])


def test_bars_longer_than_the_window_count_their_silent_seconds():
    bars = path([100.0, 99.0], 60 * S)
    events = told(*[(2 * k, 0, 99.5, 1.0) for k in range(30)])
    plan = plan_bars(bars, events, Reporting(scheme="latest"))
    assert set(plan.likelihood) == {Likelihood.SPREAD}
    # Half of the seconds have a report: mu = ln 2 per second, of which (1 - 1/2) / ln 2 lies after the last event.
    np.testing.assert_allclose(plan.after[0, :2], 0.5 / math.log(2), rtol=1e-12)
    crowd = plan_bars(bars, told(*[(0.5 * k, 0, 99.5, 1.0) for k in range(119)]), Reporting(scheme="latest"))
    assert 0 < crowd.after[0, 0] < 0.3


def test_the_largest_leaves_what_would_have_been_larger():
    events = told((0.2, 0, 99.98, 5.0), (0.8, 0, 99.92, 9.0), (2.5, 0, 99.75, 2.0))
    plan = plan_bars(FALL, events, Reporting(scheme="largest"))
    assert plan.excluded["surplus_in_window"] == 1
    np.testing.assert_array_equal(plan.events["notional_usd"], [9.0, 2.0])
    np.testing.assert_allclose(plan.weigh_largest(np.array([0.1, 0.7])), [0.1, 1.0, 0.7])
    np.testing.assert_allclose(plan.hidden(np.array([2.0, 1.0, 3.0])), [2.0, 3.0])


def test_the_largest_of_each_second_of_a_minute():
    bars = path([100.0, 99.0], 60 * S)
    plan = plan_bars(bars, told((1, 0, 99.5, 5.0), (7, 0, 99.4, 9.0)), Reporting(scheme="largest"))
    np.testing.assert_allclose(plan.weigh_largest(np.array([0.2, 0.4])), [(58 + 0.6) / 60])


def test_a_batch_belongs_to_the_time_before_its_end():
    quick = path([100.0, 99.9, 99.8, 99.7, 99.6], S // 4)
    reporting = Reporting(scheme="batched", window_ns=S // 2)
    plan = plan_bars(quick, told((0.5, 0, 99.95, 1), (1.0, 0, 99.65, 1), (1.0, 0, 99.0, 1)), reporting)
    np.testing.assert_array_equal(plan.bar, [0, 3, 3])


def test_events_without_a_path_are_counted():
    bars = FALL.copy()
    bars["low_usd"][1] = bars["high_usd"][1] = bars["close_usd"][1] = np.nan
    plan = plan_bars(
        bars, told((-1, 0, 99.9, 1), (1.5, 0, 99.9, 1), (2.5, 0, 99.75, 1), (9, 0, 99.9, 1)), Reporting()
    )
    assert plan.excluded == {"outside_path": 2, "no_price": 1, "surplus_in_window": 0}
    assert len(plan.events) == 1


@pytest.mark.parametrize("bad", [(0.5, 2, 99.0, 1), (0.5, 0, -1.0, 1), (0.5, 0, np.nan, 1)])
def test_impossible_events_are_refused(bad):
    with pytest.raises(RequestError, match="events"):
        plan_bars(FALL, told(bad), Reporting())


def test_events_out_of_order_are_refused():
    with pytest.raises(RequestError, match="order"):
        plan_bars(FALL, told((2, 0, 99.9, 1), (1, 0, 99.9, 1)), Reporting())
    with pytest.raises(ValueError, match="window"):
        Reporting(window_ns=0)
