"""Levels of an order book in, the same book after them, and its best prices, out.

Each side is kept the same way round: its key is the price in ticks for bids and the negative of it for asks, so that
the best level has the largest key. ``window[side, key - first]`` holds the quantities around the best level; levels
worse than the window are in an open-addressed table, of which no key is removed before the table is made anew. No
level is ever better than the window: a better one moves it. A window is moved so that the best level is at three
quarters of it, where a new best level is above it or the best level has sunk into its lowest eighth, so moves are rare:
one needs a change of the best price by a quarter of the window.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit

__all__ = (
    "BEST",
    "COUNTS",
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
    "apply_rows_kernel",
    "apply_ticks_kernel",
    "clear_kernel",
    "grow_kernel",
    "levels_near_kernel",
)

#: Integers of a side: first key of the window, best key, levels in the window and beyond, slots of the table in use.
FIRST, BEST, N_NEAR, N_FAR, USED = range(5)
#: Row of the integers that belong to no side, and its columns: impossible levels, levels between two ticks, and the
#: event time, receive time and sequence of the snapshot in hand.
COUNTS: Final = 2
REJECTED, OFF_GRID, SNAPSHOT_AT = 0, 1, 2
N_INTEGERS: Final = 6
#: Key of a best level that is not there, and of a slot that is free.
NOTHING: Final = -(2**62)
FREE: Final = -(2**63)
#: Levels of a side; a further one is impossible and counted.
LEVELS_MAX: Final = 1 << 18

_LARGEST: Final = 1e15
_KEY_MAX: Final = float(2**52)
#: Part of a tick that a price may be beside it.
_GRID_SLACK: Final = 0.01
_HASH: Final = np.uint64(0x9E3779B97F4A7C15)
_SNAPSHOT_FLAG: Final = 4


@njit(cache=True, nogil=True, inline="always")
def _slot_kernel(keys: Any, key: int) -> int:
    """Slot of a key in a table of ``2**k`` slots, or the free one where it belongs: linear probing."""
    mask = keys.shape[0] - 1
    slot = np.int64((np.uint64(key) * _HASH) >> np.uint64(32)) & mask
    while keys[slot] not in (key, FREE):
        slot = (slot + 1) & mask
    return slot


@njit(cache=True, nogil=True)
def _move_kernel(numbers: Any, near: Any, keys: Any, amounts: Any, best: int) -> None:
    """Move the window so that ``best`` is at three quarters: what leaves it goes to the table, what enters it comes."""
    size = near.shape[0]
    first = numbers[FIRST]
    target = best - (3 * size) // 4
    shift = target - first
    numbers[FIRST] = target
    if shift > 0:
        for place in range(min(shift, size)):
            if near[place] > 0.0:
                slot = _slot_kernel(keys, first + place)
                numbers[USED] += keys[slot] == FREE
                keys[slot] = first + place
                amounts[slot] = near[place]
                numbers[N_NEAR] -= 1
                numbers[N_FAR] += 1
        for place in range(size - shift):
            near[place] = near[place + shift]
        near[max(size - shift, 0) :] = 0.0
        return
    for place in range(size - 1, -shift - 1, -1):
        near[place] = near[place + shift]
    near[: min(-shift, size)] = 0.0
    for slot in range(keys.shape[0]):
        if keys[slot] >= target and amounts[slot] > 0.0:
            near[keys[slot] - target] = amounts[slot]
            amounts[slot] = 0.0
            numbers[N_NEAR] += 1
            numbers[N_FAR] -= 1


@njit(cache=True, nogil=True)
def _sink_kernel(numbers: Any, near: Any, keys: Any, amounts: Any) -> None:
    """Find the next best level after the best one went; the window follows it."""
    size = near.shape[0]
    if numbers[N_NEAR] > 0:
        place = numbers[BEST] - numbers[FIRST] - 1
        while near[place] == 0.0:
            place -= 1
        numbers[BEST] = numbers[FIRST] + place
        if 8 * place < size and numbers[N_FAR] > 0:
            _move_kernel(numbers, near, keys, amounts, numbers[BEST])
        return
    best = NOTHING
    if numbers[N_FAR] > 0:
        for slot in range(keys.shape[0]):
            if amounts[slot] > 0.0 and keys[slot] > best:
                best = keys[slot]
        _move_kernel(numbers, near, keys, amounts, best)
    numbers[BEST] = best


@njit(cache=True, nogil=True)
def _set_far_kernel(numbers: Any, counts: Any, keys: Any, amounts: Any, key: int, qty: float) -> bool:
    """Set a level worse than the window; False where the table must grow first."""
    slot = _slot_kernel(keys, key)
    if keys[slot] == FREE:
        if qty == 0.0:
            return True
        if numbers[N_NEAR] + numbers[N_FAR] >= LEVELS_MAX:
            counts[REJECTED] += 1
            return True
        if 2 * (numbers[USED] + 1) > keys.shape[0]:
            return False
        keys[slot] = key
        amounts[slot] = 0.0
        numbers[USED] += 1
    numbers[N_FAR] += np.int64(qty > 0.0) - np.int64(amounts[slot] > 0.0)
    amounts[slot] = qty
    return True


@njit(cache=True, nogil=True, inline="always")
def _set_kernel(integers: Any, near: Any, keys: Any, amounts: Any, side: int, key: int, qty: float) -> bool:
    """Set the quantity of a level; False where the table must grow first, and then nothing has changed."""
    numbers = integers[side]
    size = near.shape[1]
    place = key - numbers[FIRST]
    if numbers[BEST] == NOTHING or place >= size:
        if qty == 0.0:
            return True
        if 2 * (numbers[USED] + numbers[N_NEAR]) > keys.shape[1]:
            return False
        if numbers[BEST] == NOTHING:
            numbers[FIRST] = key - (3 * size) // 4
        else:
            _move_kernel(numbers, near[side], keys[side], amounts[side], key)
        place = key - numbers[FIRST]
    if place < 0:
        return _set_far_kernel(numbers, integers[COUNTS], keys[side], amounts[side], key, qty)
    before = near[side, place]
    if qty > 0.0:
        if before == 0.0:
            if numbers[N_NEAR] + numbers[N_FAR] >= LEVELS_MAX:
                integers[COUNTS, REJECTED] += 1
                return True
            numbers[N_NEAR] += 1
            numbers[BEST] = max(numbers[BEST], key)
        near[side, place] = qty
    elif before > 0.0:
        near[side, place] = 0.0
        numbers[N_NEAR] -= 1
        if key == numbers[BEST]:
            _sink_kernel(numbers, near[side], keys[side], amounts[side])
    return True


@njit(cache=True, nogil=True, inline="always")
def _set_price_kernel(
    integers: Any,
    near: Any,
    keys: Any,
    amounts: Any,
    side: int,
    price: float,
    qty: float,
    up: float,
    down: float,
) -> bool:
    """Set a level by its price, ``tick = rint(price down / up)``; impossible ones are counted and left out."""
    place = price * down / up
    if not (0.0 < price < _LARGEST and 0.0 <= qty < _LARGEST and place < _KEY_MAX):
        integers[COUNTS, REJECTED] += 1
        return True
    tick = np.rint(place)
    key = np.int64(tick) if side == 0 else -np.int64(tick)
    if not _set_kernel(integers, near, keys, amounts, side, key, qty):
        return False
    integers[COUNTS, OFF_GRID] += abs(place - tick) > _GRID_SLACK
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
                place = _slot_kernel(larger_keys[side], keys[side, slot])
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
    tops: Any,
) -> int:
    """Set levels one after the other from number ``start`` on.

    Args:
        integers: i8 (3, N_INTEGERS).
        near: f8 (2, W), the windows.
        keys: i8 (2, S), keys of the tables.
        amounts: f8 (2, S), quantities of the tables.
        sides: i1 (n,), +1 bid, -1 ask; any other is impossible and counted.
        ticks: i8 (n,).
        qtys: f8 (n,), 0 where the level is gone.
        start: first level to set.
        tops: i8 (n, 2), where the best bid and ask in ticks are written after each level, or (0, 2); NOTHING where
            there is none (its negative for an ask).

    Returns:
        -1, or the number of the level before which the tables must grow.
    """
    for i in range(start, ticks.shape[0]):
        tick, qty = ticks[i], qtys[i]
        if sides[i] == 1:
            side, key = 0, tick
        else:
            side, key = 1, -tick
        if not (abs(sides[i]) == 1 and 0.0 <= qty < _LARGEST and 0 < tick < _KEY_MAX):
            integers[COUNTS, REJECTED] += 1
        elif not _set_kernel(integers, near, keys, amounts, side, key, qty):
            return i
        if tops.shape[0] > 0:
            tops[i, 0] = integers[0, BEST]
            tops[i, 1] = -integers[1, BEST]
    return -1


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
    start: int,
) -> int:
    """Set levels of a frame, f8 (n, 2) of price and quantity, bids before asks; else as ``apply_ticks_kernel``."""
    n = bids.shape[0]
    for i in range(start, n):
        if not _set_price_kernel(integers, near, keys, amounts, 0, bids[i, 0], bids[i, 1], up, down):
            return i
    for i in range(max(start, n), n + asks.shape[0]):
        if not _set_price_kernel(integers, near, keys, amounts, 1, asks[i - n, 0], asks[i - n, 1], up, down):
            return i
    return -1


@njit(cache=True, nogil=True)
def apply_rows_kernel(
    integers: Any,
    near: Any,
    keys: Any,
    amounts: Any,
    rows: Any,
    up: float,
    down: float,
    start: int,
    tops: Any,
) -> int:
    """Set the levels of rows of kind ``book_level``; else as ``apply_ticks_kernel``.

    A snapshot empties the book before its first row: the first row with the flag after one without it, or with another
    event time, receive time or sequence than the row before.
    """
    counts = integers[COUNTS]
    for i in range(start, rows.shape[0]):
        row = rows[i]
        if row.flags & _SNAPSHOT_FLAG:
            mark = counts[SNAPSHOT_AT:]
            event_ns, received_ns, seq = row.ts_event_ns, row.ts_received_ns, row.seq
            if mark[0] != event_ns or mark[1] != received_ns or mark[2] != seq or mark[3] == 0:
                clear_kernel(integers, near, keys, amounts)
                mark[0], mark[1], mark[2], mark[3] = event_ns, received_ns, seq, 1
        else:
            counts[SNAPSHOT_AT + 3] = 0
        if row.side == 1:
            side = 0
        elif row.side == -1:
            side = 1
        else:
            counts[REJECTED] += 1
            continue
        if not _set_price_kernel(integers, near, keys, amounts, side, row.price_usd, row.qty_base, up, down):
            return i
        if tops.shape[0] > 0:
            tops[i, 0] = integers[0, BEST]
            tops[i, 1] = -integers[1, BEST]
    return -1


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
