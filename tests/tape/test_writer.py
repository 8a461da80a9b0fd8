"""Appending, sealing, continuing, refusing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tape.rows import (
    BTC,
    any_kind,
    assert_holds,
    crashed_copy,
    hostile_rows,
    on_disk,
    random_rows,
    read_all,
    same,
    trades,
    write_tape,
)

from faultline.clock import ManualClock
from faultline.errors import TapeCorrupt, TapeError, TapeNotFound, WorldMismatch
from faultline.messages import Batch, Kind, empty_rows
from faultline.tape import Tape, TapeWriter, verify
from faultline.tape.layout import list_segments, list_tape
from faultline.tape.writer import SEGMENTS_WAITING_MAX


@pytest.mark.timeout(900)
@on_disk
@given(st.data())
def test_any_rows_of_any_kind_come_back_open_and_sealed(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("tape") / "tape"
    ids = st.sampled_from(["binance:BTCUSDT", "okx:BTC-USDT-SWAP", "x:a/b %=..ü", "hyperliquid:@107"])
    batches = []
    with TapeWriter(path, simulated=True, world="calm") as writer:
        for _ in range(data.draw(st.integers(1, 3))):
            kind = data.draw(any_kind())
            batches.append(Batch(kind, data.draw(ids), data.draw(hostile_rows(kind, max_size=6))))
            writer.append([batches[-1]])
        assert_holds(path, batches)
        sha256 = Tape(path).sha256()
    assert_holds(path, batches)
    assert Tape(path).sha256() == sha256
    assert verify(path).problems == ()


def test_rows_are_readable_as_soon_as_append_returns(tmp_path):
    batches = [trades(50, seed) for seed in range(5)]
    with TapeWriter(tmp_path / "tape", simulated=False) as writer:
        reader = Tape(tmp_path / "tape")
        for end, batch in enumerate(batches, 1):
            writer.append([batch])
            assert len(reader.read(Kind.TRADE, BTC)) == 50 * end
    assert_holds(tmp_path / "tape", batches)


def test_acknowledged_rows_are_on_disk_without_closing(tmp_path):
    batches = [Batch(kind, BTC, random_rows(kind, 20, 7)) for kind in Kind]
    with TapeWriter(tmp_path / "tape", simulated=False) as writer:
        writer.append(batches)
        crashed = crashed_copy(tmp_path / "tape", tmp_path / "crashed")
    assert_holds(crashed, batches)


def test_identical_rows_are_all_kept(tmp_path):
    rows = random_rows(Kind.LIQUIDATION, 1, 3)
    burst = Batch(Kind.LIQUIDATION, BTC, np.repeat(rows, 40))
    write_tape(tmp_path / "tape", [burst, burst])
    assert len(Tape(tmp_path / "tape").read(Kind.LIQUIDATION, BTC)) == 80


def test_empty_batches_and_empty_tapes_are_fine(tmp_path):
    path = write_tape(tmp_path / "tape", [Batch(Kind.TRADE, BTC, empty_rows(Kind.TRADE))])
    assert (read_all(path), verify(path).ok, Tape(path).pairs()) == ({}, True, [])


def test_appending_to_an_existing_tape_continues_it(tmp_path):
    batches = [trades(100, seed) for seed in range(3)]
    for batch in batches:
        write_tape(tmp_path / "tape", [batch])
    assert_holds(tmp_path / "tape", batches)


def test_rows_are_split_by_the_day_they_were_received(tmp_path):
    batch = trades(500, 1, span_ns=3 * 86_400 * 10**9)
    path = write_tape(tmp_path / "tape", [batch])
    folders = sorted(folder.name for folder in (path / "kind=trade/venue=binance/symbol=BTCUSDT").iterdir())
    assert folders == ["date=2026-02-02", "date=2026-02-03", "date=2026-02-04", "date=2026-02-05"]
    assert_holds(path, [batch])


def test_full_segments_are_sealed_in_the_background_and_bounded(tmp_path):
    batches = [trades(300, seed) for seed in range(60)]
    with TapeWriter(tmp_path / "tape", simulated=False, segment_bytes=20_000) as writer:
        most = 0
        for batch in batches:
            writer.append([batch])
            most = max(most, len(list_segments(tmp_path / "tape")))
        assert most <= 7
        writer.seal()
        assert len(list_segments(tmp_path / "tape")) == 1
        assert_holds(tmp_path / "tape", batches)
        assert Tape(tmp_path / "tape").n_open_rows == 0
    assert_holds(tmp_path / "tape", batches)


def test_sealing_rests_until_somebody_waits_for_it(tmp_path, monkeypatch):
    monkeypatch.setattr("faultline.tape.writer._REST_SHARE", 1e9)
    batches = [
        Batch(Kind.TRADE, f"okx:{number}", random_rows(Kind.TRADE, 100, number)) for number in range(7)
    ]
    with TapeWriter(tmp_path / "tape", simulated=False, segment_bytes=5_000) as writer:
        for batch in batches:
            writer.append([batch])
        # While as many wait as may, it goes on; over the next the sealer would sleep for days.
        deadline_s = time.monotonic() + 20.0
        while len(list_segments(tmp_path / "tape")) > SEGMENTS_WAITING_MAX:
            assert time.monotonic() < deadline_s
            time.sleep(0.005)
        time.sleep(0.1)
        assert len(list_segments(tmp_path / "tape")) == SEGMENTS_WAITING_MAX
        writer.seal()
        assert Tape(tmp_path / "tape").n_open_rows == 0
    assert_holds(tmp_path / "tape", batches)


def test_an_append_is_one_write(tmp_path, monkeypatch):
    with TapeWriter(tmp_path / "tape", simulated=False) as writer:
        writes, write = [], os.write
        monkeypatch.setattr(
            "faultline.tape.writer.os.write", lambda *args: writes.append(len(args[1])) or write(*args)
        )
        batches = [
            Batch(kind, BTC, random_rows(kind, 5, 1)) for kind in (Kind.TRADE, Kind.MARK, Kind.FUNDING)
        ]
        writer.append(batches)
        monkeypatch.undo()
        assert len(writes) == 1
        assert_holds(tmp_path / "tape", batches)


def test_a_batch_larger_than_a_segment_is_split_and_kept(tmp_path):
    batch = trades(300_000, 1)
    write_tape(tmp_path / "tape", [batch], segment_bytes=1_000_000)
    assert_holds(tmp_path / "tape", [batch])


def test_threads_append_together_and_share_syncs(tmp_path):
    batches = {number: [trades(5, 100 * number + step) for step in range(15)] for number in range(6)}
    with TapeWriter(tmp_path / "tape", simulated=False) as writer:

        def work(number):
            for batch in batches[number]:
                writer.append([batch])

        threads = [threading.Thread(target=work, args=(number,)) for number in batches]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert writer.n_syncs < 90
    found = Tape(tmp_path / "tape").read(Kind.TRADE, BTC)
    expected = np.concatenate([batch.rows for group in batches.values() for batch in group])
    assert same(
        np.sort(found, order=["ts_received_ns", "seq"]), np.sort(expected, order=["ts_received_ns", "seq"])
    )


def test_a_second_writer_is_refused_in_this_process_and_in_another(tmp_path, root):
    path = tmp_path / "tape"
    code = f"from faultline.tape import TapeWriter\nTapeWriter({str(path)!r}, simulated=False)"
    with TapeWriter(path, simulated=False) as writer:
        with pytest.raises(TapeError, match="another process is writing") as caught:
            TapeWriter(path, simulated=False)
        assert caught.value.where == str(path)
        environment = {**os.environ, "PYTHONPATH": str(root / "src")}
        command = [sys.executable, "-c", code]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
        assert result.returncode == 1
        assert "another process is writing" in result.stderr
        writer.append([trades(3, 1)])
    TapeWriter(path, simulated=False).close()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((False, ""), (True, "")),
        ((True, "calm"), (False, "")),
        ((True, "calm"), (True, "storm")),
    ],
)
def test_two_worlds_never_share_a_tape(tmp_path, first, second):
    path = write_tape(tmp_path / "tape", [trades(3, 1)], simulated=first[0], world=first[1])
    before = Tape(path).sha256()
    with pytest.raises(WorldMismatch, match="cannot be written to it"):
        TapeWriter(path, simulated=second[0], world=second[1])
    assert Tape(path).sha256() == before
    assert (Tape(path).simulated, Tape(path).world) == first


def test_a_folder_with_other_files_does_not_become_a_tape(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(TapeError, match=r"holds thesis\.txt"):
        TapeWriter(tmp_path, simulated=False)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "writer.lock") == ["thesis.txt"]


def test_reading_where_there_is_no_tape_says_so(tmp_path):
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(TapeNotFound, match="no tape here") as caught:
            Tape(path)
        named = re.findall(r"`faultline ([a-z ]+)`", caught.value.hint)
        assert named == ["tape import", "simulate"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"format":"faultline-tape"}',
        b"\xff" * 40,
        b" " * 100_000,
        b'{"format":"x","version":1}',
    ],
)
def test_a_damaged_manifest_is_named(tmp_path, content):
    path = write_tape(tmp_path / "tape", [trades(3, 1)])
    (path / "tape.json").write_bytes(content)
    for opening in (lambda: Tape(path), lambda: TapeWriter(path, simulated=False)):
        with pytest.raises(TapeCorrupt) as caught:
            opening()
        assert caught.value.where.endswith("tape.json")
        assert caught.value.hint
    assert [problem.file for problem in verify(path).problems] == ["tape.json"]


def test_a_tape_of_a_later_version_is_refused(tmp_path):
    path = write_tape(tmp_path / "tape", [trades(3, 1)])
    manifest = path / "tape.json"
    manifest.write_text(manifest.read_text().replace('"version": 1', '"version": 2'))
    with pytest.raises(TapeCorrupt, match="version 2"):
        Tape(path)


def test_the_manifest_tells_world_and_creation(tmp_path):
    clock = ManualClock(1_770_000_000_000_000_000)
    TapeWriter(tmp_path / "tape", simulated=True, world="calm", clock=clock).close()
    manifest = Tape(tmp_path / "tape").manifest
    assert (manifest.created, manifest.world, manifest.version) == ("2026-02-02T02:40:00Z", "calm", 1)


def test_a_closed_writer_refuses_and_closing_twice_is_harmless(tmp_path):
    writer = TapeWriter(tmp_path / "tape", simulated=False)
    writer.close()
    writer.close()
    with pytest.raises(TapeError, match="closed"):
        writer.append([trades(3, 1)])


def test_a_disk_that_refuses_stops_the_writer_and_keeps_what_was_acknowledged(tmp_path, monkeypatch):
    writer = TapeWriter(tmp_path / "tape", simulated=False)
    kept = trades(10, 1)
    writer.append([kept])

    def refuse(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("faultline.tape.writer.os.fdatasync", refuse)
    with pytest.raises(OSError, match="No space"):
        writer.append([trades(10, 2)])
    with pytest.raises(TapeError, match="cannot be written any more"):
        writer.append([trades(10, 3)])
    with pytest.raises(TapeError):
        writer.close()
    monkeypatch.undo()
    with TapeWriter(tmp_path / "tape", simulated=False):
        pass
    rows = Tape(tmp_path / "tape").read(Kind.TRADE, BTC)
    assert set(kept.rows["seq"].tolist()) <= set(rows["seq"].tolist())


def test_a_failing_seal_is_reported_and_loses_nothing(tmp_path, monkeypatch):
    writer = TapeWriter(tmp_path / "tape", simulated=False)
    batch = trades(10, 1)
    writer.append([batch])

    def refuse(*args):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("faultline.tape.seal.write_part", refuse)
    with pytest.raises(TapeError, match="sealing failed"):
        writer.close()
    monkeypatch.undo()
    assert_holds(tmp_path / "tape", [batch])
    with TapeWriter(tmp_path / "tape", simulated=False):
        pass
    assert_holds(tmp_path / "tape", [batch])
    assert list_tape(tmp_path / "tape").segments == ()
