"""Levels of an order book in, the same book after them, and its best prices, out.

Each side is kept the same way round: its key is the price in ticks for bids and the negative of it for asks, so that
the best level has the largest key. ``window[side, key - first]`` holds the quantities around the best level; levels
worse than the window are in an open-addressed table, of which no key is removed before the table is made anew. No
level is ever better than the window: a better one moves it. A window is moved so that the best level is at three
quarters of it, where a new best level is above it or the best level has sunk into its lowest eighth, so moves are rare:
one needs a change of the best price by a quarter of the window.

Kernels get whole arrays and the side, never a view of one side, which would be counted as a reference.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit

__all__ = (
    "BEST",
    "COUNTS",
    "EMPTIED",
    "FIRST",
    "FREE",
    "LEVELS_MAX",
    "NOTHING",
    "N_FAR",
    "N_INTEGERS",
    "N_NEAR",
    "OFF_GRID",
    "REJECTED",
    "SNAPSHOT_AT",
    "USED",
    "apply_levels_kernel",
    "apply_ticks_kernel",
    "clear_kernel",
    "grow_kernel",
    "levels_near_kernel",
    "ticks_of_levels_kernel",
    "ticks_of_rows_kernel",
)

#: Integers of a side: first key of the window, best key, levels in the window and beyond, slots of the table in use.
FIRST, BEST, N_NEAR, N_FAR, USED = range(5)
#: Row of the integers that belong to no side, and its columns: impossible levels, levels between two ticks, and the
#: event time, receive time and sequence of the snapshot in hand.
COUNTS: Final = 2
REJECTED, OFF_GRID, SNAPSHOT_AT = 0, 1, 2
N_INTEGERS: Final = 6
#: In place of the side of a level: the book is emptied.
EMPTIED: Final = 2
#: Key of a best level that is not there, and of a slot that is free.
NOTHING: Final = -(2**62)
FREE: Final = -(2**63)
#: Levels of a side beyond the window; a further one is left out and counted.
LEVELS_MAX: Final = 1 << 18

_LARGEST: Final = 1e15
_KEY_MAX: Final = float(2**52)
#: Part of a tick that a price may be beside it.
_GRID_SLACK: Final = 0.01
_HASH: Final = np.uint64(0x9E3779B97F4A7C15)
_SNAPSHOT_FLAG: Final = 4


@njit(cache=True, nogil=True, inline="always")
def _slot_kernel(keys: Any, side: int, key: int) -> int:
    """Slot of a key in a table of ``2**k`` slots, or the free one where it belongs: linear probing."""
    mask = keys.shape[1] - 1
    slot: int = np.int64((np.uint64(key) * _HASH) >> np.uint64(32)) & mask
    while keys[side, slot] not in (key, FREE):
        slot = (slot + 1) & mask
    return slot


@njit(cache=True, nogil=True)
def _move_kernel(integers: Any, near: Any, keys: Any, amounts: Any, side: int, best: int) -> None:
    """Move the window so that ``best`` is at three quarters: what leaves it goes to the table, what enters it comes."""
    size = near.shape[1]
    first = integers[side, FIRST]
    target = best - (3 * size) // 4
    shift = target - first
    integers[side, FIRST] = target
    if shift > 0:
        for place in range(min(shift, size)):
            if near[side, place] > 0.0:
                slot = _slot_kernel(keys, side, first + place)
                integers[side, USED] += keys[side, slot] == FREE
                keys[side, slot] = first + place
                amounts[side, slot] = near[side, place]
                integers[side, N_NEAR] -= 1
                integers[side, N_FAR] += 1
        for place in range(size - shift):
            near[side, place] = near[side, place + shift]
        near[side, max(size - shift, 0) :] = 0.0
        return
    for place in range(size - 1, -shift - 1, -1):
        near[side, place] = near[side, place + shift]
    near[side, : min(-shift, size)] = 0.0
    for slot in range(keys.shape[1]):
        if keys[side, slot] >= target and amounts[side, slot] > 0.0:
            near[side, keys[side, slot] - target] = amounts[side, slot]
            amounts[side, slot] = 0.0
            integers[side, N_NEAR] += 1
            integers[side, N_FAR] -= 1


@njit(cache=True, nogil=True)
def _sink_kernel(integers: Any, near: Any, keys: Any, amounts: Any, side: int) -> None:
    """Find the next best level after the best one went; the window follows it."""
    size = near.shape[1]
    if integers[side, N_NEAR] > 0:
        place = integers[side, BEST] - integers[side, FIRST] - 1
        while near[side, place] == 0.0:
            place -= 1
        integers[side, BEST] = integers[side, FIRST] + place
        if 8 * place < size and integers[side, N_FAR] > 0:
            _move_kernel(integers, near, keys, amounts, side, integers[side, BEST])
        return
    best = NOTHING
    if integers[side, N_FAR] > 0:
        for slot in range(keys.shape[1]):
            if amounts[side, slot] > 0.0 and keys[side, slot] > best:
                best = keys[side, slot]
        _move_kernel(integers, near, keys, amounts, side, best)
    integers[side, BEST] = best


@njit(cache=True, nogil=True)
def _set_far_kernel(integers: Any, keys: Any, amounts: Any, side: int, key: int, qty: float) -> bool:
    """Set a level worse than the window; False where the table must grow first."""
    slot = _slot_kernel(keys, side, key)
    if keys[side, slot] == FREE:
        if qty == 0.0:
            return True
        if integers[side, N_FAR] >= LEVELS_MAX:
            integers[COUNTS, REJECTED] += 1
            return True
        if 2 * (integers[side, USED] + 1) > keys.shape[1]:
            return False
        keys[side, slot] = key
        amounts[side, slot] = 0.0
        integers[side, USED] += 1
    integers[side, N_FAR] += np.int64(qty > 0.0) - np.int64(amounts[side, slot] > 0.0)
    amounts[side, slot] = qty
    return True


@njit(cache=True, nogil=True)
def _set_outside_kernel(
    integers: Any, near: Any, keys: Any, amounts: Any, side: int, key: int, qty: float
) -> bool:
    """Set a level of an empty side, or one outside its window; False where the table must grow first."""
    is_empty = integers[side, BEST] == NOTHING
    if not is_empty and key < integers[side, FIRST]:
        return _set_far_kernel(integers, keys, amounts, side, key, qty)
    if qty == 0.0:
        return True
    if 2 * (integers[side, USED] + integers[side, N_NEAR]) > keys.shape[1]:
        return False
    if is_empty:
        integers[side, FIRST] = key - (3 * near.shape[1]) // 4
    else:
        _move_kernel(integers, near, keys, amounts, side, key)
    near[side, key - integers[side, FIRST]] = qty
    integers[side, N_NEAR] += 1
    integers[side, BEST] = key
    return True


@njit(cache=True, nogil=True)
def clear_kernel(integers: Any, near: Any, keys: Any, amounts: Any) -> None:
    """Take every level out; counts and tables' sizes stay."""
    near[:] = 0.0
    keys[:] = FREE
    amounts[:] = 0.0
    for side in range(2):
        integers[side] = 0
        integers[side, BEST] = NOTHING


@njit(cache=True, nogil=True)
def grow_kernel(integers: Any, keys: Any, amounts: Any, larger_keys: Any, larger_amounts: Any) -> None:
    """Move the levels of both tables into free ones of another size, and forget keys without a level."""
    for side in range(2):
        for slot in range(keys.shape[1]):
            if amounts[side, slot] > 0.0:
                place = _slot_kernel(larger_keys, side, keys[side, slot])
                larger_keys[side, place] = keys[side, slot]
                larger_amounts[side, place] = amounts[side, slot]
        integers[side, USED] = integers[side, N_FAR]


@njit(cache=True, nogil=True)
def apply_ticks_kernel(
    integers: Any,
    near: Any,
    keys: Any,
    amounts: Any,
    sides: Any,
    ticks: Any,
    qtys: Any,
    start: int,
    stop: int,
    tops: Any,
) -> int:
    """Set levels one after the other, from number ``start`` up to ``stop``.

    Args:
        integers: i8 (3, N_INTEGERS).
        near: f8 (2, W), the windows.
        keys: i8 (2, S), keys of the tables.
        amounts: f8 (2, S), quantities of the tables.
        sides: i1 (n,), +1 bid, -1 ask, EMPTIED where the whole book is; any other is impossible and counted.
        ticks: i8 (n,), positive; any other is impossible and counted.
        qtys: f8 (n,), 0 where the level is gone.
        start: first level to set.
        stop: level after the last one to set.
        tops: i8 (n, 2), where the best bid and ask in ticks are written after each level, or (0, 2); NOTHING where
            there is none (its negative for an ask).

    Returns:
        -1, or the number of the level before which the tables must grow.
    """
    size = near.shape[1]
    for i in range(start, stop):
        sign: Any = np.int64(sides[i])
        tick, qty = ticks[i], qtys[i]
        side, key = (1 - sign) >> 1, sign * tick
        if sign == EMPTIED:
            clear_kernel(integers, near, keys, amounts)
        elif not (abs(sign) == 1 and 0.0 <= qty < _LARGEST and 0 < tick < _KEY_MAX):
            integers[COUNTS, REJECTED] += 1
        else:
            place = key - integers[side, FIRST]
            if place < 0 or place >= size or integers[side, BEST] == NOTHING:
                if not _set_outside_kernel(integers, near, keys, amounts, side, key, qty):
                    return i
            else:
                # Written here and nowhere else: a call costs three times as much as what it would do.
                integers[side, N_NEAR] += np.int64(qty > 0.0) - np.int64(near[side, place] > 0.0)
                near[side, place] = qty
                if qty > 0.0:
                    integers[side, BEST] = max(integers[side, BEST], key)
                elif key == integers[side, BEST]:
                    _sink_kernel(integers, near, keys, amounts, side)
        if tops.shape[0] > 0:
            tops[i, 0] = integers[0, BEST]
            tops[i, 1] = -integers[1, BEST]
    return -1


@njit(cache=True, nogil=True)
def ticks_of_levels_kernel(
    integers: Any, bids: Any, asks: Any, up: float, down: float, sides: Any, ticks: Any, qtys: Any
) -> None:
    """Levels f8 (n, 2) and (m, 2) of price and quantity as ticks, ``rint(price down / up)``; 0 where impossible.

    Counts prices between two ticks; the rest of the arguments are those of ``apply_ticks_kernel``.
    """
    n = bids.shape[0]
    for i in range(n + asks.shape[0]):
        if i < n:
            price, qtys[i], sides[i] = bids[i, 0], bids[i, 1], 1
        else:
            price, qtys[i], sides[i] = asks[i - n, 0], asks[i - n, 1], -1
        place = price * down / up
        ticks[i] = 0
        if 0.0 < place < _KEY_MAX and price < _LARGEST:
            tick = np.rint(place)
            ticks[i] = np.int64(tick)
            integers[COUNTS, OFF_GRID] += abs(place - tick) > _GRID_SLACK


@njit(cache=True, nogil=True)
def apply_levels_kernel(
    integers: Any,
    near: Any,
    keys: Any,
    amounts: Any,
    bids: Any,
    asks: Any,
    up: float,
    down: float,
    sides: Any,
    ticks: Any,
    qtys: Any,
    tops: Any,
) -> int:
    """``ticks_of_levels_kernel``, then ``apply_ticks_kernel`` of all levels, with what it returns."""
    ticks_of_levels_kernel(integers, bids, asks, up, down, sides, ticks, qtys)
    n = bids.shape[0] + asks.shape[0]
    return apply_ticks_kernel(integers, near, keys, amounts, sides, ticks, qtys, 0, n, tops)


@njit(cache=True, nogil=True)
def ticks_of_rows_kernel(
    integers: Any, rows: Any, up: float, down: float, sides: Any, ticks: Any, qtys: Any, numbers: Any
) -> int:
    """Rows of kind ``book_level`` as ticks, as in ``ticks_of_levels_kernel``; returns how many entries they make.

    A snapshot empties the book before its first row, an entry of its own: the first row with the flag after one without
    it, or with another event time, receive time or sequence than the row before. ``numbers`` i8 (rows,) has the entry
    of each row.
    """
    n = 0
    for i in range(rows.shape[0]):
        row = rows[i]
        if row.flags & _SNAPSHOT_FLAG:
            event_ns, received_ns, seq = row.ts_event_ns, row.ts_received_ns, row.seq
            if (
                integers[COUNTS, SNAPSHOT_AT] != event_ns
                or integers[COUNTS, SNAPSHOT_AT + 1] != received_ns
                or integers[COUNTS, SNAPSHOT_AT + 2] != seq
                or integers[COUNTS, SNAPSHOT_AT + 3] == 0
            ):
                sides[n], ticks[n], qtys[n] = EMPTIED, 0, 0.0
                n += 1
                integers[COUNTS, SNAPSHOT_AT] = event_ns
                integers[COUNTS, SNAPSHOT_AT + 1] = received_ns
                integers[COUNTS, SNAPSHOT_AT + 2] = seq
                integers[COUNTS, SNAPSHOT_AT + 3] = 1
        else:
            integers[COUNTS, SNAPSHOT_AT + 3] = 0
        price = row.price_usd
        place = price * down / up
        sides[n], ticks[n], qtys[n] = (row.side if abs(row.side) == 1 else 0), 0, row.qty_base
        if 0.0 < place < _KEY_MAX and price < _LARGEST:
            tick = np.rint(place)
            ticks[n] = np.int64(tick)
            integers[COUNTS, OFF_GRID] += abs(place - tick) > _GRID_SLACK
        numbers[i] = n
        n += 1
    return n


@njit(cache=True, nogil=True)
def levels_near_kernel(numbers: Any, near: Any, worst: int, out_keys: Any, out_amounts: Any) -> int:
    """Levels of a window from the best down to key ``worst``, as many as ``out`` holds; returns their number."""
    n = 0
    key = numbers[BEST]
    last = max(worst, numbers[FIRST])
    while key >= last and n < out_keys.shape[0]:
        qty = near[key - numbers[FIRST]]
        if qty > 0.0:
            out_keys[n] = key
            out_amounts[n] = qty
            n += 1
        key -= 1
    return n
