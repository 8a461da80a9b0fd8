"""Bytes of a depth frame and the layout it should have in, numbers and price levels out, or where it differs.

A layout is compared byte by byte. Codes in it stand for what varies: a whole number, a text that is wanted or skipped,
a list of levels. Numbers are read only where the result is certain to be the nearest float: a whole number
``m <= 2**53`` and a power of ten ``10**k``, ``k <= 22``, are both exact, so ``m / 10**k`` is rounded once.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit

__all__ = (
    "AMOUNT",
    "LEVELS",
    "LEVEL_BYTES_MIN",
    "NUMBERS_FROM",
    "PADDING",
    "SKIPPED",
    "TEXT",
    "WHOLE",
    "amount_kernel",
    "base_units_kernel",
    "levels_kernel",
    "plain_kernel",
    "read_depth_kernel",
    "read_lists_kernel",
    "whole_kernel",
    "write_levels_kernel",
)

#: Codes in a layout; no frame of text has such bytes.
WHOLE: Final = 1
TEXT: Final = 2
SKIPPED: Final = 3
LEVELS: Final = 4
AMOUNT: Final = 5
#: Whole numbers are written into the results from here on; before them stand two counts and two spans of texts.
NUMBERS_FROM: Final = 6
#: Room after a frame, filled with zeros, which match nothing: no reading leaves the buffer.
PADDING: Final = 8
#: Bytes of the shortest level and what parts it from the next.
LEVEL_BYTES_MIN: Final = 10

_POWERS: Final = 10.0 ** np.arange(23)
_MANTISSA_MAX: Final = 1 << 53
_DIGITS_MAX: Final = 18
_ZERO, _NINE, _QUOTE, _ESCAPE = 48, 57, 34, 92
_POINT, _COMMA, _OPEN, _CLOSE = 46, 44, 91, 93
_COLON, _SPACE = 58, 32
_FIRST_PLAIN, _LAST_PLAIN = 32, 126


@njit(cache=True, nogil=True, inline="always")
def amount_kernel(frame: Any, at: int) -> tuple[int, float]:
    """The place after a decimal number without sign or exponent, and the number; -1 where it is anything else.

    ``value = m / 10**k`` where ``m`` are the digits without the point and ``k`` counts those after it.
    """
    start = at
    mantissa = np.int64(0)
    byte = frame[at]
    while _ZERO <= byte <= _NINE:
        mantissa = mantissa * 10 + (byte - _ZERO)
        at += 1
        byte = frame[at]
    whole = at - start
    if whole == 0 or (whole > 1 and frame[start] == _ZERO):
        return -1, 0.0
    digits, power = whole, 0
    if byte == _POINT:
        at += 1
        byte = frame[at]
        first = at
        while _ZERO <= byte <= _NINE:
            mantissa = mantissa * 10 + (byte - _ZERO)
            at += 1
            byte = frame[at]
        power = at - first
        digits += power
        if power == 0:
            return -1, 0.0
    # The sum of 18 digits cannot have overflowed.
    if digits > _DIGITS_MAX or mantissa > _MANTISSA_MAX:
        return -1, 0.0
    return at, mantissa / _POWERS[power]


@njit(cache=True, nogil=True, inline="always")
def whole_kernel(frame: Any, at: int) -> tuple[int, Any]:
    """The place after a whole number without sign, and the number; -1 where it is anything else."""
    start, value = at, np.int64(0)
    while _ZERO <= frame[at] <= _NINE:
        value = value * 10 + (frame[at] - _ZERO)
        at += 1
    digits = at - start
    if digits == 0 or digits > _DIGITS_MAX or (digits > 1 and frame[start] == _ZERO):
        return -1, value
    return at, value


@njit(cache=True, nogil=True, inline="always")
def plain_kernel(frame: Any, at: int) -> int:
    """The place after printable characters of which none is a quote or an escape."""
    byte = frame[at]
    while _FIRST_PLAIN <= byte <= _LAST_PLAIN and byte not in (_QUOTE, _ESCAPE):
        at += 1
        byte = frame[at]
    return at


@njit(cache=True, nogil=True)
def levels_kernel(frame: Any, at: int, levels: Any, n: int) -> tuple[int, int]:
    """A list of pairs of quoted decimals from ``frame[at]`` on, written to ``levels`` from row ``n`` on.

    Returns:
        The place after the list, -1 where it is anything else, and the row after the last one written.
    """
    if frame[at] != _OPEN:
        return -1, n
    at += 1
    if frame[at] == _CLOSE:
        return at + 1, n
    while True:
        if frame[at] != _OPEN or frame[at + 1] != _QUOTE:
            return -1, n
        at, price = amount_kernel(frame, at + 2)
        if at < 0 or frame[at] != _QUOTE or frame[at + 1] != _COMMA or frame[at + 2] != _QUOTE:
            return -1, n
        at, qty = amount_kernel(frame, at + 3)
        if at < 0 or frame[at] != _QUOTE or frame[at + 1] != _CLOSE:
            return -1, n
        levels[n, 0] = price
        levels[n, 1] = qty
        n += 1
        at += 2
        if frame[at] == _CLOSE:
            return at + 1, n
        if frame[at] != _COMMA:
            return -1, n
        at += 1


@njit(cache=True, nogil=True)
def read_depth_kernel(frame: Any, size: int, layout: Any, found: Any, levels: Any) -> int:
    """Whether a frame is exactly as its layout says; what varies is written to ``found`` and ``levels``.

    Args:
        frame: u1 (N,), ``N >= size + PADDING``, the frame in its first bytes; zeros are written after it.
        size: bytes of the frame.
        layout: u1 (M,), bytes and codes.
        found: i8 (NUMBERS_FROM + numbers,): levels of the first list and of both, begin and end of up to two texts,
            whole numbers.
        levels: f8 (R, 2), ``R >= size // LEVEL_BYTES_MIN + 1``: levels of the first list, then of the second.

    Returns:
        -1 where all of it fits, else the place of the first byte that does not.
    """
    at, n, lists, texts, numbers = 0, 0, 0, 0, NUMBERS_FROM
    frame[size : size + PADDING] = 0
    for code in layout:
        if code > AMOUNT:
            if frame[at] != code:
                return at
            at += 1
        elif code == WHOLE:
            start = at
            at, value = whole_kernel(frame, start)
            if at < 0:
                return start
            found[numbers] = value
            numbers += 1
        elif code in (TEXT, SKIPPED):
            start = at
            at = plain_kernel(frame, at)
            if code == TEXT:
                found[2 + 2 * texts] = start
                found[3 + 2 * texts] = at
                texts += 1
        else:
            start = at
            at, n = levels_kernel(frame, at, levels, n)
            if at < 0:
                return start
            found[lists] = n
            lists += 1
    return -1 if at == size else at


@njit(cache=True, nogil=True)
def _list_kernel(text: Any, at: int, form: Any, levels: Any, n: int) -> tuple[int, int]:
    """As ``levels_kernel``, of levels that are written as ``form`` says."""
    if text[at] != _OPEN:
        return -1, n
    at += 1
    if text[at] == _CLOSE:
        return at + 1, n
    while True:
        amounts, value = 0, 0.0
        for code in form:
            if code == AMOUNT:
                is_quoted = text[at] == _QUOTE
                at, value = amount_kernel(text, at + 1 if is_quoted else at)
                if at < 0 or (is_quoted and text[at] != _QUOTE):
                    return -1, n
                if amounts < 2:
                    levels[n, amounts] = value
                amounts += 1
                at += is_quoted
            elif code == SKIPPED:
                at = plain_kernel(text, at)
            elif text[at] == code:
                at += 1
                while text[at] == _SPACE and code in (_COMMA, _COLON):
                    at += 1
            else:
                return -1, n
        n += 1
        if text[at] == _CLOSE:
            return at + 1, n
        if text[at] != _COMMA:
            return -1, n
        at += 1
        while text[at] == _SPACE:
            at += 1


@njit(cache=True, nogil=True)
def base_units_kernel(levels: Any, unit: float, is_inverse: bool) -> None:
    """Contracts to base units, in place: ``unit * quantity``, or ``unit * quantity / price`` (inverse).

    Args:
        levels: f8 (n, 2), price and contracts; the quantity at an impossible price of an inverse contract becomes -1.
        unit: base units (linear) or USD (inverse) of one contract.
        is_inverse: whether contracts are worth USD.
    """
    for i in range(levels.shape[0]):
        levels[i, 1] *= unit
        if is_inverse:
            levels[i, 1] = levels[i, 1] / levels[i, 0] if levels[i, 0] > 0 else -1.0


@njit(cache=True, nogil=True)
def read_lists_kernel(
    text: Any, split: int, size: int, form: Any, unit: float, is_inverse: bool, levels: Any
) -> tuple[int, int]:
    """Two lists of levels as prices and base units, as ``base_units_kernel`` makes them.

    Args:
        text: u1 (N,), ``N >= size + PADDING``, the lists one after the other; zeros are written after them.
        split: bytes of the first list.
        size: bytes of both.
        form: u1 (M,), one level as it is written: bytes, ``AMOUNT`` for price, quantity and further numbers, quoted or
            not, and ``SKIPPED``; a comma or colon may be followed by spaces.
        unit: base units (linear) or USD (inverse) of one contract.
        is_inverse: whether contracts are worth USD.
        levels: f8 (R, 2) with room for all levels: those of the first list, then of the second.

    Returns:
        Levels of the first list and of both; -1 where anything is not as ``form`` says.
    """
    text[size : size + PADDING] = 0
    at, n_first = _list_kernel(text, 0, form, levels, 0)
    if at != split:
        return -1, 0
    at, n = _list_kernel(text, split, form, levels, n_first)
    if at != size:
        return -1, 0
    base_units_kernel(levels[:n], unit, is_inverse)
    return n_first, n


@njit(cache=True, nogil=True)
def write_levels_kernel(
    bids: Any, asks: Any, largest: float, event_ns: int, received_ns: int, flags: int, seq: int, rows: Any
) -> int:
    """Rows of kind ``book_level``, bids before asks; ``0 < price < largest`` and ``0 <= quantity < largest`` for all.

    Args:
        bids: f8 (n, 2), price and quantity.
        asks: f8 (m, 2).
        largest: bound of both.
        event_ns: ``ts_event_ns`` of every row.
        received_ns: ``ts_received_ns`` of every row.
        flags: ``flags`` of every row.
        seq: ``seq`` of every row.
        rows: structured (R,), ``R >= n + m``; the first n + m are written.

    Returns:
        -1, or the number of the first level that is impossible, asks counted on from the bids.
    """
    n_bids = bids.shape[0]
    for i in range(n_bids + asks.shape[0]):
        if i < n_bids:
            price, qty = bids[i, 0], bids[i, 1]
        else:
            price, qty = asks[i - n_bids, 0], asks[i - n_bids, 1]
        if not (0.0 < price < largest and 0.0 <= qty < largest):
            return i
        row = rows[i]
        row.ts_event_ns = event_ns
        row.ts_received_ns = received_ns
        row.flags = flags
        row.seq = seq
        row.side = 1 if i < n_bids else -1
        row.price_usd = price
        row.qty_base = qty
    return -1
