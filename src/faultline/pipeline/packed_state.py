"""The state of a learner, named arrays, in, one line of text that a file can carry out, and back.

Each array is written in NumPy's own format, all are compressed together. Nothing is known here of what they mean.
"""

from __future__ import annotations

import base64
import io
import zlib
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ("pack", "unpack")

#: Unpacked, a state is a few hundred kilobytes at most; what claims to be larger was not packed here.
_BYTES_MAX: Final = 32 * 1024 * 1024


def pack(state: Mapping[str, NDArray[Any]]) -> str:
    """Arrays by name as text; the same arrays give the same text."""
    parts: dict[str, bytes] = {}
    for name, values in state.items():
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, np.asarray(values), allow_pickle=False)
        parts[name] = buffer.getvalue()
    return base64.b64encode(zlib.compress(msgspec.msgpack.encode(parts), 9)).decode()


def unpack(text: str) -> dict[str, NDArray[Any]]:
    """The arrays again, to the byte.

    Raises:
        ValueError: the text was not packed here.
    """
    try:
        inflating = zlib.decompressobj()
        plain = inflating.decompress(base64.b64decode(text, validate=True), _BYTES_MAX)
        if not inflating.eof:
            msg = "it is cut off or too large"
            raise ValueError(msg)
        parts = msgspec.msgpack.decode(plain, type=dict[str, bytes])
        return {
            name: np.lib.format.read_array(io.BytesIO(part), allow_pickle=False)
            for name, part in parts.items()
        }
    except (zlib.error, msgspec.DecodeError, EOFError, ValueError) as exc:
        msg = f"no packed state: {exc}"
        raise ValueError(msg) from exc
