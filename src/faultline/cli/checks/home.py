"""The folder of what is kept between runs and the environment in, what is wrong with them out."""

from __future__ import annotations

import difflib
import os
import sqlite3
import stat
import tempfile
from typing import TYPE_CHECKING, Final

from faultline.cli.checks.outcome import Outcome, fail, ok, warn
from faultline.config import SETTINGS, Settings
from faultline.store.facts import SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from faultline.errors import ConfigError

__all__ = ("DEVELOPMENT_VARIABLES", "check_environment", "check_facts", "check_home", "check_settings")

#: Variables that building and testing read; the engine does not.
DEVELOPMENT_VARIABLES: Final = (
    "FAULTLINE_BROWSER",
    "FAULTLINE_CHROMIUM",
    "FAULTLINE_DATA",
    "FAULTLINE_FUZZ",
    "FAULTLINE_FUZZ_SECONDS",
    "FAULTLINE_FUZZ_SEED",
    "FAULTLINE_NO_WEB",
    "FAULTLINE_REQUIRE_DATA",
    "FAULTLINE_TORTURE",
    "FAULTLINE_TORTURE_SECONDS",
    "FAULTLINE_URL",
)
_PREFIX: Final = "FAULTLINE_"
#: Databases up to this size are read completely, larger ones only with ``--deep``.
_QUICK_BYTES_MAX: Final = 64 * 10**6


def check_settings(settings: Settings | ConfigError) -> Outcome:
    """Whether the settings can be used at all."""
    if isinstance(settings, Settings):
        return ok("settings", "every value can be used")
    return fail("settings", f"{settings.user_message} ({settings.where})", settings.hint)


def check_environment(environment: Mapping[str, str] = os.environ) -> Outcome:
    """Whether every variable that is named like ours is one that is read."""
    known = {*SETTINGS, *DEVELOPMENT_VARIABLES}
    prefixes = tuple(name.partition("<")[0] for name in SETTINGS if "<" in name)
    ours = sorted(name for name in environment if name.startswith(_PREFIX))
    unknown = [name for name in ours if name not in known and not (prefixes and name.startswith(prefixes))]
    if not unknown:
        read = [name for name in ours if name not in DEVELOPMENT_VARIABLES]
        return ok("environment", f"set: {', '.join(read)}" if read else "no variable is set; defaults apply")
    words = {name.removeprefix(_PREFIX): name for name in known}
    near = {
        name: difflib.get_close_matches(name.removeprefix(_PREFIX), words, n=1, cutoff=0.6)
        for name in unknown
    }
    fixes = [f"{name}: did you mean {words[found[0]]}?" for name, found in near.items() if found]
    listed = f"known: {', '.join(SETTINGS)}"
    return warn("environment", f"nobody reads {', '.join(unknown)}", "; ".join([*fixes, listed]))


def check_home(home: Path) -> Outcome:
    """Whether the folder can be written, and by nobody else."""
    fix = "point FAULTLINE_HOME to a folder that you can write to"
    try:
        status = home.stat()
        if not stat.S_ISDIR(status.st_mode):
            return fail("home", f"{home} is not a folder", fix)
        with tempfile.NamedTemporaryFile(dir=home):
            pass
    except OSError as exc:
        return fail("home", f"{home} cannot be written: {exc.strerror}", fix)
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o022:
        found = f"{home} can be written by others (mode {mode:o}): they can change rules and scores"
        return warn("home", found, f"`chmod go-w {home}`")
    if status.st_uid != os.geteuid():
        return warn(
            "home", f"{home} belongs to another user (id {status.st_uid})", "run as that user, or `chown` it"
        )
    return ok("home", f"{home} (mode {mode:o})")


def check_facts(path: Path, *, deep: bool = False) -> Outcome:
    """Whether a database of facts is one, undamaged, and not newer than this program; nothing is changed."""
    name = f"facts, {path.stem}"
    fix = f"move {path} away (with its -wal and -shm): what is in it can be computed again"
    if not path.exists():
        return ok(name, "not there yet; it is made when it is needed")
    if not os.access(path, os.R_OK | os.W_OK) or not path.is_file():
        return fail(name, f"{path} cannot be opened for writing", "`chmod u+rw` it, or `chown` it")
    try:
        version, problem = _look_into(path, reads_all=deep or path.stat().st_size <= _QUICK_BYTES_MAX)
    except sqlite3.Error as exc:
        return fail(name, f"{path} cannot be read: {exc}", fix)
    if problem:
        return fail(name, f"{path} is damaged: {problem}", fix)
    if version is None:
        return fail(name, f"{path} is a database of something else", fix)
    if version > SCHEMA_VERSION:
        found = f"schema version {version}; this program knows up to {SCHEMA_VERSION}"
        return fail(name, found, f"use the newer Faultline that wrote it, or {fix}")
    older = f", will be brought to {SCHEMA_VERSION} when it is opened" if version < SCHEMA_VERSION else ""
    return ok(name, f"schema version {version}{older}, {path.stat().st_size / 10**6:,.1f} MB")


def _look_into(path: Path, *, reads_all: bool) -> tuple[int | None, str]:
    """Schema version (None where there is none) and what SQLite's own check finds."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)
    try:
        if reads_all and (found := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            return None, str(found)
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not tables:
            return SCHEMA_VERSION, ""
        if "meta" not in tables:
            return None, ""
        row = connection.execute("SELECT value FROM meta WHERE name = 'schema_version'").fetchone()
        return (None if row is None else int(row[0])), ""
    finally:
        connection.close()
