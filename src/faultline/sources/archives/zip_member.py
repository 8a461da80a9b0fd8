"""A zip archive of unknown origin in, the bytes of the one file in it out; nothing is ever unpacked to disk."""

from __future__ import annotations

import struct
import zipfile
import zlib
from typing import TYPE_CHECKING, Final, NoReturn

from faultline.errors import ImportRejected

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ("ZIP_MAGIC", "unzip")

#: First bytes of a zip archive that holds a file.
ZIP_MAGIC: Final = b"PK\x03\x04"

_READ_BYTES: Final = 1 << 20
_END_MAGIC: Final = b"PK\x05\x06"
#: The end record, with the longest comment it may carry.
_END_BYTES: Final = 22 + 0xFFFF
_DIRECTORY_BYTES_MAX: Final = 1 << 16
_ENCRYPTED: Final = 1
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def unzip(path: Path, stream: io.BufferedReader, on_bytes: Callable[[int], None]) -> Iterator[bytes]:
    """Content of the only file of an archive in pieces of at most 1 MiB, its checksum verified at the end.

    Args:
        path: named in errors.
        stream: the archive, seekable.
        on_bytes: called with the stored bytes that were read since the last call.

    Raises:
        ImportRejected: the archive is damaged, encrypted, holds more than one file or a name with a folder in it.
    """
    _check_directory(path, stream)
    try:
        with zipfile.ZipFile(stream) as archive:
            entry = _only_entry(path, archive)
            told = 0
            done = 0
            with archive.open(entry) as member:
                while piece := member.read(_READ_BYTES):
                    done += len(piece)
                    reached = min(entry.compress_size * done // max(entry.file_size, 1), entry.compress_size)
                    on_bytes(reached - told)
                    told = reached
                    yield piece
            on_bytes(max(path.stat().st_size - told, 0))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, struct.error) as exc:
        _reject(path, "the zip archive is damaged or cut short", "Fetch the file again.", exc)


def _check_directory(path: Path, stream: io.BufferedReader) -> None:
    """The list of files is read into memory as a whole, so its size is looked at before."""
    size = stream.seek(0, 2)
    stream.seek(max(size - _END_BYTES, 0))
    tail = stream.read(_END_BYTES)
    at = tail.rfind(_END_MAGIC)
    record = tail[at : at + 22]
    if at < 0 or len(record) < 22:
        _reject(path, "the zip archive is damaged or cut short", "Fetch the file again: its end is missing.")
    directory_bytes = int.from_bytes(record[12:16], "little")
    if directory_bytes > _DIRECTORY_BYTES_MAX:
        _reject(
            path, "the zip archive lists too many files", "An archive of this kind holds exactly one file."
        )
    stream.seek(0)


def _only_entry(path: Path, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    entries = archive.infolist()
    if len(entries) != 1:
        hint = "Unpack it, and give the file you mean."
        _reject(path, f"the zip archive holds {len(entries)} files instead of one", hint)
    entry = entries[0]
    # Only the content is used, but a name that points elsewhere is a sign of a forged archive.
    if entry.is_dir() or any(mark in entry.filename for mark in ("/", "\\", "..", ":")):
        hint = "An archive of this kind holds one file without a folder; fetch it again from its source."
        _reject(path, f"the zip archive holds {entry.filename[:80]!r}, which is not a plain file name", hint)
    if entry.flag_bits & _ENCRYPTED:
        _reject(path, "the zip archive is encrypted", "Unpack it first.")
    if entry.compress_type not in _METHODS:
        _reject(path, "the zip archive uses a compression that is not read here", "Unpack it first.")
    return entry


def _reject(path: Path, message: str, hint: str, cause: Exception | None = None) -> NoReturn:
    raise ImportRejected(message, where=str(path), hint=hint) from cause
