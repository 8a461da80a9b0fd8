"""Every struct of settings or parameters in, ``docs/reference/settings.md`` out."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from pages import GENERATED, page, plain, summary, table

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).resolve().parent.parent / "src"

INTRODUCTION = """\
Every stage owns a frozen struct of what can be set in it. An unknown key is an error. Parameters of the map are read
from a JSON file (`--params`) with the keys below; their hash stands in everything that was computed with them."""


def settings_page() -> str:
    """Every field with its type, its default and its sentence."""
    out = ["# Settings and parameters", GENERATED, INTRODUCTION]
    for module, node, text in _structs():
        cls = getattr(importlib.import_module(module), node.name)
        sentences = {**_listed(ast.get_docstring(node) or ""), **_commented(node, text)}
        rows = [
            (
                f"`{field.name}`",
                f"`{_annotation(node, field.name)}`",
                _default(field),
                sentences.get(field.name, ""),
            )
            for field in msgspec.structs.fields(cls)
        ]
        out += [f"## `{node.name}`", f"In `{module}`. {summary(cls)}"]
        out.append(table(("field", "type", "default", "meaning"), rows))
    return page(out)


def _structs() -> Iterator[tuple[str, ast.ClassDef, str]]:
    for path in sorted(SOURCE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        for node in ast.parse(text).body:
            if (
                isinstance(node, ast.ClassDef)
                and re.search(r"(Settings|Parameters)$", node.name)
                and any(ast.unparse(base) == "msgspec.Struct" for base in node.bases)
            ):
                yield ".".join(path.relative_to(SOURCE).with_suffix("").parts), node, text


def _commented(node: ast.ClassDef, text: str) -> dict[str, str]:
    """Sentences in ``#:`` comments above fields."""
    lines = text.splitlines()
    found = {}
    for field in node.body:
        if not isinstance(field, ast.AnnAssign):
            continue
        above = field.lineno - 1
        sentence: list[str] = []
        while (line := lines[above - 1].strip()).startswith("#:"):
            sentence.insert(0, line.removeprefix("#:").strip())
            above -= 1
        if sentence:
            found[ast.unparse(field.target)] = plain(" ".join(sentence))
    return found


def _listed(docstring: str) -> dict[str, str]:
    """Sentences in the ``Attributes:`` section of a docstring."""
    section = docstring.partition("Attributes:\n")[2].partition("\n\n")[0]
    entries = re.findall(r"^    (\w+): (.*(?:\n {5,}.*)*)", section, flags=re.MULTILINE)
    return {name: plain(text[:1].upper() + text[1:]) for name, text in entries}


def _annotation(node: ast.ClassDef, name: str) -> str:
    for field in node.body:
        if isinstance(field, ast.AnnAssign) and ast.unparse(field.target) == name:
            return ast.unparse(field.annotation)
    return "inherited"


def _default(field: Any) -> str:
    if field.default is not msgspec.NODEFAULT:
        return f"`{field.default!r}`"
    if field.default_factory is msgspec.NODEFAULT:
        return "required"
    value = field.default_factory()
    return f"`{value!r}`" if not isinstance(value, msgspec.Struct) else f"`{type(value).__name__}()`"
