"""Text of an option in, a checked value out; a value that cannot be used is a usage error (exit 2)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from faultline.units import TIMEFRAMES_NS, parse_duration_ns, parse_time_ns

__all__ = ("AsJson", "ParametersFile", "duration_ns", "names", "time_ns", "timeframe")

#: The ``--json`` switch of every command.
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout instead of text.")]

#: The ``--params`` file of every command that runs a market.
ParametersFile = Annotated[
    Path | None,
    typer.Option("--params", help="Settings of the map in JSON, or a file of learned parameters."),
]


def time_ns(text: str | None, option: str) -> int | None:
    """Nanoseconds of an ISO-8601 option, None where it was not given.

    Raises:
        typer.BadParameter: it is not a time.
    """
    if text is None:
        return None
    try:
        return parse_time_ns(text)
    except ValueError as exc:
        raise typer.BadParameter(str(exc), param_hint=option) from exc


def duration_ns(text: str, option: str) -> int:
    """Nanoseconds of a duration option.

    Raises:
        typer.BadParameter: it is not a duration.
    """
    try:
        return parse_duration_ns(text)
    except ValueError as exc:
        raise typer.BadParameter(str(exc), param_hint=option) from exc


def names(text: str | None) -> list[str] | None:
    """Names of a comma-separated option, None where it was not given."""
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def timeframe(text: str) -> str:
    """A known timeframe.

    Raises:
        typer.BadParameter: there is no such timeframe.
    """
    if text not in TIMEFRAMES_NS:
        msg = f"no timeframe {text!r}; there are {', '.join(TIMEFRAMES_NS)}"
        raise typer.BadParameter(msg, param_hint="--tf")
    return text
