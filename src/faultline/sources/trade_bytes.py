"""Frames of trades in, their rows out all at once: what is most of a venue's traffic is not read frame by frame.

A venue writes every frame of trades the same way. Those of a connection wait as they came until somebody wants the
rows, and ``TradeReader`` reads all of them in one go. As ``DepthReader`` it never guesses: a frame that differs from
the layout in anything, or says something impossible, is given to the mapper alone, which reads or rejects it. What is
read equals what the mapper would have made of it, to the last bit, and stands in the order of arrival.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Final

import numpy as np

from faultline.messages import Kind, empty_rows
from faultline.sources.rows import BOUNDS
from faultline.sources.trade_kernels import (
    AGAIN,
    EACH,
    END,
    NUMBER,
    PRICE,
    QTY,
    SEQ,
    SIDE,
    SYMBOL,
    TEXT,
    TIME,
    WORD,
    read_trades_kernel,
)
from faultline.units import MILLISECOND_NS

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from faultline.sources.rows import Rows

__all__ = ("TradeLayouts", "TradeReader")

_CODES: Final = {
    "each": EACH,
    "again": AGAIN,
    "number": NUMBER,
    "text": TEXT,
    "word": WORD,
    "time": TIME,
    "seq": SEQ,
    "price": PRICE,
    "qty": QTY,
    "side": SIDE,
    "symbol": SYMBOL,
}
_TRADE: Final = empty_rows(Kind.TRADE).dtype
#: No trade is written in fewer bytes.
_TRADE_BYTES_MIN: Final = 32
#: Fewer frames than this are read sooner one by one.
_FEW: Final = 6


@dataclasses.dataclass(frozen=True, slots=True)
class TradeLayouts:
    """How a venue writes its frames of trades.

    Attributes:
        channel: their channel.
        layouts: frames as they are written, the most frequent first. ``<symbol>`` stands for the symbol,
            ``<time>``, ``<seq>``, ``<price>``, ``<qty>`` and ``<side>`` for those of the trade, ``<number>``,
            ``<text>`` and ``<word>`` for a whole number, a text and ``true`` or ``false`` that are not wanted. What
            stands between ``<each>`` and ``<again>`` is a trade, and may come again after a comma; a frame without
            them has one trade.
        sell: what stands for ``<side>`` where the taker sold.
        buy: and where it bought.
        time_ns: nanoseconds of the unit of ``<time>``.
    """

    channel: str
    layouts: tuple[str, ...]
    sell: str
    buy: str
    time_ns: int = MILLISECOND_NS


class TradeReader:
    """Reads the frames of trades of one connection together; not to be shared between threads.

    Args:
        form: how the venue writes them.
        map_alone: maps one frame: frame, receive time, rows.

    Attributes:
        channel: their channel.
    """

    def __init__(self, form: TradeLayouts, map_alone: Callable[[bytes, int, Rows], None]) -> None:
        self.channel = form.channel
        self._map_alone, self._time_ns = map_alone, form.time_ns
        programs = [_program(layout) for layout in form.layouts]
        self._layouts = np.frombuffer(b"".join(programs), dtype=np.uint8)
        self._layout_ends = np.cumsum([len(program) for program in programs])
        self._words = [form.sell.encode(), form.buy.encode(), b"true", b"false"]
        self._symbols: list[str] = []
        self._units, self._inverse = np.zeros(0), np.zeros(0, dtype=np.bool_)
        self._know()
        # Compiles the kernel now, not while frames wait.
        text, facts = _table([], [])
        self._run(text, facts, 0, *_room(len(text)))

    def stream(self, symbol: str, unit: float, is_inverse: bool) -> int:  # noqa: FBT001 - as kept by the mapper
        """The number of the stream of a symbol, as ``read`` wants it.

        Args:
            symbol: as the venue writes it.
            unit: base units (linear) or USD (inverse) of one contract.
            is_inverse: whether contracts are worth USD.
        """
        if symbol not in self._symbols:
            self._symbols.append(symbol)
            self._words.append(symbol.encode())
            self._units = np.append(self._units, unit)
            self._inverse = np.append(self._inverse, is_inverse)
            self._know()
        return self._symbols.index(symbol)

    def read(self, frames: list[bytes], facts: list[int], out: Rows) -> None:
        """Write what frames say to ``out``, in their order.

        Args:
            frames: they.
            facts: of each its bytes, its stream and its receive time, one after the other.
            out: rows.
        """
        n = len(frames)
        if n < _FEW:
            for frame, received_ns in zip(frames, facts[2::3], strict=True):
                self._map_alone(frame, received_ns, out)
            return
        text, table = _table(frames, facts)
        rows, streams = _room(len(text))
        at = 0
        while at < n:
            at, n_rows, is_one = self._run(text, table, at, rows, streams)
            if is_one and n_rows:
                out.trades(self._symbols[streams[0]], rows[:n_rows], self.channel)
            elif n_rows:
                self._hand_over(rows[:n_rows], streams[:n_rows], out)
            if at < n:
                self._map_alone(frames[at], facts[3 * at + 2], out)
                at += 1

    def _run(
        self,
        text: NDArray[np.uint8],
        facts: NDArray[np.int64],
        first: int,
        rows: NDArray[np.void],
        streams: NDArray[np.int64],
    ) -> tuple[int, int, bool]:
        """As the kernel: frames passed, rows written, and whether they are all of one stream."""
        layouts, words = (self._layouts, self._layout_ends), (self._all_words, self._word_ends)
        units = (self._units, self._inverse)
        found: tuple[int, int, bool] = read_trades_kernel(
            text, facts, first, *layouts, *words, *units, self._time_ns, BOUNDS, rows, streams
        )
        return found

    def _hand_over(self, rows: NDArray[np.void], streams: NDArray[np.int64], out: Rows) -> None:
        """Give rows to ``out``, those of each stream together."""
        counts = np.bincount(streams)
        rows = rows[np.argsort(streams, kind="stable")]
        end = 0
        for stream in np.flatnonzero(counts).tolist():
            start, end = end, end + int(counts[stream])
            out.trades(self._symbols[stream], rows[start:end], self.channel)

    def _know(self) -> None:
        """Write all words as the kernel wants them."""
        self._all_words = np.frombuffer(b"".join(self._words), dtype=np.uint8)
        self._word_ends = np.cumsum([len(word) for word in self._words])


def _table(frames: list[bytes], facts: list[int]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Frames and facts as the kernel wants them; for arrays of another kind it would be compiled once more."""
    text = np.frombuffer(b"\0".join(frames) + b"\0", dtype=np.uint8)
    return text, np.fromiter(facts, np.int64, len(facts)).reshape(-1, 3)


def _room(n_bytes: int) -> tuple[NDArray[np.void], NDArray[np.int64]]:
    """Room for all trades in so many bytes: rows, and the stream of each."""
    n = n_bytes // _TRADE_BYTES_MIN + 1
    return np.empty(n, dtype=_TRADE), np.empty(n, dtype=np.int64)


def _program(layout: str) -> bytes:
    """A layout as the kernel wants it.

    Raises:
        KeyError: it has a code that does not exist.
    """
    program = re.sub(r"<(\w+)>", lambda found: chr(_CODES[found[1]]), layout).encode()
    return program + bytes([END] if AGAIN in program else [AGAIN, END])
