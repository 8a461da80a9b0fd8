"""``faultline decode``: recorded frames of a venue in, the messages they make and what was rejected out."""

from __future__ import annotations

import base64
import binascii
import collections
import contextlib
import gzip
import heapq
import math
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import typer

from faultline.cli.arguments import AsJson
from faultline.cli.output import ERRORS, print_json
from faultline.errors import ConfigError, ImportRejected

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from faultline.instruments import Instrument
    from faultline.messages import Batch
    from faultline.sources.rows import Rows
    from faultline.sources.venue import Venue

__all__ = ("decode_command",)

#: What a frame that is not text is written as.
_CODED: Final = b"base64:"
_GZIP: Final = b"\x1f\x8b"
#: Lines are read whole; no frame is longer.
_LINE_BYTES_MAX: Final = 32 * 1024 * 1024
#: Texts inside frames that may be names of contracts.
_NAME: Final = re.compile(rb'"([A-Za-z0-9_:./@|-]{2,60})"')
#: Whole numbers that may be times, and how many nanoseconds their unit has.
_STAMP: Final = re.compile(rb"(?<![\d.])(\d{13}|\d{16}|\d{19})(?![\d.])")
_UNIT_NS: Final = {13: 1_000_000, 16: 1_000, 19: 1}
#: Names of files that hold answers, as ``record --raw`` gives them.
_ANSWERS: Final = re.compile(r"rest-(.+?)(?:-\d{8}T\d{2})?\.gz")
#: 2015 to 2100.
_TIMES_NS: Final = range(1_420_000_000_000_000_000, 4_102_444_800_000_000_000)


def decode_command(
    files: Annotated[list[Path], typer.Argument(help="Files with a frame a line, gzipped or not.")],
    venue: Annotated[str, typer.Option("--venue", help="Slug of the venue that sent the frames.")],
    channel: Annotated[
        str | None,
        typer.Option("--channel", help="Only frames of this channel, as `faultline venues` has it."),
    ] = None,
    tape: Annotated[
        Path | None,
        typer.Option("--tape", help="Tape that knows the contracts; by default the one beside <tape>-raw."),
    ] = None,
    json: AsJson = False,
) -> None:
    """Turn recorded frames into messages: one JSON object a line on stdout, rejects by reason on stderr.

    A line is a frame, or its receive time in nanoseconds, a space and the frame, as ``record --raw`` writes it. A frame
    without one is taken as received at the latest time that stands in it. Several files are read as one stream, by
    receive time; files named rest-CHANNEL-SYMBOL hold answers to requests. With --json only counts are printed.
    """
    from faultline.sources.registry import venue_of
    from faultline.sources.rows import Rows

    chosen = venue_of(venue)
    contracts, warnings = _contracts(chosen, files, tape)
    mapper, out = chosen.mapper(contracts), Rows(chosen.slug)
    counts: collections.Counter[str] = collections.Counter()
    controls: collections.Counter[str] = collections.Counter()
    n_frames = 0
    for received_ns, frame, answered in _stream(chosen, files):
        n_frames += 1
        if answered is None:
            mapper.map(frame, received_ns, out)
        else:
            mapper.map_answer(*answered, frame, received_ns, out)
        controls.update(type(one).__name__ for one in out.controls)
        out.controls.clear()
        batches = out.drain()
        if channel is not None and out.channel != channel:
            continue
        for batch in batches:
            counts[batch.kind] += len(batch.rows)
            if not json:
                _write(batch)
    rejects = _rejects(out, channel)
    if json:
        body = {"venue": chosen.slug, "frames": n_frames, "rows": dict(counts), "controls": dict(controls)}
        print_json("decode", {**body, "rejects": rejects}, simulated=False, warnings=warnings)
    else:
        _tell(rejects, warnings)


def _contracts(venue: Venue, files: list[Path], tape: Path | None) -> tuple[dict[str, Instrument], list[str]]:
    """Contracts of a tape, or those whose names stand in the frames, with what to warn of.

    Raises:
        ConfigError: neither tells one.
    """
    from faultline.sources.archives.venue_contracts import contract_of
    from faultline.tape import Tape

    beside = files[0].resolve().parent.parent
    if (
        tape is None
        and beside.name.endswith("-raw")
        and (found := beside.with_name(beside.name[:-4])).is_dir()
    ):
        tape = found
    if tape is not None:
        known = {item.symbol: item for item in Tape(tape).instruments() if item.venue == venue.slug}
        if known:
            return known, []
        hint = "Leave --tape out to guess contracts from their names, or name the tape that was recorded with them."
        raise ConfigError(f"{tape} knows no contract of {venue.slug}", where="--tape", hint=hint)
    guessed: dict[str, Instrument] = {}
    for path in files:
        for _, frame in _frames(path):
            for text in _NAME.findall(frame):
                name = text.decode()
                for part in {name, *re.split(r"[.@|:]", name)} - guessed.keys():
                    contract = contract_of(venue.slug, part) if not part.isdigit() else None
                    if contract is not None:
                        guessed[part] = contract.instrument
    if not guessed:
        raise ConfigError(
            f"no contract of {venue.slug} is known from the names in the frames",
            where="--tape",
            hint="Name the tape that was recorded beside them: it knows the contracts.",
        )
    return guessed, ["contracts were taken from their names: sizes are the usual ones of the venue"]


def _stream(venue: Venue, files: list[Path]) -> Iterator[tuple[int, bytes, tuple[str, str] | None]]:
    """(receive time, frame, channel and symbol where it is an answer) of all files, by receive time."""
    channels = {line.channel for line in venue.coverage}

    def one(path: Path) -> Iterator[tuple[int, bytes, tuple[str, str] | None]]:
        answered = None
        if found := _ANSWERS.fullmatch(path.name):
            parts = found[1].split("-")
            splits = (("-".join(parts[:at]), "-".join(parts[at:])) for at in range(1, len(parts)))
            answered = next((split for split in splits if split[0] in channels), None)
        for received_ns, frame in _frames(path):
            yield received_ns, frame, answered

    return heapq.merge(*map(one, files), key=lambda item: item[0])


def _frames(path: Path) -> Iterator[tuple[int, bytes]]:
    """(receive time, frame) of every line of a file that is not empty.

    Raises:
        ImportRejected: it cannot be read, or a line is too long or not what it says it is.
    """
    latest_ns, number = 0, 0
    try:
        with path.open("rb") as raw, contextlib.ExitStack() as stack:
            is_zipped = raw.peek(2)[:2] == _GZIP
            file = stack.enter_context(gzip.GzipFile(fileobj=raw)) if is_zipped else raw
            while line := file.readline(_LINE_BYTES_MAX + 1):
                number += 1
                if len(line) > _LINE_BYTES_MAX:
                    where = f"{path}: line {number}"
                    raise ImportRejected("the line is too long", where=where, hint="A line is one frame.")
                received_ns, frame = _split(line.strip())
                if frame:
                    latest_ns = received_ns or _latest_time(frame) or latest_ns
                    yield latest_ns, frame
    except (OSError, EOFError, binascii.Error) as exc:
        where = f"{path}: line {number}"
        raise ImportRejected(f"the file cannot be read: {exc}", where=where, hint="Record it again.") from exc


def _split(line: bytes) -> tuple[int, bytes]:
    """Receive time (0 where there is none) and frame of a line."""
    stamp, _, rest = line.partition(b" ")
    received_ns = 0
    if stamp.isdigit() and int(stamp) in _TIMES_NS:
        received_ns, line = int(stamp), rest
    if line.startswith(_CODED):
        line = base64.b64decode(line[len(_CODED) :], validate=True)
    return received_ns, line


def _latest_time(frame: bytes) -> int:
    """The latest number in a frame that is a time; 0 where there is none."""
    times = (int(text) * _UNIT_NS[len(text)] for text in _STAMP.findall(frame))
    return max((one for one in times if one in _TIMES_NS), default=0)


def _write(batch: Batch) -> None:
    names = batch.rows.dtype.names or ()
    for row in batch.rows.tolist():
        message = {"kind": batch.kind, "id": batch.instrument_id}
        message |= {name: _plain(value) for name, value in zip(names, row, strict=True)}
        sys.stdout.write(msgspec.json.encode(message).decode() + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _rejects(out: Rows, channel: str | None) -> list[dict[str, Any]]:
    return [
        {"channel": name, "reason": reason, "n": one.n, "detail": one.detail, "digest": one.digest}
        for (name, reason), one in sorted(out.rejects.items())
        if channel is None or name == channel
    ]


def _tell(rejects: Sequence[Mapping[str, Any]], warnings: Sequence[str]) -> None:
    for text in warnings:
        ERRORS.print(f"[yellow]warning:[/] {text}", highlight=False, soft_wrap=True)
    for one in rejects:
        text = f"rejected {one['n']} of {one['channel']}: {one['reason']}; the first: {one['detail']}"
        ERRORS.print(text, highlight=False, markup=False, soft_wrap=True)
