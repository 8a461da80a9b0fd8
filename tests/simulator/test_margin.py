"""The simulator's margin rules solve the equations they are made from."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.simulator import load_world
from faultline.simulator.margin import (
    MARK_VALUED,
    deductions_usd,
    liquidation_ratio_kernel,
    tier_kernel,
    tier_table,
)


@given(
    side=st.sampled_from([1, -1]),
    leverage=st.integers(1, 125),
    maintenance=st.floats(0.003, 0.0075),
    deduction=st.floats(0.0, 0.002),
    rule=st.sampled_from([MARK_VALUED, 0]),
)
def test_equity_equals_the_maintenance_margin_at_the_liquidation_price(
    side, leverage, maintenance, deduction, rule
):
    margin = 1.0 / leverage
    price = liquidation_ratio_kernel(side, margin, maintenance, deduction, rule, 0, 0.0)
    if price <= 1e-3:
        assert side == 1
        assert leverage == 1
        return
    equity = margin + side * (price - 1.0)
    valued_at = price if rule == MARK_VALUED else 1.0
    assert equity == pytest.approx(maintenance * valued_at - deduction, abs=1e-12)


@given(side=st.sampled_from([1, -1]), leverage=st.integers(2, 125), rule=st.sampled_from([MARK_VALUED, 0]))
def test_liquidation_lies_between_entry_and_bankruptcy(side, leverage, rule):
    price = liquidation_ratio_kernel(side, 1.0 / leverage, 0.004, 0.0, rule, 0, 0.0)
    assert 1.0 * side > price * side > (1.0 - side / leverage) * side


@pytest.mark.parametrize("row", [0, 1])
def test_maintenance_margin_does_not_jump_between_tiers(row):
    venue = load_world("three-assets").venues[row]
    amounts = deductions_usd(venue.tiers)
    for k, (lower, upper) in enumerate(zip(venue.tiers, venue.tiers[1:], strict=False)):
        at = lower.cap_usd
        assert at * lower.maintenance_ratio - amounts[k] == pytest.approx(
            at * upper.maintenance_ratio - amounts[k + 1]
        )


@given(notional=st.floats(1.0, 1e12))
def test_the_tier_is_the_first_whose_cap_is_not_exceeded(notional):
    venue = load_world("three-assets").venues[0]
    table = tier_table(venue, 7)
    caps = [tier.cap_usd for tier in venue.tiers[:-1]] + [math.inf]
    expected = next(k for k, cap in enumerate(caps) if notional <= cap)
    found = tier_kernel(table, notional)
    assert found == expected
    assert np.isfinite(table[found, 1:]).all()
