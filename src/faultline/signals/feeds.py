"""Rows of kind ``source_status`` and the clock in, feeds of a venue that fail or work again out.

A connection that is lost is mostly back within seconds. What is told is a feed that has been down, blocked or stale for
half a minute, at the moment when that half minute is over; feeds that failed together are told together.
"""

from __future__ import annotations

import collections
import dataclasses
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from faultline.units import SECOND_NS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ("FeedChange", "FeedTrouble", "FeedWatch")

#: A feed that fails for so long is told of.
_PATIENT_NS: Final = 30 * SECOND_NS
#: States in which nothing comes, the worst first.
_FAILING: Final = ("blocked", "down", "stale")


@dataclasses.dataclass(frozen=True, slots=True)
class FeedChange:
    """Feeds of a venue failed (``is_down``) or work again.

    Attributes:
        venue: slug.
        channels: of the feeds, sorted.
        at_ns: when it is told.
        since_ns: when the first of them failed.
        is_down: whether they fail.
        status: the worst state among them.
        detail: what the recorder says of the first in that state.
    """

    venue: str
    channels: tuple[str, ...]
    at_ns: int
    since_ns: int
    is_down: bool
    status: str
    detail: str


class FeedTrouble(msgspec.Struct):
    """A feed that fails."""

    status: str
    detail: str
    since_ns: int
    is_told: bool = False


class FeedWatch:
    """Which feeds fail.

    Args:
        troubles: those that did where ``troubles`` of another watch was taken.
    """

    def __init__(self, troubles: Mapping[str, Mapping[str, FeedTrouble]] | None = None) -> None:
        #: Feeds that fail, by venue and channel.
        self.troubles = {venue: dict(found) for venue, found in (troubles or {}).items()}

    def apply(self, rows: Mapping[str, NDArray[np.void]], upto_ns: int) -> list[FeedChange]:
        """Take in the rows of each venue that were received up to ``upto_ns``, sorted; returns what changed."""
        changes: list[FeedChange] = []
        for venue in sorted({*self.troubles, *rows}):
            troubles = self.troubles.setdefault(venue, {})
            if venue in rows:
                times_ns = rows[venue]["ts_received_ns"]
                for at_ns in np.unique(times_ns).tolist():
                    changes += _overdue(venue, troubles, at_ns - 1)
                    changes += _noted(venue, troubles, rows[venue][times_ns == at_ns], at_ns)
            changes += _overdue(venue, troubles, upto_ns)
            if not troubles:
                del self.troubles[venue]
        return changes


def _overdue(venue: str, troubles: Mapping[str, FeedTrouble], upto_ns: int) -> list[FeedChange]:
    """Tell of feeds that have failed for too long by then."""
    together: dict[int, dict[str, FeedTrouble]] = collections.defaultdict(dict)
    for channel, found in troubles.items():
        if not found.is_told and found.since_ns + _PATIENT_NS <= upto_ns:
            found.is_told = True
            together[found.since_ns][channel] = found
    return [
        _change(venue, sorted(failed.items()), since_ns + _PATIENT_NS, is_down=True)
        for since_ns, failed in sorted(together.items())
    ]


def _noted(
    venue: str, troubles: dict[str, FeedTrouble], rows: NDArray[np.void], at_ns: int
) -> list[FeedChange]:
    """Note the states of one moment, and tell of feeds that work again."""
    again: list[tuple[str, FeedTrouble]] = []
    for row in rows:
        channel, status, detail = (row[name].decode() for name in ("channel", "status", "detail"))
        found = troubles.get(channel)
        if status not in _FAILING:
            if found is not None and troubles.pop(channel).is_told:
                again.append((channel, FeedTrouble(status, detail, found.since_ns)))
        elif found is None:
            troubles[channel] = FeedTrouble(status, detail, at_ns)
        else:
            found.status, found.detail = status, detail
    return [_change(venue, sorted(again), at_ns, is_down=False)] if again else []


def _change(venue: str, feeds: Sequence[tuple[str, FeedTrouble]], at_ns: int, *, is_down: bool) -> FeedChange:
    def badness(found: FeedTrouble) -> int:
        return _FAILING.index(found.status) if is_down else -(found.status == "partial")

    worst = min((found for _, found in feeds), key=badness)
    return FeedChange(
        venue=venue,
        channels=tuple(channel for channel, _ in feeds),
        at_ns=at_ns,
        since_ns=min(found.since_ns for _, found in feeds),
        is_down=is_down,
        status=worst.status,
        detail=worst.detail,
    )
