"""A tape in, every file that is not what it was written as out.

Checks the manifest, every CRC and page checksum, order, dates, worlds and counts, and that no sealed file is missing:
every seal left a receipt of how many rows went where.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from faultline.errors import TapeCorrupt, TapeNotFound
from faultline.messages import KINDS, Kind
from faultline.tape.cursor import field_views
from faultline.tape.layout import (
    PartFile,
    date_name,
    date_of_ns,
    list_receipts,
    list_tape,
    receipt_path,
    segment_path,
)
from faultline.tape.manifest import MANIFEST_NAME, Manifest, read_manifest
from faultline.tape.parts import PartReader
from faultline.tape.retention import RETENTION_NAME, read_retention
from faultline.tape.seal import Receipt
from faultline.tape.segments import SegmentReader, segment_head

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from faultline.tape.layout import Listing

__all__ = ("Problem", "VerifyReport", "verify")

_RECEIPT_BYTES_MAX: Final = 64 * 1024 * 1024
_RESTORE: Final = "restore the file from a copy; rows of other files are not affected"


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong with one file."""

    #: Path inside the tape.
    file: str
    message: str
    hint: str


class VerifyReport(msgspec.Struct, frozen=True):
    """What a verification found."""

    tape: str
    sealed_files: int
    open_segments: int
    rows: int
    #: Bytes that were checked.
    n_bytes: int
    problems: tuple[Problem, ...]
    #: Things that are no loss: unfinished writes, leftovers of interrupted work.
    notes: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """True where nothing is wrong; the exit code of ``faultline tape verify`` is 0 then, else 1."""
        return not self.problems


class _Findings:
    """Collects problems and notes."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.problems: list[Problem] = []
        self.notes: list[Problem] = []
        self.n_rows = 0
        self.n_bytes = 0

    def problem(self, path: Path, message: str, hint: str = _RESTORE) -> None:
        self.problems.append(Problem(self._relative(path), message, hint))

    def note(self, path: Path, message: str, hint: str) -> None:
        self.notes.append(Problem(self._relative(path), message, hint))

    def _relative(self, path: Path) -> str:
        return str(path.relative_to(self._root))


def verify(path: str | os.PathLike[str]) -> VerifyReport:
    """Read everything and report every bad file; one bad file does not hide another.

    Raises:
        TapeNotFound: the folder holds no tape.
        TapeError: the tape kept changing while it was listed.
    """
    root = Path(path)
    findings = _Findings(root)
    try:
        manifest = read_manifest(root)
    except TapeNotFound:
        raise
    except TapeCorrupt as exc:
        findings.problem(root / MANIFEST_NAME, exc.user_message, exc.hint)
        return _report(root, findings, 0, 0)
    listing = list_tape(root)
    rows_of: dict[PartFile, int] = {}
    for parts in listing.parts.values():
        for part in parts:
            rows_of[part] = _check_part(part, manifest, findings)
    for number in listing.segments:
        _check_segment(segment_path(root, number), manifest, findings)
    _check_receipts(root, listing, rows_of, findings)
    for part in listing.ignored:
        findings.note(part.path, "left over from interrupted work", "`faultline tape compact` removes it")
    for stranger in listing.strangers:
        findings.note(stranger, "not a file of this tape; it is not read", "move it elsewhere")
    return _report(root, findings, len(rows_of), len(listing.segments))


def _report(root: Path, findings: _Findings, n_parts: int, n_segments: int) -> VerifyReport:
    return VerifyReport(
        tape=str(root),
        sealed_files=n_parts,
        open_segments=n_segments,
        rows=findings.n_rows,
        n_bytes=findings.n_bytes,
        problems=tuple(findings.problems),
        notes=tuple(findings.notes),
    )


def _check_part(part: PartFile, manifest: Manifest, findings: _Findings) -> int:
    """Rows of the file as its header tells; -1 where the header cannot be read."""
    n_rows = -1
    try:
        findings.n_bytes += part.path.stat().st_size
        reader = PartReader(part, (manifest.simulated, manifest.world))
        n_rows = reader.header.n_rows
        for message in _row_problems(reader):
            findings.problem(part.path, message)
        reader.check_pages()
    except TapeCorrupt as exc:
        findings.problem(part.path, exc.user_message, exc.hint)
    except FileNotFoundError:
        findings.note(part.path, "merged or removed while the tape was verified", "verify again")
        return -1
    except OSError as exc:
        findings.problem(
            part.path, f"the file cannot be read: {exc.strerror}", "check the disk and permissions"
        )
    else:
        findings.n_rows += n_rows
    return n_rows


def _row_problems(reader: PartReader) -> Iterator[str]:
    """Sentences about rows that are not where or what the header says."""
    dtype = KINDS[Kind(reader.header.kind)].dtype
    last_key = None
    for index, group in enumerate(reader.groups):
        rows = np.empty(group.n_rows, dtype)
        reader.read_into(field_views(rows), 0, dtype.names or (), index, index + 1)
        times, seqs = rows["ts_received_ns"], rows["seq"]
        if (int(times[0]), int(times[-1])) != (group.first_ns, group.last_ns):
            yield f"row group {index} does not begin and end when its header says"
        ascends = (times[1:] > times[:-1]) | ((times[1:] == times[:-1]) & (seqs[1:] >= seqs[:-1]))
        first_key = (int(times[0]), int(seqs[0]))
        if not ascends.all() or (last_key is not None and first_key < last_key):
            yield f"rows of row group {index} are not in order"
        if {date_name(int(day)) for day in np.unique(date_of_ns(times))} != {reader.part.date}:
            yield f"row group {index} holds rows of another day than its folder"
        last_key = (int(times[-1]), int(seqs[-1]))
    if sum(group.n_rows for group in reader.groups) != reader.header.n_rows:
        yield "the header's row count is not the sum of its row groups"


def _check_segment(path: Path, manifest: Manifest, findings: _Findings) -> None:
    try:
        findings.n_bytes += path.stat().st_size
        reader = SegmentReader(path, segment_head(simulated=manifest.simulated, world=manifest.world))
        for frame in reader.frames:
            reader.rows(frame)
    except FileNotFoundError:
        findings.note(path, "sealed while the tape was verified", "verify again to see it")
        return
    except TapeCorrupt as exc:
        findings.problem(path, exc.user_message, exc.hint)
        return
    findings.n_rows += reader.n_rows
    for loss in reader.losses:
        if loss.is_tail:
            message = f"{loss.n_bytes} bytes at byte {loss.offset} are an unfinished write that was never acknowledged"
            findings.note(path, message, "the next writer cuts them off")
        else:
            message = (
                f"{loss.n_bytes} bytes at byte {loss.offset} are damaged: acknowledged rows were lost there"
            )
            findings.problem(
                path, message, "restore the segment from a copy; the rows around the damage are readable"
            )


def _check_receipts(root: Path, listing: Listing, rows_of: dict[PartFile, int], findings: _Findings) -> None:
    """Every row that a seal wrote must be in a file that counts, and every file must hold as many as were sealed."""
    sealed: Counter[tuple[str, str, str, int]] = Counter()
    # A writer that is at work has an open segment with the highest number: what came later is not in the listing.
    newest = max(listing.segments, default=None)
    try:
        gone = read_retention(root)
    except TapeCorrupt as exc:
        findings.problem(root / RETENTION_NAME, exc.user_message, exc.hint)
        return
    for number in list_receipts(root):
        if newest is not None and number >= newest:
            continue
        path = receipt_path(root, number)
        receipt = _read_receipt(path, findings)
        if receipt is not None and receipt.segment not in listing.segments:
            for line in receipt.lines:
                if not gone.covers(line.kind, line.date):
                    sealed[line.kind, line.instrument, line.date, receipt.segment] += line.n_rows
            if receipt.lost_bytes:
                message = (
                    f"segment {receipt.segment} had {receipt.lost_bytes} damaged bytes when it was sealed"
                )
                findings.problem(
                    path, message, "the bytes are in quarantine/; remove the receipt's lost_bytes to accept"
                )
    for part, n_rows in rows_of.items():
        numbers = range(part.first_segment, part.last_segment + 1)
        expected = sum(
            sealed.pop((part.kind, part.instrument_id, part.date, number), 0) for number in numbers
        )
        if n_rows not in (expected, -1):
            findings.problem(part.path, f"the file holds {n_rows} rows, the receipts say {expected}")
    for (kind, instrument_id, date, segment), n_rows in sorted(sealed.items()):
        message = f"the file with {n_rows} rows of {kind} of {instrument_id} on {date} is missing"
        findings.problem(receipt_path(root, segment), message)


def _read_receipt(path: Path, findings: _Findings) -> Receipt | None:
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(_RECEIPT_BYTES_MAX), type=Receipt)
    except (OSError, msgspec.DecodeError) as exc:
        findings.problem(path, f"the receipt cannot be read: {exc}", _RESTORE)
        return None
