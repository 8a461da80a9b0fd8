from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile

import pytest
from tests.contracts.tree import ROOT

STATIC = ROOT / "src" / "faultline" / "api" / "static"


@pytest.fixture(scope="session")
def static(tmp_path_factory):
    """A copy of the built dashboard; `make unit` and `make test` build it first."""
    if not (STATIC / "index.html").is_file():
        pytest.skip("the dashboard is not built: run `make web`")
    return shutil.copytree(STATIC, tmp_path_factory.mktemp("dashboard") / "static")


@pytest.fixture(scope="session")
def clean_copy(tmp_path_factory):
    """What is under version control, or would be, and nothing else, in a folder of its own."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        pytest.skip("not a checkout: git does not list the files of this folder")
    target = tmp_path_factory.mktemp("checkout")
    for name in filter(None, listed.stdout.split("\0")):
        source = ROOT / name
        if source.is_file() and not name.startswith("tests/"):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target / name)
    return target


@pytest.fixture(scope="session")
def build():
    """Runs the build backend in a folder as pip would without isolation; gives the result and what it said."""

    def run(folder, target, out, **environment):
        return subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(out)],
            cwd=folder,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=100,
        )

    return run


@pytest.fixture(scope="session")
def archives(static, clean_copy, build, tmp_path_factory):
    """Paths of a wheel, a source archive, and a wheel that was built from the source archive."""
    out = tmp_path_factory.mktemp("dist")
    shutil.copytree(static, clean_copy / STATIC.relative_to(ROOT))
    for target in ("wheel", "sdist"):
        done = build(clean_copy, target, out)
        assert done.returncode == 0, done.stderr
    (sdist,) = out.glob("*.tar.gz")
    unpacked = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(unpacked, filter="data")
    (folder,) = unpacked.iterdir()
    done = build(folder, "wheel", out / "again", PATH="", FAULTLINE_NO_WEB="")
    assert done.returncode == 0, done.stderr
    return {
        "wheel": next(out.glob("*.whl")),
        "sdist": sdist,
        "again": next((out / "again").glob("*.whl")),
    }
