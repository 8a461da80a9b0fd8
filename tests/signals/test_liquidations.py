"""A liquidation is large when it exceeds all but a thousandth of those of 30 days, known before it."""

from __future__ import annotations

import numpy as np

from faultline.signals.liquidations import LargeLiquidations
from faultline.units import DAY_NS, HOUR_NS


def _market(rng, n, days):
    times = np.sort(rng.integers(0, days * DAY_NS, n)) + 1_700_000_000 * 10**9
    return times, np.exp(rng.normal(9.0, 1.5, n))


def test_nothing_is_large_before_a_thousand_are_known():
    times = np.arange(900) * HOUR_NS // 100
    thresholds = LargeLiquidations().apply(times, np.full(900, 1e9))
    assert np.isinf(thresholds).all()


def test_the_threshold_is_the_quantile_of_what_was_known_an_hour_before():
    rng = np.random.default_rng(7)
    times, usd = _market(rng, 40_000, 20)
    thresholds = LargeLiquidations().apply(times, usd)
    for k in (20_000, 39_999):
        known = usd[times < times[k] // HOUR_NS * HOUR_NS]
        share = (known >= thresholds[k]).mean()
        # Bins are 2 % wide, so the share is within the mass of one bin of a thousandth.
        assert 0.0007 < share <= 0.001


def test_cutting_the_stream_changes_nothing():
    rng = np.random.default_rng(8)
    times, usd = _market(rng, 5_000, 3)
    whole = LargeLiquidations().apply(times, usd)
    cuts = np.split(np.arange(5_000), np.sort(rng.choice(5_000, 40, replace=False)))
    watch = LargeLiquidations()
    parts = []
    for cut in cuts:
        parts.append(watch.apply(times[cut], usd[cut]))
        watch = LargeLiquidations.from_state(watch.state())
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_sizes_older_than_thirty_days_are_forgotten():
    watch = LargeLiquidations()
    first = np.arange(2_000) * (HOUR_NS // 100)
    watch.apply(first, np.full(2_000, 1e6))
    assert 1e6 < watch.apply(np.array([10 * DAY_NS]), np.array([1.0]))[0] < 1.05e6
    assert np.isinf(watch.apply(np.array([45 * DAY_NS]), np.array([1.0]))[0])
