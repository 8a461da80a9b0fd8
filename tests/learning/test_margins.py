"""What the windows of a learner say about a venue's maintenance margin, in markets whose margin is known."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from tests.learning.small_worlds import make_world

from faultline.heatmap.ledger import LedgerParameters
from faultline.learning.bank import Hypothesis, distinct_kernels, star_bank
from faultline.learning.calibrator.margin import MarginBank
from faultline.learning.leverage import LeverageLearner
from faultline.learning.margins import MarginAxis, join_scores

LEVERAGES = (3.0, 5.0, 7.0, 10.0, 15.0, 20.0, 25.0, 33.0, 50.0, 75.0, 100.0)
#: What is assumed: 30 bp of maintenance margin and 10 bp of buffer, hardly any scatter.
KERNEL = LedgerParameters(
    leverages=LEVERAGES,
    maintenance_ratio=0.003,
    margin_buffer_ratio=0.001,
    dispersion=0.05,
    hazard_exponent=0.5,
)
BANK = star_bank(Hypothesis(kernel=KERNEL))


def shares():
    log_leverage = np.log(LEVERAGES)
    mix = np.gradient(log_leverage) * np.exp(-0.5 * ((log_leverage - math.log(40.0)) / 0.9) ** 2)
    return mix / mix.sum()


def market(seed, error_bps, *, steps=26_000, spread=0.05, opens=0.5):
    """Three days in which positions are forced out with a margin that is off by ``error_bps``."""
    return make_world(
        seed,
        LEVERAGES,
        shares(),
        steps=steps,
        sigma=5e-4,
        opens=opens,
        spread=spread,
        margin=0.004 + error_bps * 1e-4,
    )


def scores_of(world, bank=BANK):
    return LeverageLearner(bank=bank).learn(world.bars, world.events).margins


def test_a_known_error_of_the_margin_is_found_in_markets_of_single_positions():
    found = {}
    for error_bps in (-10.0, 0.0, 10.0):
        for seed in (1, 2):
            bank = MarginBank()
            assert bank.apply(scores_of(market(seed, error_bps))) == []
            found.setdefault(error_bps, []).append(bank.correction(0))
    held = [est.low <= error <= est.high for error, ests in found.items() for est in ests]
    assert np.mean(held) >= 0.85
    means = {error: np.mean([est.value for est in ests]) for error, ests in found.items()}
    assert means[-10.0] < -6.0
    assert means[10.0] > 6.0
    assert abs(means[0.0]) < 4.0
    assert min(est.data_share for est in found[0.0]) > 0.4


def test_where_margins_scatter_widely_little_is_learned_and_the_band_says_so():
    kernel = msgspec.structs.replace(KERNEL, dispersion=0.4)
    bank = MarginBank()
    bank.apply(scores_of(market(4, 0.0, spread=0.4), star_bank(Hypothesis(kernel=kernel))))
    found = bank.correction(0)
    assert found.low < 0.0 < found.high
    assert found.high - found.low > 30.0
    assert found.data_share < 0.5


def test_members_that_differ_in_nothing_but_the_margin_are_the_axis():
    groups = distinct_kernels(BANK)[1]
    assert MarginAxis(BANK, groups).corrections_bps.tolist() == [-10.0, 0.0, 10.0]
    bare = star_bank(Hypothesis(kernel=msgspec.structs.replace(KERNEL, margin_buffer_ratio=0.0)))
    assert MarginAxis(bare, distinct_kernels(bare)[1]).corrections_bps.tolist() == [0.0, 10.0]


def test_what_is_said_does_not_depend_on_how_the_tape_is_cut():
    world = market(5, 10.0, steps=3_000)
    whole = scores_of(world)
    learner, parts, begin = LeverageLearner(bank=BANK), [], 0
    for end in (600, 606, 1_800, 3_000):
        bars = world.bars[begin:end]
        events = world.events[
            (world.events["time_ns"] >= bars["start_ns"][0]) & (world.events["time_ns"] < bars["end_ns"][-1])
        ]
        parts.append(learner.learn(bars, events).margins)
        begin = end
    joined = join_scores(parts)
    for name in ("expected", "dispersion", "window", "rate", "count", "notional_usd"):
        assert getattr(joined, name).tobytes() == getattr(whole, name).tobytes()


def test_windows_that_are_not_scored_say_nothing():
    world = market(6, 0.0, steps=1_200)
    n_windows = 1_200 // 6
    taught = np.arange(n_windows) % 2 == 0
    scores = LeverageLearner(bank=BANK).learn(world.bars, world.events, taught).margins
    assert np.isnan(scores.expected[~taught]).all()
    told = np.isfinite(scores.expected[:, 0])
    # The first events only set the level of the rates.
    assert not told[:20].any()
    assert told[taught].sum() > 20


def test_a_stretch_of_windows_keeps_its_events():
    scores = scores_of(market(7, 0.0, steps=1_200))
    late = scores.since(50)
    assert late.expected.tobytes() == scores.expected[50:].tobytes()
    kept = scores.window >= 50
    assert late.window.tolist() == (scores.window[kept] - 50).tolist()
    assert late.rate.tobytes() == scores.rate[kept].tobytes()


@pytest.mark.parametrize("reported", ["all", "taught", "down"])
def test_every_event_that_was_used_is_among_the_scores(reported):
    world = market(8, 0.0, steps=600)
    if reported == "down":
        scores = LeverageLearner(bank=BANK).learn(world.bars, None).margins
        assert (len(scores.window), len(scores.expected)) == (0, 100)
        return
    taught = np.ones(100, dtype=np.bool_) if reported == "taught" else None
    out = LeverageLearner(bank=BANK).learn(world.bars, world.events, taught)
    assert np.bincount(out.margins.window, out.margins.count, 100).tolist() == out.observed.tolist()
