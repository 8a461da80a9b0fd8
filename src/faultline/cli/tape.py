"""``faultline tape``: archives in, a tape out; and what a tape holds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table

from faultline.cli.arguments import AsJson, names, time_ns
from faultline.cli.output import STDOUT, print_json, progress_bar
from faultline.errors import RequestError
from faultline.messages import Kind
from faultline.sources.archives import import_files
from faultline.tape import Tape, compact, describe, verify
from faultline.tape.export import EXPORT_FORMATS, write_rows
from faultline.units import format_time_ns

__all__ = ("APP",)

APP = typer.Typer(name="tape", help="Import, list, verify, compact and print tapes.", no_args_is_help=True)


@APP.command("import")
def import_command(
    format_name: Annotated[str, typer.Argument(metavar="FORMAT", help="Format of the archive.")],
    paths: Annotated[list[Path], typer.Argument(help="Files or folders.")],
    out: Annotated[Path, typer.Option(help="Folder of the tape; appended to where it exists.")],
    start: Annotated[str | None, typer.Option("--from", help="First moment to keep.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="End, exclusive.")] = None,
    assets: Annotated[str | None, typer.Option(help="Comma-separated assets to keep.")] = None,
    json: AsJson = False,
) -> None:
    """Import recorded archives into a tape."""
    with progress_bar(f"import {format_name}", quiet=json) as progress:
        report = import_files(
            format_name,
            paths,
            out,
            from_ns=time_ns(start, "--from"),
            to_ns=time_ns(end, "--to"),
            assets=names(assets),
            progress=progress,
        )
    body: dict[str, Any] = msgspec.to_builtins(report)
    if json:
        print_json("import", body, simulated=False)
        return
    STDOUT.print(f"{body['rows_kept']:,} of {body['rows_read']:,} rows -> {out}")
    for word in ("rejected", "repaired"):
        for reason, n in body[word].items():
            STDOUT.print(f"  {word} {reason}: {n:,}")
    for kind, row in body["kinds"].items():
        span = f"{format_time_ns(row['first_ns'])} .. {format_time_ns(row['last_ns'])}"
        STDOUT.print(f"  {kind:<14} {row['rows']:>9,} rows  {span}  {', '.join(row['symbols'])}")
    for name, n in body["unchecked"].items():
        STDOUT.print(f"  unchecked {name}: {n:,}")
    if body["ignored_files"]:
        STDOUT.print(f"  not read: {', '.join(body['ignored_files'])}")
    STDOUT.print(f"  gaps {len(body['gaps'])}, sha256 {body['sha256'][:16]}")


@APP.command("ls")
def ls_command(tape: Annotated[Path, typer.Argument(help="Folder of a tape.")], json: AsJson = False) -> None:
    """What a tape holds."""
    reader = Tape(tape)
    body: dict[str, Any] = msgspec.to_builtins(describe(tape))
    if json:
        print_json("tape", body, simulated=reader.simulated)
        return
    STDOUT.print(f"{'SIMULATED world ' + reader.world if reader.simulated else 'recorded'}  {tape}")
    table = Table("kind", "rows", "first", "last", "instruments", box=None, header_style="bold")
    for kind, row in body["kinds"].items():
        first, last = format_time_ns(row["first_ns"]), format_time_ns(row["last_ns"])
        table.add_row(kind, f"{row['rows']:,}", first, last, ", ".join(row["symbols"]))
    STDOUT.print(table)
    STDOUT.print(f"{body['rows']:,} rows, {body['sealed_bytes']:,} bytes sealed, {body['open_bytes']:,} open")
    for loss in body["losses"]:
        STDOUT.print(f"lost: {loss}")


@APP.command("verify")
def verify_command(
    tape: Annotated[Path, typer.Argument(help="Folder of a tape.")], json: AsJson = False
) -> None:
    """Check every checksum, order and count; exit code 1 where something is damaged."""
    report = verify(tape)
    body: dict[str, Any] = msgspec.to_builtins(report)
    if json:
        print_json("verify", body, simulated=Tape(tape).simulated)
    else:
        for problem in body["problems"]:
            STDOUT.print(f"{problem['file']}: {problem['message']} Hint: {problem['hint']}")
        files = body["sealed_files"] + body["open_segments"]
        STDOUT.print(f"{files:,} files, {body['rows']:,} rows, {len(body['problems'])} problems")
    if body["problems"]:
        raise typer.Exit(1)


@APP.command("compact")
def compact_command(
    tape: Annotated[Path, typer.Argument(help="Folder of a tape.")], json: AsJson = False
) -> None:
    """Merge small files of a tape."""
    body: dict[str, Any] = msgspec.to_builtins(compact(tape))
    if json:
        print_json("compact", body, simulated=Tape(tape).simulated)
    else:
        STDOUT.print(", ".join(f"{key.replace('_', ' ')} {value:,}" for key, value in body.items()))


@APP.command("cat")
def cat_command(
    tape: Annotated[Path, typer.Argument(help="Folder of a tape.")],
    kind: Annotated[str, typer.Option(help=f"One of: {', '.join(Kind)}.")],
    instrument: Annotated[str | None, typer.Option(help="Only this instrument.")] = None,
    start: Annotated[str | None, typer.Option("--from", help="First moment.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="End, exclusive.")] = None,
    output: Annotated[str, typer.Option("--format", help="jsonl, csv or arrow (IPC stream).")] = "jsonl",
) -> None:
    """Print messages to stdout."""
    if kind not in list(Kind):
        msg = f"no kind {kind!r}; there are {', '.join(Kind)}"
        raise typer.BadParameter(msg, param_hint="--kind")
    if output not in EXPORT_FORMATS:
        msg = f"no format {output!r}; there are {', '.join(EXPORT_FORMATS)}"
        raise typer.BadParameter(msg, param_hint="--format")
    reader, wanted = Tape(tape), Kind(kind)
    ids = reader.ids(wanted)
    if instrument is not None and instrument not in ids:
        msg = f"the tape has no {kind} of {instrument}"
        raise RequestError(msg, where=str(tape), hint=f"It has: {', '.join(ids) or 'none'}.")
    wanted_ids = [iid for iid in ids if instrument in {None, iid}]
    write_rows(
        reader, wanted, wanted_ids, sys.stdout.buffer, output, time_ns(start, "--from"), time_ns(end, "--to")
    )
