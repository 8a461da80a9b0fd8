"""The static prior takes over from what was learned of a venue's prints where that foretold worse, and gives back."""

from __future__ import annotations

import numpy as np
import pytest
from tests.learning.calibrator.markets import market

from faultline.learning.calibrator.calibrator import Calibrator
from faultline.learning.calibrator.guard import PriorGuard
from faultline.learning.history import Fact
from faultline.units import HOUR_NS, PriceKind


def guard() -> PriorGuard:
    return PriorGuard(threshold_nats=5.0, most_nats=1.5, half_life_h=72.0)


def kinds(found: list[tuple[int, Fact]]) -> list[tuple[int, str]]:
    return [(row, fact.kind) for row, fact in found]


def test_a_run_of_bad_forecasts_makes_the_prior_take_over_until_the_balance_is_even():
    watch = guard()
    times = np.arange(1, 41, dtype=np.int64)
    # However good the past, it is worth five nats; however bad an outcome, it counts one and a half.
    assert watch.apply(np.full(40, 9.0), times) == []
    found = watch.apply(np.full(20, -9.0), times[:20] + 100)
    assert kinds(found) == [(6, "fallback")]
    assert found[0][1] == Fact("fallback", 107, pytest.approx(-5.5), 5.0)
    assert watch.has_fallen_back
    found = watch.apply(np.full(20, 1.0), times[:20] + 200)
    assert kinds(found) == [(9, "restored")]
    assert not watch.has_fallen_back


def test_a_few_outliers_are_no_failure_and_what_is_unknown_counts_nothing():
    watch = guard()
    assert watch.apply(np.array([1.5, -9.0, np.nan, -9.0, -9.0, np.nan, 1.5]), np.arange(1, 8)) == []
    assert not watch.has_fallen_back


def test_the_past_fades():
    watch = guard()
    watch.apply(np.full(3, -1.5), np.arange(1, 4))
    # Half of it is forgotten by then, so that two more are not enough.
    assert watch.apply(np.full(1, -1.5), np.array([3 + 72 * HOUR_NS])) == []
    assert watch.state()["balance"][0] == pytest.approx(-2.25 - 1.5)


def test_any_cut_gives_the_same_bytes():
    gains = np.random.default_rng(1).normal(0.0, 2.0, 400)
    times = np.cumsum(np.random.default_rng(2).integers(-5, 60, 400)) * 10**9 + HOUR_NS
    whole, parts = guard(), guard()
    found = whole.apply(gains, times)
    assert len(found) > 2
    pieces = []
    for first in range(0, 400, 7):
        kept = guard()
        kept.restore(parts.state())
        parts = kept
        cut = slice(first, first + 7)
        pieces += [(first + row, fact) for row, fact in parts.apply(gains[cut], times[cut])]
    assert pieces == found
    assert {key: part.tobytes() for key, part in whole.state().items()} == {
        key: part.tobytes() for key, part in parts.state().items()
    }


def test_a_venue_that_prints_anywhere_is_told_by_the_prior_until_it_is_known_again():
    rows, path = market(1, n_events=900)
    # After a good beginning prints lie 150 basis points to either side in turn, then where they did before.
    wild = slice(300, 360)
    rows["price_usd"][wild] *= np.where(np.arange(60) % 2, 1.015, 0.985)
    calibrator = Calibrator("venue:BTCUSDT")
    found, said, begin = [], [], 0
    for end in rows["ts_received_ns"][[299, 359, 899]].tolist():
        mine = rows[(rows["ts_received_ns"] > begin) & (rows["ts_received_ns"] <= end)]
        bars = path[(path["end_ns"] > begin) & (path["end_ns"] <= end)]
        found += [fact for fact in calibrator.apply(mine, bars, end) if isinstance(fact, Fact)]
        said.append(calibrator.report().offsets[0])
        begin = end
    assert [fact.kind for fact in found] == ["fallback", "restored"]
    before, during, after = said
    assert before.price_kind is PriceKind.BANKRUPTCY
    assert before.anti.data_share > 0.9
    assert (during.anti.value, during.anti.data_share, during.sym.data_share) == (0.0, 0.0, 0.0)
    assert during.anti.low < -70.0 < 70.0 < during.anti.high
    assert after.anti.data_share > 0.5
