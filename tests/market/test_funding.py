"""Funding is unusual beside its own past, and known only from it."""

from __future__ import annotations

import numpy as np
import pytest

from faultline.market.funding import FundingRates
from faultline.messages import Kind, empty_rows
from faultline.units import DAY_NS, HOUR_NS, MINUTE_NS

START = 20_000 * DAY_NS


def funding(rates, *, every_ns=8 * HOUR_NS, interval_ns=8 * HOUR_NS, from_ns=START):
    rows = empty_rows(Kind.FUNDING, len(rates))
    rows["ts_received_ns"] = rows["ts_event_ns"] = from_ns + every_ns * np.arange(len(rates))
    rows["rate_ratio"], rows["interval_ns"] = rates, interval_ns
    return rows


def usual(n, seed=0):
    return 1e-4 + 2e-5 * np.random.default_rng(seed).standard_normal(n)


def test_a_rate_is_scored_by_the_median_and_spread_of_those_before_it() -> None:
    rates, past = FundingRates(), usual(40)
    rows = funding([*past, 4e-4])
    rates.apply("a:X", rows)
    now = int(rows["ts_received_ns"][-1])
    away = np.abs(past - np.median(past))
    assert rates.score(now) == pytest.approx((4e-4 - np.median(past)) / (1.4826 * np.median(away)))
    # The moment before, the last of the usual ones is the present rate.
    assert abs(rates.score(now - 1)) < 5


def test_nothing_is_said_before_three_days_or_of_a_rate_that_is_old() -> None:
    rates, rows = FundingRates(), funding(usual(12))
    rates.apply("a:X", rows)
    times = rows["ts_received_ns"].tolist()
    assert rates.score(START - 1) is None
    assert rates.score(times[8]) is None
    assert rates.score(times[9]) is not None
    assert rates.score(times[-1] + 9 * HOUR_NS) is not None
    assert rates.score(times[-1] + 9 * HOUR_NS + 1) is None


def test_rows_that_come_later_change_nothing_of_a_moment() -> None:
    rows = funding(usual(60))
    known, whole = FundingRates(), FundingRates()
    whole.apply("a:X", rows)
    for k in range(10, 60):
        known.apply("a:X", rows[:k] if k == 10 else rows[k - 1 : k])
        at = int(rows["ts_received_ns"][k - 1]) + MINUTE_NS
        assert known.score(at) == whole.score(at)


def test_a_rate_that_never_changed_has_no_spread_and_one_that_seldom_does_has_the_mean_one() -> None:
    flat, seldom = FundingRates(), FundingRates()
    flat.apply("a:X", funding([1e-4] * 20))
    rows = funding([1e-4] * 15 + [2e-4] + [1e-4] * 4 + [2e-4])
    seldom.apply("a:X", rows)
    now = int(rows["ts_received_ns"][-1])
    assert flat.score(now - 8 * HOUR_NS) is None
    assert seldom.score(now) == pytest.approx(1e-4 / (1.2533 * 1e-4 / 20))


def test_an_interval_that_changes_is_no_change_of_the_rate_per_hour() -> None:
    rates = FundingRates()
    rates.apply("a:X", funding(usual(40)))
    later = START + 40 * 8 * HOUR_NS
    rates.apply("a:X", funding([0.5e-4], interval_ns=4 * HOUR_NS, from_ns=later))
    assert abs(rates.score(later)) < 3
    rates.apply("a:X", funding([1e-4], interval_ns=HOUR_NS, from_ns=later + HOUR_NS))
    assert rates.score(later + HOUR_NS) > 10


def test_rates_without_an_interval_are_compared_among_themselves_until_one_states_it() -> None:
    rates, past = FundingRates(), usual(40)
    rates.apply("a:X", funding([*past, 4e-4], interval_ns=0))
    now = START + 40 * 8 * HOUR_NS
    assert rates.score(now) > 5
    rates.apply("a:X", funding([4e-4], from_ns=now + HOUR_NS))
    assert rates.score(now) > 5
    assert rates.score(now + HOUR_NS) is None


def test_the_asset_has_the_median_of_its_instruments() -> None:
    rates, now = FundingRates(), START + 40 * 8 * HOUR_NS
    alone = {}
    for k, last in enumerate((1e-4, 1.6e-4, 9e-4)):
        one, rows = FundingRates(), funding([*usual(40, seed=k), last])
        one.apply("x", rows)
        rates.apply(f"v{k}:X", rows)
        alone[k] = one.score(now)
    assert alone[0] < alone[1] < alone[2]
    assert rates.score(now) == alone[1]
    rates.apply("new:X", funding([5e-3], from_ns=now))
    assert rates.score(now) == alone[1]


def test_one_rate_an_hour_is_kept_and_the_state_goes_on() -> None:
    rows = funding(usual(3000), every_ns=10 * MINUTE_NS)
    rates = FundingRates()
    for part in np.split(rows, [7, 800, 801, 2000]):
        rates.apply("a:X", part)
        rates = FundingRates.from_state(rates.state())
    whole = FundingRates()
    whole.apply("a:X", rows)
    assert {key: value.tobytes() for key, value in rates.state().items()} == {
        key: value.tobytes() for key, value in whole.state().items()
    }
    assert len(rates.state()["a:X|hour|times"]) == 500
    now = int(rows["ts_received_ns"][-1])
    assert rates.score(now) == whole.score(now) is not None
