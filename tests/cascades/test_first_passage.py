"""First passage against simulated paths, its uncertainty, its floor, and the volatility that goes in."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import ndtr

from faultline.cascades.first_passage import Volatility, brownian_hit_prob, hit_prob, hit_prob_given
from faultline.cascades.volatility import VolatilityTracker
from faultline.units import DAY_NS, HOUR_NS, MINUTE_NS


def paths(n, steps, sigma, drift, seed):
    rng = np.random.default_rng(seed)
    return np.cumsum(drift / steps + sigma / math.sqrt(steps) * rng.standard_normal((n, steps)), axis=1)


@pytest.mark.parametrize("drift", [-0.5, 0.0, 0.8])
def test_the_formula_is_what_paths_do(drift):
    top = paths(20_000, 400, 1.0, drift, 4).max(axis=1)
    # Looked at only every step, the barrier seems farther away by the monitoring shift.
    shift = 0.5826 / math.sqrt(400)
    for b in (0.3, 1.0, 2.0):
        assert brownian_hit_prob(b + shift, 1.0, drift) == pytest.approx((top >= b).mean(), abs=0.012)


def test_monitoring_now_and_then_moves_the_barrier_out():
    moves = Volatility(variance_per_day=0.03**2)
    shown = hit_prob(np.array([0.005]), HOUR_NS, moves, monitor_s=60.0)[0]
    s = 0.03 * math.sqrt(1 / 24)
    assert shown == pytest.approx(2 * ndtr(-(0.005 + 0.5826 * 0.03 * math.sqrt(60 / 86_400)) / s), rel=1e-9)
    assert shown < hit_prob(np.array([0.005]), HOUR_NS, moves)[0]


def test_an_uncertain_variance_is_averaged_with_its_mean_kept():
    rng = np.random.default_rng(8)
    factor = np.exp(0.6 * rng.standard_normal(200_000) - 0.18)
    for b in (0.002, 0.01, 0.03):
        slow = (2 * ndtr(-b / np.sqrt(0.03**2 / 24 * factor))).mean()
        fast = hit_prob(np.array([b]), HOUR_NS, Volatility(variance_per_day=0.03**2, log_sd=0.6))[0]
        assert fast == pytest.approx(slow, rel=0.12, abs=3e-3)


def test_a_surprise_is_a_variance_that_is_larger_by_so_much():
    moves = Volatility(variance_per_day=0.03**2, log_sd=0.5)
    given = hit_prob_given(np.array([0.01]), HOUR_NS, moves, np.array([[-1.0], [0.0], [2.0]]))
    for surprise, p in zip((-1.0, 0.0, 2.0), given[:, 0], strict=True):
        variance = 0.03**2 / 24 * math.exp(0.5 * surprise - 0.125)
        assert p == pytest.approx(2 * ndtr(-0.01 / math.sqrt(variance)))


def test_jumps_are_a_floor_under_far_barriers():
    calm = Volatility(variance_per_day=0.01**2)
    jumpy = Volatility(variance_per_day=0.01**2, jumps_per_hour=0.1, jump_mean=0.01)
    far = np.array([0.05])
    assert hit_prob(far, HOUR_NS, calm)[0] < 1e-6
    assert hit_prob(far, HOUR_NS, jumpy)[0] == pytest.approx(0.05 * math.exp(-5), rel=0.01)


def test_extremes_stay_probabilities():
    b = np.array([-1.0, 0.0, 1e-15, 1e-9, 0.01, 10.0, np.inf])
    for moves in (
        Volatility(variance_per_day=1e-8),
        Volatility(variance_per_day=4.0, log_sd=1.5, drift_per_day=9.0),
    ):
        p = hit_prob(b, HOUR_NS, moves, monitor_s=1.0)
        assert ((p >= 0) & (p <= 1)).all()
        assert (p[:3] == 1.0).all()
        assert (np.diff(p) <= 1e-12).all()


def closes(n, sigma_day, seed, start=0):
    rng = np.random.default_rng(seed)
    moves = sigma_day * math.sqrt(1 / 1440) * rng.standard_normal(n)
    return start + MINUTE_NS * np.arange(1, n + 1), 50_000.0 * np.exp(np.cumsum(moves))


def test_the_volatility_of_a_steady_path_is_found():
    tracker = VolatilityTracker()
    tracker.apply(*closes(5 * 1440, 0.03, 1, 20_000 * DAY_NS))
    moves = tracker.volatility()
    assert moves.sigma_day == pytest.approx(0.03, rel=0.15)
    assert moves.log_sd < 0.5
    assert moves.jumps_per_hour < 0.05


def test_a_louder_market_is_followed_and_jumps_are_counted():
    tracker = VolatilityTracker()
    at, calm = closes(2 * 1440, 0.02, 1, 20_000 * DAY_NS)
    tracker.apply(at, calm)
    before = tracker.volatility()
    later, loud = closes(120, 0.08, 2, int(at[-1]))
    tracker.apply(later, loud * calm[-1] / 50_000.0)
    assert tracker.volatility().sigma_day > 1.5 * before.sigma_day
    last = float(loud[-1] * calm[-1] / 50_000.0)
    rate = tracker.volatility().jumps_per_hour
    tracker.apply(later[-1:] + MINUTE_NS, np.array([last * 1.2]))
    assert tracker.volatility().jumps_per_hour > rate


def test_unknown_before_two_hours_and_a_gap_teaches_nothing():
    tracker = VolatilityTracker()
    at, price = closes(110, 0.03, 3, 20_000 * DAY_NS)
    tracker.apply(at, price)
    assert tracker.volatility() is None
    tracker.apply(at[-1:] + DAY_NS, price[-1:] * 2.0)
    tracker.apply(at[-1:] + DAY_NS + MINUTE_NS * np.arange(1, 31), np.full(30, price[-1] * 2.0))
    assert tracker.volatility().sigma_day < 0.06


def test_volatility_does_not_depend_on_cuts_or_restarts():
    at, price = closes(1500, 0.03, 5, 20_000 * DAY_NS)
    price[[100, 700]] = np.nan
    whole = VolatilityTracker()
    whole.apply(at, price)
    parts = VolatilityTracker()
    for cut in np.array_split(np.arange(1500), 37):
        parts.apply(at[cut], price[cut])
        parts = VolatilityTracker.from_state(parts.state())
    for key, value in whole.state().items():
        assert value.tobytes() == parts.state()[key].tobytes(), key
