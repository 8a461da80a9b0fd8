from __future__ import annotations

import math

import numpy as np
import pytest

from faultline.errors import RequestError, StoreError
from faultline.learning.calibrator.offset import OffsetFilter, OffsetPrior, OffsetSettings
from faultline.units import SECOND_NS, PriceKind

MINUTE_NS = 60 * SECOND_NS


def venue(rng, n=300, outlier_share=0.06):
    """Prints of one venue: sym, anti, noise of 6 bp and gross outliers, nearly all on one side."""
    sym, anti = rng.normal(0.0, 3.0), rng.normal(-20.0, 20.0)
    signs = np.where(rng.random(n) < 0.5, 1.0, -1.0)
    offsets = sym + signs * anti + rng.normal(0.0, 6.0, n)
    gross = rng.random(n) < outlier_share
    offsets[gross] += rng.exponential(200.0, int(gross.sum()))
    times = np.cumsum(rng.exponential(MINUTE_NS, n)).astype(np.int64)
    return sym, anti, signs, offsets, times


def twin(signs, offsets, times, settings, prior):
    """The recursion, event by event, with matrices."""
    mean = np.array([prior.sym_bps, prior.anti_bps])
    cov = np.diag([prior.sym_sd_bps**2, prior.anti_sd_bps**2])
    scale, last, nu = settings.scale_start_bps, None, settings.degrees_of_freedom
    for n, (s, y, t) in enumerate(zip(signs, offsets, times, strict=True)):
        if last is not None:
            hours = min(max((t - last) / 3.6e12, 0.0), settings.longest_pause_h)
            cov = cov + np.eye(2) * settings.drift_bps_per_sqrt_hour**2 * hours
        last = t if last is None else max(last, t)
        h = np.array([1.0, s])
        v = h @ cov @ h
        e = y - h @ mean
        weight = (nu + 1) / (nu + e**2 / (v + scale**2))
        gain = cov @ h / (v + scale**2 / weight)
        mean = mean + gain * e
        cov = cov - np.outer(gain, h @ cov)
        step = max(settings.scale_step_ratio, 2 / (n + 4)) * scale**2 / (v + scale**2)
        above = abs(e) > 0.7406971 * math.sqrt(v + scale**2)
        scale = max(scale * math.exp(step if above else -step), settings.scale_floor_bps)
    return mean, cov, scale


def run(signs, offsets, times, kind=PriceKind.BANKRUPTCY, prior=None):
    found = OffsetFilter({kind: prior} if prior else None)
    found.apply(np.full(len(signs), kind, dtype=np.int64), signs, offsets, times)
    return found


def test_the_filter_is_its_recursion_written_with_matrices():
    _, _, signs, offsets, times = venue(np.random.default_rng(1))
    prior = OffsetPrior(anti_bps=-30.0, anti_sd_bps=15.0)
    found = run(signs, offsets, times, prior=prior)
    mean, cov, scale = twin(signs, offsets, times, OffsetSettings(), prior)
    assert found.mean_bps(PriceKind.BANKRUPTCY) == pytest.approx(mean, abs=1e-9)
    assert found.state()["cov"][PriceKind.BANKRUPTCY] == pytest.approx(cov, abs=1e-9)
    assert found.scale_bps(PriceKind.BANKRUPTCY) == pytest.approx(scale, rel=1e-9)


def test_gross_outliers_on_one_side_cost_it_a_fifth_of_what_they_cost_plain_filters():
    rng = np.random.default_rng(2)
    errors = {"t": [], "average": [], "kalman": []}
    for _ in range(22):
        sym, anti, signs, offsets, times = venue(rng)
        mean = np.array(run(signs, offsets, times).mean_bps(PriceKind.BANKRUPTCY))
        errors["t"] += list(mean - [sym, anti])
        # Exponentially weighted means per side, 0.05 per event.
        sides = {}
        for s, y in zip(signs, offsets, strict=True):
            sides[s] = y if s not in sides else sides[s] + 0.05 * (y - sides[s])
        errors["average"] += [(sides[1] + sides[-1]) / 2 - sym, (sides[1] - sides[-1]) / 2 - anti]
        # The same filter with normal noise of the true size.
        m, P = np.zeros(2), np.diag([25.0, 1600.0])
        for s, y in zip(signs, offsets, strict=True):
            h = np.array([1.0, s])
            K = P @ h / (h @ P @ h + 36.0)
            m, P = m + K * (y - h @ m), P - np.outer(K, h @ P) + np.eye(2) * 0.01
        errors["kalman"] += list(m - [sym, anti])
    rmse = {name: float(np.sqrt(np.mean(np.square(found)))) for name, found in errors.items()}
    print(rmse)
    assert rmse["t"] < 2.5
    assert rmse["average"] > 4 * rmse["t"]
    assert rmse["kalman"] > 4 * rmse["t"]


@pytest.mark.parametrize("outlier_share", [0.0, 0.06])
def test_its_interval_holds_the_truth_in_nine_of_ten_venues(outlier_share):
    rng, inside = np.random.default_rng(3), []
    for _ in range(100):
        _, anti, signs, offsets, times = venue(rng, n=120, outlier_share=outlier_share)
        found = run(signs, offsets, times).anti(PriceKind.BANKRUPTCY)
        inside.append(found.low <= anti <= found.high)
        assert 0.9 < found.data_share < 1.0
    print(np.mean(inside))
    assert np.mean(inside) >= 0.9


def test_kinds_do_not_touch_each_other():
    _, _, signs, offsets, times = venue(np.random.default_rng(4))
    found = run(signs, offsets, times, kind=PriceKind.FILL)
    untouched = found.anti(PriceKind.BANKRUPTCY)
    assert (untouched.value, untouched.n_events) == (0.0, 0.0)
    assert untouched.data_share == pytest.approx(0.0, abs=1e-9)
    assert found.count(PriceKind.FILL) == len(signs)


def test_what_is_not_known_teaches_nothing():
    _, _, signs, offsets, times = venue(np.random.default_rng(5), n=50)
    holes = offsets.copy()
    holes[::2] = np.nan
    with_holes = run(signs, holes, times)
    without = run(signs[1::2], offsets[1::2], times[1::2])
    assert with_holes.mean_bps(PriceKind.BANKRUPTCY) == without.mean_bps(PriceKind.BANKRUPTCY)


@pytest.mark.parametrize("cuts", [[], [1], [100, 101, 250]])
def test_any_cut_of_the_events_gives_the_same_bytes(cuts):
    _, _, signs, offsets, times = venue(np.random.default_rng(6))
    whole = run(signs, offsets, times).state()
    found = OffsetFilter()
    for part in np.split(np.arange(len(signs)), cuts):
        found = OffsetFilter.from_state(found.state())
        kinds = np.full(len(part), PriceKind.BANKRUPTCY, dtype=np.int64)
        found.apply(kinds, signs[part], offsets[part], times[part])
    assert {name: value.tobytes() for name, value in found.state().items()} == {
        name: value.tobytes() for name, value in whole.items()
    }


def test_a_reset_forgets_how_sure_it_was_and_nothing_else():
    _, _, signs, offsets, times = venue(np.random.default_rng(7))
    found = run(signs, offsets, times)
    before = found.mean_bps(PriceKind.BANKRUPTCY)
    found.reset(PriceKind.BANKRUPTCY, anti_shift_bps=10.0)
    assert found.mean_bps(PriceKind.BANKRUPTCY) == (before[0], before[1] + 10.0)
    assert found.anti(PriceKind.BANKRUPTCY).data_share == pytest.approx(0.0, abs=1e-9)


def test_a_kind_that_does_not_exist_and_a_foreign_state_are_refused():
    one = np.ones(1)
    with pytest.raises(RequestError, match="price kinds"):
        OffsetFilter().apply(np.array([9]), one, one, np.ones(1, dtype=np.int64))
    with pytest.raises(StoreError, match="offset filter"):
        OffsetFilter.from_state({"version": np.array([1])})
