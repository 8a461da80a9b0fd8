"""A socket plan in, a connection that carries it for as long as it is wanted out.

One slot, one plan, one connection after the other::

    waiting ──▶ dialling ──▶ subscribing ──▶ live ──(lost)──▶ waiting, with back-off
                                              │ ▲
                      (old age, a silent      ▼ │
                       channel, a new plan)  renewing: the next connection dials, subscribes and is synced
                                              while the present one still tells; then the present one is closed
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import math
import re
from typing import TYPE_CHECKING, Final

import structlog

from faultline.errors import RateLimited, SourceError
from faultline.sources.asking import is_about
from faultline.sources.connection import Connection
from faultline.sources.failures import Blocked, failure_of, place_of
from faultline.sources.handover import Handover
from faultline.sources.health import SocketHealth, Status
from faultline.sources.pacing import Backoff
from faultline.sources.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from faultline.instruments import Instrument
    from faultline.messages import Batch
    from faultline.sources.connection import Wiring
    from faultline.sources.handover import Known
    from faultline.sources.health import VenueMeter
    from faultline.sources.mapper import VenueMapper
    from faultline.sources.pacing import Budget
    from faultline.sources.plan import SocketPlan
    from faultline.sources.rows import Reason

__all__ = ("Lost", "Slot", "SlotEdges", "symbols_of")

_LOG = structlog.get_logger(__name__)
#: Connections are replaced at this share of the age at which the venue cuts them, less up to as much again at random.
_OLD_AGE: Final = 0.95
_OLD_AGE_SPREAD: Final = 0.1
#: Without rows for so long a channel on which silence is normal is called quiet.
_QUIET_S: Final = 60.0
#: A silent channel beside live ones has so many times its limit before the connection is replaced for it.
_SILENT_FOR: Final = 3.0


@dataclasses.dataclass(frozen=True, slots=True)
class SlotEdges:
    """What slots of a venue share.

    Attributes:
        wiring: of their connections.
        make_mapper: makes a mapper for a connection.
        known: facts taken lately.
        meter: counts.
        connects: new connections that the venue allows in a minute.
        lose: told what was missing, when it is back.
        keep: takes batches of a connection that is closed.
    """

    wiring: Wiring
    make_mapper: Callable[[], VenueMapper]
    known: Known
    meter: VenueMeter
    connects: Budget
    lose: Callable[[Lost], None]
    keep: Callable[[Sequence[Batch]], None]


@dataclasses.dataclass(frozen=True, slots=True)
class Lost:
    """A stretch ``[from_ns, to_ns)`` without a channel's rows of some symbols, and the reason for the gap row.

    Where ``from_ns`` is 0 it begins where the tape left off, symbol by symbol. Where it lasts no longer than
    ``least_ns`` nothing was missed.
    """

    channel: str
    symbols: Sequence[str]
    from_ns: int
    to_ns: int
    reason: str
    least_ns: int = 0


class Slot:
    """Carries one plan.

    Args:
        plan: what to carry.
        symbols: symbols it is about.
        edges: what slots of the venue share.
        book_channels: channels that give books.
        is_resumed: rows of an earlier run are on the tape: what is missing since then is told, and replays are dropped.

    Attributes:
        plan: replaced by ``replan``.
        failure: why it is not connected; None where it is, or never tried.
    """

    def __init__(
        self,
        plan: SocketPlan,
        symbols: Sequence[str],
        edges: SlotEdges,
        book_channels: frozenset[str],
        *,
        is_resumed: bool = False,
    ) -> None:
        self.plan, self.symbols = plan, tuple(symbols)
        self.failure: SourceError | None = None
        self._edges, self._book_channels = edges, book_channels
        self._wiring, self._timer, self._patience = edges.wiring, edges.wiring.timer, edges.wiring.patience
        self._handover = Handover(edges.known)
        self._present: Connection | None = None
        #: Of the latest connection.
        self._mapper: VenueMapper | None = None
        self._open: list[Connection] = []
        self._tasks: dict[Connection, asyncio.Task[None]] = {}
        #: Connections that were told to end.
        self._ending: set[Connection] = set()
        self._renewal = asyncio.Event()
        self._retry_at_s = 0.0
        self._renewed_s = -math.inf
        self._was_carried = self._is_held = False
        self._is_resumed = is_resumed
        self._drained_ns = self._wiring.stamp()
        #: Channel -> since when its rows are missing; books by id.
        self._missing: dict[str, int] = {}
        self._missing_books: dict[str, tuple[str, int]] = {}
        self._silent: dict[str, int] = {}
        self._counted: dict[Connection, _Counted] = {}
        self._log = _LOG.bind(venue=edges.meter.venue.slug, connection=plan.name)

    # ------------------------------------------------------------ life

    async def run(self) -> None:
        """Connect, and connect again, until cancelled."""
        backoff = Backoff(self._patience, self._wiring.rng)
        try:
            while True:
                began_s = self._timer.now_s()
                await self._edges.connects.take()
                self.failure = await self._carry()
                if self._timer.now_s() - began_s > self._patience.healthy_s:
                    backoff.reset()
                at_least_s = self.failure.retry_after_s if isinstance(self.failure, RateLimited) else 0.0
                delay_s = backoff.next_s(at_least_s)
                self._retry_at_s = self._timer.now_s() + delay_s
                self._log.warning("connection lost", error=str(self.failure), retry_s=round(delay_s, 1))
                await self._timer.sleep(delay_s)
        finally:
            await self._leave()

    def replan(self, plan: SocketPlan, symbols: Sequence[str]) -> None:
        """Carry another plan: a connection for it takes over from the present one."""
        self.plan, self.symbols = plan, tuple(symbols)
        self._renewal.set()

    def hold(self, *, is_held: bool) -> None:
        """Stop reading, or go on."""
        self._is_held = is_held
        for connection in self._open:
            connection.hold(is_held=is_held)

    async def _carry(self) -> SourceError:
        """Carry the plan from one dial to the loss of the last connection; why it was lost."""
        self._present = self._dial()
        backoff = Backoff(self._patience, self._wiring.rng)
        wait_s = 0.0
        while True:
            present = self._present
            renewal = asyncio.create_task(self._await_renewal(present, wait_s))
            try:
                await asyncio.wait({self._tasks[present], renewal}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                await _end(renewal)
            if self._tasks[present].done():
                return await self._lose(present)
            failure = await self._renew(present)
            if failure is not None:
                return failure
            if self._present is not present:
                backoff.reset()
                wait_s = 0.0
                continue
            # The present connection goes on, and with it the reason to replace it.
            wait_s = backoff.next_s()
            if present.plan is not self.plan:
                self._renewal.set()

    def _dial(self, *, is_renewal: bool = False) -> Connection:
        """Begin a connection in a task of its own."""
        mapper = self._edges.make_mapper()
        if self._mapper is not None:
            mapper.inherit(self._mapper)
        self._mapper = mapper
        connection = Connection(self.plan, mapper, self._wiring)
        connection.hold(is_held=self._is_held)
        self._handover.open(connection, is_first=not (self._was_carried or is_renewal or self._is_resumed))
        self._open.append(connection)
        self._counted[connection] = _Counted()
        task = self._tasks[connection] = asyncio.create_task(connection.run(), name=self.plan.name)
        # Whoever loses it asks why; else nobody wants to know.
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        counts = self._edges.meter.counts
        counts.n_connects += 1
        counts.n_renewals += is_renewal
        counts.n_reconnects += self._was_carried and not is_renewal
        return connection

    async def _await_renewal(self, present: Connection, wait_s: float) -> None:
        """Return when the present connection should be replaced, but not within ``wait_s``."""
        life_s = self._wiring.limits.socket_life_s
        age_s = life_s * (_OLD_AGE - _OLD_AGE_SPREAD * self._wiring.rng.random())
        await self._timer.sleep(wait_s)
        while not self._renewal.is_set():
            await self._timer.sleep(self._patience.check_s)
            now_s = self._timer.now_s()
            if now_s - present.born_s > age_s:
                self._log.info("connection is old: another takes over")
                return
            if now_s - self._renewed_s > self._patience.renew_s and self._is_long_silent(present):
                self._log.info("a channel is silent: another connection takes over", channels=present.stale())
                return

    def _is_long_silent(self, present: Connection) -> bool:
        limits = present.plan.channels
        return any(present.silent_s(name) > _SILENT_FOR * limits[name] for name in present.stale())

    async def _renew(self, present: Connection) -> SourceError | None:
        """Let another connection take over; the reason where there is none left in the end."""
        self._renewed_s = self._timer.now_s()
        self._renewal.clear()
        await self._edges.connects.take()
        following = self._dial(is_renewal=True)
        synced = asyncio.create_task(self._await_synced(following, present))
        try:
            await asyncio.wait(
                {self._tasks[present], self._tasks[following], synced}, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            await _end(synced)
        if self._tasks[following].done():
            failure = await self._lose(following, is_present=False)
            self._log.warning("the connection that should take over failed", error=str(failure))
            return await self._lose(present) if self._tasks[present].done() else None
        self._present = following
        if self._tasks[present].done():
            await self._lose(present)
        else:
            await self._discard(present)
        return None

    async def _await_synced(self, following: Connection, present: Connection) -> None:
        """Return when a connection is confirmed and has told all that the present one tells, or has had its time."""
        await following.ready.wait()
        until_s = self._timer.now_s() + self._patience.sync_s
        loud = {name for name, limit_s in following.plan.channels.items() if math.isfinite(limit_s)}
        while self._timer.now_s() < until_s:
            books = self._handover.begun(present).keys() <= self._handover.begun(following).keys()
            if books and (loud & present.heard_ns.keys()) <= following.heard_ns.keys():
                return
            await self._timer.sleep(min(self._patience.check_s, 0.05))

    async def _lose(self, connection: Connection, *, is_present: bool = True) -> SourceError:
        """Take leave of a connection that ended by itself; why it did."""
        task = self._tasks[connection]
        exc = (task.exception() if not task.cancelled() else None) or RuntimeError("it ended")
        if not isinstance(exc, SourceError):
            self._log.error("connection failed", exc_info=exc)
        self._was_carried = self._was_carried or connection.n_frames > 0
        if is_present and connection.ready.is_set():
            self._note_missing(connection)
        await self._discard(connection)
        return failure_of(exc, place_of(self.plan.url))

    async def _discard(self, connection: Connection) -> None:
        """Close a connection, if it is not yet, and keep what it told; where that is cancelled it can be repeated."""
        self._tell_to_end(connection)
        await asyncio.wait({self._tasks[connection]})
        self._forget(connection)

    async def _leave(self) -> None:
        """Close all connections at once; where even that is cancelled they end by themselves."""
        for connection in self._open:
            self._tell_to_end(connection)
        try:
            for connection in list(self._open):
                await self._discard(connection)
        finally:
            for connection in list(self._open):
                self._forget(connection)
            if self._mapper is not None:
                rows = Rows(self._mapper.venue)
                rows.begin(b"", self._wiring.stamp())
                self._mapper.finish(rows)
                self._edges.keep(rows.drain())

    def _tell_to_end(self, connection: Connection) -> None:
        """Cancel a connection, once: told twice it would not close its socket politely."""
        if connection not in self._ending:
            self._ending.add(connection)
            self._tasks[connection].cancel()

    def _forget(self, connection: Connection) -> None:
        """Keep what a connection has told, and know it no more."""
        self._edges.keep(self.drain())
        self._open.remove(connection)
        self._handover.close(connection)
        self._count(connection)
        del self._counted[connection], self._tasks[connection]
        self._ending.discard(connection)
        if self._present is connection:
            self._present = None

    # ------------------------------------------------------------ what is missing

    def _note_missing(self, connection: Connection) -> None:
        """Rows are missing from the last moment at which the connection proved that it told everything."""
        stale = connection.stale()
        for channel in connection.plan.channels:
            proof_ns = connection.last_frame_ns
            if channel in stale:
                proof_ns = connection.heard_ns.get(channel, connection.ready_ns)
            if proof_ns is not None:
                self._missing.setdefault(channel, self._silent.pop(channel, proof_ns))
        self._silent.clear()
        for channel in self._book_channels & self._missing.keys():
            from_ns = self._missing.pop(channel)
            for book in self._handover.begun(connection):
                self._missing_books.setdefault(book, (channel, from_ns))

    def _find_again(self, present: Connection) -> None:
        """Tell of what was missing and is there again."""
        if self._is_resumed and present.ready_ns is not None:
            self._is_resumed = False
            for channel in present.plan.channels:
                self._edges.lose(Lost(channel, self.symbols, 0, present.ready_ns, "recorder_down"))
        for channel, from_ns in self._missing.items():
            self._lost(channel, from_ns, present.ready_ns or from_ns, "disconnect")
        self._missing.clear()
        begun = self._handover.begun(present)
        for book in self._missing_books.keys() & begun.keys():
            channel, from_ns = self._missing_books.pop(book)
            self._lost(channel, from_ns, begun[book], "disconnect", book)
        for channel, from_ns in list(self._silent.items()):
            again_ns = present.heard_ns.get(channel, 0)
            if again_ns > from_ns and channel not in present.stale():
                del self._silent[channel]
                self._lost(channel, from_ns, again_ns, "silence")
        for channel in present.stale():
            self._silent.setdefault(channel, present.heard_ns.get(channel, present.ready_ns or 0))

    def finish(self, now_ns: int) -> None:
        """Tell of what is still missing: nobody will see its end."""
        for channel, from_ns in {**self._silent, **self._missing}.items():
            self._lost(channel, from_ns, now_ns, "silence" if channel in self._silent else "disconnect")
        for book, (channel, from_ns) in self._missing_books.items():
            self._lost(channel, from_ns, now_ns, "disconnect", book)
        self._missing.clear()
        self._missing_books.clear()
        self._silent.clear()

    def _lost(self, channel: str, from_ns: int, to_ns: int, reason: str, book: str = "") -> None:
        if to_ns > from_ns:
            symbols = (book.partition(":")[2],) if book else self.symbols
            self._edges.lose(Lost(channel, symbols, from_ns, to_ns, reason))

    # ------------------------------------------------------------ what others ask

    def drain(self) -> list[Batch]:
        """Rows since the last call; a fault in taking them costs these rows, which is told, and nothing else."""
        if not self._open:
            return []
        try:
            batches = self._handover.drain()
        except Exception as exc:  # noqa: BLE001 - the recorder goes on for all venues
            batches = []
            self._abandon(exc)
        self._drained_ns = self._wiring.stamp()
        return batches

    def _abandon(self, exc: Exception) -> None:
        """Let go of rows that cannot be taken, and say that they are missing."""
        self._log.error("rows cannot be taken", n_rows=self.rows_waiting(), exc_info=exc)
        now_ns = self._wiring.stamp()
        for connection in self._open:
            connection.rows = Rows(connection.rows.venue)
            self._counted[connection].rejects.clear()
        for channel in self.plan.channels:
            self._lost(channel, self._drained_ns, now_ns, "recorder_down")

    def take_heard(self) -> collections.Counter[str]:
        """Rows by channel that the drains since the last call found."""
        heard = self._handover.heard
        self._handover.heard = collections.Counter()
        return heard

    def look(self) -> None:
        """Bring counts and what is missing up to date; called a few times a second."""
        present = self._present
        for connection in self._open:
            self._count(connection)
        if present is None or not present.ready.is_set():
            return
        self.failure = None
        self._find_again(present)
        self._was_carried = True
        now_s = self._timer.now_s()
        if len(self._open) == 1 and now_s - present.ready_s > self._patience.recheck_s:
            self._handover.trust(present)

    def states(self) -> dict[str, tuple[Status, str]]:
        """State of every channel of the plan, and a sentence."""
        present = self._present
        if present is None or not present.ready.is_set():
            state = self._unconnected(present)
            return dict.fromkeys(self.plan.channels, state)
        return {channel: self._state(present, channel) for channel in present.plan.channels}

    def sockets(self) -> list[SocketHealth]:
        """The connections, for people; one that waits to be made anew is told too."""
        waits = (
            [] if self._open else [SocketHealth(self.plan.name, "waiting", self._wiring.stamp(), 0, 0, None)]
        )
        return waits + [
            SocketHealth(
                name=self.plan.name,
                state=one.phase.value,
                since_ns=one.since_ns,
                n_frames=one.n_frames,
                n_bytes=one.n_bytes,
                last_frame_ns=one.last_frame_ns,
            )
            for one in self._open
        ]

    def rows_waiting(self) -> int:
        """Rows mapped and not drained."""
        return sum(one.rows.n_rows for one in self._open)

    def _unconnected(self, present: Connection | None) -> tuple[Status, str]:
        if self.failure is None:
            return Status.DOWN, present.phase.value if present is not None else "not connected yet"
        left_s = max(self._retry_at_s - self._timer.now_s(), 0.0)
        word = Status.BLOCKED if isinstance(self.failure, Blocked) else Status.DOWN
        again = "trying again now" if present is not None else f"next attempt in {left_s:.0f} s"
        return word, f"{self.failure.user_message}; {again}"

    def _state(self, present: Connection, channel: str) -> tuple[Status, str]:
        """State of a channel of a connection that is ready."""
        limit_s, silent_s = present.plan.channels[channel], present.silent_s(channel)
        if silent_s > limit_s:
            return Status.STALE, f"no rows for {silent_s:.0f} s; {limit_s:g} s are normal"
        asked = [key for key in present.asking.asked if is_about(key, channel, present.plan.channels)]
        refused = {
            key: why
            for key, why in present.refused.items()
            if (key or present.asking.is_vague) and is_about(key, channel, present.plan.channels)
        }
        if refused:
            n_asked = max(len(asked), len(refused))
            sentence = f"{len(refused)} of {n_asked} subscriptions refused: {next(iter(refused.values()))}"
            return (Status.DOWN if asked and refused.keys() >= set(asked) else Status.PARTIAL), sentence
        if channel not in present.heard_ns:
            return Status.QUIET, "subscribed; no rows yet"
        if math.isinf(limit_s) and silent_s > _QUIET_S:
            return Status.QUIET, f"no rows for {silent_s:.0f} s, as is normal here"
        return Status.LIVE, "rows come"

    def _count(self, connection: Connection) -> None:
        """Add what a connection counted since the last call to the counts of the venue."""
        counts, meter = self._edges.meter.counts, self._edges.meter
        counted = self._counted[connection]
        counts.n_frames += connection.n_frames - counted.n_frames
        counts.n_bytes += connection.n_bytes - counted.n_bytes
        counted.n_frames, counted.n_bytes = connection.n_frames, connection.n_bytes
        meter.rejects(connection.rows.rejects, counted.rejects)
        for key in connection.refused.keys() - counted.refusals:
            counted.refusals.add(key)
            meter.refusal(f"{key or self.plan.name}: {connection.refused[key]}")
            self._log.warning("subscription refused", key=key[:200], detail=connection.refused[key][:200])


@dataclasses.dataclass(slots=True)
class _Counted:
    """What of a connection is in the counts of its venue already."""

    n_frames: int = 0
    n_bytes: int = 0
    rejects: dict[tuple[str, Reason], int] = dataclasses.field(default_factory=dict)
    refusals: set[str] = dataclasses.field(default_factory=set)


async def _end(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait for its end; what it ended with is of no use any more."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()


def symbols_of(plan: SocketPlan, contracts: Sequence[Instrument]) -> tuple[str, ...]:
    """Symbols that the plan's address or subscriptions name; all where they name none (venues have their own ids)."""
    told = b"\n".join((plan.url.encode(), *plan.subscribe)).decode(errors="replace").lower()
    named = tuple(
        item.symbol
        for item in contracts
        if re.search(rf"(?<![a-z0-9]){re.escape(item.symbol.lower())}(?![a-z0-9])", told)
    )
    return named or tuple(item.symbol for item in contracts)
