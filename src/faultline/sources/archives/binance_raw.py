"""Recorded WebSocket frames of Binance futures, one a line, in; trades, book, marks, funding and liquidations out.

A line is ``<receive time in ns> <frame>``, or a frame alone, whose receive time is then assumed. Frames are those of
the venue's streams, combined (``{"stream": .., "data": {..}}``) or not; an answer of the REST depth snapshot may stand
among them. What each stream becomes is in ``binance_raw_streams`` and ``binance_raw_book``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from faultline.errors import ImportRejected
from faultline.sources.archives.binance_raw_book import BookState, book_batches
from faultline.sources.archives.binance_raw_frames import FRAME_NAME, RecorderClock, frames_of
from faultline.sources.archives.binance_raw_streams import StreamState, stream_batches
from faultline.sources.archives.bounded_bytes import Limits
from faultline.sources.archives.importer import Importer, stem_of
from faultline.sources.archives.message_rows import gap_batches

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from faultline.messages import Batch
    from faultline.sources.archives.column_files import ColumnFile
    from faultline.sources.archives.report import Selection, Tally

__all__ = ("BINANCE_RAW",)


def _read(files: Sequence[ColumnFile], selection: Selection, tally: Tally) -> Iterator[list[Batch]]:
    """Messages of every file, block by block; a symbol's sequence goes on from file to file."""
    state = StreamState(selection, tally)
    books = BookState()
    for file in files:
        clock = RecorderClock()
        is_empty = True
        for line, body in file.texts():
            is_empty = False
            frames = frames_of(file.name, stem_of(file.path), line, body, clock)
            tally.rows_read += len(frames.numbers)
            yield [*stream_batches(frames, state), *book_batches(frames, books, state)]
        if is_empty:
            raise ImportRejected("the file is empty", where=file.name, hint="Fetch the file again.")
    yield gap_batches(state.gaps, selection)


#: Frames of Binance's futures streams as a recorder wrote them down.
BINANCE_RAW: Final = Importer(
    name="binance-raw",
    summary="recorded WebSocket frames of Binance futures: trades, book, marks, funding, liquidations",
    name_pattern=FRAME_NAME,
    expected_files="usdm_<symbol>_<YYYYMMDD> or <symbol>_<YYYYMMDD>, the symbol in small letters",
    read=_read,
    limits=Limits(max_bytes=1 << 36, max_rows=1_000_000_000, max_line_bytes=1 << 20),
    suffixes=(".gz", ".jsonl", ".txt"),
)
