"""What is believed about weights, shares, delays and probabilities, each against its slow twin."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from faultline.cascades.delay import DelaySettings, HopDelay
from faultline.cascades.fraction import FractionLiquidated
from faultline.cascades.logistic import LogisticPosterior, normal_draws
from faultline.cascades.recalibration import Recalibration
from faultline.cascades.regression import LinearPosterior
from faultline.errors import RequestError
from faultline.units import DAY_NS, MINUTE_NS


def test_online_logistic_regression_ends_where_the_batch_does():
    rng = np.random.default_rng(1)
    X = np.column_stack([np.ones(1500), rng.standard_normal((1500, 3))])
    y = (rng.random(1500) < expit(X @ [-0.5, 1.0, -2.0, 0.3])).astype(float)
    online = LogisticPosterior(np.zeros(4), np.ones(4), DAY_NS)
    for k in range(0, 1500, 5):
        online.apply(0, X[k : k + 5], y[k : k + 5], np.zeros(5))

    def loss(w):
        z = X @ w
        return np.logaddexp(0, z).sum() - y @ z + 0.5 * w @ w

    batch = minimize(loss, np.zeros(4)).x
    np.testing.assert_allclose(online.mean, batch, atol=0.06)
    p = expit(X @ batch)
    np.testing.assert_allclose(
        online.precision, np.eye(4) + (X * (p * (1 - p))[:, None]).T @ X, rtol=0.1, atol=10
    )


def test_what_is_said_beforehand_is_not_learned_again():
    rng = np.random.default_rng(3)
    known, row = rng.normal(-2.0, 1.5, 3000), rng.standard_normal(3000)
    y = (rng.random(3000) < expit(known + 0.7 * row)).astype(float)
    belief = LogisticPosterior(np.zeros(2), np.ones(2), DAY_NS)
    for k in range(0, 3000, 10):
        part = slice(k, k + 10)
        belief.apply(0, np.column_stack([np.ones(10), row[part]]), y[part], known[part])
    np.testing.assert_allclose(belief.mean, [0.0, 0.7], atol=0.12)


def test_what_is_forgotten_goes_back_to_the_prior():
    belief = LogisticPosterior(np.array([0.3, -0.2]), np.array([1.0, 4.0]), DAY_NS)
    belief.apply(0, np.ones((50, 2)), np.ones(50), np.zeros(50))
    belief.apply(100 * DAY_NS, np.zeros((1, 2)), np.zeros(1), np.zeros(1))
    np.testing.assert_allclose(belief.mean, [0.3, -0.2], atol=1e-9)
    np.testing.assert_allclose(belief.precision, np.diag([1.0, 4.0]), atol=1e-9)


def test_a_weight_added_later_leaves_the_others_alone():
    belief = LogisticPosterior(np.zeros(2), np.ones(2), DAY_NS)
    belief.apply(0, np.array([[1.0, 0.5]]), np.array([1.0]), np.zeros(1))
    mean = belief.mean.copy()
    belief.extend(0.0, 4.0)
    np.testing.assert_array_equal(belief.mean, [*mean, 0.0])
    assert belief.precision[2, 2] == 4.0


def test_linear_regression_is_ridge_regression():
    rng = np.random.default_rng(2)
    X, w = rng.standard_normal((200, 3)), np.array([1.0, -0.5, 0.2])
    y = X @ w + 0.3 * rng.standard_normal(200)
    belief = LinearPosterior(
        mean=np.array([0.1, 0.2, 0.3]),
        precision=np.full(3, 2.0),
        noise_sd=0.5,
        noise_count=4.0,
        half_life_ns=DAY_NS,
    )
    for k in range(0, 200, 7):
        belief.apply(0, X[k : k + 7], y[k : k + 7])
    ridge = np.eye(3) * 2.0 * 0.25
    slow = np.linalg.solve(X.T @ X + ridge, X.T @ y + ridge @ [0.1, 0.2, 0.3])
    np.testing.assert_allclose(belief.mean, slow, rtol=1e-9)
    assert belief.noise_sd == pytest.approx(0.3, abs=0.04)
    belief.apply(300 * DAY_NS, np.zeros((0, 3)), np.zeros(0))
    np.testing.assert_allclose(belief.mean, [0.1, 0.2, 0.3], rtol=1e-9)
    assert belief.noise_sd == pytest.approx(0.5, rel=1e-6)


def test_draws_come_in_pairs_and_do_not_depend_on_how_many_columns_follow():
    few, many = normal_draws(200, 3, 1), normal_draws(200, 9, 1)
    np.testing.assert_array_equal(few, many[:, :3])
    np.testing.assert_allclose(few.mean(axis=0), 0.0, atol=1e-15)
    assert few.std() == pytest.approx(1.0, abs=0.06)


BAND = np.array([0.025, 0.975])


def test_the_share_liquidated_is_recovered_and_uncertain_reports_widen_its_band():
    rng = np.random.default_rng(4)
    sure = FractionLiquidated(100 * DAY_NS, 0.4)
    unsure = FractionLiquidated(100 * DAY_NS, 0.4, reported_log_variance=0.09)
    for _ in range(500):
        heat = 1e7 * math.exp(rng.standard_normal())
        share = rng.beta(3, 7)
        for one in (sure, unsure):
            one.apply(0, share * heat * 0.4, heat)
    assert sure.mean == unsure.mean == pytest.approx(0.3, abs=0.02)
    width = [float(np.diff(one.quantiles(BAND))[0]) for one in (sure, unsure)]
    assert width[1] > 3 * width[0]


@pytest.mark.parametrize("share", [0.003, 0.03, 0.5])
def test_the_share_is_right_in_order_of_magnitude_from_the_first_blocks_on(share):
    low, high = FractionLiquidated(DAY_NS).quantiles(BAND)
    assert low < share / 10
    assert high > 0.2
    rng = np.random.default_rng(6)
    held = 0
    for _ in range(100):
        belief = FractionLiquidated(100 * DAY_NS)
        for _ in range(8):
            # Most of what is liquidated comes in bursts.
            heat = 1e8 * math.exp(rng.standard_normal())
            belief.apply(0, share * heat * rng.gamma(0.5, 2.0), heat)
        low, high = belief.quantiles(BAND)
        held += low <= share <= high
        assert share / 10 < belief.mean < max(share * 10, 0.06)
    assert held >= 85


def test_the_band_holds_the_share_as_often_as_it_says():
    rng = np.random.default_rng(7)
    held = []
    for _ in range(300):
        belief = FractionLiquidated(100 * DAY_NS)
        for _ in range(48):
            heat = 1e8 * math.exp(rng.standard_normal())
            belief.apply(0, 0.02 * heat * rng.gamma(0.5, 2.0), heat)
        low, high = belief.quantiles(BAND)
        held.append(low <= 0.02 <= high)
    assert 0.88 <= np.mean(held) <= 0.99


def test_blocks_during_deleveraging_are_left_out_and_more_than_all_is_all():
    belief = FractionLiquidated(DAY_NS)
    before = belief.mean
    belief.apply(0, 0.0, 1e6, deleveraging=True)
    assert (belief.mean, belief.censored) == (before, 1)
    for _ in range(50):
        belief.apply(0, 5e6, 1e6)
    assert belief.mean == 1.0
    assert (belief.quantiles(BAND) <= 1.0).all()
    again = FractionLiquidated(DAY_NS)
    again.restore(belief.state())
    assert again.state()["sums"].tobytes() == belief.state()["sums"].tobytes()
    assert again.censored == 1


@pytest.mark.parametrize(("seen", "heat"), [(-1, 1), (1, 0), (math.nan, 1), (1, math.inf)])
def test_an_impossible_share_is_refused(seen, heat):
    with pytest.raises(RequestError, match="no share"):
        FractionLiquidated(DAY_NS).apply(0, seen, heat)


def test_censored_delays_are_recovered():
    rng = np.random.default_rng(5)
    naive, right = HopDelay(), HopDelay()
    tau = 600.0
    for _ in range(4000):
        delay = math.exp(math.log(300.0) + 1.2 * rng.standard_normal())
        if delay <= tau:
            right.apply(0, delay)
            naive.apply(0, delay)
        else:
            right.apply_unseen(0, tau)
    assert right.log_mean == pytest.approx(math.log(300.0), abs=0.06)
    assert right.log_sd == pytest.approx(1.2, abs=0.08)
    assert naive.log_mean < math.log(300.0) - 0.4


def test_hops_that_never_come_do_not_stretch_the_delay():
    rng = np.random.default_rng(6)
    belief = HopDelay()
    tau, chance = 900.0, 0.4
    for _ in range(6000):
        comes = rng.random() < chance
        delay = math.exp(math.log(200.0) + 0.8 * rng.standard_normal())
        if comes and delay <= tau:
            belief.apply(0, delay)
        else:
            belief.apply_unseen(0, tau, chance=chance * 0.97)
    assert belief.log_mean == pytest.approx(math.log(200.0), abs=0.1)
    assert belief.log_sd == pytest.approx(0.8, abs=0.1)


def test_the_time_given_to_a_hop_is_its_slowest_twentieth_within_limits():
    belief = HopDelay(DelaySettings(tau_min_ns=MINUTE_NS))
    for _ in range(2000):
        belief.apply(0, 100.0)
        belief.apply(0, 200.0)
    tau_s = belief.tau_ns() / 1e9
    assert tau_s == pytest.approx(float(belief.quantiles_s(np.array([0.95]))[0]), rel=1e-9)
    assert 200.0 < tau_s < 300.0
    slow = HopDelay()
    for _ in range(500):
        slow.apply(0, 1e6)
    assert slow.tau_ns() == slow.settings.tau_max_ns


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_an_impossible_delay_is_refused(bad):
    with pytest.raises(RequestError, match="cannot take"):
        HopDelay().apply(0, bad)
    with pytest.raises(RequestError, match="cannot take"):
        HopDelay().apply_unseen(0, bad)


def test_recalibration_repairs_probabilities_that_say_too_much():
    rng = np.random.default_rng(7)
    scaling = Recalibration(100 * DAY_NS)
    for _ in range(1500):
        true = np.cumprod(rng.uniform(0.4, 0.95, 6))
        y = (rng.random() < true).astype(float)
        scaling.apply(0, expit(1.8 * np.log(true / (1 - true)) + 0.7), y)
    true = np.array([0.8, 0.5, 0.2])
    said = expit(1.8 * np.log(true / (1 - true)) + 0.7)
    np.testing.assert_allclose(scaling.map(said), true, atol=0.05)


def test_recalibrated_chains_never_rise_with_depth_and_start_unchanged():
    scaling = Recalibration(DAY_NS)
    p = np.array([0.9, 0.9, 0.4, 0.1])
    np.testing.assert_allclose(scaling.map(p), p, rtol=1e-9)
    for _ in range(50):
        scaling.apply(0, p, np.array([0.0, 1.0, 1.0, 1.0]))
    assert (np.diff(scaling.map(p)) <= 0).all()


def test_one_chain_that_nobody_expected_does_not_scale_all_others():
    scaling = Recalibration(DAY_NS)
    scaling.apply(0, np.array([1e-3, 1e-6, 1e-9, 1e-13]), np.array([1.0, 1.0, 1.0, 0.0]))
    p = np.array([0.3, 0.1, 0.01])
    np.testing.assert_allclose(scaling.map(p), p, rtol=0.5)
    far = np.array([1e-6, 1e-9])
    assert scaling.map(far)[1] / scaling.map(far)[0] == pytest.approx(1e-3, rel=0.02)
