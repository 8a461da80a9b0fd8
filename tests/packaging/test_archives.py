"""Wheel and source archive hold what a user needs, the dashboard above all, and nothing else."""

from __future__ import annotations

import email
import json
import re
import tarfile
import tomllib
import zipfile

import pytest
from tests.contracts.tree import ROOT

import faultline

STATIC = "faultline/api/static"


@pytest.fixture(scope="module")
def wheel(archives):
    """Names and checksums of the wheel's files."""
    with zipfile.ZipFile(archives["wheel"]) as archive:
        return {item.filename: item.CRC for item in archive.infolist()}


@pytest.fixture(scope="module")
def sdist(archives):
    """Names of the source archive's files, without the folder they are in."""
    with tarfile.open(archives["sdist"]) as archive:
        return {item.name.partition("/")[2] for item in archive.getmembers() if item.isfile()}


def read(path, name):
    with zipfile.ZipFile(path) as archive:
        return archive.read(name).decode()


def test_the_wheel_holds_the_page_and_every_file_of_its_manifest(archives, wheel):
    manifest = json.loads(read(archives["wheel"], f"{STATIC}/.vite/manifest.json"))
    named = {"index.html", "THIRD_PARTY_NOTICES.txt"}
    for chunk in manifest.values():
        named |= {chunk["file"], *chunk.get("css", []), *chunk.get("assets", [])}
    assert any(name.endswith(".js") for name in named)
    for name in named:
        assert f"{STATIC}/{name}" in wheel
        if name.endswith((".html", ".txt", ".js", ".css")):
            assert {f"{STATIC}/{name}.gz", f"{STATIC}/{name}.br"} <= set(wheel)
    page = read(archives["wheel"], f"{STATIC}/index.html")
    assert set(re.findall(r'(?:src|href)="\./([^"]+)"', page)) <= named


def test_every_file_of_the_dashboard_comes_along(static, wheel, sdist):
    built = {path.relative_to(static).as_posix() for path in static.rglob("*") if path.is_file()}
    assert {f"{STATIC}/{name}" for name in built} <= set(wheel)
    assert {f"src/{STATIC}/{name}" for name in built} <= sdist


def test_the_wheel_holds_all_modules_worlds_and_type_marks(wheel, sdist):
    package = ROOT / "src" / "faultline"
    wanted = [package / "py.typed", *package.rglob("*.py"), *package.glob("simulator/worlds/*.toml")]
    names = {path.relative_to(package.parent).as_posix() for path in wanted}
    assert len(names) > 100
    assert names <= set(wheel)
    assert {f"src/{name}" for name in names} <= sdist


def test_licence_and_notices_are_in_both(archives, wheel, sdist):
    info = f"faultline-{faultline.__version__}.dist-info"
    assert {f"{info}/licenses/LICENSE", f"{info}/licenses/NOTICE"} <= set(wheel)
    assert "faultline/THIRD_PARTY_NOTICES.txt" in wheel
    assert {"LICENSE", "NOTICE", "THIRD_PARTY_NOTICES.txt"} <= sdist
    text = read(archives["wheel"], "faultline/THIRD_PARTY_NOTICES.txt")
    assert text == (ROOT / "THIRD_PARTY_NOTICES.txt").read_text(encoding="utf-8")


def test_neither_holds_tests_caches_or_node_modules(wheel, sdist):
    unwanted = re.compile(
        r"(^|/)(tests|node_modules|test-results|__pycache__|\.venv|\.git|\.cache)/|\.py[co]$"
    )
    assert [name for name in (*wheel, *sdist) if unwanted.search(name)] == []
    assert {name.partition("/")[0] for name in wheel} == {
        "faultline",
        f"faultline-{faultline.__version__}.dist-info",
    }


def test_a_wheel_from_the_source_archive_is_the_wheel_from_the_tree(archives, wheel):
    """Without npm and without any other tool on the path."""
    with zipfile.ZipFile(archives["again"]) as archive:
        again = {item.filename: item.CRC for item in archive.infolist()}
    assert again == wheel


def test_there_is_one_version(archives):
    info = f"faultline-{faultline.__version__}.dist-info"
    metadata = email.message_from_string(read(archives["wheel"], f"{info}/METADATA"))
    assert metadata["Version"] == faultline.__version__
    web = json.loads((ROOT / "web" / "package.json").read_text(encoding="utf-8"))
    assert web["version"] == faultline.__version__


def test_the_wheel_asks_for_what_the_project_declares(archives):
    info = f"faultline-{faultline.__version__}.dist-info"
    metadata = email.message_from_string(read(archives["wheel"], f"{info}/METADATA"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.match(r"[\w-]+", line).group().lower() for line in metadata.get_all("Requires-Dist")}
    assert names == {re.match(r"[\w-]+", line).group().lower() for line in project["dependencies"]}
    assert metadata["Requires-Python"] == project["requires-python"]
    assert "faultline = faultline.cli:main" in read(archives["wheel"], f"{info}/entry_points.txt")
