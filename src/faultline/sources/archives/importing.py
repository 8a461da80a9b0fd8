"""Files of a known format in; rows on a tape, and an exact account of them, out.

The files are read twice: once to check every line before anything is written, once to write. So a bad file leaves the
tape as it was, and the account is complete before the first row is on disk.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from faultline.errors import ImportRejected, RequestError
from faultline.sources.archives.column_files import ColumnFile
from faultline.sources.archives.formats import FORMATS
from faultline.sources.archives.journal import Journal, new_entry, rows_not_on_tape
from faultline.sources.archives.report import ImportReport, Selection, Tally
from faultline.tape import Tape, TapeWriter
from faultline.units import format_time_ns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from faultline.messages import Batch
    from faultline.sources.archives.importer import Importer
    from faultline.sources.archives.journal import JournalEntry

__all__ = ("CHUNK_ROWS", "Progress", "import_files")

#: Rows that are appended, and acknowledged, together.
CHUNK_ROWS: Final = 250_000

#: Called with (bytes done, bytes in all, what is being done). Every file counts twice: checked, then written.
Progress = Callable[[int, int, str], None]


def import_files(
    format_name: str,
    paths: Sequence[Path],
    out: Path,
    *,
    from_ns: int | None = None,
    to_ns: int | None = None,
    assets: Iterable[str] | None = None,
    progress: Progress | None = None,
    chunk_rows: int = CHUNK_ROWS,
) -> ImportReport:
    """Append recorded files to a tape of recorded data.

    A killed import is continued by running it again with the same arguments: nothing is lost and nothing doubled.

    Args:
        format_name: a name in ``FORMATS``.
        paths: files, or directories in which the format finds its files by name.
        out: folder of the tape; created when absent.
        from_ns: earliest receive time to keep, inclusive.
        to_ns: end of the receive times to keep, exclusive.
        assets: assets to keep, e.g. ``["BTC"]``; None keeps all.
        progress: told how many bytes are done.
        chunk_rows: rows that are acknowledged together.

    Raises:
        ImportRejected: a file cannot be imported (nothing was written), or is on the tape already.
        RequestError: there is no such format, or the selection is empty.
        TapeError: the tape cannot be written; ``WorldMismatch`` where it holds simulated data.
    """
    importer = FORMATS.get(format_name)
    if importer is None:
        raise RequestError(
            f"no format {format_name!r}", where="FORMAT", hint=f"There are {', '.join(FORMATS)}."
        )
    selection = _selection(from_ns, to_ns, assets)
    found, ignored = importer.find([Path(path) for path in paths])
    steps = _Steps(found, progress)
    files = [ColumnFile(path, importer.limits, steps.counter(path)) for path in found]

    tally = Tally()
    for batches in importer.read(files, selection, tally):
        for batch in batches:
            tally.write(batch)
    rows_kept = tally.rows_read - sum(tally.rejected.values())
    if not rows_kept:
        raise ImportRejected(
            "no row is left to import",
            where=", ".join(map(str, paths)),
            hint=f"Of {tally.rows_read:,} rows were rejected: {_in_words(tally)}.",
        )
    digests = [(file.path, file.sha256) for file in files]
    entry = new_entry(importer.name, digests, selection, chunk_rows)
    steps.begin_writing()
    is_resumed = _write(importer, files, selection, entry, out)
    if [(file.path, file.sha256) for file in files] != digests:
        raise ImportRejected(
            "a file changed while it was imported", where=str(out), hint="Import into a fresh tape."
        )
    report = ImportReport(
        tape=str(out),
        format=importer.name,
        rows_read=tally.rows_read,
        rows_kept=rows_kept,
        rejected=dict(sorted(tally.rejected.items())),
        repaired=dict(sorted(tally.repaired.items())),
        unchecked=dict(sorted(tally.unchecked.items())),
        kinds=tally.kind_counts(),
        gaps=tuple(sorted(tally.gaps)),
        ignored_files=tuple(path.name for path in ignored),
        resumed=is_resumed,
        sha256=Tape(out).sha256(),
    )
    steps.finish()
    return report


def _selection(from_ns: int | None, to_ns: int | None, assets: Iterable[str] | None) -> Selection:
    if from_ns is not None and to_ns is not None and from_ns >= to_ns:
        span = f"{format_time_ns(from_ns)} .. {format_time_ns(to_ns)}"
        raise RequestError(
            f"the time to import is empty: {span}", where="--from, --to", hint="--to is exclusive."
        )
    chosen = None if assets is None else frozenset(asset.upper() for asset in assets)
    if chosen is not None and not chosen:
        raise RequestError("no asset is named", where="--assets", hint="Name some, or leave the option out.")
    return Selection(from_ns, to_ns, chosen)


def _in_words(tally: Tally) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in sorted(tally.rejected.items())) or "none"


def _write(
    importer: Importer, files: Sequence[ColumnFile], selection: Selection, entry: JournalEntry, out: Path
) -> bool:
    """Second pass: append what is not on the tape yet; True where an interrupted import was continued."""
    with TapeWriter(out, simulated=False) as writer:
        journal = Journal(out)
        is_resumed = any(known.key == entry.key and known.state == "writing" for known in journal.entries())
        entry = journal.begin(entry)
        in_doubt = entry.chunks_done if is_resumed else None
        for number, chunk in enumerate(_chunks(importer.read(files, selection, Tally()), entry.chunk_rows)):
            if number < entry.chunks_done:
                continue
            writer.append(rows_not_on_tape(chunk, Tape(out)) if number == in_doubt else chunk)
            entry = msgspec.structs.replace(entry, chunks_done=number + 1)
            journal.write(entry)
        writer.seal()
        journal.write(msgspec.structs.replace(entry, state="done"))
    return is_resumed


def _chunks(pieces: Iterator[list[Batch]], chunk_rows: int) -> Iterator[list[Batch]]:
    """The same batches, in lists of at least ``chunk_rows`` rows (the last may be shorter)."""
    chunk: list[Batch] = []
    n_rows = 0
    for batches in pieces:
        chunk += batches
        n_rows += sum(map(len, batches))
        if n_rows >= chunk_rows:
            yield chunk
            chunk, n_rows = [], 0
    if chunk:
        yield chunk


class _Steps:
    """Bytes of all files, read twice, told to whoever watches."""

    def __init__(self, paths: Sequence[Path], progress: Progress | None) -> None:
        self._progress = progress or (lambda _done, _total, _label: None)
        self._total = 2 * sum(path.stat().st_size for path in paths)
        self._done = 0
        self._verb = "check"

    def counter(self, path: Path) -> Callable[[int], None]:
        """What a file calls with the bytes it has read."""

        def count(n_bytes: int) -> None:
            self._done = min(self._done + n_bytes, self._total)
            self._progress(self._done, self._total, f"{self._verb} {path.name}")

        return count

    def begin_writing(self) -> None:
        self._done = self._total // 2
        self._verb = "write"

    def finish(self) -> None:
        self._progress(self._total, self._total, "done")
