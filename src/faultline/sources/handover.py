"""Rows of the connections that carry one plan in, each fact once out: replays and overlaps double nothing.

A plan is carried by one connection after the other, and by two while one takes over from another:

* trades, liquidations, closures and fills are taken from both, and those already taken are dropped;
* a book is taken from the old connection until the new one begins it with a snapshot;
* everything else is a state (mark, funding, ...), and comes from the old connection until the new one is ready.

Two rows are the same fact where all but receive time and flags agree. A connection tells a fact as often as it
happened: the second of two equal trades of *one* connection is another fact, and is kept. So a trade is dropped only
where it is no more than the n-th of its kind from this connection and n of them were taken already. A liquidation (or
closure) is taken once: time, price, size and side tell two of them apart.
"""

from __future__ import annotations

import collections
import dataclasses
from typing import TYPE_CHECKING, Final

import numpy as np

from faultline.messages import Batch, Flag, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from faultline.sources.connection import Connection

__all__ = ("FACTS", "ONCE", "Handover", "Known")

#: Kinds whose rows happen once; the others are states.
FACTS: Final = frozenset({Kind.TRADE, Kind.LIQUIDATION, Kind.ADL, Kind.WALLET_FILL})
#: Kinds of which two equal rows are one event, whoever tells them: venues push the same one again, and what tells two
#: events apart (time, price, size, side) is in the row.
ONCE: Final = frozenset({Kind.LIQUIDATION, Kind.ADL})
#: Facts remembered per kind and symbol: venues replay at most some hundreds after a subscription.
_ROWS_MAX: Final = 1024


@dataclasses.dataclass(slots=True)
class _Memory:
    """Facts taken of one kind and symbol: the latest as rows; all since a comparison began as counts."""

    rows: collections.deque[NDArray[np.void]] = dataclasses.field(default_factory=collections.deque)
    n_rows: int = 0
    #: Events of kinds in ``ONCE``, the latest last.
    events: dict[bytes, None] = dataclasses.field(default_factory=dict)
    #: How often each fact was taken; None while nothing is compared.
    taken: collections.Counter[bytes] | None = None
    #: How often each connection under comparison told each fact.
    told: collections.defaultdict[int, collections.Counter[bytes]] = dataclasses.field(
        default_factory=lambda: collections.defaultdict(collections.Counter)
    )

    def counted(self) -> collections.Counter[bytes]:
        """How often each fact was taken, counted from the latest where a comparison begins."""
        if self.taken is None:
            self.taken = collections.Counter(key for past in self.rows for key in _keys(past))
        return self.taken


class Known:
    """Facts of a venue that were taken lately.

    Attributes:
        n_duplicates: rows dropped so far.
    """

    def __init__(self, rows_max: int = _ROWS_MAX) -> None:
        self.n_duplicates = 0
        self._rows_max = rows_max
        self._memories: collections.defaultdict[tuple[Kind, str], _Memory] = collections.defaultdict(_Memory)
        self._compared: set[int] = set()
        self._old: set[int] = set()

    def compare(self, connection: int, *, is_young: bool) -> None:
        """Compare rows of a connection from now on; a new one has told nothing yet, an old one all that was taken."""
        self._compared.add(connection)
        if not is_young:
            self._old.add(connection)

    def prime(self, batch: Batch) -> None:
        """Remember facts that were taken before this run."""
        self.admit(0, Batch(batch.kind, batch.instrument_id, batch.rows[-self._rows_max :]))

    def trust(self, connection: int) -> None:
        """Take rows of a connection unseen again."""
        if connection not in self._compared:
            return
        self._compared.discard(connection)
        self._old.discard(connection)
        for memory in self._memories.values():
            memory.told.pop(connection, None)
            if not memory.told:
                memory.taken = None

    def admit(self, connection: int, batch: Batch) -> Batch:
        """Rows of a batch that were not taken before; they are taken now."""
        memory = self._memories[(batch.kind, batch.instrument_id)]
        rows = batch.rows
        if batch.kind in ONCE:
            return self._admit_once(memory.events, batch)
        for one in self._old - memory.told.keys() if self._old else ():
            # Nothing was added since the comparison began: so far an old connection told all of it.
            memory.told[one] = memory.counted().copy()
        if connection in self._compared:
            rows = rows[_is_fresh(rows, memory.counted(), memory.told[connection])]
            if len(rows) < len(batch.rows):
                self.n_duplicates += len(batch.rows) - len(rows)
                batch = Batch(batch.kind, batch.instrument_id, rows)
        elif memory.taken is not None:
            memory.taken.update(_keys(rows))
        if len(rows):
            memory.rows.append(rows)
            memory.n_rows += len(rows)
        while memory.rows and memory.n_rows - len(memory.rows[0]) >= self._rows_max:
            memory.n_rows -= len(memory.rows.popleft())
        return batch

    def _admit_once(self, events: dict[bytes, None], batch: Batch) -> Batch:
        """The same for kinds in ``ONCE``."""
        fresh = np.ones(len(batch), dtype=np.bool_)
        for index, key in enumerate(_keys(batch.rows)):
            fresh[index] = key not in events
            events[key] = None
        while len(events) > self._rows_max:
            del events[next(iter(events))]
        if fresh.all():
            return batch
        self.n_duplicates += int(len(batch) - fresh.sum())
        return Batch(batch.kind, batch.instrument_id, batch.rows[fresh])


class Handover:
    """The connections that carry one plan, the present one last.

    Args:
        known: facts of the venue.
    """

    def __init__(self, known: Known) -> None:
        self._known = known
        self._lanes: list[Connection] = []
        self._begun: dict[int, dict[str, int]] = {}
        #: Rows mapped by channel, doubles included; whoever reads it sets it back.
        self.heard: collections.Counter[str] = collections.Counter()

    def open(self, connection: Connection, *, is_first: bool) -> None:
        """Take rows of a connection from now on; ``is_first``: the plan was never carried before."""
        if not is_first:
            for one in self._lanes:
                self._known.compare(id(one), is_young=False)
            self._known.compare(id(connection), is_young=True)
        self._lanes.append(connection)
        self._begun[id(connection)] = {}

    def close(self, connection: Connection) -> None:
        """Take no more of a connection; it was drained before."""
        if connection in self._lanes:
            self._lanes.remove(connection)
        self._begun.pop(id(connection), None)
        self._known.trust(id(connection))

    def trust(self, connection: Connection) -> None:
        """The venue will replay nothing more on a connection."""
        if len(self._lanes) == 1:
            self._known.trust(id(connection))

    def begun(self, connection: Connection) -> dict[str, int]:
        """Instrument ids whose book a connection has begun, and when."""
        return self._begun.get(id(connection), {})

    def drain(self) -> list[Batch]:
        """Rows of all connections since the last call, each fact once."""
        # The younger is asked first: the older learns which books it has lost.
        drained: list[Batch] = []
        for place in range(len(self._lanes) - 1, -1, -1):
            lane = self._lanes[place]
            for channel, n in lane.rows.heard.items():
                self.heard[channel] += n
            drained = [*self._take(lane, place, lane.rows.drain()), *drained]
        return drained

    def _take(self, lane: Connection, place: int, batches: Iterable[Batch]) -> list[Batch]:
        """Rows of one connection that are its to tell."""
        older, younger = self._lanes[:place], self._lanes[place + 1 :]
        leads = all(not one.ready.is_set() for one in younger) and (not older or lane.ready.is_set())
        taken: list[Batch] = []
        for batch in batches:
            if batch.kind in FACTS:
                found: Batch | None = self._known.admit(id(lane), batch)
            elif batch.kind is Kind.BOOK_LEVEL:
                found = self._book(lane, older, younger, batch)
            else:
                found = batch if leads else None
            if found is not None and len(found):
                taken.append(found)
        return taken

    def _book(
        self, lane: Connection, older: list[Connection], younger: list[Connection], batch: Batch
    ) -> Batch | None:
        """Rows of a book up to where a younger connection begins it, and from where this one does."""
        rows, begun = batch.rows, self._begun[id(lane)]
        if batch.instrument_id not in begun:
            snapshot = np.flatnonzero(rows["flags"] & Flag.SNAPSHOT)
            if len(snapshot):
                begun[batch.instrument_id] = int(rows["ts_received_ns"][snapshot[0]])
            if older:
                rows = rows[snapshot[0] :] if len(snapshot) else rows[:0]
        for one in younger:
            end_ns = self._begun[id(one)].get(batch.instrument_id)
            if end_ns is not None:
                rows = rows[rows["ts_received_ns"] < end_ns]
        return batch if rows is batch.rows else Batch(batch.kind, batch.instrument_id, rows)


def _is_fresh(
    rows: NDArray[np.void], taken: collections.Counter[bytes], told: collections.Counter[bytes]
) -> NDArray[np.bool_]:
    """Which rows one connection tells that were not taken yet; counts are brought up to date."""
    fresh = np.ones(len(rows), dtype=np.bool_)
    for index, key in enumerate(_keys(rows)):
        told[key] += 1
        if told[key] > taken[key]:
            taken[key] += 1
        else:
            fresh[index] = False
    return fresh


def _keys(rows: NDArray[np.void]) -> list[bytes]:
    """What makes rows the same fact: every byte but those of receive time and flags."""
    plain = rows.copy()
    plain["ts_received_ns"] = 0
    plain["flags"] = 0
    content, width = plain.tobytes(), plain.dtype.itemsize
    return [content[start : start + width] for start in range(0, len(content), width)]
