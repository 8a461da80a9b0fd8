"""Nothing is used or shipped without a licence that allows it and a place where that licence is named."""

from __future__ import annotations

import importlib
import re
import sys

import pytest
from tests.contracts.tree import ROOT

NOTICES = (ROOT / "THIRD_PARTY_NOTICES.txt").read_text(encoding="utf-8")
ENTRY = re.compile(
    r"^=+\n(\S+) ([^(\n]+) \(([^\n]+)\)\n=+\n\n(.+?)(?=\n=+\n\S+ [^(\n]+ \(|\Z)", re.MULTILINE | re.DOTALL
)


@pytest.fixture
def tool(monkeypatch):
    """Imports one of the repository's tools."""
    monkeypatch.syspath_prepend(ROOT / "tools")
    return importlib.import_module


def test_every_package_of_the_lock_has_an_entry_with_a_licence_that_allows_its_use(tool):
    locked = tool("locked").runtime_packages((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    part = NOTICES.partition("\nPart 2: ")[0]
    entries = {match[1]: match for match in ENTRY.finditer(part)}
    assert set(entries) == set(locked)
    assert len(locked) > 30
    for name, package in locked.items():
        assert entries[name][2] == " / ".join(package.versions)
        assert tool("licences").is_allowed(entries[name][3]), f"{name}: {entries[name][3]}"
        assert len(entries[name][4].strip()) > 40


def test_every_dependency_that_the_project_declares_is_among_them(tool):
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    locked = tool("locked").runtime_packages((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    declared = {re.match(r"[\w-]+", line).group().lower() for line in project["dependencies"]}
    assert {name for name, package in locked.items() if package.is_direct} == declared
    assert "pytest" not in locked
    assert {"llvmlite", "anyio", "requests"} <= set(locked), "what they bring along is needed too"


def test_every_package_inside_the_dashboard_has_an_entry(tool):
    part = NOTICES.partition("\nPart 2: ")[2]
    packages = tool("write_notices").web_packages((ROOT / "web" / "package-lock.json").read_text())
    assert "lightweight-charts" in packages
    assert "vite" not in packages
    for name, (version, licence) in packages.items():
        assert f"{name} {version} ({licence})\n" in part
        assert tool("licences").is_allowed(licence)


def test_the_notice_that_the_charts_ask_for_is_reachable_from_the_page(static):
    """Lightweight Charts asks for its notice and a link on a page that users can see."""
    about = (ROOT / "web" / "src" / "pages" / "about" / "AboutPage.tsx").read_text(encoding="utf-8")
    assert "TradingView Lightweight Charts" in about
    assert 'href="https://www.tradingview.com/"' in about
    assert 'href="./THIRD_PARTY_NOTICES.txt"' in about
    texts = (static / "THIRD_PARTY_NOTICES.txt").read_text(encoding="utf-8")
    assert "TradingView Lightweight Charts" in texts
    assert "https://www.tradingview.com/" in texts
    assert "Apache License" in texts


def test_the_table_of_tested_versions_is_the_locks(tool):
    """The tool writes nothing else where nothing changed; where a package is at another version it says so."""
    locked = tool("locked").runtime_packages((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    written = tool("write_notices").versions_module(locked)
    assert (ROOT / "src" / "faultline" / "cli" / "tested_versions.py").read_text(encoding="utf-8") == written


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("BSD-3-Clause AND 0BSD AND (MIT OR Apache-2.0)", True),
        ("GPL-3.0-only OR MIT", True),
        ("GPL-3.0-only", False),
        ("MIT AND LGPL-2.1-or-later", False),
        ("BSD License", False),
        ("", False),
    ],
)
def test_an_expression_is_allowed_where_every_part_leaves_an_allowed_choice(tool, expression, allowed):
    assert tool("licences").is_allowed(expression) is allowed


class Installed:
    """A distribution with given metadata and no files."""

    files = ()

    def __init__(self, version="1", **fields):
        from email.message import Message

        self.version = version
        self.metadata = Message()
        for name, value in fields.items():
            self.metadata[name.replace("_", "-")] = value


@pytest.mark.parametrize(
    ("fields", "expression"),
    [
        ({"License_Expression": "MIT OR Apache-2.0"}, "MIT OR Apache-2.0"),
        ({"License_Expression": "GPL-3.0-only", "License": "MIT"}, "GPL-3.0-only"),
        ({"License": "MIT License\n\nPermission is hereby granted"}, "MIT"),
        ({"License": "BSD", "Classifier": "License :: OSI Approved :: ISC License (ISCL)"}, "ISC"),
    ],
)
def test_the_licence_of_a_package_is_what_its_metadata_say(tool, fields, expression):
    assert tool("licences").expression_of("somebody", Installed(**fields)) == expression


def test_a_package_without_a_licence_is_refused_by_name(tool):
    with pytest.raises(ValueError, match="somebody names no licence"):
        tool("licences").expression_of(
            "somebody", Installed(Classifier="License :: OSI Approved :: BSD License")
        )


def test_a_package_with_a_licence_that_is_not_allowed_is_refused_by_name(tool, monkeypatch):
    write_notices = tool("write_notices")
    locked = tool("locked").Locked(("1",), frozenset(), is_direct=True)
    monkeypatch.setattr(
        write_notices, "distribution", lambda _: Installed(License_Expression="AGPL-3.0-only")
    )
    with pytest.raises(ValueError, match=r"somebody is under AGPL-3\.0-only"):
        write_notices.notices({"somebody": locked}, (ROOT / "THIRD_PARTY_NOTICES.txt").read_text())


def test_a_package_at_another_version_than_the_locks_is_refused_by_name(tool, monkeypatch):
    write_notices = tool("write_notices")
    locked = tool("locked").Locked(("2",), frozenset(), is_direct=True)
    monkeypatch.setattr(write_notices, "distribution", lambda _: Installed(License_Expression="MIT"))
    with pytest.raises(ValueError, match="somebody 1 is installed, the lock says"):
        write_notices.notices({"somebody": locked}, (ROOT / "THIRD_PARTY_NOTICES.txt").read_text())


def test_the_tool_says_what_is_stale_and_writes_it(tool, monkeypatch, tmp_path, capsys, static):
    write_notices = tool("write_notices")
    monkeypatch.setattr(write_notices, "WEB_NOTICES", ROOT / "THIRD_PARTY_NOTICES.txt")
    for name in ("NOTICES", "VERSIONS"):
        monkeypatch.setattr(write_notices, name, tmp_path / name)
    monkeypatch.setattr(sys, "argv", ["write_notices.py", "--check"])
    assert write_notices.main() == 1
    assert capsys.readouterr().err.count("run `make notices`") == 2
    assert not (tmp_path / "NOTICES").exists()
    monkeypatch.setattr(sys, "argv", ["write_notices.py"])
    assert write_notices.main() == 0
    monkeypatch.setattr(sys, "argv", ["write_notices.py", "--check"])
    assert write_notices.main() == 0
    (tmp_path / "VERSIONS").write_text("something else")
    assert write_notices.main() == 1
    assert capsys.readouterr().err == "VERSIONS is not what the locks say: run `make notices`\n"
