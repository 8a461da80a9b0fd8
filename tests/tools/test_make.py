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


@pytest.mark.parametrize("name", ["", "Some Venue", "../x", "some_venue", "-x"])
def test_a_venue_needs_a_slug(name, tmp_path):
    done = run(sys.executable, "tools/new_venue.py", "--root", str(tmp_path), "--", name)
    assert done.returncode == 2
    assert "is no slug" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_venue_that_is_there_is_not_overwritten():
    done = run(sys.executable, "tools/new_venue.py", "bybit")
    assert done.returncode == 2
    assert "is there already" in done.stderr


def test_a_new_venue_runs_and_passes_the_contract_suite(tmp_path):
    """The folder is written beside the package, found through its path, and put into the registry of one process."""
    done = run(sys.executable, "tools/new_venue.py", "some-venue", "--root", str(tmp_path))
    assert done.returncode == 0
    assert 'Add "some-venue" to SLUGS' in done.stdout
    written = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert written == sorted(done.stdout.splitlines()[:-1])
    (tmp_path / "conftest.py").write_text(
        "import sys, faultline.sources.venues, faultline.testing.venues\n"
        "from faultline.sources import registry\n"
        f"faultline.sources.venues.__path__.append({str(tmp_path / 'src/faultline/sources/venues')!r})\n"
        f"faultline.testing.venues.__path__.append({str(tmp_path / 'src/faultline/testing/venues')!r})\n"
        "registry.SLUGS = ('some-venue',)\n"
    )
    suite = [str(ROOT / f"tests/contracts/test_venues{more}.py") for more in ("", "_hostile")]
    own = str(tmp_path / "tests/sources/venues/some_venue/test_mapper.py")
    words = ["-q", "-p", "conftest", "-p", "no:cacheprovider", *suite, own]
    words += ["-k", "not the_readme", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT)]
    path = os.pathsep.join([str(tmp_path), str(ROOT / "src"), str(ROOT)])
    done = run(sys.executable, "-m", "pytest", *words, PYTHONPATH=path)
    assert done.returncode == 0, done.stdout + done.stderr


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
