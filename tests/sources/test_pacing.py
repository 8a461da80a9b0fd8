"""Budgets and back-off, without waiting."""

from __future__ import annotations

import asyncio
import random

import pytest
from tests.sources.local_venue import FakeTimer, patience

from faultline.sources.pacing import Backoff, Budget


def spend(timer, budget, weights, share=1.0):
    """When each of some weights was spent."""

    async def go():
        times = []
        for weight in weights:
            await budget.take(weight, share)
            times.append(timer.now_s())
        return times

    return asyncio.run(go())


def test_what_fits_does_not_wait_and_what_does_not_waits_for_the_window_to_move():
    timer = FakeTimer()
    assert spend(timer, Budget(3, 10.0, timer), [1] * 7) == [0, 0, 0, 10, 10, 10, 20]


def test_no_window_ever_holds_more_than_the_budget():
    timer, rng = FakeTimer(), random.Random(5)
    budget = Budget(20, 5.0, timer)
    weights = [rng.choice((1, 2, 5, 9)) for _ in range(200)]
    times = spend(timer, budget, weights)
    for end_s in times:
        spent = sum(
            weight for weight, at_s in zip(weights, times, strict=True) if end_s - 5.0 + 1e-9 < at_s <= end_s
        )
        assert spent <= 20
    assert budget.waited_s > 0


def test_a_share_leaves_room_for_what_matters_more():
    timer = FakeTimer()
    budget = Budget(10, 60.0, timer)
    assert spend(timer, budget, [1] * 5, share=0.5) == [0] * 5
    assert spend(timer, budget, [5]) == [0]
    assert spend(timer, budget, [1], share=0.5) == [60]


def test_more_than_the_whole_budget_waits_until_nothing_else_is_spent():
    timer = FakeTimer()
    assert spend(timer, Budget(10, 60.0, timer), [1, 25, 1]) == [0, 60, 120]


def test_waits_double_up_to_a_bound_and_are_shortened_at_random():
    backoff = Backoff(patience(backoff_first_s=1.0, backoff_most_s=8.0), random.Random(3))
    waits = [backoff.next_s() for _ in range(200)]
    for wait_s, longest_s in zip(waits, [1.0, 2.0, 4.0, *[8.0] * 197], strict=True):
        assert longest_s / 2 <= wait_s <= longest_s
    assert len(set(waits)) == 200
    backoff.reset()
    assert backoff.next_s() <= 1.0


@pytest.mark.parametrize("at_least_s", [30.0, 3600.0])
def test_a_wait_is_as_long_as_the_venue_asks_for(at_least_s):
    assert Backoff(patience(), random.Random(3)).next_s(at_least_s) == at_least_s


def test_the_same_chance_gives_the_same_waits():
    waits = [
        [Backoff(patience(), random.Random(3)).next_s() for _ in range(3)],
        [Backoff(patience(), random.Random(3)).next_s() for _ in range(3)],
    ]
    assert waits[0] == waits[1]
