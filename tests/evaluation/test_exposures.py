from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from faultline.errors import RequestError
from faultline.evaluation.exposures import (
    Track,
    blur_cells,
    deposit_share,
    expanding_ratio,
    expected_inflow,
    expose,
)
from faultline.evaluation.frozen_map import FrozenMap, expose_frozen, frozen_maps
from faultline.evaluation.windows import build_windows, cells_of
from faultline.heatmap.ledger import Ledger, LedgerParameters
from faultline.units import MINUTE_NS

SPEC = importlib.util.spec_from_file_location("windows_cases", Path(__file__).with_name("test_windows.py"))
CASES = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(CASES)

PARAMETERS = LedgerParameters()


def bench(minutes=600, refresh=5):
    found = CASES.path(minutes=minutes)
    found.close_usd[33] = np.nan
    windows = build_windows(found, CASES.gap(100, 120), refresh * MINUTE_NS)
    return windows, cells_of(windows, CASES.events([(7, 0, 1e3, 1, 1)]), 0.004, 1e5)


def rows_of(cells, w):
    k = int(np.searchsorted(cells.window, w))
    if k == len(cells.window) or cells.window[k] != w:
        return None
    return slice(int(cells.starts[k]), int(cells.starts[k + 1]))


@pytest.mark.parametrize("refresh", [1, 5])
@pytest.mark.parametrize("consumes", [True, False])
def test_the_fast_pass_equals_ledger_calls_window_by_window(refresh, consumes):
    windows, cells = bench(200, refresh)
    deposits = deposit_share(windows)["range"]
    got = expose(windows, cells, [Track(PARAMETERS, deposits, consumes)])[0]
    ledger = Ledger([PARAMETERS])
    for w in range(len(windows.start_ns)):
        ledger.decay_to(int(windows.start_ns[w]))
        low, high = windows.low_usd[w], windows.high_usd[w]
        swept = ledger.sweep(low, high) if consumes else ledger.exposure(low, high)
        row = rows_of(cells, w)
        if row is not None:
            units = {(s, b): e for s, b, e in zip(swept.side, swept.bucket, swept.exposure[0], strict=True)}
            want = np.array([units[s, b] for s, b in zip(cells.side[row], cells.bucket[row], strict=True)])
            np.testing.assert_allclose(got[row], want, rtol=1e-6, atol=1e-12)
        ledger.decay_to(int(windows.start_ns[w]) + windows.refresh_ns)
        closes = windows.minute_close_usd[w]
        known = np.flatnonzero(np.isfinite(closes))
        for k in known:
            later = [j for j in known if j > k]
            lows = [closes[k], *windows.minute_low_usd[w, later]]
            highs = [closes[k], *windows.minute_high_usd[w, later]]
            units = deposits[w] / len(known)
            if units > 0:
                ledger.deposit([closes[k]], units, units, min(lows), max(highs))
    assert got.sum() > 0


def test_a_frozen_ledger_exposes_what_the_ledger_would():
    windows, cells = bench()
    deposits = deposit_share(windows)["range"]
    mix = np.linspace(0.5, 1.5, 15)
    want = expose(windows, cells, [Track(PARAMETERS, deposits)])[0] @ mix
    ledger, maps = Ledger([PARAMETERS]), []
    for w in range(len(windows.start_ns)):
        ledger.decay_to(int(windows.start_ns[w]))
        heat, left = ledger.profile(mix)[0], ledger.remaining
        maps.append((int(windows.start_ns[w]), ledger.first_bucket, heat, left))
        if np.isfinite(windows.low_usd[w]):
            ledger.sweep(float(windows.low_usd[w]), float(windows.high_usd[w]))
        ledger.decay_to(int(windows.start_ns[w]) + windows.refresh_ns)
        closes = windows.minute_close_usd[w]
        known = np.isfinite(closes)
        lows = [
            min([closes[k], *windows.minute_low_usd[w, k + 1 :][known[k + 1 :]]])
            for k in np.flatnonzero(known)
        ]
        highs = [
            max([closes[k], *windows.minute_high_usd[w, k + 1 :][known[k + 1 :]]])
            for k in np.flatnonzero(known)
        ]
        units = deposits[w] / max(known.sum(), 1)
        if units > 0:
            ledger.deposit(closes[known], units, units, lows, highs)
    got = expose_frozen(windows, cells, frozen_maps(maps))[:, 0]
    np.testing.assert_allclose(got, want, rtol=2e-3, atol=1e-4)


def test_a_frozen_map_is_consumed_once_and_replaced_by_the_next():
    windows, cells = bench(60)
    first = int(np.floor(np.log(windows.low_usd[1]) / 5e-4)) - 50
    flat = FrozenMap(int(windows.start_ns[1]), first, np.ones((2, 200)), np.ones((2, 200)))
    again = FrozenMap(int(windows.start_ns[8]), first, 2 * np.ones((2, 200)), np.ones((2, 200)))
    out = expose_frozen(windows, cells, [flat, again])[:, 0]
    first_row = rows_of(cells, 1)
    assert out[first_row].sum() == pytest.approx(2 * cells.covered_ratio[first_row].sum(), rel=0.6)
    total = sum(out[rows_of(cells, w)].sum() for w in range(1, 6))
    assert total <= 2 * 200
    row = rows_of(cells, 8)
    inner = cells.covered_ratio[row] == 1.0
    assert (out[row][inner] == 2.0).all()


def test_before_the_first_map_nothing_is_exposed():
    windows, cells = bench(60)
    late = FrozenMap(int(windows.start_ns[-1]) + 1, 0, np.ones((2, 10)), np.ones((2, 10)))
    assert not expose_frozen(windows, cells, [late]).any()


@pytest.mark.parametrize(
    ("density", "remaining"),
    [
        (np.ones(3), np.ones(3)),
        (np.full((2, 3), np.nan), np.ones((2, 3))),
        (-np.ones((2, 3)), np.ones((2, 3))),
        (np.ones((2, 3)), np.full((2, 3), 1.5)),
    ],
)
def test_what_is_no_map_is_refused(density, remaining):
    with pytest.raises(RequestError, match="no map"):
        frozen_maps([(1, 0, density, remaining)])


def test_the_blur_conserves_each_window_and_side():
    _, cells = bench(200)
    values = np.random.default_rng(1).exponential(1.0, (len(cells.bucket), 2))
    out = blur_cells(cells, values)
    for begin, end in zip(cells.starts[:-1], cells.starts[1:], strict=True):
        middle = (begin + end) // 2
        for part in (slice(begin, middle), slice(middle, end)):
            np.testing.assert_allclose(out[part].sum(axis=0), values[part].sum(axis=0))
    np.testing.assert_array_equal(blur_cells(cells, values, 0.0), values)
    part = slice(cells.starts[3], cells.starts[3] + 3)
    assert np.ptp(out[part, 0]) < np.ptp(values[part, 0])


def test_a_normaliser_knows_only_the_past():
    values = np.array([2.0, np.nan, 4.0, -1.0, 6.0])
    np.testing.assert_allclose(expanding_ratio(values), [1.0, 0.0, 4 / 3, 0.0, 1.5])
    changed = np.append(values, 1e9)
    np.testing.assert_array_equal(expanding_ratio(changed)[:5], expanding_ratio(values))


def test_inflow_adds_what_finer_windows_would_have_seen():
    """Exposures of one-minute windows, summed over an hour, exceed the hour's frozen map by about the inflow."""
    found = CASES.path(minutes=6_000, seed=11)
    hours, minutes = (build_windows(found, CASES.NO_GAPS, n * MINUTE_NS) for n in (60, 1))
    none = CASES.events([(7, 0, 1e3, 1, 1)])
    coarse, fine = cells_of(hours, none, 0.004, 1e5), cells_of(minutes, none, 0.004, 1e5)
    share = deposit_share(hours)["range"]
    spread = np.zeros(len(minutes.start_ns))
    row = (minutes.start_ns - hours.start_ns[0]) // hours.refresh_ns
    inside = (row >= 0) & (row < len(share))
    spread[inside] = share[row[inside]] / 60
    frozen = expose(hours, coarse, [Track(PARAMETERS, share)])[0].sum(axis=0)
    refreshed = expose(minutes, fine, [Track(PARAMETERS, spread)])[0].sum(axis=0)
    seen, assumed = (part.sum(axis=0) for part in expected_inflow(hours, coarse, PARAMETERS))
    high = slice(12, 15)
    assert np.all(refreshed[high] > 1.15 * frozen[high])
    np.testing.assert_allclose(frozen[high] + seen[high], refreshed[high], rtol=0.15)
    np.testing.assert_allclose(assumed[high], seen[high], rtol=0.5)


def test_a_range_assumed_at_issue_uses_nothing_after_it():
    windows, cells = bench(600, 15)
    changed = dataclasses.replace(
        windows, high_usd=windows.high_usd * np.where(np.arange(40) >= 30, 1.001, 1.0)
    )
    one = expected_inflow(windows, cells, PARAMETERS)
    two = expected_inflow(changed, cells, PARAMETERS)
    row = rows_of(cells, 30)
    whole = row.start + np.flatnonzero(cells.covered_ratio[row] == 1.0)[1:]
    assert len(whole) > 5
    np.testing.assert_array_equal(one[1][whole], two[1][whole])
    assert not np.array_equal(one[0][whole], two[0][whole])
