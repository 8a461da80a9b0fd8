from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.heatmap.anchor import InterestAnchor, anchor_heat, near_weights, usd_per_unit_kernel
from faultline.heatmap.grid import BUCKET_LOG, bucket_of
from faultline.heatmap.ledger import PATH_BAR, Ledger, LedgerParameters
from faultline.units import HOUR_NS, MINUTE_NS

amounts = st.floats(0, 1e12)


@given(amounts, st.one_of(st.just(math.nan), st.floats(1e-6, 1e12)), amounts, amounts)
def test_near_and_far_always_make_the_open_interest(oi_usd, worth_usd, near, far) -> None:
    above, below = usd_per_unit_kernel(oi_usd, worth_usd, near, far)
    assert above >= 0.0
    assert below >= 0.0
    if near + far > 1e-6 and (near == 0 or near > 1e-6) and (far == 0 or far > 1e-6):
        assert above * near + below * far == pytest.approx(oi_usd, rel=1e-9, abs=1e-6)


def test_near_levels_keep_their_worth_while_the_far_ones_close_the_sum() -> None:
    assert usd_per_unit_kernel(1000.0, 5.0, 100.0, 50.0) == (5.0, 10.0)


def test_near_levels_are_scaled_only_when_they_alone_exceed_the_open_interest() -> None:
    assert usd_per_unit_kernel(1000.0, 20.0, 100.0, 50.0) == (10.0, 0.0)


def test_without_a_worth_every_unit_is_worth_the_same() -> None:
    assert usd_per_unit_kernel(300.0, math.nan, 100.0, 50.0) == (2.0, 2.0)


def test_nearness_falls_from_one_to_nothing_within_a_map() -> None:
    weights = near_weights(1000)
    assert weights[0] == 1.0
    assert np.all(np.diff(weights) < 0)
    assert weights[round(0.05 / BUCKET_LOG)] == pytest.approx(1 / math.e)
    assert weights[round(0.19 / BUCKET_LOG)] < 1e-6


def test_the_worth_forgives_an_empty_start() -> None:
    anchor = InterestAnchor()
    assert math.isnan(anchor.worth_usd)
    anchor.follow(1e9, 1e-6, HOUR_NS)
    for _ in range(100):
        anchor.follow(1e9, 10.0, HOUR_NS)
    assert anchor.worth_usd == pytest.approx(1e8, rel=0.02)
    assert InterestAnchor.from_state(anchor.state()).worth_usd == anchor.worth_usd


@pytest.mark.parametrize(("oi_usd", "units"), [(math.nan, 1.0), (0.0, 1.0), (1.0, 0.0), (-1.0, 1.0)])
def test_missing_open_interest_teaches_nothing(oi_usd, units) -> None:
    anchor = InterestAnchor()
    anchor.follow(oi_usd, units, HOUR_NS)
    assert math.isnan(anchor.worth_usd)


@pytest.mark.parametrize("worth_usd", [math.nan, 3e5, 1e12])
def test_columns_are_anchored_as_the_slow_twin_says(worth_usd) -> None:
    rng = np.random.default_rng(4)
    bars = np.zeros(600, dtype=PATH_BAR)
    bars["end_ns"] = 10 * HOUR_NS + np.arange(1, 601) * MINUTE_NS
    bars["start_ns"] = bars["end_ns"] - MINUTE_NS
    bars["close_usd"] = 50_000 * np.exp(np.cumsum(rng.normal(0, 8e-4, 600)))
    bars["low_usd"], bars["high_usd"] = bars["close_usd"] * 0.9995, bars["close_usd"] * 1.0005
    bars["units_long"] = bars["units_short"] = rng.exponential(1 / 60, 600)
    mix = np.full(15, 1 / 15)
    ledger = Ledger([LedgerParameters()])
    price, oi_usd = float(bars["close_usd"][-1]), 5e9
    columns, totals = ledger.advance(
        bars,
        mix,
        [600],
        first_row=0,
        n_rows=9000,
        row_usd=20.0,
        oi_usd=oi_usd,
        worth_usd=worth_usd,
        prices_usd=price,
    )
    units = ledger.profile(mix)[0].astype(np.float64)
    worth = anchor_heat(units, bucket_of(price) - ledger.first_bucket, totals[0], oi_usd, worth_usd)
    assert columns[0].sum(axis=1) == pytest.approx((units * worth).sum(axis=1), rel=1e-4)
    assert columns[0].sum(axis=1) == pytest.approx([oi_usd, oi_usd], rel=1e-4)
