"""An open segment in, sealed Parquet files and a receipt out; the segment goes last.

Removing the segment is the moment the seal counts. Before it, readers use the segment and ignore its parts; after it,
the parts. A crash at any instant leaves one of the two, and sealing again writes the same rows.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from faultline.messages import Kind, join_rows, sort_rows
from faultline.tape.columns import columns_of
from faultline.tape.layout import (
    RECEIPT_FOLDER,
    PartFile,
    date_name,
    date_of_ns,
    fsync_folder,
    list_parts,
    partition_folder,
    receipt_path,
    segment_path,
)
from faultline.tape.parts import DraftPart, group_slices, place_parts, write_part
from faultline.tape.segments import SegmentReader, segment_head

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from faultline.tape.frames import Frame
    from faultline.tape.manifest import Manifest

__all__ = ("Receipt", "ReceiptLine", "remove_durably", "remove_parts_of", "seal_segment", "write_durably")


class ReceiptLine(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Rows of a segment that went to one partition."""

    kind: str
    instrument: str
    date: str
    n_rows: int


class Receipt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one segment became: verification counts against it."""

    segment: int
    lines: tuple[ReceiptLine, ...]
    #: Bytes of damage found in the segment when it was sealed.
    lost_bytes: int = 0


def seal_segment(
    root: Path, manifest: Manifest, number: int, rest: Callable[[], None] | None = None
) -> Receipt:
    """Turn segment ``number`` into sealed files, durably, and remove it.

    Memory: the rows of one kind and instrument of the segment, at most one segment.

    Args:
        root: the tape's folder.
        manifest: what the tape says about itself.
        number: of the segment.
        rest: called now and then; it may wait.

    Raises:
        TapeCorrupt: a frame passes its checksum but cannot be decoded.
        OSError: the disk refused; the segment is still there and nothing is lost.
    """
    path = segment_path(root, number)
    reader = SegmentReader(path, segment_head(simulated=manifest.simulated, world=manifest.world), rest)
    drafts: list[DraftPart] = []
    lines = []
    for key, rows in _rows_by_instrument(reader):
        for day, of_day in _days(rows):
            folder = partition_folder(root, *key, day)
            folder.mkdir(parents=True, exist_ok=True)
            columns = columns_of(key[0], of_day)
            world = (manifest.simulated, manifest.world)
            drafts.append(write_part(folder, key, world, (number, number), columns, group_slices(of_day)))
            lines.append(ReceiptLine(str(key[0]), key[1], date_name(day), len(of_day)))
        if rest is not None:
            rest()
    place_parts(root, drafts)
    lost_bytes = sum(loss.n_bytes for loss in reader.losses if not loss.is_tail)
    receipt = Receipt(number, tuple(lines), lost_bytes)
    if lines or lost_bytes:
        (root / RECEIPT_FOLDER).mkdir(exist_ok=True)
        write_durably(receipt_path(root, number), msgspec.json.encode(receipt))
        fsync_folder(root / RECEIPT_FOLDER)
        fsync_folder(root)
    remove_durably(path)
    return receipt


def remove_parts_of(root: Path, number: int) -> list[PartFile]:
    """Remove parts that an interrupted seal of segment ``number`` left; the segment still has the rows."""
    parts, _ = list_parts(root)
    leftover = [part for part in parts if part.first_segment == part.last_segment == number]
    for part in leftover:
        remove_durably(part.path)
    return leftover


def remove_durably(path: Path) -> None:
    """Remove a file and make its absence durable."""
    path.unlink()
    fsync_folder(path.parent)


def _rows_by_instrument(reader: SegmentReader) -> Iterator[tuple[tuple[Kind, str], NDArray[np.void]]]:
    """Rows of every kind and instrument of the segment, sorted by receive time and sequence."""
    frames: dict[tuple[Kind, str], list[Frame]] = {}
    for frame in reader.frames:
        frames.setdefault((frame.kind, frame.instrument_id), []).append(frame)
    for key in sorted(frames):
        yield key, _sorted(join_rows(list(reader.each_rows(frames[key]))))


def _sorted(rows: NDArray[np.void]) -> NDArray[np.void]:
    """Rows by receive time and sequence; recordings mostly are already."""
    times, seqs = rows["ts_received_ns"], rows["seq"]
    later = times[1:] > times[:-1]
    is_sorted = later.all() or (later | ((times[1:] == times[:-1]) & (seqs[1:] >= seqs[:-1]))).all()
    return rows if is_sorted else sort_rows(rows)


def _days(rows: NDArray[np.void]) -> Iterator[tuple[int, NDArray[np.void]]]:
    """Days (since 1970) of sorted rows, and the rows of each."""
    days = date_of_ns(rows["ts_received_ns"])
    starts = np.flatnonzero(np.diff(days, prepend=days[0] - 1))
    for start, end in zip(starts, [*starts[1:], len(rows)], strict=True):
        yield int(days[start]), rows[start:end]


def write_durably(path: Path, content: bytes) -> None:
    """Put a whole file in place, synced; its folder is the caller's to sync."""
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
