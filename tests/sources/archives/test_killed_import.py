"""SIGKILL at chosen system calls of an import, then the same import again: the tape must be the uninterrupted one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from tests.sources.archives.test_importing import fill

#: Forks once per attempt, so that the interpreter starts once. Arguments: source, folder for tapes, seed, rounds.
DRIVER = """
import os, random, signal, sys, traceback
from pathlib import Path
from faultline.sources.archives import import_files
from faultline.sources.archives.journal import Journal
from faultline.tape import Tape

source, work = Path(sys.argv[1]), Path(sys.argv[2])
rng, rounds = random.Random(int(sys.argv[3])), int(sys.argv[4])
calls = work / "calls"

def forked(action):
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1]
    try:
        action()
    except BaseException:
        traceback.print_exc()
        os._exit(9)
    os._exit(0)

def load(out, kill_at=0):
    count = 0
    def wrapped(real, is_write):
        def call(*args, **options):
            nonlocal count
            count += 1
            if count == kill_at:
                if is_write:
                    real(args[0], bytes(args[1])[: len(args[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **options)
        return call
    for name in ("write", "fsync", "fdatasync", "replace", "rename"):
        setattr(os, name, wrapped(getattr(os, name), name == "write"))
    report = import_files("binance-oi-5m", [source], out, chunk_rows=50)
    calls.write_text(str(count))
    (out.parent / f"{out.name}.sha").write_text(report.sha256)

whole = work / "whole"
assert forked(lambda: load(whole)) == 0
total = int(calls.read_text())
expected = (work / "whole.sha").read_text()
killed = 0
for number in range(rounds):
    out = work / f"tape-{number}"
    points = [rng.randint(1, total)] + [rng.randint(1, total) for _ in range(number % 2)]
    for point in points:
        status = forked(lambda: load(out, point))
        killed += os.WIFSIGNALED(status)
    status = forked(lambda: load(out))
    log = f"round {number}, killed at {points} of {total}"
    found = work / f"{out.name}.sha"
    if status == 0:
        assert found.read_text() == expected, log
    else:
        # Every attempt was killed after its last row, or finished: then the import is done and says so.
        assert found.exists() or all(entry.state == "done" for entry in Journal(out).entries()), log
    assert Tape(out).sha256() == expected, log
print(f"killed {killed} of {rounds} rounds, {total} calls")
assert killed >= rounds // 2
"""


@pytest.mark.torture
def test_an_import_killed_at_any_instant_ends_in_the_same_tape(folder, tmp_path, root):
    source = fill(folder, n=25)
    rounds = 200 if os.environ.get("FAULTLINE_TORTURE") == "1" else 8
    (tmp_path / "work").mkdir()
    arguments = [str(source.path), str(tmp_path / "work"), "20260301", str(rounds)]
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, *arguments],
        env={**os.environ, "PYTHONPATH": str(root / "src")},
        capture_output=True,
        text=True,
        timeout=170 if rounds < 100 else 1_700,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)
