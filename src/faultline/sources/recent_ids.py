"""Ids of events that a venue may tell twice in; whether each is new out.

Venues repeat their latest events after a subscription, and polls overlap. The memory is bounded: the oldest ids are
forgotten first.
"""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ("RecentIds",)


class RecentIds:
    """Ids told last.

    Args:
        size: how many are kept.
    """

    def __init__(self, size: int = 4096) -> None:
        self._order: collections.deque[Hashable] = collections.deque(maxlen=size)
        self._known: set[Hashable] = set()

    def admit(self, event_id: Hashable) -> bool:
        """Whether an id was not told lately; it is from now on."""
        if event_id in self._known:
            return False
        if len(self._order) == self._order.maxlen:
            self._known.discard(self._order[0])
        self._order.append(event_id)
        self._known.add(event_id)
        return True
