from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np

from faultline.evaluation.evaluate import DIFFERENCES
from faultline.evaluation.models import MEANINGS, Bench, all_rates, base_rates, burned_windows
from faultline.evaluation.report import POOLED, EvaluationSettings
from faultline.evaluation.windows import build_windows, cells_of
from faultline.units import MINUTE_NS

SPEC = importlib.util.spec_from_file_location("windows_cases", Path(__file__).with_name("test_windows.py"))
CASES = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(CASES)


def bench(change_from=None):
    minutes = 900
    found = CASES.path(minutes=minutes, seed=3)
    if change_from is not None:
        for values in (
            found.low_usd,
            found.high_usd,
            found.close_usd,
            found.coarse_first_usd,
            found.coarse_last_usd,
        ):
            values[change_from * len(values) // minutes :] *= 1.01
    windows = build_windows(found, CASES.NO_GAPS, 5 * MINUTE_NS)
    rng = np.random.default_rng(4)
    times = np.sort(rng.uniform(5, minutes, 800))
    if change_from is not None:
        times = np.concatenate([times[times < change_from], np.full(300, change_from + 1.0)])
    rows = [(t, int(rng.integers(0, 2)), found.close_usd[int(t)], 1e3, 1) for t in times]
    cells = cells_of(windows, CASES.events(rows), 0.004, 1e5)
    return Bench(windows, cells, burned_windows(windows, cells, 2.0), EvaluationSettings(), 0.004)


def test_no_model_looks_ahead():
    early, changed = bench(), bench(change_from=600)
    one, two = all_rates(early, None, None)[0], all_rates(changed, None, None)[0]
    # Cells of a window depend on its own path, so windows before the change must agree to the last bit.
    until = int(early.cells.starts[600 // 5 - 1])
    assert set(one) == set(MEANINGS) - {"levels"}
    for name in one:
        assert np.array_equal(one[name][:until], two[name][:until]), name
        assert not np.array_equal(one[name][until:], two[name][until : len(one[name])]), name


def test_every_rate_is_positive_and_finite():
    rates, _, warnings = all_rates(bench(), None, None)
    for name, values in rates.items():
        assert np.all(np.isfinite(values)), name
        assert np.all(values >= 0), name
    assert warnings == []


def test_b0_is_all_events_so_far_over_all_area_so_far():
    found = bench()
    cells = found.cells
    got = base_rates(cells)
    for k in (1, 7, 40):
        row = slice(int(cells.starts[k]), int(cells.starts[k + 1]))
        before = slice(0, int(cells.starts[k]))
        rate = max(cells.count[before].sum(), 0.5) / cells.covered_ratio[before].sum()
        np.testing.assert_allclose(got[row], rate * cells.covered_ratio[row])


def test_a_map_that_knows_where_events_fall_beats_one_that_does_not():
    found = bench()
    heat = found.cells.count[:, None] + 0.01
    informed = found.fit_fixed(heat, np.ones(1))
    blind = found.fit_fixed(np.random.default_rng(1).permutation(heat), np.ones(1))
    score = lambda rates: float((found.cells.count * np.log(rates) - rates).sum())
    assert score(informed) > score(blind) + 100


def test_reported_names_are_models():
    assert {name for pair in DIFFERENCES for name in pair} <= set(MEANINGS)
    assert set(POOLED) <= set(MEANINGS)


def test_burned_windows_are_recorded_hours():
    found = bench()
    assert burned_windows(found.windows, found.cells, 2.0) == 24
    assert burned_windows(found.windows, found.cells, 1e6) == len(found.cells.window)
