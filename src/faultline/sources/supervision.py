"""A venue in, its rows out for as long as it is wanted: contracts, connections, polls, and what is missing.

    listing ──▶ contracts ──▶ plans ──▶ slots (sockets) and polls
       ▲                                   │
       └── every six hours, and again after a failure, with back-off

Nothing that goes wrong here leaves the venue: ``run`` tries again for ever, and only being cancelled ends it.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import functools
import itertools
from typing import TYPE_CHECKING, Final

import structlog

from faultline.errors import FaultlineError, RateLimited, SourceError
from faultline.instruments import instrument_rows
from faultline.messages import Batch, Flag, Kind
from faultline.sources.connection import Wiring
from faultline.sources.contracts import fetch_contracts
from faultline.sources.failures import Blocked, first_of
from faultline.sources.handover import Known
from faultline.sources.health import Status
from faultline.sources.kept_wallets import read_wallets, write_wallets
from faultline.sources.pacing import Backoff, Budget
from faultline.sources.plan import Wanted
from faultline.sources.polling import Polling
from faultline.sources.rest import RestClient
from faultline.sources.rows import Rows
from faultline.sources.slots import Slot, SlotEdges, symbols_of
from faultline.sources.wallet_sweep import WalletFeed, WalletSweep

if TYPE_CHECKING:
    import random
    import ssl
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from faultline.instruments import Instrument
    from faultline.sources.health import VenueMeter
    from faultline.sources.mapper import VenueMapper
    from faultline.sources.pacing import Patience, Timer
    from faultline.sources.plan import SocketPlan
    from faultline.sources.rows import Reason
    from faultline.sources.slots import Lost
    from faultline.sources.tape_tail import Tail
    from faultline.sources.venue import Venue

__all__ = ("Surroundings", "VenueSupervisor")

_LOG = structlog.get_logger(__name__)
#: Lags looked at per batch.
_LAGS: Final = 4
_STATES: Final = (Status.BLOCKED, Status.DOWN, Status.STALE, Status.PARTIAL, Status.QUIET, Status.LIVE)


@dataclasses.dataclass(frozen=True, slots=True)
class Surroundings:
    """What a venue gets from the recorder.

    Attributes:
        stamp: receive times, never going back.
        timer: seconds and waits.
        patience: timeouts and back-off.
        rng: chance.
        ssl_context: certificates to trust; None for the machine's.
        keep_raw: takes (venue, connection, receive time, frame); None where none are kept.
        meter: counts of the venue.
    """

    stamp: Callable[[], int]
    timer: Timer
    patience: Patience
    rng: random.Random
    ssl_context: ssl.SSLContext | None
    keep_raw: Callable[[str, str, int, bytes], None] | None
    meter: VenueMeter


class VenueSupervisor:
    """Reads one venue.

    Args:
        venue: which.
        assets: bases of the contracts; empty for all.
        around: what it gets from the recorder.
        kinds: kinds of rows; None for all the venue gives.
        sockets: WebSocket addresses in place of the venue's.
        rest: REST addresses likewise.
        wallets: accounts to ask for besides those that are seen trading, where the venue answers for accounts.
        wallets_file: where the accounts are kept between runs; None keeps none.
    """

    def __init__(
        self,
        venue: Venue,
        assets: frozenset[str],
        around: Surroundings,
        *,
        kinds: frozenset[Kind] | None = None,
        sockets: Mapping[str, str] | None = None,
        rest: Mapping[str, str] | None = None,
        wallets: Sequence[str] = (),
        wallets_file: Path | None = None,
    ) -> None:
        self.venue, self.meter = venue, around.meter
        self.contracts: list[Instrument] = []
        self._assets, self._around = assets, around
        self._kinds = venue.kinds if kinds is None else venue.kinds & kinds
        self._sockets = {**venue.sockets, **(sockets or {})}
        self._addresses = {**venue.rest, **(rest or {})}
        self._known = Known()
        self._connects = Budget(venue.limits.connects_per_minute, 60.0, around.timer)
        self._slots: dict[str, Slot] = {}
        self._slot_tasks: dict[str, asyncio.Task[None]] = {}
        self._polling: Polling | None = None
        self._sweep: WalletSweep | None = None
        self._wallets, self._wallets_file = tuple(wallets), wallets_file
        #: Where an earlier run left off, by instrument id and kind; told once.
        self._left_off: dict[tuple[str, Kind], int] = {}
        self._rest: RestClient | None = None
        self._failure: FaultlineError | None = None
        self._retry_at_s = 0.0
        self._is_held = self._is_stopped = False
        #: Rows of ours: gaps.
        self._rows = Rows(venue.slug)
        self._kept: list[Batch] = []
        #: Kinds whose lags were looked at since the last look.
        self._lagged: set[Kind] = set()
        self._rejects: dict[tuple[str, Reason], int] = {}
        self._sweep_rejects: dict[tuple[str, Reason], int] = {}
        lines = [line for line in venue.coverage if line.kind in self._kinds]
        self._kinds_of: dict[str, set[Kind]] = {}
        for line in lines:
            self._kinds_of.setdefault(line.channel, set()).add(line.kind)
        self._books = frozenset(line.channel for line in lines if line.kind is Kind.BOOK_LEVEL)
        self._log = _LOG.bind(venue=venue.slug)

    def resume(self, tail: Tail) -> None:
        """Go on where an earlier run left off; to be called before ``run``."""
        for batch in tail.facts:
            self._known.prime(batch)
        self._left_off = {
            (instrument_id, kind): last_ns
            for instrument_id, last_ns in tail.last_ns.items()
            for kind in self._kinds
        }

    # ------------------------------------------------------------ life

    async def run(self) -> None:
        """Read the venue until cancelled, whatever happens."""
        around = self._around
        backoff = Backoff(around.patience, around.rng)
        try:
            while True:
                began_s = around.timer.now_s()
                await self._read_once()
                if around.timer.now_s() - began_s > around.patience.healthy_s:
                    backoff.reset()
                await self._wait(backoff)
        finally:
            self._is_stopped = True

    async def _read_once(self) -> None:
        """Read until something fails, which is kept for people.

        That happens in a task of its own: a failure while we are told to end must not hide that we are.
        """
        reading = asyncio.create_task(self._read(), name=f"{self.venue.slug} reading")
        try:
            await asyncio.wait({reading})
        finally:
            reading.cancel()
            await asyncio.wait({reading})
            exc = None if reading.cancelled() else reading.exception()
            if exc is not None:
                found = first_of(exc)
                if not isinstance(found, FaultlineError):
                    found = SourceError(f"{type(found).__name__}: {found}")
                self._failure = found
                self._log.error("venue failed", exc_info=exc)

    async def _read(self) -> None:
        """List, connect and poll, and keep the contracts fresh."""
        around, limits = self._around, self.venue.limits
        async with RestClient(
            self._addresses,
            limits,
            around.patience,
            timer=around.timer,
            rng=around.rng,
            ssl_context=around.ssl_context,
            count=self._count_request,
        ) as self._rest:
            contracts = await self._first_listing(self._rest)
            self._polling = Polling(
                self._rest,
                self.venue.mapper({}),
                stamp=around.stamp,
                timer=around.timer,
                rng=around.rng,
                lose=self._lose,
                keep_raw=self._keep_raw(),
            )
            self._sweep = self._make_sweep(self._rest)
            self._rejects, self._sweep_rejects = {}, {}
            self.hold(is_held=self._is_held)
            try:
                async with asyncio.TaskGroup() as group:
                    self._apply(contracts, group)
                    group.create_task(self._polling.run())
                    if self._sweep is not None:
                        group.create_task(self._sweep.run())
                        group.create_task(self._keep_wallets(self._sweep))
                    group.create_task(self._relist(self._rest, group))
            finally:
                self._leave()

    def _leave(self) -> None:
        """Take what the connections left, and say what is missing from now on."""
        self._kept += self._drain_all()
        now_ns = self._around.stamp()
        left = [] if self._polling is None else self._polling.finish(now_ns)
        for slot in self._slots.values():
            slot.finish(now_ns)
            left += itertools.product(slot.plan.channels, slot.symbols)
        # Where the venue is read again, rows are missing from here on.
        self._left_off |= {
            (f"{self.venue.slug}:{symbol}", kind): now_ns
            for channel, symbol in left
            for kind in self._kinds_of.get(channel, ())
        }
        self._slots.clear()
        self._slot_tasks.clear()
        if self._sweep is not None and self._wallets_file is not None:
            write_wallets(self._wallets_file, self.venue.slug, self._sweep.kept())
        self._polling = self._sweep = None

    async def _first_listing(self, rest: RestClient) -> list[Instrument]:
        """Contracts, however often that must be tried."""
        backoff = Backoff(self._around.patience, self._around.rng)
        while True:
            try:
                contracts = await fetch_contracts(self.venue, rest, self._assets)
            except SourceError as exc:
                self._failure = exc
                self._log.warning("listing failed", error=str(exc))
            else:
                if contracts:
                    self._failure = None
                    return contracts
                self._failure = SourceError(
                    f"it lists no contract of {', '.join(sorted(self._assets)) or 'any asset'}"
                )
            await self._wait(backoff)

    async def _wait(self, backoff: Backoff) -> None:
        exc = self._failure
        delay_s = backoff.next_s(exc.retry_after_s if isinstance(exc, RateLimited) else 0.0)
        self._retry_at_s = self._around.timer.now_s() + delay_s
        await self._around.timer.sleep(delay_s)

    async def _relist(self, rest: RestClient, group: asyncio.TaskGroup) -> None:
        """Keep the contracts fresh; an old listing serves where a new one cannot be had."""
        backoff = Backoff(self._around.patience, self._around.rng)
        delay_s = self._around.patience.relist_s
        while True:
            await self._around.timer.sleep(delay_s)
            try:
                contracts = await fetch_contracts(self.venue, rest, self._assets)
            except SourceError as exc:
                self._log.warning("listing failed: the last one serves on", error=str(exc))
                delay_s = backoff.next_s()
                continue
            backoff.reset()
            delay_s = self._around.patience.relist_s
            if contracts and contracts != self.contracts:
                self._apply(contracts, group)

    # ------------------------------------------------------------ plans

    def _apply(self, contracts: Sequence[Instrument], group: asyncio.TaskGroup) -> None:
        """Write changed contracts, and bring slots and polls in line with them."""
        before, is_first = {item.id: item for item in self.contracts}, not self._slots
        now_ns = self._around.stamp()
        self._kept += [
            Batch(Kind.INSTRUMENT, item.id, instrument_rows(item, now_ns))
            for item in contracts
            if before.get(item.id) != item
        ]
        is_meant_otherwise = any(
            (old := before.get(item.id)) is not None and _meaning(old) != _meaning(item) for item in contracts
        )
        self.contracts = list(contracts)
        self.meter.counts.n_contracts = len(contracts)
        self._log.info("contracts", n=len(contracts), is_first=is_first)
        wanted = Wanted(contracts, self._kinds, self._sockets)
        plans = {plan.name: plan for plan in self.venue.feed.sockets(wanted)}
        for name in self._slots.keys() - plans.keys():
            # Its connections hand over what they have told when they are closed.
            self._slot_tasks.pop(name).cancel()
            del self._slots[name]
        edges = self._edges()
        for name, plan in plans.items():
            symbols = symbols_of(plan, contracts)
            slot = self._slots.get(name)
            if slot is None:
                slot = self._slots[name] = Slot(
                    plan, symbols, edges, self._books, is_resumed=bool(self._left_off)
                )
                slot.hold(is_held=self._is_held)
                self._slot_tasks[name] = group.create_task(slot.run(), name=f"{self.venue.slug} {name}")
            elif is_meant_otherwise or _words(slot.plan) != _words(plan):
                slot.replan(plan, symbols)
        if self._polling is not None:
            self._polling.plan(self.venue.feed.polls(wanted), self._make_mapper())
        has_others = before.keys() != {item.id for item in contracts}
        if self._sweep is not None and (is_first or is_meant_otherwise or has_others):
            self._sweep.remap(self._make_mapper())

    def _edges(self) -> SlotEdges:
        around = self._around
        wiring = Wiring(
            stamp=around.stamp,
            timer=around.timer,
            patience=around.patience,
            limits=self.venue.limits,
            rng=around.rng,
            ssl_context=around.ssl_context,
            keep_raw=self._keep_raw(),
            fetch_book=self._fetch_book,
            fetch=None if self._rest is None else self._rest.fetch,
        )
        return SlotEdges(
            wiring=wiring,
            make_mapper=self._make_mapper,
            known=self._known,
            meter=self.meter,
            connects=self._connects,
            lose=self._lose,
            keep=self._kept.extend,
        )

    def _make_sweep(self, rest: RestClient) -> WalletSweep | None:
        """The sweep of accounts, where the venue answers for them and positions are wanted."""
        feed, around = self.venue.feed, self._around
        if not isinstance(feed, WalletFeed) or Kind.WALLET_POSITION not in self._kinds:
            return None
        sweep = WalletSweep(
            feed,
            rest,
            self.venue.mapper({}),
            stamp=around.stamp,
            timer=around.timer,
            backoff=Backoff(around.patience, around.rng),
            keep_raw=self._keep_raw(),
        )
        if self._wallets_file is not None:
            sweep.resume(read_wallets(self._wallets_file, self.venue.slug))
        sweep.follow(self._wallets)
        return sweep

    async def _keep_wallets(self, sweep: WalletSweep) -> None:
        """Write the accounts now and then: a run that is killed leaves them to the next."""
        while self._wallets_file is not None:
            await self._around.timer.sleep(self._around.patience.keep_s)
            await asyncio.to_thread(write_wallets, self._wallets_file, self.venue.slug, sweep.kept())

    def _make_mapper(self) -> VenueMapper:
        return self.venue.mapper({item.symbol: item for item in self.contracts})

    def _keep_raw(self) -> Callable[[str, int, bytes], None] | None:
        keep = self._around.keep_raw
        return None if keep is None else functools.partial(keep, self.venue.slug)

    async def _fetch_book(self, symbol: str) -> tuple[str, bytes] | None:
        """The snapshot that mends a book; None where the venue has none."""
        poll = self.venue.feed.book_snapshot(symbol)
        if poll is None or self._rest is None:
            return None
        return poll.channel, await self._rest.fetch(poll.request)

    # ------------------------------------------------------------ what the recorder asks

    def drain(self) -> list[Batch]:
        """Rows since the last call, each once."""
        batches = self._drain_all()
        batches += self._kept
        self._kept.clear()
        batches += self._rows.drain()
        return batches

    def hold(self, *, is_held: bool) -> None:
        """Stop reading, or go on."""
        self._is_held = is_held
        for slot in self._slots.values():
            slot.hold(is_held=is_held)
        for one in (self._polling, self._sweep):
            if one is not None:
                one.hold(is_held=is_held)

    def look(self, now_ns: int) -> None:
        """Bring the health of the venue up to date; called a few times a second."""
        self._lagged.clear()
        for slot in self._slots.values():
            slot.look()
        counts = self.meter.counts
        counts.n_duplicates = self._known.n_duplicates
        counts.rows_waiting = sum(slot.rows_waiting() for slot in self._slots.values())
        self.meter.sockets([one for slot in self._slots.values() for one in slot.sockets()])
        if self._polling is not None:
            self.meter.rejects(self._polling.rows.rejects, self._rejects)
        if self._sweep is not None:
            self.meter.rejects(self._sweep.rows.rejects, self._sweep_rejects)
        for channel, (status, sentence) in self._states().items():
            self.meter.status(channel, status, sentence, now_ns)

    def _states(self) -> dict[str, tuple[Status, str]]:
        """State of every channel of the venue."""
        if self._is_stopped:
            return dict.fromkeys(self.meter.channels, (Status.DOWN, "the recorder was stopped"))
        if self._failure is not None or self._polling is None:
            return dict.fromkeys(self.meter.channels, self._unlisted())
        told: dict[str, list[tuple[Status, str]]] = {}
        for slot in self._slots.values():
            for channel, state in slot.states().items():
                told.setdefault(channel, []).append(state)
        for channel, state in self._polling.states().items():
            told.setdefault(channel, []).append(state)
        if self._sweep is not None:
            told.setdefault(self._sweep.channel, []).append(self._sweep.state())
        missing = (Status.ABSENT, "not asked for: no wanted contract or kind needs it")
        return {
            channel: _whole(told[channel]) if channel in told else missing for channel in self.meter.channels
        }

    def _unlisted(self) -> tuple[Status, str]:
        """State while there are no contracts."""
        if self._failure is None:
            return Status.DOWN, "its contracts are being listed"
        left_s = max(self._retry_at_s - self._around.timer.now_s(), 0.0)
        word = Status.BLOCKED if isinstance(self._failure, Blocked) else Status.DOWN
        return word, f"{self._failure.user_message}; next attempt in {left_s:.0f} s"

    # ------------------------------------------------------------ rows

    def _drain_all(self) -> list[Batch]:
        """Rows of connections and polls; counted."""
        heard: collections.Counter[str] = collections.Counter()
        batches: list[Batch] = []
        for slot in self._slots.values():
            batches += slot.drain()
            heard.update(slot.take_heard())
        if self._sweep is not None:
            for batch in batches:
                if batch.kind is Kind.WALLET_FILL:
                    self._sweep.note_fills(batch)
        for one in (self._polling, self._sweep):
            if one is not None:
                heard.update(one.rows.heard)
                try:
                    batches += one.drain()
                except Exception:  # noqa: BLE001 - the recorder goes on for all venues
                    self._log.exception("answers cannot be taken", n_rows=one.rows.n_rows)
                    one.rows = Rows(self.venue.slug)
                    self._rejects, self._sweep_rejects = {}, {}
        if heard:
            self._count_rows(batches, heard)
        return batches

    def _count_rows(self, batches: Sequence[Batch], heard: Mapping[str, int]) -> None:
        now_ns = self._around.stamp()
        lags: dict[Kind, list[int]] = {}
        for batch in batches:
            if batch.kind not in self._lagged:
                lags.setdefault(batch.kind, []).extend(_lags_ns(batch))
        self._lagged |= lags.keys()
        for channel, n_rows in heard.items():
            kinds = self._kinds_of.get(channel, ())
            self.meter.rows(channel, n_rows, now_ns, [lag for kind in kinds for lag in lags.get(kind, ())])

    def _lose(self, lost: Lost) -> None:
        """Write what was missing, per kind and symbol."""
        self._rows.begin(b"", self._around.stamp())
        n_before = self._rows.n_rows
        for kind in sorted(self._kinds_of.get(lost.channel, ())):
            for symbol in lost.symbols:
                from_ns = lost.from_ns
                if not lost.from_ns:
                    from_ns = self._left_off.pop((f"{self.venue.slug}:{symbol}", kind), lost.to_ns)
                if lost.to_ns - from_ns > lost.least_ns:
                    self._rows.gap(symbol, kind, from_ns, lost.to_ns, lost.reason)
        if self._rows.n_rows > n_before:
            self.meter.gap(lost.channel)

    def _count_request(self, is_fine: bool) -> None:  # noqa: FBT001 - the only thing it tells
        self.meter.counts.n_requests += 1
        self.meter.counts.n_request_failures += not is_fine


def _whole(states: Sequence[tuple[Status, str]]) -> tuple[Status, str]:
    """State of a channel from those of the connections that carry it."""
    words = {status for status, _ in states}
    status, sentence = min(states, key=lambda state: _STATES.index(state[0]))
    if len(words) == 1:
        return status, sentence
    if words <= {Status.LIVE, Status.QUIET}:
        return next(state for state in states if state[0] is Status.LIVE)
    if words & {Status.LIVE, Status.QUIET, Status.PARTIAL}:
        n_fine = sum(state[0] in {Status.LIVE, Status.QUIET} for state in states)
        return Status.PARTIAL, f"{n_fine} of {len(states)} connections are well; {status}: {sentence}"
    return status, sentence


def _lags_ns(batch: Batch) -> list[int]:
    """Receive minus event time of some rows; none where rows are replayed or ours."""
    if batch.kind in _UNTIMED:
        return []
    replayed = 0 if batch.kind is Kind.BOOK_LEVEL else _SNAPSHOT
    some = batch.rows[:: max(len(batch) // _LAGS, 1)][:_LAGS].tolist()
    return [received_ns - event_ns for event_ns, received_ns, flags, *_ in some if not flags & replayed]


def _words(plan: SocketPlan) -> tuple[object, ...]:
    """What makes two plans the same on the wire."""
    return plan.url, plan.subscribe, plan.expects, plan.headers, dict(plan.channels)


def _meaning(item: Instrument) -> tuple[object, ...]:
    """Facts of a contract that change what its rows mean."""
    return item.contract_kind, item.qty_base(1.0, 1.0), item.quote


#: Kinds whose event time is not when something happened at the venue.
_UNTIMED: Final = frozenset({Kind.GAP, Kind.INSTRUMENT, Kind.SOURCE_STATUS, Kind.WALLET_POSITION})
_SNAPSHOT: Final = int(Flag.SNAPSHOT)
