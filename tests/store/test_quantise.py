from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultline.store.quantise import (
    DEAD_BAND_CODES,
    RUNG_CODES,
    CodeRange,
    code_values_usd,
    quantise,
    shift_codes,
)

RANGE = CodeRange(12)
ERROR_MAX = 0.05


def naive_codes(usd, code_range, previous=None):
    """Slow twin: logarithm per cell, then the dead band."""
    values = code_values_usd(code_range)
    before = np.zeros(usd.shape[1], np.int64) if previous is None else previous.astype(np.int64)
    out = np.zeros(usd.shape, np.uint8)
    for t, column in enumerate(usd.astype(np.float64)):
        for p, value in enumerate(column):
            code = 0
            if np.isfinite(value) and value >= code_range.vmin_usd / 2:
                code = int(
                    np.clip(np.rint(np.log(value / values[1]) / np.log(values[2] / values[1])) + 1, 1, 255)
                )
            if code and before[p] and abs(code - before[p]) <= DEAD_BAND_CODES:
                code = int(before[p])
            before[p] = code
            out[t, p] = code
    return out


def market_like(rng, n_columns=60, n_rows=40):
    level = np.exp(np.cumsum(rng.normal(0, 0.03, (n_columns, n_rows)), axis=0)) * rng.lognormal(
        10.5, 1.2, n_rows
    )
    level[rng.random((n_columns, n_rows)) < 0.05] = 0.0
    return level.astype(np.float32)


@pytest.mark.parametrize("seed", range(3))
def test_codes_agree_with_a_logarithm_per_cell_up_to_table_rounding(seed):
    usd = market_like(np.random.default_rng(seed))
    codes, n_bad = quantise(usd, RANGE)
    naive = naive_codes(usd, RANGE)
    assert n_bad == 0
    assert np.array_equal(codes == 0, naive == 0)
    # A value within 0.05 % of the border of two codes may land on either side, and the dead band then keeps it.
    assert np.mean(codes != naive) < 0.03
    assert np.max(np.abs(codes.astype(int) - naive.astype(int))) <= 2


@pytest.mark.parametrize("seed", range(4))
def test_shown_value_is_within_five_percent_of_the_true_one_inside_the_range(seed):
    usd = market_like(np.random.default_rng(100 + seed), n_columns=300)
    codes, _ = quantise(usd, RANGE)
    inside = (usd >= RANGE.vmin_usd) & (usd <= RANGE.vmax_usd)
    shown = code_values_usd(RANGE)[codes]
    assert inside.mean() > 0.5
    assert np.abs(shown[inside] / usd[inside] - 1).max() <= ERROR_MAX


@given(st.floats(948.0, 2_994_000.0, width=32), st.integers(1, 255))
def test_error_bound_holds_for_any_value_and_any_previous_code(value, previous):
    codes, _ = quantise(np.array([[value]], np.float32), RANGE, np.array([previous], np.uint8))
    shown = code_values_usd(RANGE)[codes[0, 0]]
    assert abs(shown / value - 1) <= ERROR_MAX


def test_appearing_and_disappearing_always_pass():
    usd = np.array([[0, 2e4, 2e4], [RANGE.vmin_usd, 0, 2.05e4], [0, RANGE.vmin_usd, 2e4]], np.float32)
    codes, _ = quantise(usd, RANGE)
    assert (codes[:, 0] > 0).tolist() == [False, True, False]
    assert (codes[:, 1] > 0).tolist() == [True, False, True]
    assert len(set(codes[:, 2].tolist())) == 1


def test_nan_is_nothing_and_negative_or_infinite_cells_are_counted():
    usd = np.array([[np.nan, -1.0, np.inf, -np.inf, -0.0, 0.0, 1e30, 1e-30]], np.float32)
    codes, n_bad = quantise(usd, RANGE)
    assert codes.tolist() == [[0, 0, 0, 0, 0, 0, 255, 0]]
    assert n_bad == 3


def test_empty_and_constant_input():
    assert quantise(np.zeros((0, 7), np.float32), RANGE)[0].shape == (0, 7)
    codes, _ = quantise(np.full((5, 3), 1e4, np.float32), RANGE)
    assert np.unique(codes).size == 1


def test_a_range_that_moves_by_rungs_shifts_codes_without_changing_values():
    codes = np.arange(256, dtype=np.uint8)
    higher = CodeRange(RANGE.rung + 2)
    there = shift_codes(codes, RANGE, higher)
    kept = codes > 2 * RUNG_CODES
    assert np.allclose(code_values_usd(higher)[there[kept]], code_values_usd(RANGE)[codes[kept]], rtol=1e-9)
    back = shift_codes(there, higher, RANGE)
    assert np.array_equal(back[kept], codes[kept])


def test_a_higher_range_drops_what_is_below_half_of_its_lower_end():
    higher = CodeRange(RANGE.rung + 2)
    values = code_values_usd(RANGE)
    there = shift_codes(np.arange(256, dtype=np.uint8), RANGE, higher)
    assert np.all(there[values < higher.vmin_usd * 0.495] == 0)
    assert np.all(there[(values > higher.vmin_usd * 0.505)] > 0)


@pytest.mark.parametrize("value", [0.5, 1.0, 949.0, 5e8])
def test_ranges_contain_the_value_they_are_chosen_for(value):
    assert CodeRange.above(value).vmax_usd >= value * (1 - 1e-9)
    assert CodeRange.below(value).vmin_usd <= value * (1 + 1e-9)
    assert CodeRange(CodeRange.above(value).rung - 1).vmax_usd < value
    assert CodeRange(CodeRange.below(value).rung + 1).vmin_usd > value
