from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faultline.errors import RequestError, StoreError
from faultline.learning.newton import NewtonSettings, RateFilter, filter_rates


def naive(starts, exposure, counts, hours, prior, s):
    x, precision0 = prior.copy(), np.eye(len(prior)) * s.prior_precision
    precision, rates, thetas = precision0.copy(), np.zeros(len(counts)), []
    for w in range(len(starts) - 1):
        rows = slice(starts[w], starts[w + 1])
        theta = np.exp(x)
        thetas.append(theta)
        rates[rows] = exposure[rows] @ theta
        if np.isnan(counts[rows]).any():
            continue
        r = exposure[rows] * theta / np.where(rates[rows] > 0, rates[rows], 1)[:, None]
        n = np.where(rates[rows] > 0, counts[rows], 0)
        expected = theta * exposure[rows].sum(axis=0)
        fade = 0.5 ** (hours[w] / s.half_life_h)
        information = s.temper * (np.einsum("c,ck,cm->km", n, r, r) + s.damping * np.diag(expected))
        precision = fade * precision + (1 - fade) * precision0 + information
        gradient = s.temper * (n @ r - expected) + (1 - fade) * precision0 @ (prior - x)
        x = x + np.clip(np.linalg.solve(precision, gradient), -s.step_limit, s.step_limit)
    return rates, np.array(thetas)


def world(seed, windows=40, columns=4, empty=False):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(0 if empty else 1, 6, windows)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    exposure = rng.exponential(1.0, (starts[-1], columns)) * (rng.random((starts[-1], columns)) < 0.6)
    counts = rng.poisson(exposure @ rng.uniform(0.1, 3, columns)).astype(float)
    return starts, exposure, counts, rng.uniform(0.05, 0.5, windows)


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.booleans(), st.floats(0.1, 1.0), st.floats(1.0, 100.0))
def test_the_filter_equals_its_slow_twin(seed, empty, temper, half_life):
    starts, exposure, counts, hours = world(seed, empty=empty)
    chosen = NewtonSettings(temper=temper, half_life_h=half_life)
    fit = filter_rates(starts, exposure, counts, hours, np.zeros(4), chosen)
    rates, theta = naive(starts, exposure, counts, hours, np.zeros(4), chosen)
    np.testing.assert_allclose(fit.rates, rates, rtol=1e-8)
    np.testing.assert_allclose(fit.theta, theta, rtol=1e-8)


def test_known_rates_are_recovered():
    rng = np.random.default_rng(5)
    truth = np.array([0.3, 2.0, 5.0])
    starts = np.arange(0, 4_001, 2)
    exposure = rng.exponential(1.0, (4_000, 3))
    counts = rng.poisson(exposure @ truth).astype(float)
    fit = filter_rates(
        starts, exposure, counts, np.full(2_000, 0.01), np.zeros(3), NewtonSettings(half_life_h=1e6)
    )
    np.testing.assert_allclose(fit.theta[-1], truth, rtol=0.03, atol=0.1)


def test_a_rate_uses_only_windows_before_its_own():
    starts, exposure, counts, hours = world(3)
    changed = counts.copy()
    changed[starts[30] :] += 7
    one = filter_rates(starts, exposure, counts, hours, np.zeros(4)).rates
    two = filter_rates(starts, exposure, changed, hours, np.zeros(4)).rates
    assert np.array_equal(one[: starts[31]], two[: starts[31]])
    assert not np.array_equal(one[starts[31] :], two[starts[31] :])


def test_what_is_not_observed_drifts_back_to_the_prior():
    starts = np.arange(0, 1_001)
    exposure = np.zeros((1_000, 1))
    exposure[:100] = 1.0
    counts = np.where(np.arange(1_000) < 100, 20.0, 0.0)
    theta = filter_rates(starts, exposure, counts, np.ones(1_000), np.zeros(1)).theta[:, 0]
    assert theta[100] == pytest.approx(20.0, rel=0.1)
    assert 1.0 < theta[-1] < 2.0


def test_windows_without_counts_teach_nothing():
    starts, exposure, counts, hours = world(4)
    counts[:] = np.nan
    fit = filter_rates(starts, exposure, counts, hours, np.zeros(4))
    np.testing.assert_array_equal(fit.theta, np.ones((40, 4)))
    np.testing.assert_allclose(fit.rates, exposure.sum(axis=1))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_impossible_exposures_are_refused(bad):
    starts, exposure, counts, hours = world(4)
    exposure[3, 2] = bad
    with pytest.raises(RequestError, match="exposures"):
        filter_rates(starts, exposure, counts, hours, np.zeros(4))


def test_shapes_that_do_not_fit_are_refused():
    starts, exposure, counts, hours = world(4)
    with pytest.raises(RequestError, match="do not fit"):
        filter_rates(starts, exposure, counts[:-1], hours, np.zeros(4))


@pytest.mark.parametrize("cuts", [[7], [1, 2, 3, 20], list(range(1, 40))])
def test_any_cut_into_calls_gives_the_same_bytes(cuts):
    starts, exposure, counts, hours = world(8)
    whole = filter_rates(starts, exposure, counts, hours, np.zeros(4))
    kept, rates, theta = RateFilter(np.zeros(4)), [], []
    for begin, end in zip([0, *cuts], [*cuts, 40], strict=True):
        cells = slice(starts[begin], starts[end])
        fit = kept.apply(
            starts[begin : end + 1] - starts[begin], exposure[cells], counts[cells], hours[begin:end]
        )
        kept = RateFilter.from_state(kept.state())
        rates.append(fit.rates)
        theta.append(fit.theta)
    np.testing.assert_array_equal(np.concatenate(rates), whole.rates)
    np.testing.assert_array_equal(np.concatenate(theta), whole.theta)


def test_a_foreign_state_is_refused():
    state = RateFilter(np.zeros(3)).state()
    with pytest.raises(StoreError, match="rate filter"):
        RateFilter.from_state({**state, "version": np.array([99])})
    with pytest.raises(StoreError, match="rate filter"):
        RateFilter.from_state({**state, "x": np.zeros(4)})
    with pytest.raises(RequestError, match="finite"):
        RateFilter(np.array([0.0, np.nan]))
