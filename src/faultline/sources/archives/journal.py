"""What was imported into a tape, and how far an interrupted import came, kept beside the tape's rows.

One small JSON file per import in ``<tape>/imports``, replaced atomically. An import appends its rows in chunks of a
fixed size and notes each chunk after the tape has acknowledged it, so a killed import has at most one chunk in doubt.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import numpy as np

from faultline.errors import ImportRejected, TapeCorrupt
from faultline.messages import Batch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from faultline.sources.archives.report import Selection
    from faultline.tape import Tape

__all__ = ("JOURNAL_FOLDER", "Journal", "JournalEntry", "SourceDigest", "new_entry", "rows_not_on_tape")

#: Folder inside a tape.
JOURNAL_FOLDER: Final = "imports"


class SourceDigest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file that was imported: its name and the digest of its decompressed content."""

    name: str
    sha256: str


class JournalEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One import: what it reads, and how much of it is on the tape."""

    format: str
    files: tuple[SourceDigest, ...]
    from_ns: int | None
    to_ns: int | None
    assets: tuple[str, ...] | None
    chunk_rows: int
    chunks_done: int
    state: Literal["writing", "done"]

    @property
    def key(self) -> str:
        """Same files, same selection, same format: same key."""
        facts = (
            self.format,
            sorted(file.sha256 for file in self.files),
            self.from_ns,
            self.to_ns,
            self.assets,
        )
        return hashlib.sha256(msgspec.json.encode(facts)).hexdigest()[:16]

    def shares_rows_with(self, other: JournalEntry) -> list[str]:
        """Names of files of this import whose selected rows are also in ``other``."""
        if self.format != other.format or not self._overlaps(other):
            return []
        known = {file.sha256 for file in other.files}
        return [file.name for file in self.files if file.sha256 in known]

    def _overlaps(self, other: JournalEntry) -> bool:
        if self.assets is not None and other.assets is not None and not set(self.assets) & set(other.assets):
            return False
        starts_in_time = other.to_ns is None or self.from_ns is None or self.from_ns < other.to_ns
        ends_in_time = other.from_ns is None or self.to_ns is None or self.to_ns > other.from_ns
        return starts_in_time and ends_in_time


class Journal:
    """The imports of one tape. Only whoever holds the tape's writer may write here.

    Args:
        tape: folder of the tape.
    """

    def __init__(self, tape: Path) -> None:
        self._folder = tape / JOURNAL_FOLDER

    def entries(self) -> list[JournalEntry]:
        """Every import so far, by key.

        Raises:
            TapeCorrupt: a file of the journal is not one.
        """
        found = []
        for path in sorted(self._folder.glob("*.json")):
            try:
                found.append(msgspec.json.decode(path.read_bytes(), type=JournalEntry))
            except msgspec.DecodeError as exc:
                hint = "Import into a fresh tape, or restore the file from a backup."
                raise TapeCorrupt("not a record of an import", where=str(path), hint=hint) from exc
        return found

    def begin(self, entry: JournalEntry) -> JournalEntry:
        """The entry to go on with: ``entry`` itself, or the interrupted import of the same rows.

        Raises:
            ImportRejected: rows of these files are on the tape already, or another import was interrupted.
        """
        for known in self.entries():
            if known.state == "writing":
                if known.key == entry.key:
                    return known
                names = ", ".join(file.name for file in known.files)[:200]
                raise ImportRejected(
                    f"an earlier import of format {known.format} into this tape was interrupted",
                    where=str(self._folder / f"{known.key}.json"),
                    hint=f"Run it again with the same options, and it continues where it stopped ({names}); "
                    "or import into a fresh tape.",
                )
            shared = entry.shares_rows_with(known)
            if shared:
                raise ImportRejected(
                    "these rows are on the tape already",
                    where=", ".join(shared)[:300],
                    hint="Leave the files out, choose another --from, --to or --assets, or import into a fresh tape.",
                )
        self.write(entry)
        return entry

    def write(self, entry: JournalEntry) -> None:
        """Replace the file of an import, durably."""
        self._folder.mkdir(exist_ok=True)
        target = self._folder / f"{entry.key}.json"
        draft = target.with_suffix(".draft")
        with draft.open("wb") as stream:
            stream.write(msgspec.json.encode(entry))
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(target)
        for folder in (self._folder, self._folder.parent):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def new_entry(
    format_name: str, files: Sequence[tuple[Path, str]], selection: Selection, chunk_rows: int
) -> JournalEntry:
    """Entry of an import that has written nothing yet; ``files`` are paths with the digests of their content."""
    return JournalEntry(
        format=format_name,
        files=tuple(SourceDigest(path.name, sha256) for path, sha256 in files),
        from_ns=selection.from_ns,
        to_ns=selection.to_ns,
        assets=None if selection.assets is None else tuple(sorted(selection.assets)),
        chunk_rows=chunk_rows,
        chunks_done=0,
        state="writing",
    )


def rows_not_on_tape(batches: Sequence[Batch], tape: Tape) -> list[Batch]:
    """The part of a chunk in doubt that a killed import did not get onto the tape.

    Rows are compared as a whole; of n equal rows as many are left as the tape lacks.
    """
    left: list[Batch] = []
    for batch in batches:
        received_ns = batch.rows["ts_received_ns"]
        span = (int(received_ns.min()), int(received_ns.max()) + 1)
        there = tape.read(batch.kind, batch.instrument_id, *span)
        missing = _missing(batch.rows, there)
        if missing.any():
            left.append(Batch(batch.kind, batch.instrument_id, batch.rows[missing]))
    return left


def _missing(wanted: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Mask of wanted rows beyond those that are there, shape (n,)."""
    size = wanted.dtype.itemsize
    keys = np.concatenate((there, wanted)).view(f"V{size}").tolist()
    stock: dict[bytes, int] = {}
    for key in keys[: len(there)]:
        stock[key] = stock.get(key, 0) + 1
    missing = np.ones(len(wanted), dtype=np.bool_)
    for index, key in enumerate(keys[len(there) :]):
        if stock.get(key, 0):
            stock[key] -= 1
            missing[index] = False
    return missing
