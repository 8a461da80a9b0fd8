"""A result in, text for people or one JSON object for programs out.

People's output and JSON go to stdout, logs, progress and errors to stderr. Exit codes: 0 ok, 1 failed, 2 usage.
"""

from __future__ import annotations

import contextlib
import math
import sys
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)

from faultline.errors import FaultlineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ("ERRORS", "STDOUT", "as_json", "fail", "print_json", "progress_bar")

#: Where people's output goes.
STDOUT = Console(width=None if sys.stdout.isatty() else 160)
#: Where progress and errors go.
ERRORS = Console(stderr=True)


def _plain(value: Any) -> Any:
    """NaN and infinities become null, arrays become lists, structs become dictionaries."""
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value.tolist()]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def as_json(
    schema: str,
    body: Mapping[str, Any],
    *,
    simulated: bool,
    warnings: list[str] | None = None,
    version: int = 1,
) -> bytes:
    """One JSON object: ``schema``, ``version``, ``simulated``, ``warnings``, then the body."""
    head = {
        "schema": f"faultline.{schema}",
        "version": version,
        "simulated": simulated,
        "warnings": warnings or [],
    }
    return msgspec.json.encode(_plain({**head, **msgspec.to_builtins(body, builtin_types=(np.ndarray,))}))


def print_json(
    schema: str, body: Mapping[str, Any], *, simulated: bool, warnings: list[str] | None = None
) -> None:
    """Print one JSON object on stdout."""
    sys.stdout.write(as_json(schema, body, simulated=simulated, warnings=warnings).decode() + "\n")


def fail(error: FaultlineError, *, json: bool) -> int:
    """Print an error on stderr; returns the exit code."""
    if json:
        sys.stderr.write(msgspec.json.encode({"error": error.as_dict()}).decode() + "\n")
    else:
        ERRORS.print(f"[bold red]error:[/] {error.user_message}", highlight=False, soft_wrap=True)
        if error.where:
            ERRORS.print(f"  where: {error.where}", highlight=False, soft_wrap=True)
        if error.hint:
            ERRORS.print(f"  [bold]hint:[/] {error.hint}", highlight=False, soft_wrap=True)
    return 1


@contextlib.contextmanager
def progress_bar(label: str, *, quiet: bool) -> Iterator[Callable[[float, float, str], None]]:
    """A progress bar on stderr; yields ``update(done, total, label)``."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=ERRORS, disable=quiet or not ERRORS.is_terminal, transient=True) as bar:
        task = bar.add_task(label, total=None)

        def update(done: float, total: float, text: str = label) -> None:
            bar.update(task, completed=done, total=total or None, description=text)

        yield update
