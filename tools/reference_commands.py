"""The command line in, ``docs/reference/commands.md`` out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer.main

from faultline.cli.app import APP
from pages import GENERATED, page, plain, table

if TYPE_CHECKING:
    from collections.abc import Iterator

INTRODUCTION = """\
Human output goes to stdout, logs to stderr. Where a command knows `--json` it prints one object on stdout, and errors
as one object on stderr. Exit code 0 is success, 1 failure, 2 a request that cannot be understood. Times are ISO-8601,
UTC unless they carry an offset."""


def commands_page() -> str:
    """Every command with its arguments and options."""
    out = ["# Commands", GENERATED, INTRODUCTION]
    for name, command in _leaves(typer.main.get_command(APP), "faultline"):
        out += [f"## `{name}`", "\n\n".join(plain(part) for part in (command.help or "").split("\n\n"))]
        rows = [_row(parameter) for parameter in command.params if not getattr(parameter, "hidden", False)]
        if rows:
            out.append(table(("argument or option", "default", "meaning"), rows))
    return page(out)


def _leaves(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    for word in command.list_commands(None):
        child = command.get_command(None, word)
        if hasattr(child, "list_commands"):
            yield from _leaves(child, f"{name} {word}")
        else:
            yield f"{name} {word}", child


def _row(parameter: Any) -> tuple[str, str, str]:
    is_argument = parameter.param_type_name == "argument"
    names = (
        [(parameter.metavar or parameter.name).upper()]
        if is_argument
        else [*parameter.opts, *parameter.secondary_opts]
    )
    default = parameter.default
    if parameter.required:
        shown = "required"
    elif default is None or default is False or callable(default) or default in ((), [], ""):
        shown = ""
    else:
        shown = f"`{default}`"
    return " ".join(f"`{name}`" for name in names), shown, plain(getattr(parameter, "help", None) or "")
