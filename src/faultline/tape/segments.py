"""The file of an open segment in, its whole frames and what is damaged out.

A segment grows at its end. The beginning of a frame at the very end is a *tail*: a write under way, or one cut short
by a crash before it was acknowledged. Any other bytes that are not a valid frame are *damage*: acknowledged rows were
lost there. Either way every valid frame is found and the loss is counted.
"""

from __future__ import annotations

import dataclasses
import mmap
import os
from typing import TYPE_CHECKING, Any, Final

from faultline.errors import TapeCorrupt
from faultline.messages import sort_rows
from faultline.tape.frames import FRAME_MAGIC, SEGMENT_MAGIC, Frame, frame_at, is_unfinished, rows_of_body

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    Target = Mapping[str, NDArray[Any]]

__all__ = ("Loss", "SegmentReader", "segment_head")

_HEAD_BYTES_MAX: Final = 1_024
_FRAMES_PER_REST: Final = 128
_HINT: Final = "run `faultline tape verify`; the next writer keeps the valid frames and moves the rest aside"


@dataclasses.dataclass(frozen=True, slots=True)
class Loss:
    """Bytes of a segment that are not valid frames."""

    path: Path
    offset: int
    n_bytes: int
    #: True for the beginning of a frame at the end: a write under way or cut short before it was acknowledged.
    is_tail: bool

    def __str__(self) -> str:
        what = "an unfinished write" if self.is_tail else "damaged rows"
        return f"{self.path}: {self.n_bytes} bytes of {what} at byte {self.offset}"


def segment_head(*, simulated: bool, world: str) -> bytes:
    """First bytes of a segment: format, version and the world its rows belong to."""
    encoded = world.encode("utf-8")
    return SEGMENT_MAGIC + bytes((int(simulated),)) + len(encoded).to_bytes(2, "little") + encoded


class SegmentReader:
    """Frames of one segment. ``refresh`` looks for what was appended since.

    Args:
        path: the segment's file.
        head: what the file must begin with; the tape's ``segment_head``.
        rest: called now and then while frames are looked for; it may wait.

    Raises:
        FileNotFoundError: the segment was sealed meanwhile.
        TapeCorrupt: the file does not begin with ``head``.
    """

    def __init__(self, path: Path, head: bytes, rest: Callable[[], None] | None = None) -> None:
        self.path = path
        self._rest = rest
        self.frames: list[Frame] = []
        self.losses: list[Loss] = []
        self._head = head
        self._checked = 0
        self.refresh()

    @property
    def is_in_order(self) -> bool:
        """Frames come as they were appended."""
        return False

    @property
    def n_rows(self) -> int:
        """Rows in valid frames."""
        return sum(frame.n_rows for frame in self.frames)

    @property
    def valid_bytes(self) -> int:
        """Offset after the last valid frame."""
        return self._checked

    def refresh(self) -> None:
        """Read frames that were appended since the last look."""
        size = self.path.stat().st_size
        if size == self._checked:
            return
        self.losses = [loss for loss in self.losses if loss.offset < self._checked]
        if size == 0:
            return
        with self.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            view = memoryview(mapped)
            try:
                self._scan(view, mapped)
            finally:
                view.release()

    def rows(self, frame: Frame) -> NDArray[np.void]:
        """Rows of one frame, as they were appended.

        Raises:
            FileNotFoundError: the segment was sealed meanwhile.
            TapeCorrupt: the message inside is not what this version writes.
        """
        return next(self.each_rows([frame]))

    def each_rows(self, frames: Iterable[Frame]) -> Iterator[NDArray[np.void]]:
        """Rows of some frames, one after the other, as they were appended; raises as ``rows`` does."""
        with self.path.open("rb", buffering=0) as file:
            for frame in frames:
                body = os.pread(file.fileno(), frame.body_bytes, frame.body_offset)
                where = f"{self.path} at byte {frame.body_offset}"
                yield rows_of_body(frame, memoryview(body), where=where)

    def read_into(self, target: Target, start: int, fields: Sequence[str], first: int, end: int) -> int:
        """Decode frames ``first <= i < end``, each sorted, into ``target[start:]``; returns the row after the last.

        Raises:
            FileNotFoundError: the segment was sealed meanwhile.
            TapeCorrupt: the message inside is not what this version writes.
        """
        for appended in self.each_rows(self.frames[first:end]):
            rows = sort_rows(appended)
            for field in fields:
                target[field][start : start + len(rows)] = rows[field]
            start += len(rows)
        return start

    def _scan(self, view: memoryview, mapped: mmap.mmap) -> None:
        if self._checked == 0 and not self._check_head(view):
            return
        offset = self._checked
        while offset < len(view):
            frame = frame_at(view, offset)
            if frame is not None:
                if frame.instrument_id:
                    self.frames.append(frame)
                offset = self._checked = frame.end
                if self._rest is not None and len(self.frames) % _FRAMES_PER_REST == 0:
                    self._rest()
                continue
            following = self._following(view, mapped, offset + 1)
            if following is None:
                self.losses.append(
                    Loss(self.path, offset, len(view) - offset, is_tail=is_unfinished(view, offset))
                )
                return
            self.losses.append(Loss(self.path, offset, following - offset, is_tail=False))
            offset = following

    def _following(self, view: memoryview, mapped: mmap.mmap, start: int) -> int | None:
        """Offset of the next valid frame after damage."""
        offset = mapped.find(FRAME_MAGIC, start)
        while offset >= 0:
            if frame_at(view, offset) is not None:
                return offset
            offset = mapped.find(FRAME_MAGIC, offset + 1)
        return None

    def _check_head(self, view: memoryview) -> bool:
        head = bytes(view[: len(self._head)])
        if head == self._head:
            self._checked = len(head)
            return True
        if self._head.startswith(head):
            self.losses.append(Loss(self.path, 0, len(head), is_tail=True))
            return False
        if bytes(view[: len(SEGMENT_MAGIC)]) == SEGMENT_MAGIC and self._following_world(view):
            message = "this segment belongs to another world than its tape"
            raise TapeCorrupt(message, where=str(self.path), hint="move the file to the tape it came from")
        # A damaged head: the frames after it carry their own checksums.
        self._checked = 0
        return True

    def _following_world(self, view: memoryview) -> bool:
        """True where the head is whole but names another world."""
        start = len(SEGMENT_MAGIC)
        length = start + 3 + int.from_bytes(view[start + 1 : start + 3], "little")
        return length <= _HEAD_BYTES_MAX and frame_at(view, length) is not None
