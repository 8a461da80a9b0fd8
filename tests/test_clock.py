"""Clocks tell nanoseconds, and a manual one moves only when told."""

from __future__ import annotations

import time

import pytest

from faultline.clock import Clock, ManualClock, SystemClock


def test_the_system_clock_tells_the_machines_time():
    before = time.time_ns()
    assert before <= SystemClock().now_ns() <= time.time_ns()


def test_a_manual_clock_stands_until_it_is_advanced():
    clock: Clock = ManualClock(1_000)
    assert (clock.now_ns(), clock.now_ns()) == (1_000, 1_000)
    clock.advance(5)
    assert clock.now_ns() == 1_005


def test_a_manual_clock_refuses_to_go_back():
    clock = ManualClock(1_000)
    with pytest.raises(ValueError, match="cannot go back by 3 ns"):
        clock.advance(-3)
    assert clock.now_ns() == 1_000
