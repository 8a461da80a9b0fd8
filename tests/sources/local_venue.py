"""What tests of connections share: short patience, a clock that sleeps in no time, and a venue on the loopback."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import math
import random
import time

from faultline.messages import Kind, merge_batches
from faultline.sources.connection import Connection, Wiring
from faultline.sources.pacing import LoopTimer, Patience
from faultline.sources.plan import Limits, Wanted
from faultline.sources.recorder import Recorder
from faultline.sources.registry import venue_of
from faultline.testing.facts import BookFact, LiquidationFact, MarkFact, TradeFact
from faultline.testing.script import Answer
from faultline.testing.server import VenueServer
from faultline.testing.venues import script_of

#: Short where a test waits for the end of it, long where the machine may be slow.
PATIENCE = Patience(
    dial_s=5.0,
    confirm_s=5.0,
    sync_s=5.0,
    pong_s=5.0,
    close_s=2.0,
    request_s=5.0,
    answer_s=10.0,
    check_s=0.02,
    backoff_first_s=0.02,
    backoff_most_s=0.05,
    healthy_s=5.0,
    relist_s=3600.0,
    renew_s=3600.0,
    recheck_s=60.0,
    look_s=0.01,
)
SYMBOL = "BTCUSDT"
TRADES = f"publicTrade.{SYMBOL}"
BOOK = f"orderbook.200.{SYMBOL}"


class FakeTimer:
    """Sleeps in no time, and notes for how long."""

    def __init__(self):
        self.at_s = 0.0
        self.slept_s = []

    def now_s(self):
        return self.at_s

    async def sleep(self, delay_s):
        self.slept_s.append(delay_s)
        self.at_s += delay_s
        await asyncio.sleep(0)


def patience(**changed):
    return dataclasses.replace(PATIENCE, **changed)


async def until(is_so, timeout_s=60.0):
    """Wait until something is so."""
    async with asyncio.timeout(timeout_s):
        while not is_so():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.005)


def now_ms():
    return time.time_ns() // 10**6 * 10**6


def trade(number, price_usd=100_000.0, symbol=SYMBOL):
    return TradeFact(symbol, now_ms(), number, price_usd + number, 1.0, 1)


def liquidation(number, symbol=SYMBOL):
    return LiquidationFact(symbol, now_ms(), number, 1, 100_000.0, 0.5 + number)


def book(number, *, is_snapshot=False, symbol=SYMBOL):
    bids = tuple((99_990.0 - step, 1.0 + number) for step in range(3))
    asks = tuple((100_010.0 + step, 1.0 + number) for step in range(3))
    return BookFact(symbol, now_ms(), number, bids, asks, is_snapshot=is_snapshot)


def mark(price_usd=100_000.0, symbol=SYMBOL):
    return MarkFact(symbol, now_ms(), price_usd, price_usd)


def venue(slug="bybit", *, limits=None, **feed):
    """A venue, with other limits; ``feed`` replaces methods of its feed."""
    found = venue_of(slug)
    if feed:
        base = type(found.feed)
        found = dataclasses.replace(found, feed=type("Feed", (base,), feed)())
    return found if limits is None else dataclasses.replace(found, limits=limits)


def plain_script(slug="bybit", **methods):
    """A script, some of whose methods are replaced."""
    script = script_of(slug)
    script.__class__ = type("Script", (type(script),), methods)
    return script


def contracts(symbols=(SYMBOL,), slug="bybit"):
    """Contracts of the script's listing."""
    feed, script, answers = venue_of(slug).feed, script_of(slug), {}
    for name, first in feed.listing():
        request, pages = first, answers.setdefault(name, [])
        while request is not None:
            method, body = ("GET", b"") if request.body is None else ("POST", request.body)
            pages.append(script.answer(method, request.path, dict(request.query), body, 0).body)
            request = feed.next_page(name, pages[-1])
    return [item for item in feed.contracts(answers) if item.symbol in symbols]


def refusing(*symbols):
    """A script's ``received`` that refuses requests with some symbols, though they are listed."""
    import msgspec

    def received(self, client, frame, now_ns):
        ask = msgspec.json.decode(frame)
        if any(topic.endswith(symbols) for topic in ask.get("args", ())):
            answer = {"success": False, "ret_msg": "not for you", "req_id": ask["req_id"], "op": ask["op"]}
            return [msgspec.json.encode(answer)]
        return super(type(self), self).received(client, frame, now_ns)

    return received


def nothing_listed(self, method, path, query, body, now_ns):
    return Answer(200, b'{"retCode":0,"result":{"list":[],"nextPageCursor":""}}')


class Bench:
    """One connection to a server, run in a task.

    ``changes`` replace parts of the plan.
    """

    def __init__(self, server, symbols=(SYMBOL,), *, kinds=None, patience=PATIENCE, wiring=None, **changes):
        found = venue_of("bybit")
        items = contracts(symbols)
        wanted = Wanted(items, found.kinds if kinds is None else frozenset(kinds), server.sockets)
        plan = dataclasses.replace(found.feed.sockets(wanted)[0], **changes)
        options = {"timer": LoopTimer(), "patience": patience, "limits": Limits(frames_per_second=1000.0)}
        self.raw = []
        self.wiring = Wiring(
            stamp=time.time_ns,
            rng=random.Random(1),
            keep_raw=lambda *line: self.raw.append(line),
            **{**options, **(wiring or {})},
        )
        self.connection = Connection(plan, found.mapper({item.symbol: item for item in items}), self.wiring)
        self.batches = []

    def rows(self, kind):
        """Rows of a kind so far."""
        self.batches += self.connection.rows.drain()
        return [row for batch in self.batches if batch.kind is kind for row in batch.rows]

    @contextlib.asynccontextmanager
    async def running(self):
        task = asyncio.create_task(self.connection.run())
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def ready(self):
        async with asyncio.timeout(60.0):
            await self.connection.ready.wait()

    async def failure(self, task, timeout_s=60.0):
        """Why the connection ends."""
        await asyncio.wait({task}, timeout=timeout_s)
        assert task.done(), "the connection goes on"
        return task.exception()


class Recording:
    """A recorder that runs in the test's own loop, and everything it handed over."""

    def __init__(self, servers, tape=None, *, assets=("BTC",), venues=None, **options):
        self.flushes = []
        names = [server.script.slug for server in servers]
        self.recorder = Recorder(
            venues or [venue(name) for name in names],
            assets,
            tape,
            sockets={name: server.sockets for name, server in zip(names, servers, strict=True)},
            rest={name: server.rest for name, server in zip(names, servers, strict=True)},
            rng=random.Random(1),
            **{"patience": PATIENCE, "flush_s": 0.005, "on_batches": self._listen, **options},
        )
        self.health = self.recorder.health

    def _listen(self, batches, watermark_ns):
        # They come in no order: two connections may tell of one instrument.
        self.flushes.append((merge_batches(batches), watermark_ns))

    def rows(self, kind, instrument_id=f"bybit:{SYMBOL}"):
        """Rows of a kind and instrument that were handed over."""
        return [
            row
            for batches, _ in self.flushes
            for batch in batches
            if batch.kind is kind and batch.instrument_id == instrument_id
            for row in batch.rows
        ]

    def trades(self):
        """Numbers of the trades."""
        return [int(row["seq"]) for row in self.rows(Kind.TRADE)]

    def gaps(self, kind, instrument_id=f"bybit:{SYMBOL}"):
        rows = self.rows(Kind.GAP, instrument_id)
        return [row for row in rows if row["missing_kind"] == kind.value.encode()]

    def statuses(self, channel, slug="bybit"):
        """Words of the rows about a channel."""
        rows = self.rows(Kind.SOURCE_STATUS, f"{slug}:all")
        return [row["status"].decode() for row in rows if row["channel"] == channel.encode()]

    def venue(self, slug="bybit"):
        return next(one for one in self.health.snapshot().venues if one.venue == slug)

    def channel(self, name, slug="bybit"):
        return next(one for one in self.venue(slug).channels if one.channel == name)

    @contextlib.asynccontextmanager
    async def running(self):
        stop = asyncio.Event()
        task = asyncio.create_task(self.recorder.run(stop))
        try:
            yield self
        finally:
            stop.set()
            await task


@contextlib.asynccontextmanager
async def local(script=None, **options):
    """A server that plays Bybit."""
    async with VenueServer(script or script_of("bybit"), **options) as server:
        yield server


def patient(self, wanted):
    """Plans on whose channels silence is normal."""
    plans = super(type(self), self).sockets(wanted)
    return [dataclasses.replace(plan, channels=dict.fromkeys(plan.channels, math.inf)) for plan in plans]


def linear(self, wanted):
    """The first of those."""
    return patient(self, wanted)[:1]


def play(test, *, script=None, **options):
    """Run a test coroutine with a server and a recorder that reads it."""

    async def go():
        async with local(script) as server:
            recording = Recording([server], **{"venues": [venue(sockets=linear)], **options})
            async with recording.running():
                await test(server, recording)
            return recording

    return asyncio.run(go())


async def connected(server, recording, n=1):
    """Wait until linear contracts are subscribed and the recorder knows it."""
    await server.subscribed(TRADES, clients=n, timeout_s=60.0)
    await until(lambda: recording.channel("publicTrade").status in {"live", "quiet"})
