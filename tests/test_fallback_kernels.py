"""The static prior takes over from a learner that foretells worse, and gives back: the rule that all learners share."""

from __future__ import annotations

import numpy as np
import pytest

from faultline.fallback_kernels import fall_back_kernel


def slow(balance, has_fallen_back, fade, gain, threshold, most):
    """The rule in words of its own."""
    after = balance * fade
    after += gain
    after = float(np.clip(after, -2.0 * threshold, most))
    if after < -threshold:
        return after, True
    return after, has_fallen_back and after < 0.0


@pytest.mark.parametrize("most", [5.0, 10.0])
def test_the_kernel_agrees_with_its_slow_twin_to_the_bit_over_many_turns(most):
    chance, quick, twin, turns = np.random.default_rng(4), (0.0, False), (0.0, False), 0
    for gain, fade in zip(
        chance.normal(0.0, 2.0, 4000).tolist(), chance.uniform(0.7, 1.0, 4000), strict=True
    ):
        was = quick[1]
        quick, twin = fall_back_kernel(*quick, fade, gain, 5.0, most), slow(*twin, fade, gain, 5.0, most)
        assert quick == twin
        turns += quick[1] is not was
    assert turns > 20


def test_between_threshold_and_nothing_stays_in_force_who_was():
    assert fall_back_kernel(-5.0, False, 1.0, 0.0, 5.0, 5.0) == (-5.0, False)
    assert fall_back_kernel(-5.0, False, 1.0, -0.5, 5.0, 5.0) == (-5.5, True)
    assert fall_back_kernel(-5.5, True, 1.0, 5.0, 5.0, 5.0) == (-0.5, True)
    assert fall_back_kernel(-0.5, True, 1.0, 0.5, 5.0, 5.0) == (0.0, False)


def test_neither_failure_nor_merit_of_long_ago_decides_today():
    assert fall_back_kernel(0.0, False, 1.0, -1e9, 5.0, 5.0) == (-10.0, True)
    assert fall_back_kernel(0.0, False, 1.0, 1e9, 5.0, 5.0) == (5.0, False)
    assert fall_back_kernel(0.0, False, 1.0, 1e9, 4.0, 8.0) == (8.0, False)
    assert fall_back_kernel(-10.0, True, 0.5, 0.0, 5.0, 5.0) == (-5.0, True)
