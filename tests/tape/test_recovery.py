"""A crash at every step of sealing and of compacting, and what is left when the tape is opened again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.tape.rows import assert_holds, crashed_copy, trades, write_tape

from faultline.tape import Tape, TapeWriter, compact, verify
from faultline.tape.layout import list_segments, segment_path
from faultline.tape.manifest import read_manifest
from faultline.tape.seal import seal_segment

DAY_NS = 86_400 * 10**9


class Crash(BaseException):
    """The machine stops here."""


def crash_at(monkeypatch, step: int, *, torn: bool = False):
    """Stop at the given call of anything that changes the disk; returns the list of calls made."""
    calls = []

    def guarded(name, original):
        def call(*args, **kwargs):
            calls.append(name)
            if len(calls) > step:
                raise Crash(name)
            return original(*args, **kwargs)

        return call

    monkeypatch.setattr(Path, "replace", guarded("replace", Path.replace))
    monkeypatch.setattr(Path, "unlink", guarded("unlink", Path.unlink))
    monkeypatch.setattr(Path, "mkdir", guarded("mkdir", Path.mkdir))
    monkeypatch.setattr(os, "fsync", guarded("fsync", os.fsync))
    monkeypatch.setattr(os, "utime", guarded("utime", os.utime))
    return calls


@pytest.fixture
def unsealed(tmp_path):
    """A crashed tape: rows of three days and two instruments in one open segment; and its batches."""
    batches = [
        trades(30, 1, span_ns=3 * DAY_NS),
        trades(20, 2, "okx:BTC-USDT-SWAP"),
        trades(10, 3, span_ns=3 * DAY_NS),
    ]
    with TapeWriter(tmp_path / "tape", simulated=False) as writer:
        for batch in batches:
            writer.append([batch])
        return crashed_copy(tmp_path / "tape", tmp_path / "crashed"), batches


def test_a_crash_at_any_step_of_a_seal_loses_and_doubles_nothing(unsealed, tmp_path, monkeypatch):
    path, batches = unsealed
    finished = False
    for step in range(200):
        copy = crashed_copy(path, tmp_path / f"step{step}")
        (number,) = list_segments(copy)
        with monkeypatch.context() as patch:
            calls = crash_at(patch, step)
            try:
                seal_segment(copy, read_manifest(copy), number)
                finished = True
            except Crash:
                assert len(calls) > step
        assert_holds(copy, batches)
        with TapeWriter(copy, simulated=False):
            assert_holds(copy, batches)
        assert_holds(copy, batches)
        report = verify(copy)
        assert (report.problems, report.notes, report.open_segments) == ((), (), 0)
        if finished:
            break
    assert finished
    assert step > 15


def test_a_crash_at_any_step_of_a_compaction_changes_no_row(tmp_path, monkeypatch):
    batches = [trades(20, seed, span_ns=2 * DAY_NS) for seed in range(3)]
    path = tmp_path / "tape"
    for batch in batches:
        write_tape(path, [batch])
    sha256 = Tape(path).sha256()
    finished = False
    for step in range(200):
        copy = crashed_copy(path, tmp_path / f"step{step}")
        with monkeypatch.context() as patch:
            calls = crash_at(patch, step)
            try:
                compact(copy)
                finished = True
            except Crash:
                assert len(calls) > step
        assert Tape(copy).sha256() == sha256
        assert verify(copy).problems == ()
        compact(copy)
        assert_holds(copy, batches)
        report = verify(copy)
        assert (report.problems, report.notes) == ((), ())
        if finished:
            break
    assert finished
    assert step > 8


def test_an_unfinished_write_is_cut_and_kept_for_a_look(unsealed):
    path, batches = unsealed
    (number,) = list_segments(path)
    with segment_path(path, number).open("ab") as file:
        file.write(b"FLF1 and then the power went")
    assert [loss.n_bytes for loss in Tape(path).losses] == [28]
    assert_holds(path, batches)
    report = verify(path)
    assert report.ok
    assert "never acknowledged" in report.notes[0].message
    with TapeWriter(path, simulated=False) as writer:
        assert [(loss.n_bytes, loss.is_tail) for loss in writer.recovered] == [(28, True)]
    assert_holds(path, batches)
    assert [file.read_bytes() for file in (path / "quarantine").iterdir()] == [
        b"FLF1 and then the power went"
    ]


def test_an_open_segment_without_a_whole_head_is_dropped(unsealed):
    path, batches = unsealed
    segment_path(path, 7).write_bytes(b"FLSEG")
    assert_holds(path, batches)
    with TapeWriter(path, simulated=False):
        pass
    assert_holds(path, batches)
    assert verify(path).ok


def test_damage_inside_an_open_segment_is_reported_before_and_after_recovery(unsealed):
    path, batches = unsealed
    (number,) = list_segments(path)
    file = segment_path(path, number)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert [loss.is_tail for loss in Tape(path).losses] == [False]
    (problem,) = verify(path).problems
    assert "acknowledged rows were lost" in problem.message
    with TapeWriter(path, simulated=False) as writer:
        assert [loss.is_tail for loss in writer.recovered] == [False]
    (problem,) = verify(path).problems
    assert "damaged bytes when it was sealed" in problem.message
    assert_holds(path, batches[1:])


def test_segment_numbers_are_never_used_again(tmp_path):
    path = tmp_path / "tape"
    for seed in range(3):
        write_tape(path, [trades(5, seed)])
    compact(path)
    write_tape(path, [trades(5, 9)])
    names = sorted(file.name[:22] for file in path.glob("kind=trade/*/*/*/*.parquet"))
    assert names == ["part-00000001-00000003", "part-00000004-00000004"]
    assert verify(path).ok
