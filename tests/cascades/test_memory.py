"""What learners of chains know fades with time, by half in each half-life."""

from __future__ import annotations

from faultline.cascades.memory import Memory
from faultline.units import DAY_NS


def test_half_is_kept_after_a_half_life_and_all_before_the_first():
    memory = Memory(DAY_NS)
    assert memory.move(10 * DAY_NS) == 1.0
    assert memory.kept(12 * DAY_NS) == 0.25
    assert memory.move(11 * DAY_NS) == 0.5
    assert memory.move(11 * DAY_NS) == 1.0


def test_what_comes_late_fades_nothing_and_sets_no_time_back():
    memory = Memory(DAY_NS)
    memory.move(10 * DAY_NS)
    assert memory.move(3 * DAY_NS) == 1.0
    assert memory.move(11 * DAY_NS) == 0.5


def test_a_memory_goes_on_from_its_last_time():
    memory, again = Memory(DAY_NS), Memory(DAY_NS)
    memory.move(0)
    again.last_ns = memory.last_ns
    assert again.move(DAY_NS) == 0.5
