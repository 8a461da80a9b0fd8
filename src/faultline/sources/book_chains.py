"""Changes of books and their snapshots in, levels in an unbroken chain out.

Every change names the updates it covers, and begins with the one after the last. Where it does not, or where a change
is rejected, a gap is written and the book is asked for anew. Snapshots come over the socket, at the beginning of a
subscription; or they are fetched, and changes wait until the one that was asked for has come.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final, NamedTuple

from faultline.sources.awaited import AwaitedSnapshots, lose_book
from faultline.sources.control import Resync

if TYPE_CHECKING:
    from faultline.sources.rows import Levels, Rows

__all__ = ("BookChains", "BookChange")

#: Changes that wait for a snapshot; 100 s of them at ten a second.
_WAITING_MAX: Final = 1000


class BookChange(NamedTuple):
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
        is_fresh: a fetched snapshot came last, so the next change may begin before it ends.
        last_ns: time of the last change.
        waiting: changes since the snapshot was asked for.
    """

    last_id: int | None = None
    is_fresh: bool = False
    last_ns: int = 0
    waiting: list[BookChange] = dataclasses.field(default_factory=list)


class BookChains:
    """The chains of one connection's books.

    Args:
        are_fetched: snapshots are fetched; without, the socket sends them and changes before one are dropped.
    """

    def __init__(self, *, are_fetched: bool) -> None:
        self._are_fetched = are_fetched
        self._chains: dict[str, _Chain] = {}
        self._awaited = AwaitedSnapshots()

    def change(self, change: BookChange, out: Rows) -> None:
        """Write a change if it follows; else keep it, or tell that the book is broken."""
        symbol = change.symbol
        chain = self._chains.get(symbol)
        if chain is None or chain.last_id is None:
            self._await(change, out, is_first=chain is None)
            return
        following = chain.last_id + 1
        if chain.is_fresh and change.last_id < following:
            return  # The snapshot contains it.
        follows = change.first_id == following or (chain.is_fresh and change.first_id < following)
        if not follows:
            lose_book(
                out, symbol, chain.last_ns, f"updates from {change.first_id}, the book is at {chain.last_id}"
            )
            self._chains[symbol] = _Chain(waiting=[change] if self._are_fetched else [])
            return
        if not out.levels(symbol, change.ts_ns, change.last_id, change.bids, change.asks):
            lose_book(out, symbol, change.ts_ns, "a change was rejected")
            self._chains[symbol] = _Chain()
            return
        chain.last_id, chain.is_fresh, chain.last_ns = change.last_id, False, change.ts_ns

    def snapshot(
        self,
        symbol: str,
        ts_ns: int,
        last_id: int,
        bids: Levels,
        asks: Levels,
        out: Rows,
        *,
        is_fetched: bool,
    ) -> None:
        """Begin the book at update ``last_id``, then write the changes that waited for it."""
        chain = self._chains.get(symbol) or _Chain()
        if is_fetched and chain.last_id is not None and last_id < chain.last_id:
            return  # An answer that came late, to a request before the latest.
        if not out.levels(symbol, ts_ns, last_id, bids, asks, is_snapshot=True):
            if not is_fetched:
                # Changes that follow it mean nothing.
                lose_book(out, symbol, ts_ns, "a snapshot was rejected")
                self._chains[symbol] = _Chain()
            return
        self._awaited.came(symbol)
        self._chains[symbol] = _Chain(last_id, is_fresh=is_fetched, last_ns=ts_ns)
        for change in chain.waiting:
            self.change(change, out)

    def _await(self, change: BookChange, out: Rows, *, is_first: bool) -> None:
        """Keep a change of a book that has not begun, where its snapshot will say whether it counts."""
        symbol = change.symbol
        chain = self._chains.setdefault(symbol, _Chain())
        if self._awaited.is_overdue(symbol):
            out.controls.append(Resync(symbol, "no snapshot came"))
        elif is_first and self._are_fetched:
            out.controls.append(Resync(symbol, "a book begins with a snapshot", is_first=True))
        if self._are_fetched:
            if len(chain.waiting) == _WAITING_MAX:
                del chain.waiting[0]
            chain.waiting.append(change)
