from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.errors import RequestError
from faultline.heatmap.grid import BUCKET_LOG, bucket_edge_usd, bucket_of, bucket_position, project_rows


@given(st.floats(1e-9, 1e9))
def test_a_price_lies_in_its_bucket(price):
    bucket = bucket_of(price)
    assert bucket_edge_usd(bucket) <= price * (1 + 1e-11)
    assert price < bucket_edge_usd(bucket + 1) * (1 + 1e-11)
    assert math.floor(bucket_position(price)) == bucket


@given(st.integers(-40_000, 40_000))
def test_an_edge_maps_to_its_own_bucket(bucket):
    assert bucket_of(bucket_edge_usd(bucket)) == bucket


def test_arrays_and_scalars_agree():
    prices = np.array([0.5, 1.0, 100.0, 64_321.5])
    assert bucket_of(prices).dtype == np.int64
    assert bucket_of(prices).tolist() == [bucket_of(float(p)) for p in prices]
    buckets = bucket_of(prices)
    np.testing.assert_allclose(np.log(bucket_edge_usd(buckets + 1) / bucket_edge_usd(buckets)), BUCKET_LOG)


@pytest.mark.parametrize("price", [0.0, -1.0, math.nan, math.inf])
def test_what_is_no_price_has_no_bucket(price):
    with pytest.raises(RequestError, match="without a bucket"):
        bucket_of(price)
    with pytest.raises(RequestError, match="without a bucket"):
        bucket_of(np.array([1.0, price]))


def naive_rows(values, first_bucket, row_usd, first_row, n_rows):
    out = np.zeros(n_rows)
    for i, value in enumerate(values):
        low, high = math.exp((first_bucket + i) * BUCKET_LOG), math.exp((first_bucket + i + 1) * BUCKET_LOG)
        for k in range(n_rows):
            bottom = (first_row + k) * row_usd
            overlap = min(high, bottom + row_usd) - max(low, bottom)
            out[k] += value * max(0.0, overlap) / (high - low)
    return out


@given(
    st.lists(st.floats(0, 1e6), min_size=1, max_size=30),
    st.integers(20_000, 20_060),
    st.sampled_from([0.7, 5.0, 11.0, 400.0]),
    st.integers(0, 40),
)
def test_projection_equals_the_slow_twin(values, first_bucket, row_usd, n_rows):
    first_row = int(math.exp(20_030 * BUCKET_LOG) / row_usd) - n_rows // 2
    got = project_rows(np.array(values), first_bucket, row_usd, first_row, n_rows)
    np.testing.assert_allclose(
        got, naive_rows(values, first_bucket, row_usd, first_row, n_rows), rtol=1e-7, atol=1e-3
    )


@given(st.lists(st.floats(0, 1e9), min_size=3, max_size=50), st.sampled_from([1.0, 50.0, 1e5]))
def test_projection_conserves_what_lies_inside(values, row_usd):
    array = np.array([values, values[::-1]])
    out = project_rows(array, 23_000, row_usd, 0, math.ceil(1.05e5 / row_usd))
    np.testing.assert_allclose(out.sum(axis=1), array.sum(axis=1), rtol=1e-9, atol=1e-9)


def test_missing_amounts_stay_missing_where_they_lie():
    values = np.array([1.0, math.nan, 2.0])
    out = project_rows(values, 23_000, 10.0, 0, 12_000)
    assert np.isnan(out).any()
    assert np.nansum(out) > 0


def test_impossible_rows_are_refused():
    with pytest.raises(RequestError, match="display rows"):
        project_rows(np.ones(3), 0, 0.0, 0, 10)


@pytest.mark.parametrize("mark_usd", [96_000.0, 3_400.0, 180.0, 0.18, 0.7])
def test_buckets_near_the_mark_are_equal_in_basis_points_on_every_asset(mark_usd) -> None:
    buckets = np.arange(bucket_of(mark_usd * 0.9), bucket_of(mark_usd * 1.1))
    low, high = bucket_edge_usd(buckets), bucket_edge_usd(buckets + 1)
    width_bps = (high / low - 1.0) * 1e4
    assert width_bps.max() <= 5.01
    assert width_bps.max() / width_bps.min() < 1.1
