"""Quiet feeds start from what busy ones taught; busy ones and lonely ones keep their own prior."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from tests.learning.small_worlds import make_world

from faultline.heatmap.ledger import LedgerParameters
from faultline.learning.constants import LearnerSettings
from faultline.learning.reporting import Reporting
from faultline.pipeline.learn import FeedLearner
from faultline.pipeline.shared_priors import share_priors

KERNEL = LedgerParameters(
    margin_buffer_ratio=0.0, dispersion=0.05, hazard_per_hour_at_10x=1.0 / 36.0, hazard_exponent=0.5
)
LEVERAGES = np.asarray(KERNEL.leverages)


@functools.cache
def world(seed: int):
    """Everybody opens at 20x to 33x."""
    shares = np.where((LEVERAGES >= 20) & (LEVERAGES <= 33), 1.0, 1e-3)
    return make_world(
        seed,
        KERNEL.leverages,
        shares / shares.sum(),
        steps=6000,
        sigma=8e-4,
        opens=0.6,
        hazard_per_h=1.0 / 36.0,
    )


def feed(feed_id: str, *, seed: int, n_events: int) -> FeedLearner:
    """A learner that was told the first so many events of a world."""
    told = world(seed)
    made = FeedLearner(feed_id, feed_id, KERNEL, Reporting(), LearnerSettings())
    if n_events:
        events = told.events[:n_events]
        bars = (
            told.bars[told.bars["end_ns"] <= events["time_ns"][-1]]
            if n_events < len(told.events)
            else told.bars
        )
        made.learner.learn(bars, events)
        made.events = float(len(events))
    return made


@pytest.fixture(scope="module")
def busy() -> FeedLearner:
    made = feed("simbusy:X", seed=1, n_events=10**6)
    assert made.learner.effective_events > made.learner.settings.pooled_below
    return made


def near(mix: np.ndarray) -> float:
    return float(mix[(LEVERAGES >= 20) & (LEVERAGES <= 33)].sum())


def test_a_quiet_feed_leans_towards_what_a_busy_one_taught(busy: FeedLearner) -> None:
    quiet, own = feed("simquiet:X", seed=2, n_events=20), busy.learner.prior
    generic = quiet.learner.prior
    share_priors([busy, quiet])
    assert near(quiet.learner.prior.mix) > near(generic.mix) + 0.1
    assert near(quiet.learner.mix()) > near(generic.mix) + 0.1
    assert "1 other" in quiet.learner.prior.source
    assert busy.learner.prior is own


def test_nobody_borrows_while_no_feed_speaks_for_itself() -> None:
    quiet = [feed(f"sim{name}:X", seed=seed, n_events=20) for seed, name in ((2, "one"), (3, "two"))]
    before = [each.learner.prior for each in quiet]
    share_priors(quiet)
    assert [each.learner.prior for each in quiet] == before


def test_a_feed_keeps_the_prior_it_had_when_it_began_to_speak(busy: FeedLearner) -> None:
    grown = feed("simgrown:X", seed=4, n_events=20)
    share_priors([busy, grown])
    borrowed = grown.learner.prior
    grown.events = grown.learner.settings.pooled_below
    share_priors([busy, grown, feed("simother:X", seed=5, n_events=20)])
    assert grown.learner.prior is borrowed
