"""Changes of books and fetched snapshots in, levels in an unbroken chain out.

For venues whose socket tells changes only: changes wait until the snapshot that was asked for has come, those that it
contains are dropped, and from then on every change begins with the update after the last one. Where one does not, a gap
is written and the snapshot is asked for again.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from faultline.messages import Kind
from faultline.sources.control import Resync

if TYPE_CHECKING:
    from faultline.sources.rows import Levels, Rows

__all__ = ("BookChains", "BookChange")

#: Changes that wait for a snapshot; 100 s of them at ten a second.
_WAITING_MAX: Final = 1000


@dataclasses.dataclass(frozen=True, slots=True)
class BookChange:
    """Levels that changed in the updates ``first_id`` to ``last_id``, both included; quantities in base units."""

    symbol: str
    ts_ns: int
    first_id: int
    last_id: int
    bids: Levels
    asks: Levels


@dataclasses.dataclass(slots=True)
class _Chain:
    """Where the chain of a book stands.

    Attributes:
        last_id: last update in the book; None while a snapshot is awaited.
        is_fresh: a snapshot came last, so the next change may begin before it ends.
        last_ns: time of the last change.
        waiting: changes since the snapshot was asked for.
    """

    last_id: int | None = None
    is_fresh: bool = False
    last_ns: int = 0
    waiting: list[BookChange] = dataclasses.field(default_factory=list)


class BookChains:
    """The chains of one connection's books."""

    def __init__(self) -> None:
        self._chains: dict[str, _Chain] = {}

    def change(self, change: BookChange, out: Rows) -> None:
        """Write a change if it follows; else keep it, or tell that the book is broken."""
        symbol = change.symbol
        chain = self._chains.get(symbol)
        if chain is None:
            chain = self._chains[symbol] = _Chain()
            out.controls.append(Resync(symbol, "a book begins with a snapshot"))
        if chain.last_id is None:
            if len(chain.waiting) == _WAITING_MAX:
                del chain.waiting[0]
            chain.waiting.append(change)
            return
        following = chain.last_id + 1
        if chain.is_fresh and change.last_id < following:
            return  # The snapshot contains it.
        follows = change.first_id == following or (chain.is_fresh and change.first_id < following)
        if not follows:
            detail = f"updates from {change.first_id}, the book is at {chain.last_id}"
            out.gap(symbol, Kind.BOOK_LEVEL, min(chain.last_ns, out.received_ns), out.received_ns, "sequence")
            out.controls.append(Resync(symbol, detail))
            self._chains[symbol] = _Chain(waiting=[change])
            return
        chain.last_id, chain.is_fresh, chain.last_ns = change.last_id, False, change.ts_ns
        out.levels(symbol, change.ts_ns, change.last_id, change.bids, change.asks)

    def snapshot(self, symbol: str, ts_ns: int, last_id: int, bids: Levels, asks: Levels, out: Rows) -> None:
        """Begin the book at update ``last_id``, then write the changes that waited for it."""
        chain = self._chains.get(symbol) or _Chain()
        if chain.last_id is not None and last_id < chain.last_id:
            return  # An answer that came late, to a request before the latest.
        out.levels(symbol, ts_ns, last_id, bids, asks, is_snapshot=True)
        self._chains[symbol] = _Chain(last_id, is_fresh=True, last_ns=ts_ns)
        for change in chain.waiting:
            self.change(change, out)
