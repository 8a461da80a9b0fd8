from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.zones.made import START_NS

from faultline.units import HOUR_NS, MINUTE_NS
from faultline.zones.account import ZoneAccount
from faultline.zones.parameters import ZoneParameters
from faultline.zones.track import Trend
from faultline.zones.trend import follow_trend, unexplained_change

P = ZoneParameters()
QUIET = ZoneAccount(
    from_ns=START_NS,
    to_ns=START_NS + 5 * MINUTE_NS,
    before_usd=1e8,
    opened_usd=1e6,
    closed_usd=4e5,
    swept_usd=0.0,
    reestimated_usd=0.0,
    after_usd=1.006e8,
    side_before_usd=1e9,
    side_opened_usd=1e7,
    side_closed_usd=4e6,
    side_swept_usd=0.0,
    side_after_usd=1e9,
    venue_usd={},
    band_usd={},
    mix_usd=(),
)


def run(trend, n, falls=None, **changed):
    return [
        follow_trend(
            trend,
            dataclasses.replace(
                QUIET,
                from_ns=START_NS + 5 * k * MINUTE_NS,
                to_ns=START_NS + 5 * (k + 1) * MINUTE_NS,
                **changed,
            ),
            falls,
            P,
        )
        for k in range(n)
    ]


def test_a_zone_that_takes_its_share_of_openings_is_steady() -> None:
    assert run(Trend(), 500, -0.1) == [None] * 500


def test_what_decay_the_path_and_a_new_estimate_do_is_no_trend() -> None:
    trend = Trend()
    assert (
        run(trend, 300, -0.1, closed_usd=3e7, reestimated_usd=-4e7, swept_usd=2e7, after_usd=1e7)
        == [None] * 300
    )
    assert (trend.up, trend.down) == (0.0, 0.0)


def test_a_zone_that_takes_more_is_building_and_that_is_told_once() -> None:
    trend = Trend()
    told = run(trend, 40, opened_usd=4e6)
    assert told.count("building") == 1
    assert trend.found == "building"


def test_a_zone_that_takes_less_is_thinning_only_while_open_interest_falls() -> None:
    assert run(Trend(), 60, None, side_opened_usd=4e7).count("thinning") == 0
    assert run(Trend(), 60, 0.01, side_opened_usd=4e7).count("thinning") == 0
    assert run(Trend(), 60, P.interest_fall_ratio, side_opened_usd=4e7).count("thinning") == 1


def test_a_trend_ends_when_nothing_confirms_it() -> None:
    trend = Trend()
    run(trend, 20, opened_usd=4e6)
    assert trend.found == "building"
    late = dataclasses.replace(
        QUIET, from_ns=START_NS + 6 * HOUR_NS, to_ns=START_NS + 6 * HOUR_NS + 5 * MINUTE_NS
    )
    assert follow_trend(trend, late, None, P) is None
    assert trend.found == "steady"


@pytest.mark.parametrize("changed", [{"before_usd": 0.0}, {"side_before_usd": 0.0}])
def test_where_nothing_stood_there_is_no_trend(changed) -> None:
    assert math.isnan(unexplained_change(dataclasses.replace(QUIET, **changed)))
    trend = Trend()
    run(trend, 3, **changed)
    assert (trend.up, trend.down) == (0.0, 0.0)


@given(st.lists(st.floats(0, 2e7), min_size=1, max_size=60))
def test_the_sums_are_those_of_a_test_that_remembers_everything(openings) -> None:
    """Page-Hinkley as it is written: the sum since the start above its lowest value so far."""
    trend, total, lowest = Trend(), 0.0, 0.0
    for opened in openings:
        account = dataclasses.replace(QUIET, opened_usd=opened)
        total += unexplained_change(account) - P.trend_drift_per_hour / 12
        lowest = min(lowest, total)
        told = follow_trend(trend, account, None, P)
        if total - lowest > P.trend_threshold:
            assert trend.found == "building"
            return
        assert told is None
        assert trend.up == pytest.approx(total - lowest, abs=1e-12)
