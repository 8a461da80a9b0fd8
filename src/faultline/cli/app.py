"""The command line: which command lives in which file, and what an error looks like from outside."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import structlog
import typer

from faultline import __version__
from faultline.cli import (
    decode,
    doctor,
    evaluate,
    learn,
    map_at,
    params,
    record,
    replay,
    serve,
    simulate,
    tape,
    venues,
)
from faultline.cli.output import fail
from faultline.errors import FaultlineError

__all__ = ("APP", "main")

APP = typer.Typer(
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


APP.add_typer(tape.APP, name="tape")
APP.add_typer(params.APP, name="params")
APP.command("serve")(serve.serve_command)
APP.command("record")(record.record_command)
APP.command("venues")(venues.venues_command)
APP.command("decode")(decode.decode_command)
APP.command("replay")(replay.replay_command)
APP.command("map")(map_at.map_command)
APP.command("learn")(learn.learn_command)
APP.command("evaluate")(evaluate.evaluate_command)
APP.command("doctor")(doctor.doctor_command)
APP.command("simulate")(simulate.simulate_command)
APP.command("score-truth")(simulate.score_truth_command)


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
