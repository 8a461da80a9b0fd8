"""``requirements.lock`` in, the packages that the engine needs at run time and their locked versions out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"

_PIN = re.compile(r"^([\w.-]+)==(\S+?)(?: ; (.*?))? \\$", flags=re.MULTILINE)
_VIA = re.compile(r"^    # via(?: (.+)|((?:\n    #   .+)+))", flags=re.MULTILINE)
_OURS = "faultline (pyproject.toml)"


class Locked(NamedTuple):
    """One package of the lock; it has several versions where they depend on Python's."""

    versions: tuple[str, ...]
    #: Who asked for it; the project itself is ``faultline (pyproject.toml)``.
    via: frozenset[str]
    #: Whether the project names it as a dependency of its own.
    is_direct: bool


def runtime_packages(text: str) -> dict[str, Locked]:
    """Packages of a lock that running needs on Linux, by name: the project's own dependencies and theirs."""
    versions: dict[str, list[str]] = {}
    via: dict[str, set[str]] = {}
    for block in re.split(r"^(?=\w)", text, flags=re.MULTILINE):
        pin = _PIN.match(block)
        if pin is None or "win32" in (pin[3] or "").replace("!= 'win32'", ""):
            continue
        versions.setdefault(pin[1], []).append(pin[2])
        asked = _VIA.search(block)
        if asked is not None:
            lines = [asked[1]] if asked[1] else asked[2].strip().splitlines()
            via.setdefault(pin[1], set()).update(line.strip("# ") for line in lines)
    needed = {name for name, by in via.items() if _OURS in by}
    direct = set(needed)
    while more := {name for name, by in via.items() if by & needed} - needed:
        needed |= more
    return {
        name: Locked(tuple(versions[name]), frozenset(via[name]), name in direct) for name in sorted(needed)
    }
