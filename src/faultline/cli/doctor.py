"""``faultline doctor``: this machine and this installation in, what is wrong and the fix out."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from faultline.api.site import STATIC_FOLDER
from faultline.cli.arguments import AsJson
from faultline.cli.checks import home, installation, machine, network
from faultline.cli.checks.alerting import check_alerts
from faultline.cli.checks.outcome import Outcome, State, worst
from faultline.cli.checks.tapes import check_tape
from faultline.cli.output import STDOUT, print_json, progress_bar
from faultline.config import read_settings
from faultline.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ("doctor_command",)

_STYLES = {State.OK: "green", State.WARN: "yellow", State.FAIL: "bold red"}


def doctor_command(
    tapes: Annotated[list[Path] | None, typer.Argument(help="Tapes to look at, too.")] = None,
    deep: Annotated[bool, typer.Option("--deep", help="Read tapes and databases completely.")] = False,
    host: Annotated[str, typer.Option(help="Address that will be listened on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port that will be listened on.")] = 8787,
    json: AsJson = False,
) -> None:
    """Find what is wrong with this machine or installation, and say what to do; exit code 1 where something fails.

    Nothing is changed, except that the home folder is made where it is missing. No network is used beyond this
    machine.
    """
    outcomes: list[Outcome] = []
    with progress_bar("checking", quiet=json) as progress:
        for outcome in _outcomes(tapes or [], deep=deep, host=host, port=port):
            outcomes.append(outcome)
            progress(len(outcomes), 0, f"checked {outcome.name}")
    state = worst(outcomes)
    if json:
        warnings = [f"{outcome.name}: {outcome.found}" for outcome in outcomes if outcome.state is State.WARN]
        checks = [dataclasses.asdict(outcome) for outcome in outcomes]
        print_json("doctor", {"state": state, "checks": checks}, simulated=False, warnings=warnings)
    else:
        _print_table(outcomes)
    if state is State.FAIL:
        raise typer.Exit(1)


def _print_table(outcomes: list[Outcome]) -> None:
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for outcome in outcomes:
        told = Text(outcome.found)
        if outcome.fix:
            told.append(f"\nfix: {outcome.fix}", style="bold")
        table.add_row(Text(outcome.state, style=_STYLES[outcome.state]), outcome.name, told)
    STDOUT.print(table)
    bad = sum(outcome.state is State.FAIL for outcome in outcomes)
    odd = sum(outcome.state is State.WARN for outcome in outcomes)
    STDOUT.print(f"{len(outcomes)} checks: {bad} failed, {odd} with a warning")


def _outcomes(tapes: list[Path], *, deep: bool, host: str, port: int) -> Iterator[Outcome]:
    yield installation.check_python()
    yield installation.check_dependencies()
    yield installation.check_cpu()
    yield installation.check_kernels()
    yield installation.check_dashboard(STATIC_FOLDER)
    yield home.check_environment()
    try:
        settings = read_settings()
    except ConfigError as exc:
        yield home.check_settings(exc)
        yield machine.check_clock(None)
    else:
        yield home.check_settings(settings)
        yield home.check_home(settings.home)
        yield machine.check_disk_space(settings.home)
        yield machine.check_fsync(settings.home)
        yield machine.check_clock(settings.home)
        for simulated in (False, True):
            yield home.check_facts(settings.facts(simulated=simulated), deep=deep)
        yield check_alerts(settings)
        yield network.check_access(settings, host)
    yield network.check_port(host, port)
    yield machine.check_open_files()
    for path in tapes:
        yield check_tape(path, deep=deep)
