"""Bytes of a depth frame in, its numbers and its price levels as arrays out, or None where it is not as expected.

A venue writes every depth frame the same way: the same members in the same order, no space between them, prices as
quoted decimals. ``DepthReader`` reads exactly that and nothing else. It never guesses: a frame with a member more, an
escape, an exponent, a sign, a number of too many digits or anything else is left to the caller's JSON decoder, which
reads or rejects it. What it does read equals what the JSON decoder would have read, to the last bit.

>>> reader = DepthReader('{"s":"$","u":#,"b":%,"a":%}')
>>> texts, numbers, bids, asks = reader.read(b'{"s":"BTCUSDT","u":7,"b":[["100.5","2"]],"a":[]}')
>>> texts, numbers, bids.tolist(), asks.tolist()
(['BTCUSDT'], [7], [[100.5, 2.0]], [])
>>> reader.read(b'{"u":7,"s":"BTCUSDT","b":[],"a":[]}') is None
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from faultline.sources.depth_kernels import (
    LEVEL_BYTES_MIN,
    LEVELS,
    NUMBERS_FROM,
    PADDING,
    SKIPPED,
    TEXT,
    WHOLE,
    read_depth_kernel,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    #: Texts, whole numbers, bids and asks, in the order of the layout.
    DepthFrame = tuple[list[str], list[int], NDArray[np.float64], NDArray[np.float64]]

__all__ = ("FRAME_BYTES_MAX", "DepthReader")

#: Longer frames are left to the JSON decoder; a snapshot of 5,000 levels has some 120 kB.
FRAME_BYTES_MAX: Final = 1 << 18
_CODES: Final = str.maketrans({"#": chr(WHOLE), "$": chr(TEXT), "?": chr(SKIPPED), "%": chr(LEVELS)})


class DepthReader:
    """Reads the depth frames of one connection; not to be shared between threads.

    Args:
        layouts: frames as the venue writes them, the most frequent first. ``#`` stands for a whole number that is not
            negative, ``$`` for a text (at most two), ``?`` for a text that is not wanted, ``%`` for a list of levels,
            bids before asks.

    Raises:
        ValueError: a layout has more texts than two, or not two lists.
    """

    def __init__(self, *layouts: str) -> None:
        self._layouts: list[tuple[NDArray[np.uint8], NDArray[np.int64], int]] = []
        for layout in layouts:
            n_texts = layout.count("$")
            if layout.count("%") != 2 or n_texts > 2:
                raise ValueError(f"a layout has two lists of levels and at most two texts: {layout}")
            codes = np.frombuffer(layout.translate(_CODES).encode(), dtype=np.uint8).copy()
            found = np.zeros(NUMBERS_FROM + layout.count("#"), dtype=np.int64)
            self._layouts.append((codes, found, n_texts))
        self._room = np.zeros(FRAME_BYTES_MAX + PADDING, dtype=np.uint8)
        self._bytes = self._room.data
        self.read(b"")  # Compiles the kernel now, not while frames wait.

    def read(self, frame: bytes) -> DepthFrame | None:
        """Texts, whole numbers, bids and asks of the frame; None where it fits none of the layouts.

        ``bids`` is the first list of the layout and ``asks`` the second, f8 (n, 2) of price and quantity; both belong
        to the caller.
        """
        size = len(frame)
        if size > FRAME_BYTES_MAX:
            return None
        self._bytes[:size] = frame
        levels = np.empty((size // LEVEL_BYTES_MIN + 1, 2))
        for layout, found, n_texts in self._layouts:
            if read_depth_kernel(self._room, size, layout, found, levels) < 0:
                places = found.tolist()
                texts = [frame[places[2] : places[3]].decode()] if n_texts else []
                if n_texts == 2:
                    texts.append(frame[places[4] : places[5]].decode())
                n_bids = places[0]
                return texts, places[NUMBERS_FROM:], levels[:n_bids], levels[n_bids : places[1]]
        return None
