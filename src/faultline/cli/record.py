"""``faultline record``: venues in, a tape out, and nothing else."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from faultline.cli.arguments import AsJson, duration_ns, names
from faultline.cli.output import ERRORS, STDOUT, print_json
from faultline.cli.recording import Recording, kinds_of
from faultline.config import read_settings
from faultline.pipeline.source_report import connected_report
from faultline.units import SECOND_NS

if TYPE_CHECKING:
    from types import FrameType

    from faultline.sources.health import HealthSnapshot

__all__ = ("AssetNames", "VenueNames", "record_command")

#: The ``--venues`` of every command that connects.
VenueNames = Annotated[
    str, typer.Option("--venues", help="Comma-separated venues, or all (see: faultline venues).")
]
#: The ``--assets`` of every command that connects.
AssetNames = Annotated[str, typer.Option("--assets", help="Comma-separated assets, e.g. BTC,ETH,SOL.")]

_LINE_S: Final = 10.0


def record_command(
    out: Annotated[Path, typer.Option(help="Folder of the tape; continued where it is one.")],
    venues: VenueNames = "all",
    assets: AssetNames = "BTC,ETH,SOL",
    kinds: Annotated[
        str | None, typer.Option(help="Comma-separated kinds of messages; all by default.")
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Keep frames as they came, in OUT-raw.")] = False,
    rotate: Annotated[str, typer.Option(help="Seal what was recorded at least this often.")] = "1h",
    retain: Annotated[
        str | None, typer.Option(help="Let go of days older than this; all are kept by default.")
    ] = None,
    duration: Annotated[str | None, typer.Option("--for", help="Stop after this time.")] = None,
    json: AsJson = False,
) -> None:
    """Record what venues publish, without a key, onto a tape. Ctrl+C stops; everything read is on the tape then."""
    recording = Recording(
        venues,
        names(assets) or [],
        out,
        read_settings(),
        kinds=kinds_of(names(kinds)),
        keeps_raw=raw,
        rotate_ns=duration_ns(rotate, "--rotate"),
        retain_ns=None if retain is None else duration_ns(retain, "--retain"),
    )
    until_s = None if duration is None else duration_ns(duration, "--for") / SECOND_NS
    began_s = time.monotonic()
    with recording:
        _watch(recording, until_s, quiet=json)
    snapshot = recording.recorder.health.snapshot()
    report = connected_report(snapshot, {venue.slug: venue for venue in recording.venues})
    body = {"tape": str(out), "seconds": time.monotonic() - began_s, **_summary(report)}
    if json:
        print_json("record", body, simulated=False)
        return
    STDOUT.print(f"{body['rows']:,} rows in {body['seconds']:.0f} s -> {out}")
    for venue in body["venues"]:
        rejects = f", {venue['rejected']:,} rejected" if venue["rejected"] else ""
        STDOUT.print(f"  {venue['venue']:<14}{venue['rows']:>12,} rows  {venue['gaps']:,} gaps{rejects}")


def _watch(recording: Recording, until_s: float | None, *, quiet: bool) -> None:
    """Wait for a signal, the end of the time, or a tape that takes no more; say now and then how it goes."""
    asked = threading.Event()

    def ask(_number: int, _frame: FrameType | None) -> None:
        asked.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    ends_s = None if until_s is None else time.monotonic() + until_s
    told_s, n_told = time.monotonic(), 0
    try:
        while not asked.is_set() and not recording.recorder.wait(0.0):
            left_s = 0.2 if ends_s is None else min(0.2, ends_s - time.monotonic())
            if left_s <= 0 or asked.wait(left_s):
                return
            elapsed_s = time.monotonic() - told_s
            if not quiet and elapsed_s >= _LINE_S:
                snapshot = recording.recorder.health.snapshot()
                n_rows = snapshot.writer.n_rows_acknowledged
                ERRORS.print(_line(snapshot, (n_rows - n_told) / elapsed_s), highlight=False, soft_wrap=True)
                told_s, n_told = time.monotonic(), n_rows
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def _line(snapshot: HealthSnapshot, rows_per_s: float) -> str:
    """One line: how many rows, and every venue that is not live."""
    troubled = [
        f"{one.venue} {one.status} ({one.sentence})" for one in snapshot.venues if one.status != "live"
    ]
    n_live = len(snapshot.venues) - len(troubled)
    head = f"{snapshot.writer.n_rows_acknowledged:,} rows, {rows_per_s:,.0f}/s, {n_live} of {len(snapshot.venues)} live"
    return "; ".join([head, *troubled])


def _summary(report: dict[str, Any]) -> dict[str, Any]:
    venues = [
        {
            "venue": venue["venue"],
            "status": venue["status"],
            "sentence": venue["sentence"],
            "rows": sum(channel["n_rows"] for channel in venue["channels"]),
            "gaps": sum(channel["n_gaps"] for channel in venue["channels"]),
            "rejected": sum(one["n"] for channel in venue["channels"] for one in channel["rejects"]),
            "reconnects": venue["n_reconnects"],
        }
        for venue in report["venues"]
    ]
    return {"rows": report["writer"]["n_rows_acknowledged"], "venues": venues}
