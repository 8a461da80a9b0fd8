from __future__ import annotations

import math

import numpy as np
import pytest

from faultline.errors import RequestError, StoreError
from faultline.learning.calibrator.ratio import DecayedRatio
from faultline.learning.calibrator.reporting import (
    ReportingFraction,
    ReportingSettings,
    ReportingSource,
    SourceShare,
    combine_shares,
    throttled_share,
    unknown_windows,
)
from faultline.units import HOUR_NS


def windows(rng, n, share, *, bias_sd=0.3):
    """Hours in which ``share`` of all liquidations is reported; each source is off by a factor of its own."""
    rows = unknown_windows(np.arange(1, n + 1) * HOUR_NS)
    off = np.exp(rng.normal(0.0, bias_sd, 2))
    forced_usd = rng.lognormal(11.0, 1.5, n)
    rows["reported_usd"] = forced_usd * share * np.exp(rng.normal(0.0, 0.3, n))
    rows["reported"] = rows["reported_usd"]
    rows["expected"] = forced_usd * off[0] * np.exp(rng.normal(0.0, 0.5, n))
    rows["anchor_usd"] = forced_usd * off[1] * np.exp(rng.normal(0.0, 0.6, n))
    return rows


def test_a_ratio_is_that_of_faded_sums_and_its_variance_that_of_the_windows():
    rng = np.random.default_rng(1)
    y, x, fade = rng.lognormal(0, 1, 50), rng.lognormal(0, 1, 50), 0.97
    ratio = DecayedRatio()
    for a, b in zip(y, x, strict=True):
        ratio.add(float(a), float(b), fade)
    weights = fade ** np.arange(49, -1, -1)
    r = (weights @ y) / (weights @ x)
    variance = (weights**2 @ (y - r * x) ** 2) / (weights @ y) ** 2
    assert ratio.log_ratio() == pytest.approx((math.log(r), variance), rel=1e-9)


def test_a_ratio_with_too_little_behind_it_says_nothing():
    ratio = DecayedRatio(fewest_windows=10)
    for _ in range(9):
        ratio.add(1.0, 2.0, 1.0)
    ratio.add(math.nan, 2.0, 1.0)
    assert math.isnan(ratio.log_ratio()[0])
    ratio.add(1.0, 2.0, 1.0)
    assert ratio.log_ratio()[0] == pytest.approx(math.log(0.5))


def test_the_interval_holds_the_true_share_in_nine_of_ten_worlds():
    inside, widths = [], []
    for seed in range(120):
        rng = np.random.default_rng(seed)
        share = float(np.exp(rng.uniform(math.log(0.08), math.log(0.95))))
        fraction = ReportingFraction()
        fraction.apply(windows(rng, 300, share))
        found = fraction.estimate()
        inside.append(found.low <= share <= found.high)
        widths.append(math.log(found.high / found.low))
        assert 0.0 < found.low <= found.value <= found.high <= 1.0
        assert {source.source for source in fraction.sources()} == {
            ReportingSource.IMPLIED,
            ReportingSource.ANCHOR,
        }
    assert np.mean(inside) >= 0.9
    assert np.median(widths) < 1.2


def test_a_wrong_source_widens_the_interval():
    agreeing = [SourceShare(source, -1.0, 0.09, 50.0) for source in ReportingSource]
    odd = [*agreeing[:2], SourceShare(ReportingSource.ANCHOR, 1.0, 0.09, 50.0)]
    narrow, wide = combine_shares(agreeing), combine_shares(odd)
    assert math.log(wide.high / wide.low) > 1.5 * math.log(narrow.high / narrow.low)


def test_a_share_never_exceeds_one_and_never_becomes_a_point():
    found = combine_shares([SourceShare(ReportingSource.IMPLIED, 1.5, 0.09, 50.0)])
    assert found.low < found.value < found.high <= 1.0
    assert found.high / found.low > 1.1


def test_without_any_source_everything_is_possible():
    found = ReportingFraction().estimate()
    assert math.isnan(found.value)
    assert (found.low, found.high, found.data_share) == (0.0, 1.0, 0.0)


def test_the_prior_of_a_class_is_one_source_and_not_data():
    settings = ReportingSettings(prior_log_mean=math.log(0.2), prior_log_sd=0.5)
    fraction = ReportingFraction(settings)
    assert fraction.estimate().data_share == 0.0
    assert fraction.estimate().value == pytest.approx(0.2, rel=1e-3)
    fraction.apply(windows(np.random.default_rng(4), 300, 0.6, bias_sd=0.0))
    assert fraction.estimate().data_share > 0.8
    assert 0.45 < fraction.estimate().value < 0.7


def test_any_cut_gives_the_same_bytes():
    rows = windows(np.random.default_rng(5), 200, 0.3)
    whole, found = ReportingFraction(), ReportingFraction()
    whole.apply(rows)
    for part in np.split(rows, [1, 120]):
        found = ReportingFraction.from_state(found.state())
        found.apply(part)
    assert {k: v.tobytes() for k, v in found.state().items()} == {
        k: v.tobytes() for k, v in whole.state().items()
    }


def test_windows_out_of_order_other_rows_and_foreign_states_are_refused():
    rows = windows(np.random.default_rng(6), 3, 0.3)
    with pytest.raises(RequestError, match="after one that ended"):
        ReportingFraction().apply(rows[::-1])
    with pytest.raises(RequestError, match="windows of type"):
        ReportingFraction().apply(np.zeros(3))
    with pytest.raises(StoreError, match="reporting fraction"):
        ReportingFraction.from_state({})


def test_one_print_per_window_keeps_the_share_of_a_poisson_stream():
    rng = np.random.default_rng(7)
    for rate in (0.1, 1.0, 12.0):
        counts = rng.poisson(rate, 200_000)
        assert throttled_share(rate, 1.0) == pytest.approx((counts > 0).sum() / counts.sum(), rel=0.01)
    assert throttled_share(0.0, 1.0) == 1.0
    assert throttled_share(np.array([0.0, 1.0]), 2.0) == pytest.approx([1.0, (1 - math.exp(-2)) / 2])
    with pytest.raises(RequestError, match="throttle"):
        throttled_share(1.0, 0.0)
