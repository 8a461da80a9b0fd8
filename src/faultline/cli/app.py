"""The command line: which command lives in which file, and what an error looks like from outside."""

from __future__ import annotations

import importlib
import logging
import sys
from typing import Annotated, Any, Final

import structlog
import typer
from typer.core import TyperGroup

from faultline import __version__
from faultline.cli.output import fail
from faultline.errors import FaultlineError

__all__ = ("APP", "main")

#: Where each command is, in the order of the help: a file of this folder, and the name in it.
_PLACES: Final = {
    "serve": ("serve", "serve_command"),
    "record": ("record", "record_command"),
    "venues": ("venues", "venues_command"),
    "decode": ("decode", "decode_command"),
    "replay": ("replay", "replay_command"),
    "map": ("map_at", "map_command"),
    "learn": ("learn", "learn_command"),
    "evaluate": ("evaluate", "evaluate_command"),
    "doctor": ("doctor", "doctor_command"),
    "simulate": ("simulate", "simulate_command"),
    "score-truth": ("simulate", "score_truth_command"),
    "tape": ("tape", "APP"),
    "params": ("params", "APP"),
}


class _CommandsOnDemand(TyperGroup):
    """Commands that are imported when they are asked for: the others' libraries take a second or two."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - as the group says
        """Names of all commands."""
        return list(_PLACES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - as the group says
        """The command, imported; None where there is none of that name."""
        if cmd_name not in _PLACES:
            return None
        file, attribute = _PLACES[cmd_name]
        found = getattr(importlib.import_module(f"faultline.cli.{file}"), attribute)
        if not isinstance(found, typer.Typer):
            app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
            app.command(cmd_name)(found)
            found = app
        command = typer.main.get_command(found)
        command.name = cmd_name
        return command


APP = typer.Typer(
    cls=_CommandsOnDemand,
    name="faultline",
    help="Where leveraged crypto-derivatives positions are forced out of the market, scored against what happened.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"faultline {__version__}")
        raise typer.Exit


@APP.callback()
def before_every_command(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Where leveraged positions are forced out of the market, scored against what happened."""


def _log_to_stderr() -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def main() -> None:
    """Run the command line; exit code 0 ok, 1 failed, 2 usage."""
    _log_to_stderr()
    try:
        APP()
    except FaultlineError as exc:
        sys.exit(fail(exc, json="--json" in sys.argv))
    except KeyboardInterrupt:
        sys.exit(130)
