"""Lists of price levels as they stand in a frame in, prices and base units as arrays out.

A payload leaves its lists of levels unread (``msgspec.Raw``). A venue writes all levels in one form, ``["100.5","2"]``
say, or ``{"px":"100.5","sz":"2","n":3}``; lists that are exactly so are read from their bytes by one compiled loop. All
others, with an exponent, a sign or a member more, go through msgspec, which reads or rejects them. Both give
the same numbers, to the last bit.

>>> lists = LevelLists("[%,%]", list[tuple[float, float]])
>>> bids, asks = lists.read(msgspec.Raw(b'[["100.5","2"]]'), msgspec.Raw(b"[[101,0],[102,2.5e-1]]"), unit=0.5)
>>> bids.tolist(), asks.tolist()
([[100.5, 1.0]], [[101.0, 0.0], [102.0, 0.125]])
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from faultline.sources.depth_kernels import AMOUNT, PADDING, SKIPPED, base_units_kernel, read_lists_kernel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ("NO_LEVELS", "PAIRS", "LevelLists", "base_units")

#: A list that is not there.
NO_LEVELS: Final = msgspec.Raw(b"[]")
#: The usual form of a level, and its type.
PAIRS: Final = ("[%,%]", list[tuple[float, float]])
#: Bytes of both lists for which there is room from the beginning, and at most; longer ones go through msgspec.
_ROOM: Final = 1 << 12
_BYTES_MAX: Final = 1 << 18
#: Bytes of the shortest level with what parts it from the next: ``[1,2],``.
_LEVEL_BYTES_MIN: Final = 6
_CODES: Final = str.maketrans({"%": chr(AMOUNT), "?": chr(SKIPPED)})


class LevelLists:
    """Reads lists of levels of one form; not to be shared between threads.

    Args:
        form: a level as the venue writes it. ``%`` stands for a number, quoted or not, the first two of which are price
            and quantity; ``"?"`` for a text that is not wanted.
        rows: the type of a list for msgspec: of tuples with a member for each ``%`` and ``?``, or of structs whose
            first members are price and quantity.
    """

    def __init__(self, form: str, rows: Any) -> None:
        self._form = np.frombuffer(form.translate(_CODES).encode(), dtype=np.uint8).copy()
        members = re.findall(r"[%?]", form)
        self._price = 0 if form.startswith("{") else members.index("%")
        self._decode = msgspec.json.Decoder(rows, strict=False).decode
        self._make_room(_ROOM)
        self.read(NO_LEVELS, NO_LEVELS)  # Compiles the kernels now, not while frames wait.
        base_units(np.empty((0, 2)), 1.0, is_inverse=True)

    def read(
        self, bids: msgspec.Raw, asks: msgspec.Raw, unit: float = 1.0, *, is_inverse: bool = False
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Bids and asks as f8 (n, 2) of price and base units, which belong to the caller.

        Args:
            bids: list of levels as it stands in the frame.
            asks: likewise.
            unit: base units of a contract, or USD where it is inverse.
            is_inverse: whether contracts are worth USD.

        Raises:
            msgspec.MsgspecError: a list is not of the expected shape.
        """
        split = len(bids)
        size = split + len(asks)
        if size <= _BYTES_MAX:
            if size > self._size:
                self._make_room(1 << size.bit_length())
            self._bytes[:split] = bids
            self._bytes[split:size] = asks
            levels = np.empty((size // _LEVEL_BYTES_MIN + 1, 2))
            n_bids, n = read_lists_kernel(self._room, split, size, self._form, unit, is_inverse, levels)
            if n_bids >= 0:
                return levels[:n_bids], levels[n_bids:n]
        return (
            base_units(self._read_slowly(bids), unit, is_inverse=is_inverse),
            base_units(self._read_slowly(asks), unit, is_inverse=is_inverse),
        )

    def _make_room(self, size: int) -> None:
        self._size = size
        self._room = np.zeros(size + PADDING, dtype=np.uint8)
        self._bytes = self._room.data

    def _read_slowly(self, side: msgspec.Raw) -> NDArray[np.float64]:
        rows: Sequence[Any] = self._decode(side)
        first = self._price
        if rows and isinstance(rows[0], msgspec.Struct):
            rows = [msgspec.structs.astuple(row) for row in rows]
        return np.array([row[first : first + 2] for row in rows], dtype=np.float64).reshape(-1, 2)


def base_units(levels: NDArray[np.float64], unit: float, *, is_inverse: bool) -> NDArray[np.float64]:
    """Levels of (price, contracts), f8 (n, 2), as (price, base units); at an impossible price of an inverse one -1."""
    if unit == 1.0 and not is_inverse:
        return levels
    out = levels.copy()
    base_units_kernel(out, unit, is_inverse)
    return out
