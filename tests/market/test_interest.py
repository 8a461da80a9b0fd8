from __future__ import annotations

import numpy as np

from faultline.market.interest import OpenInterest
from faultline.messages import Kind, empty_rows
from faultline.units import HOUR_NS, MINUTE_NS


def rows(*values: tuple[int, float, float]) -> np.ndarray:
    out = empty_rows(Kind.OPEN_INTEREST, len(values))
    for k, (time_ns, base, usd) in enumerate(values):
        out[k]["ts_received_ns"], out[k]["oi_base"], out[k]["oi_usd"] = time_ns, base, usd
    return out


def test_interest_is_valued_at_the_price_of_the_moment() -> None:
    interest = OpenInterest()
    interest.apply(rows((10, 2.0, np.nan), (20, 3.0, np.nan)))
    usd = interest.usd_at(np.array([5, 10, 15, 20]), np.array([100.0, 100.0, 110.0, 120.0]))
    assert np.isnan(usd[0])
    assert usd[1:].tolist() == [200.0, 220.0, 360.0]


def test_a_failed_poll_is_missing_and_not_zero() -> None:
    interest = OpenInterest()
    interest.apply(rows((10, 2.0, np.nan), (20, 0.0, 0.0), (30, np.nan, np.nan)))
    assert interest.usd_at(np.array([40]), np.array([100.0])).tolist() == [200.0]
    assert interest.as_of_ns == 10


def test_interest_in_usd_stands_where_coins_are_unknown() -> None:
    interest = OpenInterest()
    interest.apply(rows((10, np.nan, 500.0)))
    assert interest.usd_at(np.array([11]), np.array([7.0])).tolist() == [500.0]


def test_an_hour_before_a_checkpoint_is_still_known_after_it() -> None:
    interest = OpenInterest()
    start = 1_769_472_000_000_000_000
    interest.apply(rows(*((start + k * 5 * MINUTE_NS, 2.0 + k, np.nan) for k in range(100))))
    again = OpenInterest.from_state(interest.state())
    times = again.as_of_ns - np.array([0, 1, 59, 60, 119, 120]) * MINUTE_NS
    assert again.usd_at(times, np.ones(6)).tolist() == interest.usd_at(times, np.ones(6)).tolist()
    assert np.isnan(again.usd_at(np.array([start + HOUR_NS]), np.ones(1))[0])


def test_interest_goes_on_from_its_state() -> None:
    interest = OpenInterest()
    interest.apply(rows((1_769_472_000_000_000_123, 2.0, np.nan)))
    again = OpenInterest.from_state(interest.state())
    assert again.as_of_ns == 1_769_472_000_000_000_123
    assert again.usd_at(np.array([again.as_of_ns]), np.array([3.0])).tolist() == [6.0]
