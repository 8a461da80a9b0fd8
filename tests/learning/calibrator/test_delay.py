from __future__ import annotations

import numpy as np
import pytest

from faultline.errors import RequestError, StoreError
from faultline.learning.calibrator.delay import (
    LAGS_S,
    DelayEstimator,
    DelaySettings,
    lag_spreads_bps,
)


def residuals(rng, n, true_s, *, noise_bps=2.0, sigma_bps=1.0, outliers=0.06):
    """Prints at a mark ``true_s`` ago, against the mark at every lag: a random walk of 100 ms with fast stretches."""
    steps = 400 * n
    speed = np.where(np.repeat(rng.random(n) < 0.3, 400), 4.0, 0.5)
    walk = np.cumsum(rng.normal(0.0, sigma_bps, steps) * speed)
    at = np.arange(n) * 400 + 200
    lags = np.arange(len(LAGS_S))
    marks = walk[at[:, None] - lags[None, :]]
    printed = walk[at - round(true_s * 10)] + rng.standard_t(4, n) * noise_bps - 40.0
    printed[rng.random(n) < outliers] += 150.0
    return printed[:, None] - marks, np.abs(marks[:, 0] - marks[:, -1]) / 4.0


def median_twin(values, weights):
    order = sorted(range(len(values)), key=lambda i: values[i])
    below, half = 0.0, sum(weights) / 2
    for i in order:
        below += weights[i]
        if below >= half:
            return values[i]
    raise AssertionError


def test_spreads_are_weighted_median_deviations():
    rng = np.random.default_rng(1)
    values, weights = rng.normal(0, 3, (40, 5)), rng.random(40)
    for column, found in enumerate(lag_spreads_bps(values, weights)):
        centre = median_twin(values[:, column], weights)
        assert found == median_twin(np.abs(values[:, column] - centre), weights)


@pytest.mark.parametrize("true_s", [0.0, 0.3, 1.0, 2.5])
def test_the_delay_is_recovered(true_s):
    found = []
    for seed in range(8):
        estimator = DelayEstimator()
        estimator.push(*residuals(np.random.default_rng(seed), 400, true_s))
        estimator.refresh()
        found.append(estimator.estimate().value)
    assert np.sqrt(np.mean((np.array(found) - true_s) ** 2)) < 0.25


def test_its_interval_holds_the_truth_in_nine_of_ten_cases():
    inside = []
    for seed in range(60):
        rng = np.random.default_rng(100 + seed)
        true_s = float(np.round(rng.uniform(0.0, 2.0), 1))
        estimator = DelayEstimator()
        estimator.push(*residuals(rng, 150, true_s))
        estimator.refresh()
        found = estimator.estimate()
        inside.append(found.low - 0.05 <= true_s <= found.high + 0.05)
        assert found.low <= found.value <= found.high
    print(np.mean(inside))
    assert np.mean(inside) >= 0.9


def test_where_the_mark_stands_still_the_prior_remains():
    estimator = DelayEstimator(DelaySettings(prior_s=0.8))
    rng = np.random.default_rng(2)
    estimator.push(rng.normal(0.0, 2.0, (300, 1)) + np.zeros((300, 41)), np.zeros(300))
    estimator.refresh()
    found = estimator.estimate()
    assert (found.value, found.data_share) == (pytest.approx(0.8), 0.0)
    assert found.high - found.low > 1.5


def test_old_events_leave_the_ring():
    estimator = DelayEstimator(DelaySettings(ring_events=256))
    estimator.push(*residuals(np.random.default_rng(3), 256, 2.5))
    estimator.push(*residuals(np.random.default_rng(4), 256, 0.5))
    estimator.refresh()
    assert abs(estimator.estimate().value - 0.5) < 0.3


def test_any_cut_gives_the_same_bytes_and_unknown_rows_are_passed_over():
    values, speeds = residuals(np.random.default_rng(5), 700, 1.0)
    values[::7, 3] = np.nan
    whole, found = DelayEstimator(), DelayEstimator()
    whole.push(values, speeds)
    for part in np.split(np.arange(700), [1, 300, 301, 650]):
        found = DelayEstimator.from_state(found.state())
        found.push(values[part], speeds[part])
    for estimator in (whole, found):
        estimator.refresh()
    assert {k: v.tobytes() for k, v in found.state().items()} == {
        k: v.tobytes() for k, v in whole.state().items()
    }


def test_other_lags_and_foreign_states_are_refused():
    with pytest.raises(RequestError, match="41 lags"):
        DelayEstimator().push(np.zeros((3, 40)), np.zeros(3))
    state = DelayEstimator().state()
    with pytest.raises(StoreError, match="delay estimator"):
        DelayEstimator.from_state(state | {"n_pushed": np.array([7])})
