from __future__ import annotations

import os
import re
import sqlite3
from pathlib import Path

import pytest

from faultline.cli.checks.home import (
    DEVELOPMENT_VARIABLES,
    check_environment,
    check_facts,
    check_home,
    check_settings,
)
from faultline.cli.checks.outcome import State
from faultline.config import SETTINGS, read_settings
from faultline.errors import ConfigError
from faultline.store.facts import SCHEMA_VERSION, open_facts


def test_a_misspelled_variable_is_mentioned_with_the_nearest_known_one():
    found = check_environment({"FAULTLINE_HOEM": "x", "FAULTLINE_ZZZZZZZZ": "y", "HOME": "z"})
    assert found.state is State.WARN
    assert found.found == "nobody reads FAULTLINE_HOEM, FAULTLINE_ZZZZZZZZ"
    assert "FAULTLINE_HOEM: did you mean FAULTLINE_HOME?" in found.fix
    assert "FAULTLINE_ZZZZZZZZ:" not in found.fix
    assert all(name in found.fix for name in SETTINGS)


def test_variables_that_are_read_are_fine():
    plain = [name for name in SETTINGS if "<" not in name]
    found = check_environment(dict.fromkeys([*plain, *DEVELOPMENT_VARIABLES], "secret value"))
    assert found.state is State.OK
    assert all(name in found.found for name in plain)
    assert "secret value" not in found.found
    assert check_environment({}).state is State.OK


def test_every_variable_of_the_project_is_known(root):
    """Whatever a file of the project reads, the check above must not call unknown."""
    tops = ("src", "tests", "tools", "benchmarks", "web")
    named = set(re.findall(r"\bFAULTLINE_[A-Z_]*[A-Z]\b(?!_?<)", (root / "Makefile").read_text()))
    for top in tops:
        for path in (root / top).rglob("*"):
            is_code = path.suffix in {".py", ".ts", ".mjs"} and "node_modules" not in path.parts
            if is_code and path != Path(__file__):
                text = path.read_text(encoding="utf-8")
                named |= set(re.findall(r"environ\S*[\[(.]\W*(FAULTLINE_[A-Z_]*[A-Z])\b", text))
                named |= set(re.findall(r"process\.env\W*(FAULTLINE_[A-Z_]*[A-Z])\b", text))
    assert "FAULTLINE_DATA" in named
    assert check_environment(dict.fromkeys(named, "1")).state is State.OK, sorted(named)


def test_a_home_that_is_mine_alone_is_fine(tmp_path):
    tmp_path.chmod(0o700)
    found = check_home(tmp_path)
    assert (found.state, found.found) == (State.OK, f"{tmp_path} (mode 700)")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_home_that_others_can_write_is_mentioned(tmp_path, mode):
    tmp_path.chmod(mode)
    found = check_home(tmp_path)
    assert found.state is State.WARN
    assert f"chmod go-w {tmp_path}" in found.fix


def test_a_home_that_cannot_be_written_fails(tmp_path):
    """A folder of the kernel, because root may write to every other one."""
    found = check_home(Path("/proc/self"))
    assert found.state is State.FAIL
    assert "cannot be written" in found.found
    (tmp_path / "file").touch()
    assert "is not a folder" in check_home(tmp_path / "file").found
    assert check_home(tmp_path / "nowhere").state is State.FAIL


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_home_of_somebody_else_is_mentioned(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, 12345, 12345)
    found = check_home(home)
    assert found.state is State.WARN
    assert "12345" in found.found


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to every folder")
def test_a_read_only_home_fails(tmp_path):
    tmp_path.chmod(0o500)
    assert check_home(tmp_path).state is State.FAIL


def test_settings_that_cannot_be_used_say_where_and_why(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError) as raised:
        read_settings({"FAULTLINE_HOME": str(tmp_path / "file" / "home")})
    found = check_settings(raised.value)
    assert found.state is State.FAIL
    assert "FAULTLINE_HOME=" in found.found
    assert found.fix
    assert check_settings(read_settings({"FAULTLINE_HOME": str(tmp_path)})).state is State.OK


@pytest.fixture
def facts(tmp_path):
    """A database of facts of this version, closed."""
    path = tmp_path / "recorded.db"
    open_facts(path).dispose()
    return path


def set_version(path, version):
    connection = sqlite3.connect(path)
    connection.execute("UPDATE meta SET value = ?", (version,))
    connection.commit()
    connection.close()


def test_a_database_of_this_version_is_fine_and_stays_as_it_is(facts):
    before = facts.read_bytes()
    found = check_facts(facts, deep=True)
    assert found.state is State.OK, found
    assert f"schema version {SCHEMA_VERSION}" in found.found
    assert facts.read_bytes() == before


def test_a_missing_database_is_made_when_it_is_needed_and_not_before(tmp_path):
    assert check_facts(tmp_path / "recorded.db").state is State.OK
    assert list(tmp_path.iterdir()) == []


def test_an_older_database_is_brought_up_later_by_the_one_who_opens_it(facts):
    set_version(facts, 1)
    found = check_facts(facts)
    assert found.state is State.OK
    assert f"will be brought to {SCHEMA_VERSION}" in found.found
    connection = sqlite3.connect(facts)
    assert connection.execute("SELECT value FROM meta").fetchone() == (1,)
    connection.close()


def test_a_database_of_a_newer_version_fails(facts):
    set_version(facts, SCHEMA_VERSION + 7)
    found = check_facts(facts)
    assert found.state is State.FAIL
    assert f"schema version {SCHEMA_VERSION + 7}" in found.found
    assert "newer Faultline" in found.fix


def test_a_database_that_is_none_fails(facts):
    facts.write_bytes(b"these are no tables at all, " * 1000)
    found = check_facts(facts)
    assert found.state is State.FAIL
    assert "move" in found.fix


def test_a_damaged_database_fails(facts):
    """The first page stays as it is: only reading on shows the damage."""
    content = bytearray(facts.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    facts.write_bytes(content)
    found = check_facts(facts)
    assert found.state is State.FAIL
    assert str(facts) in found.found


@pytest.mark.parametrize(
    "script", ["CREATE TABLE songs (name TEXT)", "CREATE TABLE meta (name TEXT, value INTEGER)"]
)
def test_a_database_of_something_else_fails(tmp_path, script):
    path = tmp_path / "recorded.db"
    connection = sqlite3.connect(path)
    connection.execute(script)
    connection.close()
    found = check_facts(path)
    assert found.state is State.FAIL
    assert "something else" in found.found


def test_an_empty_database_is_filled_when_it_is_opened(tmp_path):
    (tmp_path / "recorded.db").touch()
    assert check_facts(tmp_path / "recorded.db").state is State.OK
    open_facts(tmp_path / "recorded.db").dispose()
    assert check_facts(tmp_path / "recorded.db").state is State.OK


def test_a_folder_in_the_place_of_a_database_fails(tmp_path):
    assert check_facts(tmp_path).state is State.FAIL
