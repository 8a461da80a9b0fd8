"""Times, durations and display rows."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline import units
from faultline.units import Side, canonical_bucket_usd, format_time_ns, parse_duration_ns, parse_time_ns


def test_the_side_of_a_position_is_the_sign_of_the_position():
    assert (Side.LONG, Side.SHORT) == (1, -1)
    assert Side.LONG * 5.0 == 5.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01", 0),
        ("1970-01-01T00:00:01", units.SECOND_NS),
        ("2026-02-03T14:00:00Z", 1_770_127_200 * units.SECOND_NS),
        ("2026-02-03T16:00:00+02:00", 1_770_127_200 * units.SECOND_NS),
        ("2026-02-03T14:00:00.250", 1_770_127_200 * units.SECOND_NS + 250 * units.MILLISECOND_NS),
        ("1969-12-31T23:59:59.999999", -units.MICROSECOND_NS),
    ],
)
def test_iso_times_are_utc_unless_they_say_otherwise(text, expected):
    assert parse_time_ns(text) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "1770127200", "2026-02-30"])
def test_what_is_not_a_time_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match=r"not an ISO-8601 time.*2026-02-03"):
        parse_time_ns(text)


@given(st.integers(-(10**12), 10**13))
def test_a_time_survives_being_written_to_the_millisecond(milliseconds):
    time_ns = milliseconds * units.MILLISECOND_NS
    assert parse_time_ns(format_time_ns(time_ns)) == time_ns


def test_times_are_written_without_needless_digits():
    assert format_time_ns(0) == "1970-01-01T00:00:00Z"
    assert format_time_ns(1_500_000_000) == "1970-01-01T00:00:01.500Z"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5m", 300 * units.SECOND_NS),
        ("1.5h", 5_400 * units.SECOND_NS),
        ("250ms", 250 * units.MILLISECOND_NS),
        ("7ns", 7),
        ("3us", 3_000),
        (" 30s ", 30 * units.SECOND_NS),
        ("1d", units.DAY_NS),
    ],
)
def test_durations_are_a_number_and_a_unit(text, expected):
    assert parse_duration_ns(text) == expected


@pytest.mark.parametrize("text", ["", "5", "m", "5x", "-5m", "0s", "nans", "infs", "5 minutes", "1e400s"])
def test_what_is_not_a_duration_is_refused_with_examples(text):
    with pytest.raises(ValueError, match=r"not a duration.*5m"):
        parse_duration_ns(text)


@pytest.mark.parametrize(
    ("price_usd", "row_usd"),
    [(100_000.0, 50.0), (60_000.0, 20.0), (4_000.0, 2.0), (200.0, 0.1), (0.2, 1e-4), (1e-5, 5e-9)],
)
def test_display_rows_are_five_basis_points_rounded_to_1_2_5(price_usd, row_usd):
    assert canonical_bucket_usd(price_usd) == pytest.approx(row_usd, rel=1e-12)


@given(st.floats(1e-9, 1e9))
def test_a_display_row_is_near_five_basis_points_of_any_price(price_usd):
    row_usd = canonical_bucket_usd(price_usd)
    assert 3.1e-4 <= row_usd / price_usd <= 8.0e-4
    mantissa = row_usd / 10.0 ** math.floor(math.log10(row_usd) + 1e-9)
    assert min(abs(mantissa - step) for step in (1, 2, 5)) < 1e-6


@pytest.mark.parametrize("price_usd", [0.0, -1.0, math.nan, math.inf])
def test_an_impossible_price_has_no_display_row(price_usd):
    with pytest.raises(ValueError, match="must be positive and finite"):
        canonical_bucket_usd(price_usd)


def test_timeframes_are_whole_multiples_of_the_shortest():
    lengths = list(units.TIMEFRAMES_NS.values())
    assert lengths == sorted(lengths)
    assert all(length % lengths[0] == 0 and units.DAY_NS % length == 0 for length in lengths)
