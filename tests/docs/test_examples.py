"""Every example runs as it stands."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from tests.contracts.tree import ROOT, files

EXAMPLES = files("examples", suffixes=(".py",))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_runs_and_prints_something(path, tmp_path):
    done = subprocess.run(
        [sys.executable, str(path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
