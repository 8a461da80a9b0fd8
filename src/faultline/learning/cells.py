"""Events placed on bars in, the distinct cells that hold them and what each cell holds out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faultline.learning.reporting import Plan

__all__ = ("EventCells", "cells_of", "event_sizes")

#: Bits of a cell's key that hold its bucket.
_BUCKET_BITS: Final = 32
_BUCKET_SHIFT: Final = 1 << (_BUCKET_BITS - 1)


class EventCells(msgspec.Struct, frozen=True):
    """Cells that hold events: first of each bar, (side, bucket) of each, and the cell of each event."""

    starts: Any
    index: Any
    owner: Any


def cells_of(plan: Plan, span: slice, first: int, last: int) -> EventCells:
    """Distinct cells of the events of bars ``first`` to ``last``, sorted by bar."""
    bar, bucket = plan.bar[span] - first, np.floor(plan.place[span]).astype(np.int64)
    key = ((bar * 2 + plan.events["side"][span]) << _BUCKET_BITS) + bucket + _BUCKET_SHIFT
    distinct, owner = np.unique(key, return_inverse=True)
    group = distinct >> _BUCKET_BITS
    index = np.stack([group & 1, (distinct & ((1 << _BUCKET_BITS) - 1)) - _BUCKET_SHIFT], axis=1)
    starts = np.searchsorted(group >> 1, np.arange(last - first + 1))
    return EventCells(starts.astype(np.int64), index.astype(np.int64), owner.astype(np.int64))


def event_sizes(
    cells: EventCells, count: NDArray[np.float64], log_size: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Events with a size and the sum of their log sizes (NaN: unknown) per cell, shape (C, 2)."""
    sized, n_cells = np.isfinite(log_size), len(cells.index)
    weighted = np.where(sized, log_size, 0.0) * count
    both = [np.bincount(cells.owner, part, n_cells) for part in (sized * count, weighted)]
    return np.stack(both, axis=1).astype(np.float64)
