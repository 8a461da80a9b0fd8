"""Frames as they came in, one gzipped file per venue, connection and hour out, for ``faultline decode`` and for tests.

A line is ``<receive time in ns> <frame>``, decompressed. A frame that would not fit in a line of text, because it has
line ends or is not UTF-8, is written as ``base64:`` and its bytes in base64.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import gzip
import re
from typing import TYPE_CHECKING, Final

from faultline.units import HOUR_NS, SECOND_NS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ("RawFrames", "read_raw_frames")

_CODED: Final = b"base64:"


class RawFrames:
    """Writes frames under a folder: ``<venue>/<connection>-<UTC hour>.gz``; one thread only.

    Args:
        folder: created when absent. A file that is there is continued.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: dict[tuple[str, str], tuple[int, gzip.GzipFile]] = {}
        #: Frames written so far.
        self.n_frames = 0

    def write(self, venue: str, connection: str, received_ns: int, frame: bytes) -> None:
        """Append one frame.

        Raises:
            OSError: the disk refuses.
        """
        hour = received_ns // HOUR_NS
        found = self._files.get((venue, connection))
        if found is None or found[0] != hour:
            if found is not None:
                found[1].close()
            found = (hour, self._open(venue, connection, hour))
            self._files[(venue, connection)] = found
        found[1].write(b"%d %b\n" % (received_ns, _text(frame)))
        self.n_frames += 1

    def close(self) -> None:
        """Finish every file."""
        for _, file in self._files.values():
            file.close()
        self._files.clear()

    def _open(self, venue: str, connection: str, hour: int) -> gzip.GzipFile:
        moment = dt.datetime.fromtimestamp(hour * HOUR_NS // SECOND_NS, tz=dt.UTC)
        name = re.sub(r"[^A-Za-z0-9._-]", "_", connection)
        path = self.folder / venue / f"{name}-{moment:%Y%m%dT%H}.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        return gzip.GzipFile(path, "ab", compresslevel=6)


def read_raw_frames(path: Path) -> Iterator[tuple[int, bytes]]:
    """(receive time in ns, frame) of every line of a file; a file that was cut off ends with its last whole line.

    Raises:
        ValueError: a line is not one of ours; the message names it.
    """
    with gzip.open(path, "rb") as file:
        number = 0
        while True:
            try:
                line = file.readline()
            except EOFError:
                return
            if not line.endswith(b"\n"):
                return
            number += 1
            stamp, space, frame = line[:-1].partition(b" ")
            try:
                if not space:
                    raise ValueError
                yield int(stamp), _frame(frame)
            except (ValueError, binascii.Error) as exc:
                msg = f"{path}, line {number}: not '<ns> <frame>'"
                raise ValueError(msg) from exc


def _text(frame: bytes) -> bytes:
    """A frame as text in one line."""
    try:
        frame.decode()
    except UnicodeDecodeError:
        return _CODED + base64.b64encode(frame)
    if b"\n" in frame or b"\r" in frame or frame.startswith(_CODED):
        return _CODED + base64.b64encode(frame)
    return frame


def _frame(text: bytes) -> bytes:
    return base64.b64decode(text[len(_CODED) :], validate=True) if text.startswith(_CODED) else text
