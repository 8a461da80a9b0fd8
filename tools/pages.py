"""Cells and blocks in, Markdown out: what the reference pages share."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

GENERATED = "<!-- Written by tools/write_reference.py: run `make docs` after a change. -->"


def page(parts: Iterable[str]) -> str:
    """Blocks separated by empty lines."""
    return "\n\n".join(part.rstrip() for part in parts if part) + "\n"


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table; bars inside cells are escaped."""
    lines = [head, tuple("---" for _ in head), *rows]
    escaped = [[cell.replace("|", "\\|") for cell in cells] for cells in lines]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in escaped)


def summary(thing: object) -> str:
    """First paragraph of a docstring on one line, in Markdown."""
    return plain((inspect.getdoc(thing) or "").partition("\n\n")[0])


def plain(text: str) -> str:
    """Text of a docstring or help on one line, in Markdown."""
    return " ".join(text.split()).replace("``", "`")
