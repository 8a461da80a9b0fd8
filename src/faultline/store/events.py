"""Events of the engine in, a numbered log of them out, for ever the same: each event once, in order.

An event gets its number when it is committed; listeners hear of it after that. The log is bounded: the oldest
events go when it holds more than it may.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import sqlalchemy as sa
import structlog

from faultline.errors import NotFound, StoreError
from faultline.signals.events import Event
from faultline.store.facts import events_table, open_facts
from faultline.store.writer import RowWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

__all__ = ("EVENTS_KEPT", "EventStore", "StoredEvent")

#: Events kept at most.
EVENTS_KEPT: Final = 1_000_000
#: Old events deleted with one transaction at most.
_PRUNED_MAX: Final = 2_000
#: Ids looked up by one query.
_IDS_MAX: Final = 500
_LOG: Final = structlog.get_logger("faultline.store.events")


class StoredEvent(NamedTuple):
    """An event's number and its JSON."""

    seq: int
    body: bytes

    def event(self) -> Event:
        """The event itself.

        Raises:
            StoreError: what is kept is not an event of this version.
        """
        try:
            return msgspec.json.decode(self.body, type=Event)
        except msgspec.DecodeError as exc:
            raise StoreError(
                f"kept event {self.seq} cannot be read: {exc}",
                where="events",
                hint="It was written by another version: move the database away.",
            ) from exc


class EventStore:
    """Log of events, with one thread that writes it.

    Args:
        target: path of a SQLite file or an SQLAlchemy URL.
        backlog: events that may wait to be written; ``append`` waits for room where more come.
        kept: events kept at most.

    Raises:
        StoreError: the database cannot be opened or has another schema version.
    """

    def __init__(self, target: Path | str, *, backlog: int = 10_000, kept: int = EVENTS_KEPT) -> None:
        self._engine = open_facts(target)
        self._kept = kept
        self._lock = threading.Lock()
        self._listeners: tuple[Callable[[int, Event, bytes], object], ...] = ()
        with self._engine.connect() as connection:
            first, last = connection.execute(
                sa.select(sa.func.min(events_table.c.seq), sa.func.max(events_table.c.seq))
            ).one()
        self._first_seq = 1 if first is None else int(first)
        self._last_seq = 0 if last is None else int(last)
        #: Events that were known already, old events deleted, listeners that failed.
        self.repeated = 0
        self.pruned = 0
        self.failed_listeners = 0
        self._writer: RowWriter[tuple[Event, bytes]] = RowWriter("events", self._commit, limit=backlog)

    # ---- the engine writes

    def append(self, events: Sequence[Event]) -> None:
        """Have events written, in order; one whose id is known already is counted and left out.

        Raises:
            StoreError: the database did not take them in time.
        """
        self._writer.put([(item, msgspec.json.encode(item)) for item in events])

    def flush(self) -> None:
        """Wait until everything appended is written and listeners have heard of it.

        Raises:
            StoreError: it took too long.
        """
        self._writer.flush()

    def clear(self) -> None:
        """Forget every event, after those that wait are written: a market that is played begins again.

        Numbers go on, so a reader's position stays valid.
        """
        self._writer.flush()
        with self._engine.begin() as connection:
            connection.execute(sa.delete(events_table))
        self._first_seq = self._last_seq + 1

    def close(self) -> None:
        """Write what waits and let go of the database."""
        self._writer.close()
        self._engine.dispose()

    # ---- everybody reads

    @property
    def last_seq(self) -> int:
        """Number of the newest event; 0 where there is none."""
        return self._last_seq

    @property
    def first_seq(self) -> int:
        """Number of the oldest event that is kept; 1 where nothing was ever deleted."""
        return self._first_seq

    def subscribe(self, listener: Callable[[int, Event, bytes], object]) -> Callable[[], None]:
        """Have ``listener(seq, event, body)`` called for every event once it is written, in the writer's thread.

        It must not block: what it delays is the next event.

        Returns:
            A function that ends the subscription.
        """
        with self._lock:
            self._listeners = (*self._listeners, listener)

        def unsubscribe() -> None:
            with self._lock:
                self._listeners = tuple(known for known in self._listeners if known is not listener)

        return unsubscribe

    def after(
        self,
        seq: int,
        limit: int,
        types: Collection[str] | None = None,
        asset: str | Collection[str] | None = None,
        *,
        before_seq: int | None = None,
        from_ns: int | None = None,
        to_ns: int | None = None,
    ) -> list[StoredEvent]:
        """Events with a greater number than ``seq``, oldest first.

        Args:
            seq: number of the last event that is known.
            limit: events at most.
            types: only of these types.
            asset: only of this asset, or of these.
            before_seq: only with a smaller number.
            from_ns: only detected at or after.
            to_ns: only detected before.
        """
        query = self._matching(types, asset, before_seq, from_ns, to_ns).where(events_table.c.seq > seq)
        return self._read(query.order_by(events_table.c.seq).limit(limit))

    def newest(
        self,
        limit: int,
        before_seq: int | None = None,
        types: Collection[str] | None = None,
        asset: str | Collection[str] | None = None,
        from_ns: int | None = None,
        to_ns: int | None = None,
    ) -> list[StoredEvent]:
        """The newest events, newest first; arguments as of ``after``."""
        query = self._matching(types, asset, before_seq, from_ns, to_ns)
        return self._read(query.order_by(events_table.c.seq.desc()).limit(limit))

    def seq_from_end(
        self,
        seq: int,
        n: int,
        types: Collection[str] | None = None,
        asset: str | Collection[str] | None = None,
    ) -> int | None:
        """Number of the ``n``-th newest matching event after ``seq``; None where fewer than ``n`` match."""
        query = self._matching(types, asset, None, None, None, events_table.c.seq)
        query = query.where(events_table.c.seq > seq).order_by(events_table.c.seq.desc())
        with self._engine.connect() as connection:
            found: int | None = connection.execute(query.offset(n - 1).limit(1)).scalar_one_or_none()
        return found

    def seq_of(self, event_id: str) -> int:
        """Number of an event.

        Raises:
            NotFound: no event with that id is kept.
        """
        query = sa.select(events_table.c.seq).where(events_table.c.id == event_id)
        with self._engine.connect() as connection:
            found = connection.execute(query).scalar_one_or_none()
        if found is None:
            raise NotFound(
                f"there is no event {event_id[:32]!r}",
                where="id",
                hint="Old events are deleted; use a number (seq).",
            )
        return int(found)

    def counters(self) -> dict[str, int]:
        """Known events left out, old ones deleted, waits of ``append``, transactions tried again, events lost,
        listeners that failed, and events that wait now.
        """
        return {
            "repeated": self.repeated,
            "pruned": self.pruned,
            "waits": self._writer.waits,
            "retries": self._writer.retries,
            "lost": self._writer.lost,
            "failed_listeners": self.failed_listeners,
            "waiting": self._writer.waiting,
        }

    # ---- the writer's thread

    def _commit(self, rows: Sequence[tuple[Event, bytes]]) -> None:
        with self._engine.begin() as connection:
            known = self._known(connection, [item.id for item, _ in rows])
            new: dict[str, tuple[Event, bytes]] = {}
            for item, body in rows:
                if item.id not in known:
                    new.setdefault(item.id, (item, body))
            numbers: dict[str, int] = {}
            if new:
                inserted = sa.insert(events_table).returning(
                    events_table.c.id, events_table.c.seq, sort_by_parameter_order=True
                )
                values = [_row(item, body) for item, body in new.values()]
                numbers = {found.id: int(found.seq) for found in connection.execute(inserted, values)}
            first_seq = self._prune(connection, max(numbers.values(), default=self._last_seq))
        self.repeated += len(rows) - len(new)
        self.pruned += first_seq - self._first_seq
        self._first_seq = first_seq
        self._last_seq = max(numbers.values(), default=self._last_seq)
        for event_id in sorted(numbers, key=numbers.__getitem__):
            self._tell(numbers[event_id], *new[event_id])

    def _tell(self, seq: int, event: Event, body: bytes) -> None:
        for listener in self._listeners:
            try:
                listener(seq, event, body)
            except Exception:  # noqa: BLE001 - counted and logged
                # One reader's mistake must not keep events from the others, nor from being written.
                self.failed_listeners += 1
                _LOG.exception("listener failed", seq=seq)

    def _prune(self, connection: sa.Connection, last_seq: int) -> int:
        """Delete a bounded number of the oldest; returns the number that the log begins with."""
        first_seq = min(last_seq - self._kept + 1, self._first_seq + _PRUNED_MAX)
        if first_seq <= self._first_seq:
            return self._first_seq
        connection.execute(sa.delete(events_table).where(events_table.c.seq < first_seq))
        return first_seq

    @staticmethod
    def _known(connection: sa.Connection, ids: list[str]) -> set[str]:
        known: set[str] = set()
        for start in range(0, len(ids), _IDS_MAX):
            query = sa.select(events_table.c.id).where(events_table.c.id.in_(ids[start : start + _IDS_MAX]))
            known.update(connection.execute(query).scalars())
        return known

    # ---- queries

    @staticmethod
    def _matching(
        types: Collection[str] | None,
        asset: str | Collection[str] | None,
        before_seq: int | None,
        from_ns: int | None,
        to_ns: int | None,
        *columns: sa.Column[Any],
    ) -> sa.Select[Any]:
        table = events_table.c
        query = sa.select(*(columns or (table.seq, table.body)))
        if types is not None:
            query = query.where(table.type.in_(sorted(map(str, types))))
        if asset is not None:
            query = query.where(table.asset.in_([asset] if isinstance(asset, str) else sorted(asset)))
        if before_seq is not None:
            query = query.where(table.seq < before_seq)
        if from_ns is not None:
            query = query.where(table.detected_at_ns >= from_ns)
        return query if to_ns is None else query.where(table.detected_at_ns < to_ns)

    def _read(self, query: sa.Select[Any]) -> list[StoredEvent]:
        with self._engine.connect() as connection:
            return [StoredEvent(int(seq), body.encode()) for seq, body in connection.execute(query)]


def _row(event: Event, body: bytes) -> dict[str, Any]:
    return {
        "id": event.id,
        "type": str(event.type),
        "priority": event.priority,
        "asset": event.asset,
        "venue": event.venue,
        "detected_at_ns": event.detected_at_ns,
        "body": body.decode(),
    }
