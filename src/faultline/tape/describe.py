"""A tape in, what it holds out: kinds, instruments, spans, sizes; from headers alone, no row is decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from faultline.tape.layout import OPEN_FOLDER
from faultline.tape.reader import Tape

if TYPE_CHECKING:
    import os

__all__ = ("KindDescription", "TapeDescription", "describe")


class KindDescription(msgspec.Struct, frozen=True):
    """Rows of one kind. Times are receive times in nanoseconds, inclusive."""

    rows: int
    first_ns: int
    last_ns: int
    symbols: tuple[str, ...]


class TapeDescription(msgspec.Struct, frozen=True):
    """What ``faultline tape ls`` prints."""

    tape: str
    simulated: bool
    world: str
    created: str
    rows: int
    #: Rows that are in open segments; they are in ``rows`` too.
    open_rows: int
    sealed_files: int
    sealed_bytes: int
    open_segments: int
    open_bytes: int
    kinds: dict[str, KindDescription]
    #: Bytes of open segments that are no valid rows, one sentence each.
    losses: tuple[str, ...]


def describe(path: str | os.PathLike[str]) -> TapeDescription:
    """Kinds, instruments, spans and sizes of a tape.

    Raises:
        TapeNotFound: the folder holds no tape.
        TapeCorrupt: the manifest or a file's footer is damaged.
    """
    tape = Tape(path)
    kinds = {}
    for kind in dict.fromkeys(kind for kind, _ in tape.pairs()):
        ids = tape.ids(kind)
        spans = [tape.span_ns(kind, instrument_id) for instrument_id in ids]
        kinds[str(kind)] = KindDescription(
            rows=sum(tape.n_rows(kind, instrument_id) for instrument_id in ids),
            first_ns=min(span[0] for span in spans),
            last_ns=max(span[1] for span in spans),
            symbols=tuple(ids),
        )
    files = list(tape.path.glob("kind=*/venue=*/symbol=*/date=*/*.parquet"))
    segments = list((tape.path / OPEN_FOLDER).glob("*.seg"))
    return TapeDescription(
        tape=str(tape.path),
        simulated=tape.simulated,
        world=tape.world,
        created=tape.manifest.created,
        rows=sum(item.rows for item in kinds.values()),
        open_rows=tape.n_open_rows,
        sealed_files=len(files),
        sealed_bytes=sum(file.stat().st_size for file in files),
        open_segments=len(segments),
        open_bytes=sum(file.stat().st_size for file in segments),
        kinds=kinds,
        losses=tuple(map(str, tape.losses)),
    )
