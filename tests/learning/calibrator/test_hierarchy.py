from __future__ import annotations

import math

import numpy as np
import pytest

from faultline.errors import RequestError
from faultline.learning.calibrator.calibrator import Calibrator
from faultline.learning.calibrator.hierarchy import CalibratorPrior, class_mean, class_prior
from faultline.learning.calibrator.prints import known_prints
from faultline.learning.calibrator.reporting import unknown_windows
from faultline.messages import Kind, empty_rows
from faultline.units import MINUTE_NS, PriceKind


def test_the_mean_is_that_of_dersimonian_and_laird():
    # Three values with variances 1, 2, 4: Q, tau^2 and the weights worked out by hand.
    values, variances = np.array([0.0, 4.0, 10.0]), np.array([1.0, 2.0, 4.0])
    w = [1.0, 0.5, 0.25]
    fixed = (0.0 + 2.0 + 2.5) / 1.75
    q = 1.0 * fixed**2 + 0.5 * (4 - fixed) ** 2 + 0.25 * (10 - fixed) ** 2
    tau2 = (q - 2) / (1.75 - (1 + 0.25 + 0.0625) / 1.75)
    again = [1 / (1 / x + tau2) for x in w]
    found = class_mean(values, variances, 0.0)
    assert found.between_sd**2 == pytest.approx(tau2)
    assert found.mean == pytest.approx((4 * again[1] + 10 * again[2]) / sum(again))
    assert found.mean_sd == pytest.approx(sum(again) ** -0.5)
    assert found.next_sd == pytest.approx(math.hypot(found.mean_sd, found.between_sd))


def test_venues_that_agree_leave_the_floor_between_venues():
    found = class_mean(np.array([5.0, 5.0, 5.0]), np.array([0.1, 0.1, 0.1]), 3.0)
    assert (found.mean, found.between_sd) == (pytest.approx(5.0), 3.0)
    alone = class_mean(np.array([5.0]), np.array([0.1]), 3.0)
    assert (alone.between_sd, alone.n) == (3.0, 1)


def test_the_spread_of_a_class_is_recovered():
    rng = np.random.default_rng(1)
    found = [class_mean(rng.normal(-40.0, 8.0, 12), np.full(12, 4.0), 1.0).between_sd for _ in range(100)]
    assert np.median(found) == pytest.approx(7.5, abs=1.2)


def venue(rng, anti_bps, share, n=200):
    rows = empty_rows(Kind.LIQUIDATION, n)
    rows["ts_event_ns"] = rows["ts_received_ns"] = np.arange(n) * MINUTE_NS
    rows["side"] = np.where(rng.random(n) < 0.5, 1, -1)
    rows["price_kind"] = PriceKind.BANKRUPTCY
    rows["price_usd"] = 100.0 * np.exp((rows["side"] * anti_bps + rng.normal(0, 1, n)) * 1e-4)
    calibrator = Calibrator("venue:BTCUSDT")
    calibrator.apply_prints(known_prints(rows, np.full(n, 100.0), np.full(n, np.nan)))
    windows = unknown_windows(np.arange(1, n + 1) * MINUTE_NS)
    windows["reported"], windows["expected"] = share * 10.0, 10.0
    calibrator.apply_windows(windows)
    return calibrator.report()


def test_a_class_gives_the_next_venue_its_mean_and_spread_and_nothing_else():
    rng = np.random.default_rng(2)
    reports = [venue(rng, anti, share) for anti, share in ((-38.0, 0.2), (-42.0, 0.3), (-40.0, 0.25))]
    prior = class_prior(reports)
    assert set(prior.offsets) == {PriceKind.BANKRUPTCY}
    offset = prior.offsets[PriceKind.BANKRUPTCY]
    assert offset.anti_bps == pytest.approx(-40.0, abs=0.3)
    assert 3.0 <= offset.anti_sd_bps < 6.0
    assert prior.share_log_mean == pytest.approx(math.log(0.25), abs=0.1)
    assert prior.share_log_sd >= 0.3
    # No venue has told its delay: the default stays.
    assert (prior.delay_s, prior.delay_sd_s) == (CalibratorPrior().delay_s, CalibratorPrior().delay_sd_s)
    assert Calibrator("next:BTCUSDT", prior=prior).share().value == pytest.approx(0.25, abs=0.05)


def test_venues_that_know_nothing_give_no_prior():
    assert class_prior([Calibrator("venue:BTCUSDT").report()]) == CalibratorPrior() or math.isnan(
        class_prior([Calibrator("venue:BTCUSDT").report()]).share_log_mean
    )


def test_a_variance_of_nothing_is_refused():
    with pytest.raises(RequestError, match="no mean"):
        class_mean(np.array([1.0]), np.array([0.0]), 1.0)
