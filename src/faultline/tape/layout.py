"""A tape's folder in, which file holds which rows out; and names for new files.

::

    tape.json                                                   manifest
    writer.lock                                                 held by the one writer
    open/00000007.seg                                           rows not sealed yet, one file after another
    sealed/00000006.json                                        receipt: what segment 6 became
    quarantine/                                                 bytes that recovery cut off, kept for a look
    kind=trade/venue=binance/symbol=BTCUSDT/date=2026-02-03/
        part-00000001-00000006-9a3f00c1.parquet                 rows of segments 1 to 6

A part is named by the first and last segment its rows come from and by the CRC of its footer. Two rules make every
crash harmless: a part of a segment that is still in ``open/`` does not count (the segment does), and a part whose
range lies inside another part's range does not count (it was merged).
"""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

import numpy as np

from faultline.errors import TapeError
from faultline.messages import Kind
from faultline.units import DAY_NS

__all__ = (
    "LOCK_NAME",
    "OPEN_FOLDER",
    "QUARANTINE_FOLDER",
    "RECEIPT_FOLDER",
    "Listing",
    "PartFile",
    "change_stamp",
    "date_name",
    "date_of_ns",
    "fsync_folder",
    "list_parts",
    "list_receipts",
    "list_segments",
    "list_tape",
    "part_name",
    "partition_folder",
    "receipt_path",
    "segment_path",
)

#: Folder of segments that are not sealed yet.
OPEN_FOLDER: Final = "open"
#: Folder of receipts, one for each sealed segment.
RECEIPT_FOLDER: Final = "sealed"
#: Folder of bytes that recovery cut off.
QUARANTINE_FOLDER: Final = "quarantine"
#: File whose lock the writer holds.
LOCK_NAME: Final = "writer.lock"

_SEGMENT_NAME: Final = re.compile(r"(\d{8})\.seg")
_RECEIPT_NAME: Final = re.compile(r"(\d{8})\.json")
_PART_NAME: Final = re.compile(r"part-(\d{8})-(\d{8})-([0-9a-f]{8})\.parquet")
_FOLDER_NAME_MAX: Final = 200
_LISTING_TRIES: Final = 50


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class PartFile:
    """One sealed file. Sorts by date, then by segment."""

    kind: str
    instrument_id: str
    date: str
    first_segment: int
    last_segment: int
    #: CRC-32 of everything after the last row group.
    footer_crc: int
    path: Path

    @property
    def key(self) -> tuple[Kind, str]:
        """Kind and instrument of every row in the file."""
        return Kind(self.kind), self.instrument_id

    def contains(self, other: PartFile) -> bool:
        """True where ``other`` holds only rows that this file holds too."""
        inside = self.first_segment <= other.first_segment and other.last_segment <= self.last_segment
        wider = (self.first_segment, self.last_segment) != (other.first_segment, other.last_segment)
        return inside and (wider or self.footer_crc < other.footer_crc)


@dataclasses.dataclass(frozen=True, slots=True)
class Listing:
    """The files that together are the tape at one moment."""

    segments: tuple[int, ...]
    #: Files that count, by kind and instrument, sorted by date and segment.
    parts: dict[tuple[Kind, str], tuple[PartFile, ...]]
    #: Files that do not count: superseded, or of a segment that is still open.
    ignored: tuple[PartFile, ...]
    #: Files in partition folders that nobody knows.
    strangers: tuple[Path, ...]


def segment_path(root: Path, number: int) -> Path:
    """File of segment ``number`` while it is open."""
    return root / OPEN_FOLDER / f"{number:08d}.seg"


def receipt_path(root: Path, number: int) -> Path:
    """Receipt of segment ``number`` once it is sealed."""
    return root / RECEIPT_FOLDER / f"{number:08d}.json"


def part_name(first_segment: int, last_segment: int, footer_crc: int) -> str:
    """File name of a part."""
    return f"part-{first_segment:08d}-{last_segment:08d}-{footer_crc:08x}.parquet"


def date_of_ns(times_ns: np.ndarray) -> np.ndarray:
    """Days since 1970 (floor), int64."""
    days: np.ndarray = times_ns // DAY_NS
    return days


def date_name(day: int) -> str:
    """ISO date of a day since 1970, e.g. ``2026-02-03``."""
    return str(np.datetime64(day, "D"))


def partition_folder(root: Path, kind: Kind, instrument_id: str, day: int) -> Path:
    """Folder of one kind, one instrument and one day (UTC, of the receive time).

    Raises:
        TapeError: the id cannot be a folder name.
    """
    venue, _, symbol = instrument_id.partition(":")
    names = [f"venue={_quote(venue)}", f"symbol={_quote(symbol)}"]
    if max(map(len, names)) > _FOLDER_NAME_MAX:
        raise TapeError("this instrument id is too long for a folder name", where=instrument_id)
    return root / f"kind={kind}" / names[0] / names[1] / f"date={date_name(day)}"


def list_segments(root: Path) -> tuple[int, ...]:
    """Numbers of the segments that are open, ascending."""
    return _numbers(root / OPEN_FOLDER, _SEGMENT_NAME)


def list_receipts(root: Path) -> tuple[int, ...]:
    """Numbers of the segments that left a receipt, ascending."""
    return _numbers(root / RECEIPT_FOLDER, _RECEIPT_NAME)


def list_parts(root: Path) -> tuple[list[PartFile], list[Path]]:
    """Every sealed file under ``root``, and files in partition folders with other names."""
    parts: list[PartFile] = []
    strangers: list[Path] = []
    kinds = {str(kind) for kind in Kind}
    for kind, kind_path in _folders(root, "kind"):
        if kind not in kinds:
            strangers.append(kind_path)
            continue
        for venue, venue_path in _folders(kind_path, "venue"):
            for symbol, symbol_path in _folders(venue_path, "symbol"):
                for date, date_path in _folders(symbol_path, "date"):
                    _collect(date_path, (kind, f"{venue}:{symbol}", date), parts, strangers)
    return parts, strangers


def list_tape(root: Path) -> Listing:
    """The files that count now. A seal or a compaction that happens meanwhile restarts the listing.

    Raises:
        TapeError: the tape kept changing for every try.
    """
    for _ in range(_LISTING_TRIES):
        stamp = change_stamp(root)
        segments = list_segments(root)
        try:
            parts, strangers = list_parts(root)
        except FileNotFoundError:
            continue
        if change_stamp(root) == stamp and list_segments(root) == segments:
            return _choose(segments, parts, strangers)
    raise TapeError("the tape changed all the time while it was listed", where=str(root), hint="try again")


def change_stamp(root: Path) -> tuple[int, int]:
    """A value that changes whenever a segment is opened or sealed or parts are merged."""
    try:
        status = (root / OPEN_FOLDER).stat()
    except FileNotFoundError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_ino)


def fsync_folder(path: Path) -> None:
    """Make names in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _choose(segments: tuple[int, ...], parts: list[PartFile], strangers: list[Path]) -> Listing:
    """Apply the two rules of the module docstring."""
    still_open = frozenset(segments)
    groups: dict[tuple[str, str, str], list[PartFile]] = {}
    for part in parts:
        groups.setdefault((part.kind, part.instrument_id, part.date), []).append(part)
    chosen: dict[tuple[Kind, str], list[PartFile]] = {}
    ignored: list[PartFile] = []
    for group in groups.values():
        for part in group:
            is_open = part.first_segment == part.last_segment and part.first_segment in still_open
            if is_open or any(other.contains(part) for other in group):
                ignored.append(part)
            else:
                chosen.setdefault(part.key, []).append(part)
    return Listing(
        segments=segments,
        parts={key: tuple(sorted(chosen[key])) for key in sorted(chosen)},
        ignored=tuple(sorted(ignored)),
        strangers=tuple(sorted(strangers)),
    )


def _collect(folder: Path, key: tuple[str, str, str], parts: list[PartFile], strangers: list[Path]) -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            match = _PART_NAME.fullmatch(entry.name)
            if match:
                first, last, crc = int(match[1]), int(match[2]), int(match[3], 16)
                parts.append(PartFile(*key, first, last, crc, Path(entry.path)))
            elif not entry.name.startswith("."):
                strangers.append(Path(entry.path))


def _numbers(folder: Path, pattern: re.Pattern[str]) -> tuple[int, ...]:
    try:
        matches = [pattern.fullmatch(path.name) for path in folder.iterdir()]
    except FileNotFoundError:
        return ()
    return tuple(sorted(int(match[1]) for match in matches if match))


def _folders(parent: Path, key: str) -> list[tuple[str, Path]]:
    """Value and path of every folder ``key=value`` in ``parent``, sorted."""
    prefix = f"{key}="
    with os.scandir(parent) as entries:
        found = [
            (unquote(entry.name[len(prefix) :]), Path(entry.path))
            for entry in entries
            if entry.name.startswith(prefix) and entry.is_dir()
        ]
    return sorted(found)


def _quote(text: str) -> str:
    try:
        return quote(text, safe="")
    except UnicodeEncodeError as exc:
        raise TapeError("this instrument id is not valid Unicode", where=repr(text)) from exc
