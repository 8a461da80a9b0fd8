"""``faultline learn``: a tape in, a file of everything that was learned from it out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from faultline.cli.arguments import AsJson, names, time_ns
from faultline.cli.output import STDOUT, print_json, progress_bar
from faultline.cli.params import file_body, show_file
from faultline.errors import RequestError
from faultline.pipeline.learn_tape import learn_tape
from faultline.pipeline.learned_file import read_learned_or_settings, write_learned
from faultline.pipeline.parameters import PipelineParameters
from faultline.pipeline.replay import tape_assets
from faultline.tape import Tape

__all__ = ("learn_command",)


def learn_command(
    tape: Annotated[Path, typer.Argument(help="Folder of a tape.")],
    out: Annotated[Path, typer.Option(help="Parameter file to write; it must not exist yet.")],
    asset: Annotated[
        str | None, typer.Option(help="Comma-separated assets, e.g. BTC,ETH; all of the tape by default.")
    ] = None,
    start: Annotated[str | None, typer.Option("--from", help="First moment, ISO-8601, UTC.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="End, exclusive.")] = None,
    params: Annotated[
        Path | None, typer.Option(help="Settings to learn with, or a parameter file to learn on from.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Learn leverage, habits of venues and chains from a tape."""
    if out.exists():
        msg = "there is a file already, and what was learned before is never overwritten"
        raise RequestError(msg, where=str(out), hint="Choose another name, or move the old file away.")
    reader = Tape(tape)
    parameters = PipelineParameters() if params is None else read_learned_or_settings(params)[0]
    assets = names(asset) or list(tape_assets(reader))
    if not assets:
        msg = "the tape holds no asset with a price path"
        raise RequestError(msg, where=str(tape), hint="Import bars, trades or marks into it first.")
    with progress_bar("learn", quiet=json) as progress:
        learned, cost = learn_tape(
            reader,
            assets,
            parameters,
            from_ns=time_ns(start, "--from"),
            to_ns=time_ns(end, "--to"),
            progress=progress,
        )
    write_learned(learned, out)
    if json:
        body = {"file": str(out), **file_body(learned), **cost}
        print_json("learn", body, simulated=learned.simulated, warnings=_warnings(body))
        return
    show_file(learned)
    STDOUT.print(
        f"{cost['steps']:,.0f} steps, {cost['messages']:,.0f} messages, {cost['wall_s']:.1f} s -> {out}"
    )
    for warning in _warnings(file_body(learned)):
        STDOUT.print(f"note: {warning}")


def _warnings(body: dict[str, object]) -> list[str]:
    """What somebody who uses the file should know."""
    return [] if body["feeds"] else ["no liquidation was heard: the file holds settings and no mix"]
