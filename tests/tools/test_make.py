"""The Makefile and its tools answer in sentences, with the exit codes they promise."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from tests.contracts.tree import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = ("run", "test", "check", "bench", "bench-quality", "torture", "fuzz", "docs", "web", "new-venue")


def run(*command, **environment):
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60
    )


def test_help_lists_every_documented_target():
    done = run("make", "--no-print-directory", "help")
    assert done.returncode == 0
    listed = re.findall(r"^  make (\S+) +(\S.*)$", done.stdout, flags=re.MULTILINE)
    assert {name for name, _ in listed} >= set(TARGETS)


def test_every_target_is_documented_or_a_file():
    phony = set(re.search(r"^\.PHONY:((?:.*\\\n)*.*)$", MAKEFILE, flags=re.MULTILINE).group(1).split()) - {
        "\\"
    }
    defined = set(re.findall(r"^([a-z0-9-]+):", MAKEFILE, flags=re.MULTILINE))
    assert phony == defined


def test_a_new_venue_is_refused_while_there_are_no_venues():
    done = run(sys.executable, "tools/new_venue.py", "somewhere")
    assert done.returncode == 2
    assert "Live venues are not part of this version" in done.stderr


def test_the_browser_can_be_left_out():
    done = run(sys.executable, "tools/browser.py", FAULTLINE_BROWSER="skip")
    assert done.returncode == 3
    assert "FAULTLINE_BROWSER=skip" in done.stderr
    assert done.stdout == ""


def test_the_browser_that_is_named_is_the_one_that_is_used(tmp_path):
    browser = tmp_path / "my-chromium"
    browser.write_text("#!/bin/sh\n")
    browser.chmod(0o755)
    done = run(sys.executable, "tools/browser.py", FAULTLINE_CHROMIUM=str(browser), FAULTLINE_BROWSER="")
    assert (done.returncode, done.stdout.strip()) == (0, str(browser))


def test_a_missing_browser_is_one_sentence_that_names_the_package(tmp_path):
    """No Chromium and no way to install one: PATH is an empty folder."""
    done = run(
        sys.executable, "tools/browser.py", PATH=str(tmp_path), FAULTLINE_CHROMIUM="", FAULTLINE_BROWSER=""
    )
    assert done.returncode == 1
    assert "install the package chromium or set FAULTLINE_BROWSER=skip" in done.stderr


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-node.lock"])
def test_locks_name_contents_and_no_addresses(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "://" not in text
    pinned = re.findall(r"^([\w.-]+)==\S+( ; .*)? \\$", text, flags=re.MULTILINE)
    assert len(pinned) == len(re.findall(r"^[\w]", text, flags=re.MULTILINE)) > 0
    blocks = re.split(r"^(?=[\w])", text, flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in block for block in blocks)


def test_the_dashboards_lock_names_no_addresses():
    text = (ROOT / "web" / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in text


def test_every_declared_dependency_is_in_the_lock():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    declared = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    locked = set(re.findall(r"^([\w.-]+)==", (ROOT / "requirements.lock").read_text(), flags=re.MULTILINE))
    names = {re.match(r"[\w.-]+", line).group().lower().replace("_", "-") for line in declared}
    assert names <= locked
