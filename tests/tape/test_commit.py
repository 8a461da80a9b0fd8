"""Several callers share a sync; one caller never waits; a failure reaches everybody."""

from __future__ import annotations

import threading
import time

import pytest

from faultline.errors import TapeError
from faultline.tape.commit import GroupCommit


def submit(commit, item, outcomes=None):
    commit.prepare()
    try:
        commit.submit([item])
    except TapeError as exc:
        if outcomes is None:
            raise
        outcomes.append(exc)


def test_a_single_caller_does_not_wait_for_company():
    commit = GroupCommit(lambda frames: None, wait_s=30.0)
    started = time.monotonic()
    for item in range(100):
        submit(commit, item)
    assert time.monotonic() - started < 5
    assert commit.n_groups == 100


def test_callers_that_arrive_during_a_sync_share_the_next_one():
    written = []
    disk_free, first_in = threading.Event(), threading.Event()

    def write(frames):
        written.append(list(frames))
        first_in.set()
        disk_free.wait(10)

    commit = GroupCommit(write, wait_s=0.2)
    threads = [threading.Thread(target=submit, args=(commit, item)) for item in range(9)]
    threads[0].start()
    assert first_in.wait(10)
    for thread in threads[1:]:
        thread.start()
    while len(commit._filling.frames) < 8:
        time.sleep(0.001)
    disk_free.set()
    for thread in threads:
        thread.join(10)
    assert [len(group) for group in written] == [1, 8]
    assert sorted(item for group in written for item in group) == list(range(9))


def test_a_leader_waits_for_frames_that_were_announced_but_not_longer_than_it_may():
    written = []
    commit = GroupCommit(lambda frames: written.append(list(frames)), wait_s=0.15)
    commit.prepare()
    started = time.monotonic()
    submit(commit, "late company")
    assert 0.1 < time.monotonic() - started < 5
    commit.abandon()
    started = time.monotonic()
    submit(commit, "alone")
    assert time.monotonic() - started < 0.1
    assert written == [["late company"], ["alone"]]


def test_no_lock_is_held_while_the_disk_works():
    commit = None

    def write(frames):
        got = commit._changed.acquire(timeout=2)
        assert got, "the lock is held across the write"
        commit._changed.release()

    commit = GroupCommit(write, wait_s=0.0)
    thread = threading.Thread(target=submit, args=(commit, 1))
    thread.start()
    thread.join(10)
    submit(commit, 2)
    assert commit.n_groups == 2


def test_after_a_failed_write_nobody_is_acknowledged_again():
    def write(frames):
        raise OSError(28, "No space left on device")

    commit = GroupCommit(write, wait_s=0.0)
    with pytest.raises(OSError, match="No space"):
        submit(commit, 1)
    with pytest.raises(TapeError, match="No space left on device") as caught:
        submit(commit, 2)
    assert "acknowledged rows are safe" in caught.value.hint


def test_every_member_of_a_failed_group_hears_of_it():
    first_in, disk_free, outcomes = threading.Event(), threading.Event(), []

    def write(frames):
        first_in.set()
        disk_free.wait(10)
        if "poison" in frames:
            raise OSError("the disk is gone")

    def poisoned(commit):
        try:
            submit(commit, "poison")
        except (OSError, TapeError) as exc:
            outcomes.append(exc)

    commit = GroupCommit(write, wait_s=0.0)
    first = threading.Thread(target=submit, args=(commit, "good", outcomes))
    first.start()
    assert first_in.wait(10)
    others = [threading.Thread(target=poisoned, args=(commit,)) for _ in range(4)]
    for thread in others:
        thread.start()
    while len(commit._filling.frames) < 4:
        time.sleep(0.001)
    disk_free.set()
    for thread in [first, *others]:
        thread.join(10)
    assert len(outcomes) == 4
