"""A position in, its place in the indexes out: trigger level and take-profit (10-bp buckets), and voluntary close
(calendar).

The indexes are doubly linked lists through the position array, so adding and removing cost the same
whatever the number of positions. Each index wraps round; whoever walks it compares the exact level or time.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from numba import njit

from faultline.simulator.state import LEVEL_BUCKETS, RING_BUCKETS, RING_WIDTH_NS

if TYPE_CHECKING:
    from faultline.simulator.state import State

__all__ = (
    "bucket_kernel",
    "change_interest_kernel",
    "link_due_kernel",
    "link_level_kernel",
    "link_profit_kernel",
    "remove_kernel",
    "side_row_kernel",
    "take_slot_kernel",
    "unlink_due_kernel",
    "unlink_level_kernel",
    "unlink_profit_kernel",
)

_LEVEL_WIDTH = 1e-3


@njit(cache=True, nogil=True)
def side_row_kernel(side: int) -> int:
    """Row of a side in arrays with a side axis: 0 long, 1 short."""
    return 0 if side > 0 else 1


@njit(cache=True, nogil=True)
def bucket_kernel(level_log: float) -> int:
    """Unwrapped bucket of a level: floor(level / 10 bp)."""
    return math.floor(level_log / _LEVEL_WIDTH)


@njit(cache=True, nogil=True)
def take_slot_kernel(state: State) -> int:
    """A free row of the position array; the caller has made sure that there is one."""
    market = state.market[0]
    row = int(market.free_head)
    market.free_head = state.positions[row].next_level
    market.n_open += 1
    return row


@njit(cache=True, nogil=True)
def link_level_kernel(state: State, row: int) -> None:
    """Put a position at the head of the list of its trigger bucket."""
    position = state.positions[row]
    lane = side_row_kernel(position.side)
    bucket = bucket_kernel(position.trigger_log) % LEVEL_BUCKETS
    head = state.level_head[position.venue, lane, bucket]
    position.next_level = head
    position.prev_level = -1
    if head >= 0:
        state.positions[head].prev_level = row
    state.level_head[position.venue, lane, bucket] = row


@njit(cache=True, nogil=True)
def unlink_level_kernel(state: State, row: int) -> None:
    """Take a position out of the list of its trigger bucket."""
    position = state.positions[row]
    if position.next_level >= 0:
        state.positions[position.next_level].prev_level = position.prev_level
    if position.prev_level >= 0:
        state.positions[position.prev_level].next_level = position.next_level
    else:
        lane = side_row_kernel(position.side)
        bucket = bucket_kernel(position.trigger_log) % LEVEL_BUCKETS
        state.level_head[position.venue, lane, bucket] = position.next_level


@njit(cache=True, nogil=True)
def link_due_kernel(state: State, row: int) -> None:
    """Put a position at the head of the calendar list of its voluntary close."""
    position = state.positions[row]
    bucket = (position.due_ns // RING_WIDTH_NS) % RING_BUCKETS
    head = state.due_head[bucket]
    position.next_due = head
    position.prev_due = -1
    if head >= 0:
        state.positions[head].prev_due = row
    state.due_head[bucket] = row


@njit(cache=True, nogil=True)
def unlink_due_kernel(state: State, row: int) -> None:
    """Take a position out of the calendar."""
    position = state.positions[row]
    if position.next_due >= 0:
        state.positions[position.next_due].prev_due = position.prev_due
    if position.prev_due >= 0:
        state.positions[position.prev_due].next_due = position.next_due
    else:
        state.due_head[(position.due_ns // RING_WIDTH_NS) % RING_BUCKETS] = position.next_due


@njit(cache=True, nogil=True)
def link_profit_kernel(state: State, row: int) -> None:
    """Put a position at the head of the list of its take-profit's bucket."""
    position = state.positions[row]
    lane = side_row_kernel(position.side)
    bucket = bucket_kernel(position.profit_log) % LEVEL_BUCKETS
    head = state.profit_head[position.venue, lane, bucket]
    position.next_profit = head
    position.prev_profit = -1
    if head >= 0:
        state.positions[head].prev_profit = row
    state.profit_head[position.venue, lane, bucket] = row


@njit(cache=True, nogil=True)
def unlink_profit_kernel(state: State, row: int) -> None:
    """Take a position out of the list of its take-profit's bucket."""
    position = state.positions[row]
    if position.next_profit >= 0:
        state.positions[position.next_profit].prev_profit = position.prev_profit
    if position.prev_profit >= 0:
        state.positions[position.prev_profit].next_profit = position.next_profit
    else:
        lane = side_row_kernel(position.side)
        bucket = bucket_kernel(position.profit_log) % LEVEL_BUCKETS
        state.profit_head[position.venue, lane, bucket] = position.next_profit


@njit(cache=True, nogil=True)
def change_interest_kernel(state: State, venue: int, side: int, lots: int) -> None:
    """Add ``lots`` (negative: close) of a side to the traders' book; the market makers take the other side.

    Keeps long - short + inventory = 0, so long open interest equals short open interest to the lot.
    """
    here = state.venues[venue]
    if side > 0:
        here.long_lots += lots
    else:
        here.short_lots += lots
    here.inventory_lots -= side * lots


@njit(cache=True, nogil=True)
def remove_kernel(state: State, row: int) -> None:
    """Close a position entirely: interest, every index, and its row becomes free."""
    position = state.positions[row]
    market = state.market[0]
    change_interest_kernel(state, position.venue, position.side, -position.lots)
    unlink_level_kernel(state, row)
    unlink_due_kernel(state, row)
    if position.has_profit == 1:
        unlink_profit_kernel(state, row)
    position.is_open = 0
    position.next_level = market.free_head
    market.free_head = row
    market.n_open -= 1
