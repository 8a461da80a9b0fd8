"""Compressed bytes of a venue in, at most so many plain bytes out."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from faultline.sources.plan import Unzip
from faultline.sources.rows import FrameReject, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("unzip_frame",)

#: Window bits of zlib: 31 is gzip with its header, -15 deflate without.
_WINDOW_BITS: Final[Mapping[Unzip, int]] = {Unzip.GZIP: 31, Unzip.DEFLATE: -15}
#: What a sender leaves off the end of a message that it flushed; without it a message may have no end.
_FLUSHED: Final = b"\x00\x00\xff\xff"


def unzip_frame(frame: bytes, how: Unzip, bytes_max: int) -> bytes:
    """The frame without its compression; one that is not compressed by announcement is returned as it is.

    Raises:
        FrameReject: it is not compressed as announced, is cut short, or is longer than ``bytes_max``.
    """
    bits = _WINDOW_BITS.get(how)
    if bits is None:
        return frame
    stream = zlib.decompressobj(bits)
    try:
        plain = stream.decompress(frame, bytes_max + 1)
        if not stream.eof and how is Unzip.DEFLATE and len(plain) <= bytes_max:
            plain += stream.decompress(_FLUSHED, bytes_max + 1 - len(plain))
    except zlib.error as exc:
        raise FrameReject(Reason.NOT_UNZIPPED, str(exc)) from exc
    if len(plain) > bytes_max:
        raise FrameReject(Reason.TOO_LARGE, f"more than {bytes_max} bytes after decompression")
    if not stream.eof and how is Unzip.GZIP:
        raise FrameReject(Reason.NOT_UNZIPPED, "the compressed stream is cut short")
    return plain
