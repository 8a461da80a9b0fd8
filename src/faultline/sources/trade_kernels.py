"""Bytes of trade frames and the layouts they should have in, rows of kind ``trade`` out.

A layout is a program: bytes that a frame must have, and codes for what varies. Numbers are read only where the result
is certain to be the nearest float, as in ``depth_kernels``. A frame that differs in anything, or says something
impossible, is not read at all.
"""

from __future__ import annotations

from typing import Any, Final

from numba import njit

from faultline.sources.depth_kernels import amount_kernel, plain_kernel, whole_kernel

__all__ = (
    "AGAIN",
    "EACH",
    "END",
    "NUMBER",
    "PRICE",
    "QTY",
    "SEQ",
    "SIDE",
    "SYMBOL",
    "TEXT",
    "TIME",
    "WORD",
    "read_trades_kernel",
)

#: Codes in a layout; no frame of text has such bytes.
EACH: Final = 1
AGAIN: Final = 2
NUMBER: Final = 3
TEXT: Final = 4
WORD: Final = 5
TIME: Final = 6
SEQ: Final = 7
PRICE: Final = 8
QTY: Final = 9
SIDE: Final = 10
SYMBOL: Final = 11
END: Final = 12

_COMMA: Final = 44
#: The first words: those of the taker's sides and of JSON; the symbols follow.
_SELL, _BUY, _TRUE, _FALSE, _SYMBOLS = 0, 1, 2, 3, 4


@njit(cache=True, nogil=True, inline="always")
def _word_kernel(text: Any, at: int, words: Any, ends: Any, which: int) -> int:
    """The place after a word; -1 where the text is another."""
    start = ends[which - 1] if which else 0
    for k in range(start, ends[which]):
        if text[at] != words[k]:
            return -1
        at += 1
    return at


@njit(cache=True, nogil=True, inline="always")
def _write_kernel(
    row: Any,
    times: Any,
    seq: int,
    price: float,
    qty: float,
    unit: float,
    is_inverse: bool,
    side: int,
    bounds: Any,
) -> bool:
    """Whether a trade is possible; then it is written."""
    event_ns, received_ns = times
    if price <= 0.0:
        return False
    qty_base = unit * qty / price if is_inverse else unit * qty
    largest, ahead_ns, oldest_ns = bounds
    if not (price < largest and 0.0 < qty_base < largest and ahead_ns < received_ns - event_ns < oldest_ns):
        return False
    row.ts_event_ns = event_ns
    row.ts_received_ns = received_ns
    row.flags = 0
    row.seq = seq
    row.price_usd = price
    row.qty_base = qty_base
    row.taker_side = side
    row.cause = 0
    return True


@njit(cache=True, nogil=True)
def _read_frame_kernel(
    text: Any, at: int, layout: Any, words: Any, word_ends: Any, stream: int, units: Any, inverse: Any,
    time_ns: int, received_ns: int, bounds: Any, rows: Any, n: int,
) -> tuple[int, int]:  # fmt: skip
    """The place after a frame, -1 where it is not exactly as its layout says, and the row after its last."""
    each, step = -1, 0
    event_ns, seq, price, qty, side = 0, 0, 0.0, 0.0, 0
    while step < layout.shape[0]:
        code = layout[step]
        while code > END:  # a layout ends with a code
            if text[at] != code:
                return -1, n
            at += 1
            step += 1
            code = layout[step]
        step += 1
        if code == NUMBER:
            at, _ = whole_kernel(text, at)
        elif code == SEQ:
            at, seq = whole_kernel(text, at)
        elif code == TIME:
            at, value = whole_kernel(text, at)
            # A time that does not fit in nanoseconds is impossible whatever it is.
            event_ns = (
                value * time_ns if value < bounds[2] // time_ns + received_ns // time_ns else -received_ns
            )
        elif code == PRICE:
            at, price = amount_kernel(text, at)
        elif code == QTY:
            at, qty = amount_kernel(text, at)
        elif code == TEXT:
            at = plain_kernel(text, at)
        elif code == WORD:
            after = _word_kernel(text, at, words, word_ends, _TRUE)
            at = after if after >= 0 else _word_kernel(text, at, words, word_ends, _FALSE)
        elif code == SYMBOL:
            at = _word_kernel(text, at, words, word_ends, _SYMBOLS + stream)
        elif code == SIDE:
            after = _word_kernel(text, at, words, word_ends, _SELL)
            side = -1
            if after < 0:
                after, side = _word_kernel(text, at, words, word_ends, _BUY), 1
            at = after
        elif code == EACH:
            each = step
        elif code == AGAIN:
            unit, is_inverse = units[stream], inverse[stream]
            if n == rows.shape[0] or not _write_kernel(
                rows[n], (event_ns, received_ns), seq, price, qty, unit, is_inverse, side, bounds
            ):
                return -1, n
            n += 1
            if each >= 0 and text[at] == _COMMA:
                at, step = at + 1, each
        if at < 0:
            return -1, n
    return at, n


@njit(cache=True, nogil=True)
def read_trades_kernel(
    text: Any, frames: Any, first: int, layouts: Any, layout_ends: Any, words: Any, word_ends: Any, units: Any,
    inverse: Any, time_ns: int, bounds: Any, rows: Any, row_streams: Any,
) -> tuple[int, int, bool]:  # fmt: skip
    """Rows of all frames up to the first that fits no layout.

    Args:
        text: u1 (N,), the frames one after the other, a zero after each.
        frames: i8 (F, 3): bytes, stream and receive time of each.
        first: frame to begin with.
        layouts: u1 (M,), layouts one after the other: bytes and codes. What stands between ``EACH`` and ``AGAIN`` is a
            trade, and may come again after a comma.
        layout_ends: i8 (L,), where each ends.
        words: u1 (W,): the words of a taker that sold and of one that bought, ``true``, ``false``, then the symbol of
            each stream.
        word_ends: i8 (4 + S,), where each ends.
        units: f8 (S,), base units (linear) or USD (inverse) of one contract.
        inverse: b1 (S,), whether contracts are worth USD.
        time_ns: nanoseconds of the unit of time.
        bounds: (largest price and quantity, least and largest age in ns), all exclusive.
        rows: structured (R,), to write to.
        row_streams: i8 (R,), the stream of each row.

    Returns:
        Frames that were passed, rows written, and whether they are all of one stream.
    """
    at, n, is_one = 0, 0, True
    for i in range(first):
        at += frames[i, 0] + 1
    for i in range(first, frames.shape[0]):
        end, stream, start, place, after = at + frames[i, 0], frames[i, 1], 0, -1, n
        for k in range(layout_ends.shape[0]):
            layout = layouts[start : layout_ends[k]]
            place, after = _read_frame_kernel(
                text,
                at,
                layout,
                words,
                word_ends,
                stream,
                units,
                inverse,
                time_ns,
                frames[i, 2],
                bounds,
                rows,
                n,
            )
            if place == end:
                break
            start = layout_ends[k]
        if place != end:
            return i, n, is_one
        row_streams[n:after] = stream
        is_one &= stream == row_streams[0]
        at, n = end + 1, after
    return frames.shape[0], n, is_one
