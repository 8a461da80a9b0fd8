from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.errors import StoreError
from faultline.heatmap.grid import bucket_edge_usd, bucket_of
from faultline.learning.age_table import AGE_EDGES_MIN, BEHIND, AgeTable, age_class

MINUTE = 60_000_000_000


@given(st.lists(st.tuples(st.integers(-300, 300), st.integers(0, 40)), max_size=20))
def test_ages_equal_a_dictionary_of_last_visits(visits):
    table, last = AgeTable(), {}
    for minute, (offset, width) in enumerate(visits):
        first = 20_000 + offset
        table.visit(bucket_edge_usd(first), bucket_edge_usd(first + width), minute * MINUTE)
        last.update(dict.fromkeys(range(first, first + width + 1), minute))
    buckets = np.arange(19_600, 20_400)
    want = [100 - last[b] if b in last else math.inf for b in buckets.tolist()]
    assert table.ages_min(buckets, 100 * MINUTE).tolist() == want


def test_a_missing_range_visits_nothing():
    table = AgeTable()
    table.visit(math.nan, 100.0, 0)
    assert np.isinf(table.ages_min(np.array([bucket_of(100.0)]), MINUTE)).all()


def test_classes_tell_age_ahead_and_everything_behind():
    ages = np.array([0.0, 4.9, 5.0, 4_320.0, math.inf, 0.0])
    sides = np.array([0, 0, 0, 0, 1, 1], dtype=np.int8)
    buckets = np.array([10, 9, 8, 7, 12, 9])
    classes = age_class(ages, sides, buckets, open_bucket=10)
    assert classes.tolist() == [0, 0, 1, len(AGE_EDGES_MIN), len(AGE_EDGES_MIN), BEHIND]


VISITS = st.lists(st.tuples(st.integers(-900, 900), st.integers(0, 40)), max_size=20)


@given(VISITS, st.integers(0, 20))
def test_a_table_goes_on_from_its_state_bit_for_bit(visits, cut):
    whole, part = AgeTable(), AgeTable()
    for minute, (offset, width) in enumerate(visits):
        if minute == cut:
            part = AgeTable.from_state(part.state())
        for table in (whole, part):
            table.visit(
                bucket_edge_usd(20_000 + offset), bucket_edge_usd(20_000 + offset + width), minute * MINUTE
            )
    one, two = whole.state(), part.state()
    assert {name: values.tobytes() for name, values in one.items()} == {
        name: values.tobytes() for name, values in two.items()
    }
    buckets = np.arange(19_000, 21_100)
    assert whole.ages_min(buckets, 100 * MINUTE).tobytes() == part.ages_min(buckets, 100 * MINUTE).tobytes()


@pytest.mark.parametrize(
    "change", [{"version": np.array([99])}, {"last_ns": np.zeros((2, 2))}, {"first": np.zeros(0, dtype=int)}]
)
def test_foreign_states_are_refused(change):
    table = AgeTable()
    table.visit(100.0, 101.0, MINUTE)
    with pytest.raises(StoreError, match="age table"):
        AgeTable.from_state(table.state() | change)
    with pytest.raises(StoreError, match="age table"):
        AgeTable.from_state({})
