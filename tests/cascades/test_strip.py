"""Liquidated notional per day over open interest, by venue and asset, with what is not known left open."""

from __future__ import annotations

import math

import numpy as np
import pytest

from faultline.cascades.strip import DailyStrip
from faultline.units import DAY_NS, HOUR_NS

DAY = 20_000


def at(day, hour=0.0):
    return (DAY + day) * DAY_NS + round(hour * HOUR_NS)


def filled():
    strip = DailyStrip()
    strip.apply_liquidations(
        "binance",
        np.array([at(0, 1), at(0, 23.999), at(1, 0), at(1, 5)]),
        np.array([0, 1, 0, 0], dtype=np.int8),
        np.array([100.0, 50.0, 30.0, np.nan]),
    )
    strip.apply_interest("binance", np.array([at(0, 2), at(0, 4), at(1, 1)]), np.array([1000.0, 3000.0, 0.0]))
    strip.apply_liquidations("bybit", np.array([at(0, 3)]), np.array([0], dtype=np.int8), np.array([40.0]))
    return strip


def test_a_day_is_liquidations_over_mean_open_interest():
    total, binance, bybit = filled().days(at(0), at(1))
    assert (binance.venue, binance.long_usd, binance.short_usd, binance.oi_usd) == (
        "binance",
        100.0,
        50.0,
        2000.0,
    )
    assert binance.ratio == pytest.approx(0.075)
    # The venue without open interest has no ratio and is not in the asset's.
    assert math.isnan(bybit.ratio)
    assert (total.venue, total.long_usd, total.oi_usd, total.ratio) == (
        None,
        100.0,
        2000.0,
        pytest.approx(0.075),
    )


def test_a_day_without_open_interest_has_no_ratio_but_its_liquidations():
    total, binance = filled().days(at(1), at(2))
    assert (total.long_usd, binance.long_usd) == (30.0, 30.0)
    assert math.isnan(total.ratio)
    assert math.isnan(binance.oi_usd)


def test_days_do_not_depend_on_cuts_or_restarts():
    rng = np.random.default_rng(2)
    times = np.sort(rng.integers(at(0), at(6), 500))
    side, usd = rng.integers(0, 2, 500).astype(np.int8), rng.integers(1, 1000, 500).astype(float)
    whole, parts = DailyStrip(), DailyStrip()
    whole.apply_liquidations("okx", times, side, usd)
    whole.apply_interest("okx", times, usd * 100)
    for cut in np.array_split(np.arange(500), 23):
        parts.apply_liquidations("okx", times[cut], side[cut], usd[cut])
        parts.apply_interest("okx", times[cut], usd[cut] * 100)
        parts = DailyStrip.from_state(parts.state())
    assert whole.days(at(0), at(9)) == parts.days(at(0), at(9))
    for row in whole.days(at(0), at(9)):
        mine = (times >= row.day_ns) & (times < row.day_ns + DAY_NS)
        assert row.long_usd == usd[mine & (side == 0)].sum()
        assert row.oi_usd == pytest.approx(usd[mine].mean() * 100)


def test_old_days_are_let_go():
    strip = filled()
    strip.apply_interest("binance", np.array([at(1000)]), np.array([1.0]))
    assert [row.day_ns for row in strip.days(0, at(2000))] == [at(1000), at(1000)]
