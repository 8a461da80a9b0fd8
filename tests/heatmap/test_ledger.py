from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultline.errors import RequestError, StoreError
from faultline.heatmap.grid import bucket_of, project_rows
from faultline.heatmap.ledger import PATH_BAR, Ledger, LedgerParameters

sys.path.insert(0, str(Path(__file__).parent))
from naive import NaiveLedger

SECOND = 1_000_000_000
SMALL = LedgerParameters(leverages=(3.0, 10.0, 50.0, 125.0, 190.0), dispersion_nodes=5)


def dense(twin, n_leverages):
    out = np.zeros((2, twin.n_buckets, n_leverages))
    for (side, bucket, k), units in twin.standing().items():
        out[side, bucket - twin.first, k] = units
    return out


def standing(ledger):
    unit = np.eye(ledger.n_leverages)
    return np.stack([ledger.profile(row)[0] for row in unit], axis=-1)


def check_equal(ledger, twin):
    assert ledger.first_bucket == twin.first
    np.testing.assert_allclose(standing(ledger), dense(twin, ledger.n_leverages), rtol=2e-4, atol=1e-5)
    book = ledger.accounts()
    for name in ("deposited", "decayed", "swept", "skipped"):
        want = np.array([[getattr(twin, name)[s, k] for k in range(ledger.n_leverages)] for s in (0, 1)])
        np.testing.assert_allclose(book[name][0], want, rtol=1e-4, atol=1e-4, err_msg=name)


prices = st.floats(90.0, 112.0)
amounts = st.one_of(st.just(0.0), st.floats(0.1, 50.0))
steps = st.lists(
    st.tuples(
        st.sampled_from(["decay", "deposit", "passed", "sweep"]),
        prices,
        st.one_of(st.floats(0.0, 0.01), st.floats(0.0, 0.2)),
        amounts,
        amounts,
    ),
    max_size=25,
)


@given(steps)
def test_any_sequence_of_steps_equals_the_slow_twin(sequence):
    ledger, twin = Ledger([SMALL], n_buckets=1024), NaiveLedger(SMALL, n_buckets=1024)
    for kind, price, size, long, short in sequence:
        low, high = price * (1 - size), price * (1 + size)
        if kind == "decay":
            ledger.decay_to(ledger.clock_ns + int(size * 3e13))
            twin.decay_to(twin.clock + int(size * 3e13))
        elif kind == "deposit":
            ledger.deposit([price], long, short)
            twin.deposit(price, long, short)
        elif kind == "passed":
            ledger.deposit([price], long, short, low, high)
            twin.deposit(price, long, short, low, high)
        else:
            swept = ledger.sweep(low, high)
            want = twin.sweep(low, high)
            got = {}
            for i in range(len(swept.bucket)):
                for k in range(ledger.n_leverages):
                    if swept.exposure[0, i, k] > 0:
                        got[int(swept.side[i]), int(swept.bucket[i]), k] = swept.exposure[0, i, k]
            for key in set(got) | set(want):
                assert got.get(key, 0.0) == pytest.approx(want.get(key, 0.0), rel=3e-4, abs=1e-5)
    check_equal(ledger, twin)


def walk(n, seed=1, step=0.0008, period_s=7):
    rng = np.random.default_rng(seed)
    bars = np.zeros(n, dtype=PATH_BAR)
    close = 50_000 * np.exp(np.cumsum(rng.normal(0, step, n)))
    spread = np.abs(rng.normal(0, step / 2, (2, n)))
    before = np.concatenate([close[:1], close[:-1]])
    bars["end_ns"] = 1_700_000_000 * SECOND + (np.arange(n) + 1) * period_s * SECOND
    bars["start_ns"] = bars["end_ns"] - period_s * SECOND
    bars["low_usd"] = np.minimum(before, close) * (1 - spread[0])
    bars["high_usd"] = np.maximum(before, close) * (1 + spread[1])
    bars["close_usd"] = close
    bars["units_long"], bars["units_short"] = rng.uniform(0, 3, (2, n))
    return bars


ROWS = {"first_row": 1800, "n_rows": 400, "row_usd": 25.0}


def test_bars_with_missing_and_impossible_values_equal_the_slow_twin():
    bars = walk(400, step=0.002)
    rng = np.random.default_rng(2)
    for name in ("low_usd", "high_usd", "close_usd", "units_long", "units_short"):
        bars[name][rng.random(400) < 0.05] = np.nan
        bars[name][rng.random(400) < 0.03] = np.inf
    ledger, twin = Ledger([SMALL]), NaiveLedger(SMALL)
    ledger.advance(bars, np.ones(5), [], **ROWS)
    for bar in bars.tolist():
        _, end, low, high, close, long, short = bar
        twin.decay_to(end)
        if all(math.isfinite(v) and v > 0 for v in (low, high)) and low <= high:
            twin.sweep(low, high)
        twin.deposit(close, long, short)
    check_equal(ledger, twin)
    assert ledger.rejected > 0


@pytest.mark.parametrize("units", [0.0, 4.0])
def test_a_constant_price_sweeps_nothing(units):
    bars = walk(50)
    for name in ("low_usd", "high_usd", "close_usd"):
        bars[name] = 50_000.0
    bars["units_long"] = bars["units_short"] = units
    ledger = Ledger([LedgerParameters()])
    ledger.advance(bars, np.ones(15), [], **ROWS)
    book = ledger.accounts()
    assert not book["swept"].any()
    assert book["deposited"].sum() == pytest.approx(2 * 15 * 50 * units)


def test_no_bars_change_nothing():
    ledger = Ledger([SMALL])
    before = ledger.sha256()
    columns, totals = ledger.advance(np.zeros(0, dtype=PATH_BAR), np.ones(5), [0], **ROWS)
    assert ledger.sha256() == before
    assert columns.shape == (1, 2, 400)
    assert not columns.any()
    assert not totals.any()


def test_bars_in_one_call_in_pieces_and_step_by_step_give_the_same_bytes():
    bars = walk(3_000)
    at = np.arange(0, 3_001, 100)
    mix = np.linspace(0.5, 1.5, 5)
    whole = Ledger([SMALL])
    columns, totals = whole.advance(bars, mix, at, **ROWS)
    pieces, cut = Ledger([SMALL]), []
    for begin, end in [(0, 1), (1, 700), (700, 700), (700, 2_900), (2_900, 3_000)]:
        inside = at[(at > begin) & (at <= end)] - begin
        cut.append(pieces.advance(bars[begin:end], mix, inside, **ROWS)[0])
    single = Ledger([SMALL])
    for bar in bars:
        single.decay_to(int(bar["end_ns"]))
        single.sweep(float(bar["low_usd"]), float(bar["high_usd"]))
        single.profile(mix)
        single.exposure(40_000.0, 60_000.0)
        single.deposit([bar["close_usd"]], bar["units_long"], bar["units_short"])
    assert whole.sha256() == pieces.sha256() == single.sha256()
    assert np.concatenate(cut).tobytes() == columns[1:].tobytes()
    np.testing.assert_allclose(totals[-1], single.total(mix))
    inside_rows = project_rows(single.profile(mix)[0], single.first_bucket, 25.0, 1800, 400)
    np.testing.assert_allclose(columns[-1], inside_rows, rtol=1e-5, atol=1e-3)


def test_a_state_goes_on_where_it_was_taken():
    bars = walk(2_000)
    one, mix = Ledger([SMALL]), np.ones(5)
    one.advance(bars[:1_003], mix, [], **ROWS)
    two = Ledger.from_state([SMALL], one.state())
    assert two.sha256() == one.sha256()
    for ledger in (one, two):
        ledger.advance(bars[1_003:], mix, [], **ROWS)
    assert two.sha256() == one.sha256()


def test_a_state_of_another_shape_or_version_is_refused():
    state = Ledger([SMALL]).state()
    with pytest.raises(StoreError, match="rebuild"):
        Ledger.from_state([LedgerParameters()], state)
    with pytest.raises(StoreError, match="version"):
        Ledger.from_state([SMALL], {**state, "version": np.array([99])})
    with pytest.raises(StoreError, match="mass"):
        Ledger.from_state([SMALL], {k: v for k, v in state.items() if k != "mass_long"})


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.floats(0.0002, 0.02))
def test_units_are_conserved(seed, step):
    ledger = Ledger([LedgerParameters()])
    ledger.advance(walk(300, seed=seed, step=step, period_s=601), np.ones(15), [], **ROWS)
    ledger.decay(61)
    book = ledger.accounts()
    parts = book["standing"] + book["decayed"] + book["swept"] + book["skipped"]
    np.testing.assert_allclose(parts, book["deposited"], rtol=2e-5)
    assert min(part.min() for part in book.values()) >= -1e-6
    np.testing.assert_allclose(book["standing"].sum(axis=(0, 2)), ledger.total(np.ones(15)), rtol=1e-5)


@given(st.floats(1e-6, 1e7), st.sampled_from(range(15)))
def test_longs_stand_below_the_entry_and_shorts_above(price, k):
    ledger = Ledger([LedgerParameters()])
    ledger.deposit([price], 1.0, 1.0)
    heat = ledger.profile(np.eye(15)[k])[0]
    here = bucket_of(price) - ledger.first_bucket
    assert not heat[0, here + 1 :].any()
    assert not heat[1, :here].any()
    assert heat[0].any()
    assert heat[1].any()


def test_a_level_stands_where_the_margin_is_used_up():
    parameters = LedgerParameters(leverages=(20.0,), dispersion=0.0, margin_buffer_ratio=0.0)
    ledger = Ledger([parameters])
    ledger.deposit([1_000.0], 1.0, 1.0)
    heat = ledger.profile([1.0])[0]
    # 1/20 - 0.4 % = 4.6 % below and above the entry.
    assert ledger.first_bucket + heat[0].argmax() == bucket_of(954.0)
    assert ledger.first_bucket + heat[1].argmax() == bucket_of(1_046.0)


def test_a_bucket_entered_in_part_is_consumed_in_part_and_only_once():
    parameters = LedgerParameters(leverages=(20.0,), dispersion=0.0, hazard_per_hour_at_10x=0.0)
    ledger = Ledger([parameters])
    ledger.deposit([1_000.0], 1.0, 0.0)
    ledger.decay(120)
    edge = math.exp((ledger.first_bucket + int(ledger.profile([1.0])[0, 0].argmax())) * 5e-4)
    deep = edge * math.exp(5e-4 * 0.25)
    assert ledger.sweep(deep, 1_000.0).exposure.sum() == pytest.approx(0.75, abs=1e-3)
    assert ledger.sweep(deep, 1_000.0).exposure.sum() == pytest.approx(0.0, abs=1e-6)
    assert ledger.remaining.min() == pytest.approx(0.25, abs=1e-3)
    assert ledger.sweep(edge, 1_000.0).exposure.sum() == pytest.approx(0.25, abs=1e-3)


def test_new_units_in_a_partly_swept_bucket_move_its_frontier_by_mass():
    parameters = LedgerParameters(leverages=(20.0,), dispersion=0.0, hazard_per_hour_at_10x=0.0)
    ledger = Ledger([parameters])
    ledger.deposit([1_000.0], 1.0, 0.0)
    ledger.decay(120)
    edge = math.exp((ledger.first_bucket + int(ledger.profile([1.0])[0, 0].argmax())) * 5e-4)
    ledger.sweep(edge * math.exp(5e-4 * 0.25), 1_000.0)
    ledger.deposit([1_000.0], 0.75, 0.0)
    ledger.decay(120)
    assert ledger.remaining.min() == pytest.approx((0.25 * 0.25 + 0.75) / 1.0, abs=1e-3)


def test_leverages_without_margin_are_skipped():
    ledger = Ledger([LedgerParameters(maintenance_ratio=0.02)])
    ledger.deposit([1_000.0], 1.0, 1.0)
    ledger.decay(60)
    skipped = ledger.accounts()["skipped"][0].sum(axis=0)
    assert skipped[-4:] == pytest.approx(2.0)
    assert not skipped[4:10].any()


def test_several_hypotheses_equal_one_ledger_each():
    sets = [LedgerParameters(dispersion=0.2), LedgerParameters(maintenance_ratio=0.01)]
    bars = walk(500)
    both = Ledger(sets)
    both.advance(bars, np.ones((2, 15)), [], **ROWS)
    for j, parameters in enumerate(sets):
        alone = Ledger([parameters])
        alone.advance(bars, np.ones(15), [], **ROWS)
        np.testing.assert_allclose(
            both.profile(np.ones(15))[j], alone.profile(np.ones(15))[0], rtol=1e-3, atol=1e-4
        )
        low, high = 45_000.0, 55_000.0
        np.testing.assert_allclose(
            both.exposure(low, high).exposure[j].sum(), alone.exposure(low, high).exposure.sum(), rtol=1e-4
        )


def test_one_hypothesis_takes_less_than_a_megabyte():
    state = Ledger([LedgerParameters()])._arrays
    assert sum(part.nbytes for part in state) <= 1_000_000


def test_impossible_requests_name_what_is_wrong():
    ledger = Ledger([SMALL])
    with pytest.raises(RequestError, match="cannot pass"):
        ledger.decay(-1)
    with pytest.raises(RequestError, match="go back"):
        ledger.decay_to(-5)
    with pytest.raises(RequestError, match="no path covers"):
        ledger.sweep(5.0, 4.0)
    with pytest.raises(RequestError, match="only one end"):
        ledger.deposit([1.0], 1, 1, low_usd=1.0)
    with pytest.raises(RequestError, match="mix"):
        ledger.profile([1.0, 2.0])
    with pytest.raises(RequestError, match="not in the order"):
        ledger.advance(walk(3)[::-1].copy(), np.ones(5), [], **ROWS)
    with pytest.raises(RequestError, match="columns cannot"):
        ledger.advance(walk(3), np.ones(5), [4], **ROWS)
    with pytest.raises(RequestError, match="hypotheses"):
        Ledger([])
    with pytest.raises(ValueError, match="dispersion"):
        LedgerParameters(dispersion=-1.0)


def test_missing_deposits_do_nothing_and_impossible_ones_are_counted():
    ledger = Ledger([SMALL])
    ledger.deposit([math.nan, 100.0], 1.0, math.nan)
    assert ledger.rejected == 0
    ledger.deposit([100.0, -1.0, math.inf], [-1.0, 1.0, 1.0], 1.0)
    assert ledger.rejected == 3
    assert len(ledger.sweep(math.nan, 3.0).bucket) == 0
    assert not ledger.accounts()["deposited"].any()


def test_each_column_is_drawn_with_the_mix_that_is_chosen_for_it():
    bars = np.zeros(3, dtype=PATH_BAR)
    bars["end_ns"] = np.arange(1, 4) * SECOND
    bars["low_usd"] = bars["high_usd"] = bars["close_usd"] = [100.0, 100.5, 101.0]
    bars["units_long"] = bars["units_short"] = 10.0
    mixes = np.array([[[1.0, 0.0, 0.0, 0.0, 0.0]], [[0.0, 0.0, 2.0, 0.0, 1.0]]])
    rows = {"first_row": 100, "n_rows": 200, "row_usd": 0.5}
    at = np.array([1, 2, 3])
    drawn, totals = Ledger([SMALL]).advance(bars, mixes, at, mix_of=[0, 1, 0], **rows)
    for mix, index in ((0, [0, 2]), (1, [1])):
        want, units = Ledger([SMALL]).advance(bars, mixes[mix], at, **rows)
        np.testing.assert_array_equal(drawn[index], want[index])
        np.testing.assert_array_equal(totals[index], units[index])
    assert not np.array_equal(drawn[1], drawn[0])
    with pytest.raises(RequestError, match="choose among 2 mixes"):
        Ledger([SMALL]).advance(bars, mixes, at, mix_of=[0, 2, 0], **rows)
