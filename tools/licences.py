"""An installed package in, the SPDX expression of its licence and the texts that it carries out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import Distribution

#: Licences whose work may be used by and shipped with work under Apache-2.0. MPL-2.0 asks for the source of its own
#: files only, and those are used unchanged.
ALLOWED = {
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MPL-2.0",
    "PSF-2.0",
    "Python-2.0",
    "Unlicense",
    "Zlib",
}
#: Packages whose metadata name no licence or an ambiguous one, and what their licence text says.
READ_BY_PEOPLE = {
    "aiofastnet": "MIT",
    "numba": "BSD-2-Clause",
    "picows": "MIT",
    "scipy": "BSD-3-Clause",
}
#: Words of older metadata that mean exactly one licence.
_SPELLINGS = {
    "Apache 2.0": "Apache-2.0",
    "ISC License": "ISC",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
_TEXT_NAMES = ("LICENSE", "LICENCE", "COPYING", "NOTICE")


def is_allowed(expression: str) -> bool:
    """Whether every part of an SPDX expression leaves a choice that is allowed."""
    parts = re.split(r"\bAND\b", expression)
    return all(any(one.strip(" ()") in ALLOWED for one in re.split(r"\bOR\b", part)) for part in parts)


def expression_of(name: str, distribution: Distribution) -> str:
    """SPDX expression of a package's licence.

    Raises:
        ValueError: its metadata name none that is known.
    """
    metadata = distribution.metadata
    classified = (line.rpartition(" :: ")[2] for line in metadata.get_all("Classifier") or [])
    expressions = metadata.get_all("License-Expression") or []
    if expressions:
        return str(expressions[0])
    # An old field may hold a whole text; its first line is the name where it is one.
    stated = [*(metadata.get_all("License") or []), *classified, READ_BY_PEOPLE.get(name, "")]
    for words in filter(None, stated):
        line = words.strip().splitlines()[0].strip()
        expression = _SPELLINGS.get(line, line)
        if is_allowed(expression):
            return str(expression)
    raise ValueError(
        f"{name} names no licence: read its text and add it to READ_BY_PEOPLE in tools/licences.py"
    )


def texts_of(distribution: Distribution) -> list[str]:
    """Licence texts and notices that an installed package carries in its metadata."""
    found = []
    for file in sorted(distribution.files or []):
        inside = ".dist-info" in file.parts[0]
        if inside and file.name.upper().startswith(_TEXT_NAMES):
            text = file.read_text(encoding="utf-8")
            found.append("\n".join(line.rstrip() for line in text.strip().splitlines()))
    return found
