"""A tape in, the same rows in fewer files out.

The merged file is in place and synced before the files it replaces go; until then its wider range of segments makes
readers ignore them. A crash at any instant changes no row.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from faultline.errors import TapeNotFound
from faultline.messages import join_rows
from faultline.tape.columns import Column, misfits, widen
from faultline.tape.cursor import Piece, RowCursor
from faultline.tape.layout import OPEN_FOLDER, fsync_folder, list_tape
from faultline.tape.lock import TapeLock
from faultline.tape.manifest import MANIFEST_NAME, Manifest, read_manifest
from faultline.tape.parts import ROWS_PER_GROUP, PartReader, place_parts, write_part

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from faultline.messages import Kind
    from faultline.tape.layout import PartFile

__all__ = ("CompactReport", "compact")


class CompactReport(msgspec.Struct, frozen=True):
    """What a compaction did. Sizes are bytes of sealed files."""

    partitions_merged: int
    files_before: int
    files_after: int
    bytes_before: int
    bytes_after: int
    #: Leftovers of interrupted work that were removed.
    files_removed: int


class _NotExact(Exception):
    """Decimal fields that do not fit one scale over all files."""

    def __init__(self, fields: Sequence[str]) -> None:
        super().__init__(", ".join(fields))
        self.fields = frozenset(fields)


def compact(path: str | os.PathLike[str]) -> CompactReport:
    """Merge the sealed files of every partition that has more than one.

    Open segments are left alone: open the tape for writing and seal it first to include them.

    Raises:
        TapeNotFound: the folder holds no tape.
        TapeError: another process writes to the tape.
        TapeCorrupt: a file is damaged; its partition is left as it is.
    """
    root = Path(path)
    manifest = read_manifest(root)
    lock = TapeLock(root)
    try:
        listing = list_tape(root)
        removed = _remove_leftovers(root, listing.ignored)
        before = [part for parts in listing.parts.values() for part in parts]
        bytes_before = sum(part.path.stat().st_size for part in before)
        n_merged = 0
        for key, parts in listing.parts.items():
            for of_day in _by_date(parts):
                if len(of_day) > 1:
                    _merge(root, manifest, key, of_day)
                    n_merged += 1
        after = [part for parts in list_tape(root).parts.values() for part in parts]
        return CompactReport(
            partitions_merged=n_merged,
            files_before=len(before),
            files_after=len(after),
            bytes_before=bytes_before,
            bytes_after=sum(part.path.stat().st_size for part in after),
            files_removed=removed,
        )
    finally:
        lock.release()


def _merge(root: Path, manifest: Manifest, key: tuple[Kind, str], parts: Sequence[PartFile]) -> None:
    """Write one file with the rows of ``parts`` and remove those."""
    world = (manifest.simulated, manifest.world)
    readers = [PartReader(part, world) for part in parts]
    segments = (min(part.first_segment for part in parts), max(part.last_segment for part in parts))
    folder = parts[0].path.parent
    draft = None
    as_float: frozenset[str] = frozenset()
    while draft is None:
        columns = widen([reader.header.columns for reader in readers], as_float)
        try:
            draft = write_part(
                folder, key, world, segments, columns, _checked(columns, _groups(key[0], readers))
            )
        except _NotExact as exc:
            as_float |= exc.fields
    place_parts(root, [draft])
    _tell_readers(root)
    for part in parts:
        part.path.unlink()
    fsync_folder(folder)
    _tell_readers(root)


def _groups(kind: Kind, readers: Sequence[PartReader]) -> Iterator[NDArray[np.void]]:
    """Rows of all files in total order, in pieces of ``ROWS_PER_GROUP``."""
    pieces = [
        Piece(group.first_ns, group.last_ns, group.n_rows, (reader.part.first_segment, index), reader)
        for reader in readers
        for index, group in enumerate(reader.groups)
    ]
    kept: list[NDArray[np.void]] = []
    n_kept = 0
    for rows in RowCursor(kind, pieces).windows():
        kept.append(rows)
        n_kept += len(rows)
        if n_kept >= ROWS_PER_GROUP:
            joined = join_rows(kept)
            whole = n_kept - n_kept % ROWS_PER_GROUP
            for start in range(0, whole, ROWS_PER_GROUP):
                yield joined[start : start + ROWS_PER_GROUP]
            kept, n_kept = [joined[whole:]], n_kept - whole
    if n_kept:
        yield join_rows(kept)


def _checked(columns: tuple[Column, ...], groups: Iterator[NDArray[np.void]]) -> Iterator[NDArray[np.void]]:
    for rows in groups:
        wrong = misfits(columns, rows)
        if wrong:
            raise _NotExact(wrong)
        yield rows


def _by_date(parts: Sequence[PartFile]) -> list[list[PartFile]]:
    days: dict[str, list[PartFile]] = {}
    for part in parts:
        days.setdefault(part.date, []).append(part)
    return list(days.values())


def _remove_leftovers(root: Path, ignored: Sequence[PartFile]) -> int:
    """Remove superseded files and unfinished ones; nobody else writes, we hold the lock."""
    leftovers = [part.path for part in ignored]
    leftovers += list(root.glob("kind=*/venue=*/symbol=*/date=*/.part-*.tmp"))
    for path in leftovers:
        path.unlink()
    for folder in {path.parent for path in leftovers}:
        fsync_folder(folder)
    return len(leftovers)


def _tell_readers(root: Path) -> None:
    """Change the stamp by which readers notice that the files changed."""
    if not (root / MANIFEST_NAME).exists():
        raise TapeNotFound("the tape was removed meanwhile", where=str(root))
    os.utime(root / OPEN_FOLDER)
