"""What a learner of chains learned elsewhere: nothing is learned twice, and it says when it falls behind."""

from __future__ import annotations

import numpy as np
from tests.cascades.worlds import World, outcome, simulate

from faultline.cascades.chain import FROZEN_NS, CascadeLearner, ChainSettings
from faultline.cascades.hazard import POOL_LIMIT_NATS, ChainHazard
from faultline.cascades.situation import FEATURES
from faultline.units import HOUR_NS


def taught(learner: CascadeLearner, first: int, last: int) -> CascadeLearner:
    situations, reached, delays, released = simulate(World("sqrt", 4.0), last, 3)
    for i in range(first, last):
        raw = learner.raw_probs(situations[i])
        learner.apply(outcome(situations[i], reached[i], delays[i], released[i], raw))
    return learner


def same(a: CascadeLearner, b: CascadeLearner) -> bool:
    first, second = a.state(), b.state()
    return first.keys() == second.keys() and all(np.array_equal(first[key], second[key]) for key in first)


def test_what_was_over_teaches_nothing_again() -> None:
    whole = taught(CascadeLearner(), 0, 60)
    half = taught(CascadeLearner(), 0, 30)
    ends = simulate(World("sqrt", 4.0), 60, 3)[0]
    again = CascadeLearner.from_state(ChainSettings(), half.state())
    again.learned_ns = max(situation.time_ns for situation in ends[:30]) + HOUR_NS // 2
    frozen = CascadeLearner.from_state(ChainSettings(), half.state())
    frozen.learned_ns = FROZEN_NS
    taught(again, 0, 30)
    assert same(again, half)
    taught(frozen, 0, 60)
    assert same(frozen, half)
    assert not same(whole, half)
    for learner, is_frozen in ((again, False), (frozen, True)):
        assert learner.forecast(ends[0]).is_frozen is is_frozen


def hops(hazard: ChainHazard, times: range, happened: float) -> None:
    """The model believes in its first feature; hops happen or not whatever it says."""
    row = np.zeros((1, len(FEATURES)))
    row[0, 0] = 1.0
    for time_ns in times:
        hazard.apply(time_ns, "BTC", row, np.array([happened]))


def test_plain_volatility_takes_over_and_gives_back_once_each() -> None:
    hazard = ChainHazard()
    hops(hazard, range(200), 1.0)
    assert hazard.model_share > 0.9
    assert hazard.take_turns() == []
    hops(hazard, range(200, 230), 0.0)
    kept = ChainHazard.from_state(hazard.settings, hazard.state())
    (turn,) = hazard.take_turns()
    assert turn.is_behind
    assert -2 * POOL_LIMIT_NATS <= turn.balance_nats < -POOL_LIMIT_NATS
    assert hazard.take_turns() == []
    for each in (hazard, kept):
        hops(each, range(230, 600), 0.0)
        assert [(turn.is_behind, turn.balance_nats >= 0.0) for turn in each.take_turns()] == [(False, True)]
