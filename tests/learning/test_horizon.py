from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from faultline.errors import RequestError
from faultline.heatmap.grid import BUCKET_LOG
from faultline.heatmap.ledger import LEVERAGES, Ledger, LedgerParameters
from faultline.learning.horizon import assumed_ranges, inflow_exposure, passage_table

ONE_NODE = LedgerParameters(
    leverages=(20.0, 50.0), maintenance_ratio=0.0, margin_buffer_ratio=0.0, dispersion=0.0
)


def brute_force(levels, steps):
    """The same expectation by listing every walk."""
    table, sums = np.zeros((levels,) * 3), np.zeros(levels)
    for start, moves in itertools.product(range(levels), itertools.product((-1, 0, 1), repeat=steps)):
        path = start + np.concatenate([[0], np.cumsum(moves)])
        if path.min() != 0 or path.max() != levels - 1:
            continue
        weight = math.prod(0.5 if move == 0 else 0.25 for move in moves)
        sums[start] += weight
        for v in range(levels):
            until = np.flatnonzero(path == v)[-1] + 1
            table[start, v] += weight * np.bincount(path[:until], minlength=levels)
    return table / sums[:, None, None] * levels / (steps + 1)


@pytest.mark.parametrize(("levels", "steps"), [(2, 5), (3, 7), (4, 8)])
def test_the_table_equals_the_mean_over_every_walk(levels, steps):
    np.testing.assert_allclose(passage_table(levels, steps), brute_force(levels, steps), rtol=1e-12)


def test_the_table_cannot_be_changed_and_knows_its_limits():
    with pytest.raises(ValueError, match="read-only"):
        passage_table(4, 8)[0, 0, 0] = 1.0
    for levels, steps in ((1, 10), (10, 17)):
        with pytest.raises(RequestError, match="levels"):
            passage_table(levels, steps)


def test_a_ledger_fed_step_by_step_forces_out_what_is_expected():
    """Walks drawn at random, one deposit per step, swept step by step: the mean agrees with the formula."""
    parameters = LedgerParameters(
        leverages=(100.0,),
        maintenance_ratio=0.0,
        margin_buffer_ratio=0.0,
        dispersion=0.0,
        hazard_per_hour_at_10x=0.0,
    )
    rng = np.random.default_rng(7)
    seen, want = np.zeros(8), np.zeros(8)
    for _ in range(150):
        logs = np.cumsum(np.concatenate([[0.0], rng.normal(0.0, 8e-4, 400)])) + 11.0
        low, high = logs.min() / BUCKET_LOG, logs.max() / BUCKET_LOG
        ledger = Ledger([parameters], 1024)
        price, units = np.exp(logs), 1.0 / len(logs)
        found = np.zeros((2, 4))
        for previous, here in itertools.pairwise(price):
            ledger.deposit(previous, units, units)
            swept = ledger.sweep(min(previous, here), max(previous, here))
            share = np.clip((swept.bucket + 0.5 - low) / (high - low) * 4, 0, 3).astype(int)
            np.add.at(found, (swept.side, share), swept.exposure[0, :, 0])
        seen += found.ravel()
        bucket = np.tile(np.arange(math.floor(low), math.floor(high) + 1), 2)
        side = np.repeat(np.array([0, 1], dtype=np.int8), len(bucket) // 2)
        ranges = np.tile([low, high, logs[0] / BUCKET_LOG], (len(bucket), 1))
        expected = inflow_exposure(parameters, side, bucket, ranges, np.ones(len(bucket)))[:, 0]
        share = np.clip((bucket + 0.5 - low) / (high - low) * 4, 0, 3).astype(int)
        want += np.bincount(4 * side + share, expected, 8)
    assert want.sum() == pytest.approx(seen.sum(), rel=0.12)
    np.testing.assert_allclose(want, seen, rtol=0.35, atol=0.02 * seen.sum())


def cells(low, high, opened):
    bucket = np.tile(np.arange(math.floor(low), math.ceil(high)), 2)
    side = np.repeat(np.array([0, 1], dtype=np.int8), len(bucket) // 2)
    return side, bucket, np.tile([low, high, opened], (len(bucket), 1))


def test_nothing_is_forced_out_that_would_have_been_opened_outside_the_range():
    side, bucket, ranges = cells(10_000.0, 10_100.0, 10_050.0)
    out = inflow_exposure(ONE_NODE, side, bucket, ranges, np.ones(len(bucket)))
    # 50x: 2 % are 40.4 buckets down and 39.6 up; 20x: 5 % are 102.6 and 97.6.
    long, short = side == 0, side == 1
    assert np.all(out[long & (bucket > 10_059), 1] == 0)
    assert np.all(out[long & (bucket < 10_059), 1] > 0)
    assert np.all(out[short & (bucket < 10_040), 1] == 0)
    assert np.all(out[short & (bucket > 10_040), 1] > 0)
    assert np.all(out[long, 0] == 0)
    assert np.all(out[short & (bucket < 10_097), 0] == 0)


def test_sides_mirror_each_other():
    wide = LedgerParameters(leverages=LEVERAGES, dispersion=0.2)
    side, bucket, ranges = cells(0.0, 200.0, 60.0)
    _, _, mirrored = cells(0.0, 200.0, 140.0)
    one = inflow_exposure(wide, side, bucket, ranges, np.ones(len(side)))[:200, -1]
    two = inflow_exposure(wide, side, bucket, mirrored, np.ones(len(side)))[200:, -1][::-1]
    np.testing.assert_allclose(one, two, rtol=0.02, atol=1e-4)


def test_units_scale_and_impossible_windows_force_nothing_out():
    side, bucket, ranges = cells(10_000.0, 10_100.0, 10_050.0)
    one = inflow_exposure(ONE_NODE, side, bucket, ranges, np.ones(len(side)))
    np.testing.assert_allclose(
        inflow_exposure(ONE_NODE, side, bucket, ranges, np.full(len(side), 3.0)), 3 * one
    )
    assert 0 < one[:, 1].sum() < 2.0
    for column in range(3):
        gone = ranges.copy()
        gone[:, column] = np.nan
        assert not inflow_exposure(ONE_NODE, side, bucket, gone, np.ones(len(side))).any()
    assert not inflow_exposure(ONE_NODE, side, bucket, ranges[:, [0, 0, 2]], np.ones(len(side))).any()


def test_cells_do_not_depend_on_their_neighbours():
    side, bucket, ranges = cells(10_000.0, 10_100.0, 10_050.0)
    units = np.random.default_rng(1).uniform(0, 2, len(side))
    whole = inflow_exposure(ONE_NODE, side, bucket, ranges, units)
    for part in (slice(0, 7), slice(7, 120), slice(120, 200)):
        piece = inflow_exposure(ONE_NODE, side[part], bucket[part], ranges[part], units[part])
        assert piece.tobytes() == whole[part].tobytes()


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_impossible_units_are_refused(bad):
    side, bucket, ranges = cells(10_000.0, 10_100.0, 10_050.0)
    with pytest.raises(RequestError, match="units"):
        inflow_exposure(ONE_NODE, side, bucket, ranges, np.full(len(side), bad))
    with pytest.raises(RequestError, match="do not fit"):
        inflow_exposure(ONE_NODE, side, bucket, ranges[:, :2], np.ones(len(side)))


def test_an_assumed_range_holds_the_price_and_the_level():
    place = np.array([90.0, 99.0, 100.0, 130.0])
    low, high = assumed_ranges(place, np.full(4, 100.0), np.full(4, 8.0))
    assert low.tolist() == [89.0, 96.0, 96.0, 96.0]
    assert high.tolist() == [104.0, 104.0, 104.0, 131.0]
