"""A package without its dashboard is built on purpose or not at all."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile

import pytest
from tests.contracts.tree import ROOT

STATIC = "src/faultline/api/static"

#: Stands in for npm: notes what it was asked, and writes a dashboard of one script.
NPM = """#!/bin/sh
echo "$@" >> asked
[ "$1" = run ] || exit 0
out=../src/faultline/api/static
mkdir -p $out/.vite $out/assets
echo '{"index.html": {"file": "assets/a.js", "isEntry": true}}' > $out/.vite/manifest.json
for name in index.html assets/a.js THIRD_PARTY_NOTICES.txt; do
    for suffix in '' .gz .br; do echo x > $out/$name$suffix; done
done
"""


@pytest.fixture
def project(tmp_path):
    """A project with the real hook and settings, one module and the dashboard's package.json."""
    folder = tmp_path / "project"
    (folder / "src" / "faultline").mkdir(parents=True)
    (folder / "src" / "faultline" / "__init__.py").write_text('__version__ = "0"\n')
    (folder / "tools").mkdir()
    (folder / "web").mkdir()
    (folder / "web" / "package.json").write_text("{}")
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE", "THIRD_PARTY_NOTICES.txt"):
        shutil.copy(ROOT / name, folder / name)
    shutil.copy(ROOT / "tools" / "hatch_build.py", folder / "tools")
    (folder / ".gitignore").write_text(f"{STATIC}/\n")
    return folder


@pytest.fixture
def npm(tmp_path):
    """A PATH with the stand-in and the shell tools it needs."""
    bin_path = tmp_path / "bin"
    bin_path.mkdir()
    (bin_path / "npm").write_text(NPM)
    (bin_path / "npm").chmod(0o755)
    return f"{bin_path}:/usr/bin:/bin"


def names_in(folder):
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_without_dashboard_and_npm_the_build_fails_and_names_both_ways_out(project, build, tmp_path):
    done = build(project, "wheel", tmp_path / "out", PATH=str(tmp_path), FAULTLINE_NO_WEB="")
    assert done.returncode != 0
    assert "npm is missing" in done.stderr
    assert "make web" in done.stderr
    assert "FAULTLINE_NO_WEB=1" in done.stderr
    assert not list(tmp_path.glob("out/*.whl"))


def test_without_the_sources_of_the_dashboard_npm_does_not_help(project, build, tmp_path, npm):
    (project / "web" / "package.json").unlink()
    done = build(project, "wheel", tmp_path / "out", PATH=npm, FAULTLINE_NO_WEB="")
    assert done.returncode != 0
    assert "its sources in web/ is missing" in done.stderr


def test_a_package_without_a_dashboard_is_built_when_it_is_asked_for(project, build, tmp_path, npm):
    done = build(project, "wheel", tmp_path / "out", PATH=npm, FAULTLINE_NO_WEB="1")
    assert done.returncode == 0, done.stderr
    assert not [name for name in names_in(tmp_path / "out") if "static" in name]
    assert not (project / "web" / "asked").exists()


@pytest.mark.parametrize("target", ["wheel", "sdist"])
def test_npm_builds_a_missing_dashboard(project, build, tmp_path, npm, target):
    done = build(project, target, tmp_path / "out", PATH=npm, FAULTLINE_NO_WEB="")
    assert done.returncode == 0, done.stderr
    assert (project / "web" / "asked").read_text().splitlines() == ["install --no-save", "run build"]
    if target == "wheel":
        assert "faultline/api/static/assets/a.js.br" in names_in(tmp_path / "out")


def test_a_complete_dashboard_is_taken_as_it_is(project, build, tmp_path, npm):
    assert build(project, "wheel", tmp_path / "first", PATH=npm).returncode == 0
    (project / "web" / "asked").unlink()
    done = build(project, "wheel", tmp_path / "second", PATH=npm)
    assert done.returncode == 0, done.stderr
    assert not (project / "web" / "asked").exists()
    assert names_in(tmp_path / "first") == names_in(tmp_path / "second")


@pytest.mark.parametrize(
    "lost",
    ["assets/a.js", "assets/a.js.gz", "index.html.br", "THIRD_PARTY_NOTICES.txt", ".vite/manifest.json"],
)
def test_an_incomplete_dashboard_is_refused_by_name(project, build, tmp_path, npm, lost):
    assert build(project, "wheel", tmp_path / "first", PATH=npm).returncode == 0
    (project / STATIC / lost).unlink()
    done = build(project, "wheel", tmp_path / "second", PATH=npm)
    assert done.returncode != 0
    assert lost in done.stderr
    assert "make web" in done.stderr


def test_a_failing_npm_fails_the_build(project, build, tmp_path, npm):
    (tmp_path / "bin" / "npm").write_text("#!/bin/sh\nexit 7\n")
    done = build(project, "wheel", tmp_path / "out", PATH=npm, FAULTLINE_NO_WEB="")
    assert done.returncode != 0
    assert "`npm install --no-save` in web/ failed with exit code 7" in done.stderr


def test_an_editable_install_needs_no_dashboard(project, tmp_path):
    """As pip asks for one: by the backend's own function, in the project's folder."""
    script = "from hatchling.build import build_editable; print(build_editable('../out'))"
    (tmp_path / "out").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=project, capture_output=True, text=True, env={"PATH": ""}
    )
    assert done.returncode == 0, done.stderr
    assert names_in(tmp_path / "out")


def test_the_stand_in_writes_what_the_real_build_writes(static):
    """Else the tests above would say nothing about the real thing."""
    manifest = json.loads((static / ".vite" / "manifest.json").read_text())
    assert manifest["index.html"]["isEntry"] is True
    assert (static / "THIRD_PARTY_NOTICES.txt.br").is_file()
