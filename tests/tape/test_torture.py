"""kill -9 at random instants of a recording: every acknowledged row is there afterwards, exactly once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from faultline.messages import Kind
from faultline.tape import Tape, TapeWriter, compact, verify

#: Forks a recorder per line of input, so that each one starts at once. A recorder records until it is killed and prints
#: the first number of every forty rows once they are acknowledged; after its end comes "dead".
NURSERY = """
import itertools, os, sys, threading
import numpy as np
from faultline.messages import Batch, Kind, empty_rows
from faultline.tape import TapeWriter

def record(writer, worker, worker_first):
    for first in itertools.count(worker_first + worker * 10_000_000, 40):
        rows = empty_rows(Kind.TRADE, 40)
        rows["seq"] = np.arange(first, first + 40)
        rows["ts_received_ns"] = 1_770_000_000_000_000_000 + rows["seq"] * 1_000_003
        rows["ts_event_ns"] = rows["ts_received_ns"]
        rows["price_usd"] = rows["seq"] / 10
        rows["qty_base"] = 0.5
        writer.append([Batch(Kind.TRADE, f"binance:W{worker}USDT", rows)])
        os.write(1, b"%d %d\\n" % (worker, first))

for line in sys.stdin:
    path, first = line.split()
    pid = os.fork()
    if pid == 0:
        writer = TapeWriter(path, simulated=True, world="torture", segment_bytes=30_000)
        os.write(1, b"ready %d\\n" % os.getpid())
        for worker in range(2):
            threading.Thread(target=record, args=(writer, worker, int(first)), daemon=True).start()
        threading.Event().wait()
    os.waitpid(pid, 0)
    os.write(1, b"dead\\n")
"""

INSTANTS = 200 if os.environ.get("FAULTLINE_TORTURE") == "1" else 10


@pytest.fixture
def nursery(root):
    """The process that forks recorders."""
    environment = {**os.environ, "PYTHONPATH": str(root / "src")}
    command = [sys.executable, "-c", NURSERY]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment, text=True) as process:
        yield process
        process.stdin.close()


def recorded_until_killed(nursery, path, first, delay_s):
    """(worker, first number) of what one recorder acknowledged until it was killed ``delay_s`` after it began."""
    nursery.stdin.write(f"{path} {first}\n")
    nursery.stdin.flush()
    word, pid = nursery.stdout.readline().split()
    assert word == "ready"
    timer = threading.Timer(delay_s, os.kill, (int(pid), signal.SIGKILL))
    timer.start()
    lines = list(iter(nursery.stdout.readline, "dead\n"))
    timer.join()
    return [tuple(map(int, line.split())) for line in lines]


@pytest.mark.torture
@pytest.mark.timeout(1_800 if INSTANTS > 10 else 180)
def test_every_acknowledged_row_survives_kill_9_exactly_once(tmp_path, nursery):
    path = tmp_path / "tape"
    acknowledged = {0: [], 1: []}
    generator = random.Random(20_260_203)
    for instant in range(INSTANTS):
        for worker, first in recorded_until_killed(
            nursery, path, 1_000_000 * instant, generator.uniform(0.0, 0.35)
        ):
            acknowledged[worker].append(first)
        if instant % 3 == 2:
            compact(path)
        check(path, acknowledged)
    with TapeWriter(path, simulated=True, world="torture"):
        pass
    check(path, acknowledged)
    assert verify(path).problems == ()
    assert min(map(len, acknowledged.values())) > INSTANTS


def check(path, acknowledged):
    tape = Tape(path)
    assert all(loss.is_tail for loss in tape.losses)
    for worker, firsts in acknowledged.items():
        rows = tape.read(Kind.TRADE, f"binance:W{worker}USDT")
        expected = (np.array(sorted(firsts), dtype=np.int64)[:, None] + np.arange(40)).ravel()
        found, counts = np.unique(rows["seq"], return_counts=True)
        assert (counts == 1).all()
        assert np.isin(expected, found).all()
        assert (rows["price_usd"] == rows["seq"] / 10).all()
        # What was not acknowledged may be there or not, but only as whole appends.
        assert (np.isin(found, expected).reshape(-1, 40).std(axis=1) == 0).all()
