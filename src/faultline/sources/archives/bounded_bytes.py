"""A file of unknown origin, plain, gzipped or zipped, in; its bytes in whole lines and bounded blocks out.

Bytes, line lengths and the expansion of a compressed stream are bounded, so a bomb, a cut file or a file without line
ends is an error that names the file and never costs more memory than a block.
"""

from __future__ import annotations

import dataclasses
import zlib
from typing import TYPE_CHECKING, Final

import numpy as np

from faultline.errors import ImportRejected
from faultline.sources.archives.zip_member import ZIP_MAGIC, unzip

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ("Limits", "first_line", "line_blocks")

_READ_BYTES: Final = 1 << 20
_BLOCK_BYTES: Final = 4 << 20
#: Expansion is only judged once a stream is larger than this.
_EXPANSION_FREE_BYTES: Final = 8 << 20
_GZIP_MAGIC: Final = b"\x1f\x8b"
_NEWLINE: Final = 10


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one file. Reaching one is an error, never a silent cut."""

    #: Bytes after decompression.
    max_bytes: int = 4 << 30
    max_rows: int = 100_000_000
    max_columns: int = 128
    max_line_bytes: int = 1 << 16
    #: Decompressed over compressed bytes; market data in text stays below 40.
    max_expansion: int = 200


def first_line(path: Path, limits: Limits) -> bytes:
    """The first line of a file without its line end.

    Raises:
        ImportRejected: the file cannot be read, or has no line end within ``limits.max_line_bytes``.
    """
    head = b""
    for piece in _content(path, limits, lambda _n: None):
        head += piece
        if b"\n" in head or len(head) > limits.max_line_bytes:
            break
    line = head.partition(b"\n")[0]
    _check_line_length(path, len(line), limits)
    return line.rstrip(b"\r")


def line_blocks(path: Path, limits: Limits, on_bytes: Callable[[int], None]) -> Iterator[bytes]:
    """The content of a file in blocks of about 4 MB that end with a line end (the last one may not).

    Empty lines at the very end of the file are left out.

    Args:
        path: a regular file.
        limits: bounds to hold it to.
        on_bytes: called with the number of stored bytes that were read since the last call.

    Raises:
        ImportRejected: the file cannot be read, is damaged or cut short, or a bound is reached.
    """
    total = size = 0
    held: list[bytes] = []
    for piece in _content(path, limits, on_bytes):
        total += len(piece)
        if total > limits.max_bytes:
            raise ImportRejected(
                f"the file holds more than {limits.max_bytes:,} bytes", where=str(path), hint="Split it."
            )
        held.append(piece)
        size += len(piece)
        if size >= _BLOCK_BYTES:
            whole, newline, rest = b"".join(held).rpartition(b"\n")
            _check_lines(path, whole + newline, limits)
            _check_line_length(path, len(rest), limits)
            kept = whole.rstrip(b"\r\n")
            # Line ends at the end of a block may be the end of the file: they wait for what follows.
            trailing = (whole + newline)[len(kept) :]
            if kept:
                first_end = trailing.find(b"\n") + 1
                yield kept + trailing[:first_end]
                trailing = trailing[first_end:]
            held = [trailing + rest]
            size = len(held[0])
    last = b"".join(held).rstrip(b"\r\n")
    if last:
        _check_lines(path, last + b"\n", limits)
        yield last + b"\n"


def _check_lines(path: Path, block: bytes, limits: Limits) -> None:
    ends = np.flatnonzero(np.frombuffer(block, dtype=np.uint8) == _NEWLINE)
    longest = int(np.diff(ends, prepend=-1).max()) if len(ends) else len(block)
    _check_line_length(path, longest, limits)


def _check_line_length(path: Path, n_bytes: int, limits: Limits) -> None:
    if n_bytes > limits.max_line_bytes:
        raise ImportRejected(
            f"a line is longer than {limits.max_line_bytes:,} bytes",
            where=str(path),
            hint="This is not a text file of columns.",
        )


def _content(path: Path, limits: Limits, on_bytes: Callable[[int], None]) -> Iterator[bytes]:
    """Decompressed bytes in pieces of at most 1 MiB."""
    if not path.is_file():
        raise ImportRejected("there is no such file", where=str(path), hint="Check the path.")
    try:
        with path.open("rb") as stream:
            first = stream.read(_READ_BYTES)
            pieces = _pieces(first, stream, on_bytes)
            if first[:4] == ZIP_MAGIC:
                yield from _within(path, unzip(path, stream, on_bytes), limits, path.stat().st_size)
            else:
                yield from _inflate(path, pieces, limits) if first[:2] == _GZIP_MAGIC else pieces
    except OSError as exc:
        raise ImportRejected(
            f"the file cannot be read: {exc.strerror or type(exc).__name__}",
            where=str(path),
            hint="Check the path and its permissions.",
        ) from exc


def _within(path: Path, pieces: Iterator[bytes], limits: Limits, stored: int) -> Iterator[bytes]:
    """The same pieces, as long as they stay within the allowed expansion of ``stored`` bytes."""
    expanded = 0
    for piece in pieces:
        expanded += len(piece)
        _check_expansion(path, "zip archive", expanded, stored, limits)
        yield piece


def _check_expansion(path: Path, what: str, expanded: int, stored: int, limits: Limits) -> None:
    if expanded > max(_EXPANSION_FREE_BYTES, limits.max_expansion * stored):
        raise ImportRejected(
            f"the {what} expands more than {limits.max_expansion} times",
            where=str(path),
            hint="It is taken for a decompression bomb; if it is not, decompress it yourself.",
        )


def _pieces(first: bytes, stream: io.BufferedReader, on_bytes: Callable[[int], None]) -> Iterator[bytes]:
    piece = first
    while piece:
        on_bytes(len(piece))
        yield piece
        piece = stream.read(_READ_BYTES)


def _inflate(path: Path, pieces: Iterator[bytes], limits: Limits) -> Iterator[bytes]:
    """The members of a gzip file one after another, at most 1 MiB of output at a time."""
    stored = expanded = 0
    inflater = zlib.decompressobj(wbits=31)
    in_member = False
    for piece in pieces:
        stored += len(piece)
        pending = piece if in_member else piece.lstrip(b"\0")
        more = bool(pending)
        while more:
            try:
                output = inflater.decompress(pending, _READ_BYTES)
            except zlib.error as exc:
                raise ImportRejected(
                    "the gzip stream is damaged", where=str(path), hint="Fetch the file again."
                ) from exc
            expanded += len(output)
            _check_expansion(path, "gzip stream", expanded, stored, limits)
            if output:
                yield output
            in_member = not inflater.eof
            if in_member:
                pending = inflater.unconsumed_tail
                more = bool(pending) or len(output) == _READ_BYTES
            else:
                pending = inflater.unused_data.lstrip(b"\0")
                inflater = zlib.decompressobj(wbits=31)
                more = bool(pending)
    if in_member:
        raise ImportRejected(
            "the gzip stream is cut short", where=str(path), hint="Fetch the file again: its end is missing."
        )
