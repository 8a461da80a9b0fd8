"""Changes of a book that has no beginning, or is wrong, in; requests for its snapshot out.

A snapshot may be lost, or be rejected for one impossible level. Then changes of the book go on and mean nothing, and
only their number tells that what was awaited does not come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from faultline.messages import Kind
from faultline.sources.control import Resync

if TYPE_CHECKING:
    from faultline.sources.rows import Rows

__all__ = ("CHANGES_PATIENT", "AwaitedSnapshots", "lose_book")

#: Changes that pass before a snapshot is asked for again; 10 s of them at ten a second.
CHANGES_PATIENT: Final = 100


class AwaitedSnapshots:
    """Counts, per symbol, changes that had to be passed over."""

    def __init__(self) -> None:
        self._passed: dict[str, int] = {}

    def is_overdue(self, symbol: str) -> bool:
        """Count one more change; True every ``CHANGES_PATIENT`` changes."""
        passed = self._passed[symbol] = self._passed.get(symbol, 0) + 1
        return passed % CHANGES_PATIENT == 0

    def came(self, symbol: str) -> None:
        """The snapshot is there."""
        self._passed.pop(symbol, None)


def lose_book(out: Rows, symbol: str, since_ns: int, detail: str) -> None:
    """Write the gap of a book that is wrong since a moment, and ask for it anew."""
    out.gap(symbol, Kind.BOOK_LEVEL, min(since_ns, out.received_ns), out.received_ns, "sequence")
    out.controls.append(Resync(symbol, detail))
