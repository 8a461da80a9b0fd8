"""Lines of a recording of Binance's streams in; frames by event, with receive times that no frame precedes, out."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from faultline.errors import ImportRejected
from faultline.sources.archives.column_files import (
    EARLIEST_NS,
    LARGEST,
    LATEST_NS,
    ColumnType,
    block_of_table,
)
from faultline.sources.archives.json_lines import line_numbers, parse_lines
from faultline.units import MILLISECOND_NS, SECOND_NS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from faultline.sources.archives.column_files import TextColumn

__all__ = ("FRAME_NAME", "Events", "Frames", "RecorderClock", "frames_of")

#: Names of recordings, without their suffix; the group is the symbol in small letters.
FRAME_NAME: Final = r"(?:(?:usdm|coinm|um|cm)_)?([a-z0-9]{2,24}(?:_perp|_\d{6})?)_\d{8}(?:[-_]\d+)?"
_HEAD: Final = pa.schema(
    [
        ("data", pa.struct([("e", pa.string()), ("E", pa.int64()), ("lastUpdateId", pa.int64())])),
        ("e", pa.string()),
        ("E", pa.int64()),
        ("lastUpdateId", pa.int64()),
    ]
)
#: Digits of a time in nanoseconds since 1970, from 2001 to 2286.
_STAMP_DIGITS: Final = 19
_SPACE, _ZERO, _NINE = 32, 48, 57
#: A recorder's clock may be this far behind the venue's; more is not a clock that is a little off.
_BEHIND_MAX_NS: Final = 60 * SECOND_NS
_FIX_LINE: Final = "Correct or remove the line."


@dataclasses.dataclass(slots=True)
class RecorderClock:
    """A recorder's clock: how far it is set forward, and its latest receive time."""

    #: Found in the first block of a file; -1 before.
    offset_ns: int = -1
    latest_ns: int = 0

    def receive_times(
        self, stamp_ns: NDArray[np.int64], sent_ns: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Receive times, and the mask of those that are not what the recorder wrote; shape (n,) both.

        No frame arrives before it was sent. Where frames of the first block seem to, the whole clock is set forward
        by the least amount that mends them; what is left over later is mended frame by frame.

        Args:
            stamp_ns: what the recorder wrote; 0 where it wrote none.
            sent_ns: the venue's own stamps; 0 where there is none.
        """
        written = stamp_ns > 0
        both = written & (sent_ns > 0)
        if self.offset_ns < 0:
            self.offset_ns = max(int((sent_ns - stamp_ns)[both].max(initial=0)), 0)
        received_ns = np.maximum(np.where(written, stamp_ns + self.offset_ns, 0), sent_ns)
        received_ns = np.maximum.accumulate(np.maximum(received_ns, self.latest_ns))
        self.latest_ns = int(received_ns[-1]) if len(received_ns) else self.latest_ns
        return received_ns, received_ns != stamp_ns


@dataclasses.dataclass(frozen=True, slots=True)
class Frames:
    """The frames of a block of lines; columns have shape (n,)."""

    name: str
    #: Symbol that the file is named after.
    symbol: str
    numbers: Sequence[int]
    #: Every frame with its event inside ``data``, and its line end.
    texts: pa.Array
    events: TextColumn
    #: True where a frame is the answer of a REST depth request.
    is_snapshot: NDArray[np.bool_]
    received_ns: NDArray[np.int64]
    is_assumed: NDArray[np.bool_]
    is_set_forward: bool

    def rows_of(self, event: str) -> NDArray[np.intp]:
        """Rows of an event, in order."""
        return np.flatnonzero(self.events.equals(event) & ~self.is_snapshot)

    def parse(self, rows: NDArray[np.intp], members: Mapping[str, pa.DataType], inside: str = "") -> Events:
        """Members of the events on some rows; ``inside`` names an object in which they stand.

        Raises:
            ImportRejected: a line is not what its event should be.
        """
        kind = pa.struct([(name, kind) for name, kind in members.items()])
        if inside:
            kind = pa.struct([(inside, kind)])
        numbers = [self.numbers[row] for row in rows.tolist()]
        chosen = self.texts.take(pa.array(rows))
        body = b"".join(chosen.to_pylist())
        table = parse_lines(self.name, numbers, body, pa.schema([("data", kind)]), ("data",))
        column = table["data"].combine_chunks()
        for name in (inside,) if inside else ():
            column = pc.struct_field(column, name)
        whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        return Events(self, rows, numbers, pa.Table.from_arrays(whole.flatten(), list(members)))


@dataclasses.dataclass(frozen=True, slots=True)
class Events:
    """Events of one kind, as columns; row i is frame ``rows[i]``."""

    frames: Frames
    rows: NDArray[np.intp]
    numbers: Sequence[int]
    table: pa.Table

    def check(self, field: str, bad: NDArray[np.bool_], what: str) -> None:
        """Reject the first row of a mask, if there is one.

        Raises:
            ImportRejected: a row of ``bad`` is True.
        """
        if bad.any():
            where = f"{self.frames.name}: line {self.numbers[int(np.argmax(bad))]}, field {field}"
            raise ImportRejected(f"{field} {what}", where=where, hint=_FIX_LINE)

    def whole(self, field: str) -> NDArray[np.int64]:
        """A column of whole numbers that are not negative."""
        column = self.table[field]
        self.check(field, pc.is_null(column).to_numpy(), "is missing")
        values: NDArray[np.int64] = column.to_numpy()
        self.check(field, values < 0, "must not be negative")
        return values

    def times_ns(self, field: str) -> NDArray[np.int64]:
        """A column of milliseconds since 1970, as nanoseconds."""
        millis = self.whole(field)
        earliest, latest = EARLIEST_NS // MILLISECOND_NS, LATEST_NS // MILLISECOND_NS
        bad = (millis < earliest) | (millis >= latest)
        self.check(field, bad, "must be a time between 2009-01-03 and 2100-01-01, in milliseconds")
        return millis * MILLISECOND_NS

    def amounts(self, field: str, *, optional: bool = False, signed: bool = False) -> NDArray[np.float64]:
        """A column of numbers written as text; NaN where an optional one is missing or empty."""
        text = self.table[field]
        text = pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
        try:
            values = text.cast(pa.float64()).to_numpy().astype(np.float64)
        except pa.ArrowInvalid:
            bad = np.array([not _is_number(value) for value in text.to_pylist()], dtype=np.bool_)
            self.check(field, bad, "must be a number in quotes")
            raise
        missing = pc.is_null(text).to_numpy()
        if not optional:
            self.check(field, missing, "is missing")
        low = -LARGEST if signed else 0.0
        self.check(field, ~missing & ~((values >= low) & (values <= LARGEST)), "must be a possible number")
        return np.where(missing, np.nan, values)

    def texts(self, field: str) -> TextColumn:
        """A column of text, empty where missing."""
        return _text_column(self.table[field])


def _is_number(text: str | None) -> bool:
    try:
        pa.array([text], pa.string()).cast(pa.float64())
    except pa.ArrowInvalid:
        return False
    return True


def _text_column(column: Any) -> TextColumn:
    table = pa.table({"text": pc.fill_null(column, "")})
    return block_of_table("", 1, table, {"text": ColumnType.TEXT}).texts["text"]


def frames_of(name: str, stem: str, first_line: int, body: bytes, clock: RecorderClock) -> Frames:
    """The frames of a block of whole lines.

    Raises:
        ImportRejected: a line holds no frame, or its time is impossible.
    """
    numbers = line_numbers(first_line, body)
    stamp_ns, texts = _split_stamps(name, numbers, body)
    # Streams of all symbols at once send lists; no fixed type fits them beside single events.
    is_list = pc.match_substring_regex(texts, rb'^\s*(\[|\{"stream":"[^"]*","data":\s*\[)')
    texts = pc.if_else(is_list, pa.scalar(b"{}\n"), texts)
    head = parse_lines(name, numbers, b"".join(texts.to_pylist()), _HEAD)
    inner = head["data"].combine_chunks()
    inner = inner.combine_chunks() if isinstance(inner, pa.ChunkedArray) else inner
    is_bare = pc.is_null(inner)
    columns = {
        field: pc.if_else(is_bare, head[field].combine_chunks(), pc.struct_field(inner, field))
        for field in ("e", "E", "lastUpdateId")
    }
    sent_ms = pc.fill_null(columns["E"], 0).to_numpy(zero_copy_only=False).astype(np.int64)
    bad = (sent_ms != 0) & ~(
        (sent_ms >= EARLIEST_NS // MILLISECOND_NS) & (sent_ms < LATEST_NS // MILLISECOND_NS)
    )
    _check(name, numbers, bad, "E must be a time between 2009-01-03 and 2100-01-01, in milliseconds")
    sent_ns = sent_ms * MILLISECOND_NS
    is_event = ~pc.is_null(columns["e"]).to_numpy(zero_copy_only=False)
    is_snapshot = pc.is_valid(columns["lastUpdateId"]).to_numpy(zero_copy_only=False) & ~is_event
    _check(name, numbers, (is_event | is_snapshot) & (stamp_ns == 0) & (sent_ns == 0), "E is missing")
    behind = (stamp_ns > 0) & (sent_ns - stamp_ns > _BEHIND_MAX_NS)
    _check(name, numbers, behind, "E must not be a minute after the time the frame was received")
    received_ns, is_assumed = clock.receive_times(stamp_ns, sent_ns)
    late = received_ns - np.maximum(stamp_ns + clock.offset_ns, sent_ns)
    far = (is_event | is_snapshot) & (late > _BEHIND_MAX_NS)
    _check(name, numbers, far, "the receive time must not run backwards by more than a minute")
    trimmed = pc.binary_join_element_wise(b'{"data":', _without_line_ends(texts), b"}\n", b"")
    found = re.fullmatch(FRAME_NAME, stem)
    return Frames(
        name=name,
        symbol=found[1].upper() if found else "",
        numbers=numbers,
        texts=pc.if_else(is_bare, trimmed, texts),
        events=_text_column(columns["e"]),
        is_snapshot=is_snapshot,
        received_ns=received_ns,
        is_assumed=is_assumed,
        is_set_forward=clock.offset_ns > 0,
    )


def _without_line_ends(texts: pa.Array) -> pa.Array:
    return pc.utf8_rtrim(texts.cast(pa.string()), "\r\n").cast(pa.binary())


def _check(name: str, numbers: Sequence[int], bad: NDArray[np.bool_], what: str) -> None:
    if bad.any():
        where = f"{name}: line {numbers[int(np.argmax(bad))]}"
        raise ImportRejected(what, where=where, hint=_FIX_LINE)


def _split_stamps(name: str, numbers: Sequence[int], body: bytes) -> tuple[NDArray[np.int64], pa.Array]:
    """Receive times in front of the frames (0 where there is none), and the lines with them blanked out."""
    text = np.frombuffer(body, dtype=np.uint8).copy()
    ends = np.flatnonzero(text == 10) + 1
    starts = np.concatenate(([0], ends[:-1]))
    stamp_ns = np.zeros(len(starts), dtype=np.int64)
    is_stamped = (text[starts] >= _ZERO) & (text[starts] <= _NINE)
    first = starts[is_stamped]
    if len(first):
        fits = ends[is_stamped] - first > _STAMP_DIGITS + 1
        places = np.minimum(first[:, None] + np.arange(_STAMP_DIGITS + 1), len(text) - 1)
        digits = text[places]
        fits &= ((digits[:, :-1] >= _ZERO) & (digits[:, :-1] <= _NINE)).all(axis=1) & (
            digits[:, -1] == _SPACE
        )
        values = (digits[:, :-1].astype(np.int64) - _ZERO) @ (10 ** np.arange(_STAMP_DIGITS - 1, -1, -1))
        fits &= (values >= EARLIEST_NS) & (values < LATEST_NS)
        bad = np.zeros(len(starts), dtype=np.bool_)
        bad[is_stamped] = ~fits
        _check(
            name, numbers, bad, "a line must begin with its receive time in nanoseconds, a space and a frame"
        )
        stamp_ns[is_stamped] = values
        text[places] = _SPACE
    offsets = np.concatenate(([0], ends)).astype(np.int32)
    lines = pa.Array.from_buffers(pa.binary(), len(ends), [None, pa.py_buffer(offsets), pa.py_buffer(text)])
    try:
        text.tobytes().decode("utf-8")
    except UnicodeDecodeError as exc:
        at = int(np.searchsorted(ends, exc.start, side="right"))
        raise ImportRejected(
            "the line is not UTF-8 text", where=f"{name}: line {numbers[at]}", hint=_FIX_LINE
        ) from exc
    return stamp_ns, lines
