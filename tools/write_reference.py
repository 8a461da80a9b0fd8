"""The code in, the reference pages that are generated from it out.

``python tools/write_reference.py`` writes them; with ``--check`` it exits 1 where a page differs.
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from faultline import errors, instruments, messages, units
from pages import GENERATED, page, summary, table
from reference_commands import commands_page
from reference_events import events_page
from reference_routes import routes_page
from reference_settings import settings_page
from reference_venues import venues_page
from reference_worlds import worlds_page

if TYPE_CHECKING:
    import enum
    from collections.abc import Callable, Mapping

ROOT = Path(__file__).resolve().parent.parent

#: Types of columns as people call them.
TYPES = {
    "<i8": "int64",
    "<f8": "float64",
    "<u4": "uint32",
    "<u2": "uint16",
    "<u1": "uint8",
    "<i1": "int8",
}

#: Enumerations whose values stand in columns.
ENUMERATIONS: tuple[type[enum.Enum], ...] = (
    units.Side,
    units.TakerSide,
    units.PriceKind,
    messages.TradeCause,
    instruments.ContractKind,
    instruments.FormulaFamily,
)

MESSAGES_INTRODUCTION = """\
Market facts travel as NumPy structured arrays, one dtype per kind, in batches of one instrument sorted by
receive time. Times are nanoseconds since 1970, UTC. A value that the source does not tell is NaN, never 0.
The side of a liquidation is the side of the **position** that was forced out.

Rows that share a receive time are applied in the order of this page, then by venue, symbol and sequence."""

ERRORS_INTRODUCTION = """\
Under `--json` a command prints `{"error": {"code", "message", "where", "hint"}}` on stderr. The API answers
problem documents with the same `code`, `where` and `hint`."""


def messages_page() -> str:
    """Every kind of message and every column of it."""
    out = [
        "# Messages",
        GENERATED,
        MESSAGES_INTRODUCTION,
        "## Header of every row",
        table(("column", "type", "meaning"), (field_row(field) for field in messages.HEADER)),
    ]
    for spec in messages.KINDS.values():
        out += [
            f"## `{spec.kind}`",
            spec.row_is,
            table(("column", "type", "meaning"), map(field_row, spec.fields)),
        ]
    out += ["## Values", "### Flags"]
    out.append(enum_table(messages.Flag, comments(messages.Flag)))
    for kind in ENUMERATIONS:
        out += [f"### `{kind.__name__}`", summary(kind), enum_table(kind, comments(kind))]
    return page(out)


def errors_page() -> str:
    """Every code that a program can get in an error."""
    rows = []
    for name in errors.__all__:
        cls = getattr(errors, name)
        rows.append((f"`{cls.code}`", name, summary(cls)))
    return page(
        [
            "# Error codes",
            GENERATED,
            ERRORS_INTRODUCTION,
            table(("code", "class", "when"), sorted(rows)),
        ]
    )


#: Generated pages, and who writes them.
PAGES: Mapping[str, Callable[[], str]] = {
    "docs/reference/messages.md": messages_page,
    "docs/reference/errors.md": errors_page,
    "docs/reference/events.md": events_page,
    "docs/reference/commands.md": commands_page,
    "docs/reference/routes.md": routes_page,
    "docs/reference/settings.md": settings_page,
    "docs/reference/venues.md": venues_page,
    "docs/reference/worlds.md": worlds_page,
}


def field_row(field: messages.Field) -> tuple[str, str, str]:
    """One column of a message as cells."""
    kind = TYPES.get(field.dtype) or f"bytes, at most {field.dtype.removeprefix('S')}"
    return (f"`{field.name}`", kind, field.meaning)


def enum_table(kind: type[enum.Enum], meanings: Mapping[str, str]) -> str:
    """Members of an enumeration with their values, and their comments where they have some."""
    members = [member for member in kind.__members__.values() if member.name != "NONE"]
    if not any(meanings.values()):
        return table(("value", "name"), ((str(member.value), f"`{member.name}`") for member in members))
    rows = ((str(member.value), f"`{member.name}`", meanings[str(member.name)]) for member in members)
    return table(("value", "name", "meaning"), rows)


def comments(kind: type[enum.Enum]) -> dict[str, str]:
    """The ``#:`` sentence above every member."""
    found: dict[str, str] = {}
    sentence: list[str] = []
    for line in map(str.strip, inspect.getsource(kind).splitlines()):
        if line.startswith("#:"):
            sentence.append(line.removeprefix("#:").strip())
        elif " = " in line:
            found[line.partition(" = ")[0]] = " ".join(sentence)
            sentence = []
    return found


def main() -> int:
    """Write or check every page."""
    stale = []
    for name, write in PAGES.items():
        path = ROOT / name
        text = write()
        if "--check" not in sys.argv[1:]:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
    for name in stale:
        print(f"{name} is not what the code says: run `make docs`", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
