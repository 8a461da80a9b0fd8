from __future__ import annotations

import os
import resource

import pytest

from faultline.cli.checks.machine import check_clock, check_disk_space, check_fsync, check_open_files
from faultline.cli.checks.outcome import State
from faultline.clock import ManualClock
from faultline.units import SECOND_NS, parse_time_ns

NOW = parse_time_ns("2026-06-01")


@pytest.mark.parametrize(("free", "state"), [(10**7, State.FAIL), (10**9, State.WARN), (10**10, State.OK)])
def test_little_space_is_mentioned_and_none_fails(tmp_path, free, state):
    found = check_disk_space(tmp_path, lambda _: free)
    assert found.state is state
    assert bool(found.fix) == (state is not State.OK)


def test_space_is_read_from_the_disk(tmp_path):
    assert "GB free in" in check_disk_space(tmp_path).found
    found = check_disk_space(tmp_path / "nowhere")
    assert found.state is State.FAIL
    assert "FAULTLINE_HOME" in found.fix


def test_a_write_is_acknowledged_and_leaves_nothing_behind(tmp_path):
    assert check_fsync(tmp_path).state in {State.OK, State.WARN}
    assert list(tmp_path.iterdir()) == []


def ticks(step_s):
    now_s = 0.0

    def timer():
        nonlocal now_s
        now_s += step_s
        return now_s

    return timer


def test_a_slow_disk_is_mentioned(tmp_path):
    found = check_fsync(tmp_path, ticks(0.2))
    assert (found.state, found.found) == (State.WARN, "200.0 ms (median of 9)")
    assert check_fsync(tmp_path, ticks(0.001)).state is State.OK


@pytest.mark.parametrize("folder", ["/proc/self", "{here}/nowhere"])
def test_a_folder_that_cannot_be_written_fails(tmp_path, folder):
    from pathlib import Path

    found = check_fsync(Path(folder.format(here=tmp_path)))
    assert found.state is State.FAIL
    assert found.fix


def watched(home, clock, steady_ns, wall_ns):
    """Outcome when both clocks move as told while they are watched."""
    even = iter([0, steady_ns])
    return check_clock(home, clock, lambda: next(even), lambda _: clock.advance(wall_ns))


def test_a_clock_that_runs_evenly_is_fine_and_says_what_was_not_checked(tmp_path):
    found = watched(tmp_path, ManualClock(NOW), SECOND_NS, SECOND_NS)
    assert found.state is State.OK
    assert "2026-06-01" in found.found
    assert "cannot be checked offline" in found.found


def test_a_clock_that_is_being_moved_is_mentioned(tmp_path):
    found = watched(tmp_path, ManualClock(NOW), SECOND_NS, 3 * SECOND_NS)
    assert found.state is State.WARN
    assert "by 2.000 s" in found.found


def test_a_clock_that_was_never_set_fails(tmp_path):
    found = watched(tmp_path, ManualClock(0), SECOND_NS, SECOND_NS)
    assert found.state is State.FAIL
    assert "1970" in found.found
    assert found.fix


def test_files_from_the_future_are_mentioned(tmp_path):
    (tmp_path / "recorded.db").touch()
    later_s = (NOW + 3600 * SECOND_NS) // SECOND_NS
    os.utime(tmp_path / "recorded.db", (later_s, later_s))
    found = watched(tmp_path, ManualClock(NOW), SECOND_NS, SECOND_NS)
    assert found.state is State.WARN
    assert "in the future" in found.found
    assert watched(None, ManualClock(NOW), SECOND_NS, SECOND_NS).state is State.OK


def test_the_machines_own_clock_is_read(tmp_path):
    assert check_clock(tmp_path).state in {State.OK, State.WARN}


def test_a_low_limit_of_open_files_is_mentioned_with_what_can_be_done():
    found = check_open_files((1024, 524_288))
    assert found.state is State.WARN
    assert found.fix == "`ulimit -n 1256` before starting"
    assert "hard limit" in check_open_files((256, 1024)).fix


@pytest.mark.parametrize("limits", [(1256, 1256), (resource.RLIM_INFINITY, resource.RLIM_INFINITY)])
def test_enough_open_files_are_fine(limits):
    assert check_open_files(limits).state is State.OK


def test_the_limit_is_that_of_this_process():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1000, hard))
    try:
        assert "at most 1000" in check_open_files().found
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
