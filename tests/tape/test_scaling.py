"""Floats to ticks and back, compared with decimal arithmetic."""

from __future__ import annotations

import decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tape.rows import tick_floats

from faultline.tape.scaling import SCALE_MAX, decimal_scale, floats_of_ticks, ticks_of_floats, time_unit_ns


def naive_scale(values) -> int | None:
    """Slow twin: the fewest digits with which every value is what reading ``ticks / 10**digits`` as text gives."""
    for scale in range(SCALE_MAX + 1):
        if all(is_exact_as_text(float(value), scale) for value in values if not np.isnan(value)):
            return scale
    return None


def is_exact_as_text(value: float, scale: int) -> bool:
    if not np.isfinite(value) or str(value) == "-0.0":
        return False
    ticks = round(decimal.Decimal(value) * 10**scale)
    text = str(decimal.Decimal(ticks).scaleb(-scale))
    return abs(ticks) <= 2**53 and float(text) == value


@given(tick_floats())
def test_scale_is_that_of_decimal_arithmetic(values):
    with decimal.localcontext(prec=400):
        assert decimal_scale(values) == naive_scale(values)


@given(tick_floats())
def test_ticks_come_back_bit_by_bit(values):
    scale = decimal_scale(values)
    if scale is None:
        return
    known = values[~np.isnan(values)]
    assert floats_of_ticks(ticks_of_floats(known, scale), scale).tobytes() == known.tobytes()


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([], 0),
        ([np.nan, np.nan], 0),
        ([100_000.0, 99_999.0], 0),
        ([100_000.1, 99_999.0], 1),
        ([0.00001234, np.nan], 8),
        ([np.inf], None),
        ([-0.0], None),
        ([0.1 + 0.2], None),
        ([1 / 3], None),
        ([1e300], None),
    ],
)
def test_scale_of_known_columns(values, scale):
    assert decimal_scale(np.array(values, dtype=np.float64)) == scale


def test_one_odd_value_far_inside_a_long_column_is_seen():
    values = np.full(100_000, 5.5)
    values[77_777] = 5.4321
    assert decimal_scale(values) == 4
    values[77_777] = np.pi
    assert decimal_scale(values) is None


@given(
    st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=20), st.sampled_from([1, 10**3, 10**6, 10**9])
)
def test_time_unit_is_the_largest_that_divides_every_time(times, factor):
    times_ns = np.array([value // factor * factor for value in times], dtype=np.int64)
    expected = next(
        unit for unit in (10**9, 10**6, 10**3, 1) if all(int(time) % unit == 0 for time in times_ns)
    )
    assert time_unit_ns(times_ns) == expected
