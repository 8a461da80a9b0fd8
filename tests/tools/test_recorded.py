"""Tests without their recorded data are skipped and say so, or fail where the data is required."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
from tests.contracts.tree import ROOT


@pytest.fixture
def outcome(tmp_path):
    """Runs a test that asks for recorded data, in a project of its own."""
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path / "conftest.py")
    (tmp_path / "test_it.py").write_text("def test_it(recorded):\n    assert recorded.is_dir()\n")

    def run(**environment):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-ra", "-p", "no:cacheprovider", str(tmp_path)],
            cwd=tmp_path,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.returncode, done.stdout

    return run


def test_without_the_folder_a_test_is_skipped_and_says_why(outcome, tmp_path):
    code, output = outcome(FAULTLINE_DATA=str(tmp_path / "nowhere"), FAULTLINE_REQUIRE_DATA="")
    assert code == 0
    assert "1 skipped" in output
    assert "set FAULTLINE_DATA to the folder that holds it" in output


def test_where_data_is_required_the_same_test_fails(outcome, tmp_path):
    code, output = outcome(FAULTLINE_DATA=str(tmp_path / "nowhere"), FAULTLINE_REQUIRE_DATA="1")
    assert code == 1
    assert "no recorded data at" in output


def test_with_the_folder_the_test_runs(outcome, tmp_path):
    code, output = outcome(FAULTLINE_DATA=str(tmp_path), FAULTLINE_REQUIRE_DATA="1")
    assert code == 0
    assert "1 passed" in output
