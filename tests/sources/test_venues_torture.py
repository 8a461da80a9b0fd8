"""Every venue at once under every fault in turn: nothing that arrived is lost, nothing is told twice, all come back.

Faults are compressed in time: pings come every half second and every wait is short, so that a round of a second or two
meets what would take a minute outside. The long form repeats rounds for twenty minutes, or
FAULTLINE_TORTURE_SECONDS.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import gc
import math
import os
import random
import time
import tracemalloc

import pyarrow as pa
import pytest
from tests.sources.local_venue import contracts, now_ms, patience, until

from faultline.messages import Kind
from faultline.sources.recorder import Recorder
from faultline.sources.registry import SLUGS, venue_of
from faultline.tape import Tape, TapeWriter, verify
from faultline.testing.facts import LiquidationFact, TradeFact
from faultline.testing.link import Cut
from faultline.testing.server import VenueServer
from faultline.testing.venues import script_of

LONG = os.environ.get("FAULTLINE_TORTURE") == "1"
#: Whole time of faults, and of one round of them.
FAULTS_S = float(os.environ.get("FAULTLINE_TORTURE_SECONDS", "1200" if LONG else "14"))
ROUND_S = 2.0 if LONG else 0.7
#: Facts of one venue per second: a trade and a liquidation each.
FACTS_PER_S = 40.0 if LONG else 20.0
#: What is recorded with may grow by this much from the first third to the end. The account of facts, which this test
#: and its servers keep of all that was ever said, is far more and does not count.
GROWTH_MB = 25.0
#: Whose allocations count.
RECORDS_WITH = ("sources", "tape", "market", "messages.py", "instruments.py")

#: Switches of the server, by name of the fault.
SWITCHES = {
    "drop": {"drop_prob": 0.1},
    "duplicate": {"duplicate_prob": 0.1},
    "reorder": {"reorder_prob": 0.1},
    "corrupt": {"corrupt_prob": 0.1},
    "wrong JSON": {"spoil_prob": 0.1},
    "half a frame": {"half_prob": 0.02},
    "reset": {"reset_prob": 0.02},
    "delay": {"delay_s": 0.1, "jitter_s": 0.2},
    "slow loris": {"trickle_bytes_s": 2000.0},
    "silent stall": {"is_stalled": True},
    "answers spoilt": {"spoil_prob": 0.3, "answers_too": True},
    "handshake refused": {"handshake_status": 503},
    "429": {"rest_status": 429, "retry_after_s": 0.2, "handshake_status": 429},
    "5xx": {"rest_status": 502},
    "403": {"rest_status": 403, "handshake_status": 403},
    "REST spoilt": {"is_rest_spoilt": True},
    "REST halved": {"is_rest_halved": True},
    "connects reset": {"resets_connects": True},
    "connects hang": {"hangs_connects": True},
}
#: Faults that need a connection to be lost first.
CUTS = {"handshake refused", "429", "403", "connects reset", "connects hang", "REST halved", "5xx"}
FAULTS = tuple(SWITCHES)
#: Venues whose liquidations take their price from a frame of another topic, which may be lost: their number tells them.
PRICED_APART = {"orderly": "markprices"}


def hurried(slug):
    """The venue, with quick heartbeats, silence that is normal, and no limits that would slow the test down."""
    found = venue_of(slug)
    base = type(found.feed)

    def sockets(self, wanted):
        return [
            dataclasses.replace(
                plan,
                channels=dict.fromkeys(plan.channels, math.inf),
                heartbeat=dataclasses.replace(plan.heartbeat, every_s=0.5),
            )
            for plan in base.sockets(self, wanted)
        ]

    limits = dataclasses.replace(
        found.limits, connects_per_minute=100_000, frames_per_second=1e6, rest_weight=10**9
    )
    return dataclasses.replace(found, feed=type("Feed", (base,), {"sockets": sockets})(), limits=limits)


class Market:
    """Facts of one venue, each at a price of its own: one tick above the one before."""

    def __init__(self, server):
        self.server, self.slug = server, server.script.slug
        listed = {
            item.symbol for item in contracts([one.symbol for one in server.script.contracts], self.slug)
        }
        self.contract = min(
            (one for one in server.script.contracts if one.symbol in listed),
            key=lambda one: (one.base != "BTC", one.is_inverse, one.symbol),
        )
        self.number = 0
        self.published = set()
        self.kinds = venue_of(self.slug).kinds

    def key(self, kind, price_usd):
        return (self.slug, kind, round(price_usd / self.contract.tick_usd))

    def facts(self):
        symbol, tick = self.contract.symbol, self.contract.tick_usd
        self.number += 2
        first, second = (self.contract.price_usd + (self.number + step) * tick for step in (0, 1))
        # Where liquidations are marked trades, the trade is told too.
        told = ((Kind.TRADE, first), (Kind.LIQUIDATION, second), (Kind.TRADE, second))
        self.published |= {self.key(kind, price_usd) for kind, price_usd in told}
        return [
            TradeFact(symbol, now_ms(), self.number, first, 2.0, 1),
            LiquidationFact(symbol, now_ms(), self.number + 1, 1, second, 3.0),
        ]

    def keys(self, batch):
        """Keys of the facts of a batch."""
        if batch.kind is Kind.LIQUIDATION and self.slug in PRICED_APART:
            tick = self.contract.tick_usd
            prices = [self.contract.price_usd + number * tick for number in batch.rows["seq"].tolist()]
        else:
            prices = batch.rows["price_usd"].tolist()
        return [self.key(batch.kind, price) for price in prices]

    def told(self, deliveries):
        """How often each fact that is told over the socket was told."""
        kinds = {TradeFact: Kind.TRADE, LiquidationFact: Kind.LIQUIDATION}
        return collections.Counter(
            self.key(kinds[type(one.fact)], one.fact.price_usd)
            for one in deliveries
            if kinds.get(type(one.fact)) in self.kinds and one.topic != PRICED_APART.get(self.slug)
        )


class Taken:
    """What the recorder handed over: how often each trade and liquidation."""

    def __init__(self, markets):
        self._markets = {(market.slug, market.contract.symbol): market for market in markets}
        self.facts = collections.Counter()
        self.rows = collections.Counter()

    def listen(self, batches, _watermark_ns):
        for batch in batches:
            self.rows[(batch.kind, batch.instrument_id)] += len(batch)
            market = self._markets.get((batch.venue, batch.symbol))
            if market is not None and batch.kind in {Kind.TRADE, Kind.LIQUIDATION}:
                self.facts.update(market.keys(batch))


async def talk(market, stop):
    while not stop.is_set():
        await market.server.publish(*market.facts())
        await asyncio.sleep(2.0 / FACTS_PER_S)


async def suffer(markets, rng):
    """Every fault on every venue, each venue another at a time, as long as the test lasts."""
    met = collections.Counter()
    ends_s = time.monotonic() + FAULTS_S
    turn = 0
    while time.monotonic() < ends_s or turn < len(FAULTS):
        for place, market in enumerate(markets):
            name = FAULTS[(turn + place) % len(FAULTS)]
            market.server.faults.calm()
            for switch, value in SWITCHES[name].items():
                setattr(market.server.faults, switch, value)
            met[(market.slug, name)] += 1
            if name in CUTS:
                await market.server.cut(rng.choice(list(Cut)))
        turn += 1
        await asyncio.sleep(ROUND_S)
    return met


def recording_mb():
    """Memory that the recorder, the tape and everything below them hold."""
    gc.collect()
    ours = [
        tracemalloc.Filter(inclusive=True, filename_pattern=f"*/faultline/{part}*") for part in RECORDS_WITH
    ]
    traces = tracemalloc.take_snapshot().filter_traces(ours).traces
    return (sum(trace.size for trace in traces) + pa.total_allocated_bytes()) / 1e6


async def all_live(recorder, timeout_s=120.0):
    def unwell():
        return {
            (venue.venue, socket.name, socket.state)
            for venue in recorder.health.snapshot().venues
            for socket in venue.sockets
            if socket.state != "live"
        } | {
            (venue.venue, "", venue.status)
            for venue in recorder.health.snapshot().venues
            if not venue.sockets
        }

    try:
        await until(lambda: not unwell(), timeout_s=timeout_s)
    except TimeoutError:
        raise AssertionError(f"not live again: {sorted(unwell())}") from None


async def torture(path):
    tracemalloc.start()
    async with contextlib.AsyncExitStack() as stack:
        servers = [
            await stack.enter_async_context(VenueServer(script_of(slug), seed=place, prove_every_s=0.05))
            for place, slug in enumerate(SLUGS)
        ]
        markets = [Market(server) for server in servers]
        taken = Taken(markets)
        tape = stack.enter_context(TapeWriter(path, simulated=False))
        recorder = Recorder(
            [hurried(slug) for slug in SLUGS],
            {market.contract.base for market in markets},
            tape,
            sockets={server.script.slug: server.sockets for server in servers},
            rest={server.script.slug: server.rest for server in servers},
            rng=random.Random(1),
            patience=patience(
                dial_s=1.0, confirm_s=2.0, sync_s=1.0, pong_s=0.5, close_s=0.3, request_s=1.0, answer_s=2.0
            ),
            on_batches=taken.listen,
        )
        stop, quiet = asyncio.Event(), asyncio.Event()
        running = asyncio.create_task(recorder.run(stop))
        await all_live(recorder)
        talking = [asyncio.create_task(talk(market, quiet)) for market in markets]
        await asyncio.sleep(min(FAULTS_S / 3, 30.0) if LONG else 0.5)
        before_mb = recording_mb()
        met = await suffer(markets, random.Random(2))
        for server in servers:
            server.faults.calm()
        await all_live(recorder)
        quiet.set()
        await asyncio.gather(*talking)
        for market in markets:
            assert await market.server.settle(timeout_s=30.0), f"{market.slug} never read what was sent"
        expected = sum((market.told(market.server.delivered) for market in markets), collections.Counter())
        doubtful = sum((market.told(market.server.doubtful) for market in markets), collections.Counter())
        with contextlib.suppress(TimeoutError):
            await until(lambda: expected.keys() <= taken.facts.keys(), timeout_s=30.0)
        grown_mb = recording_mb() - before_mb
        tracemalloc.stop()
        stop.set()
        await running
        published = set().union(*(market.published for market in markets))
        return recorder, taken, expected, expected + doubtful, published, met, grown_mb


def most_often(key, told):
    """A liquidation is taken once. A trade is, of which two alike may be two, as often as its frame was sent."""
    return 1 if key[1] is Kind.LIQUIDATION else 2 * max(told[key], 1)


@pytest.mark.torture
@pytest.mark.timeout(240 if not LONG else 3600)
def test_nothing_that_arrived_is_lost_or_doubled_whatever_the_venues_do(tmp_path):
    recorder, taken, expected, told, published, met, grown_mb = asyncio.run(torture(tmp_path / "tape"))
    assert {name for _, name in met} == set(FAULTS)
    if LONG:
        assert len(met) == len(SLUGS) * len(FAULTS)
    lost = expected.keys() - taken.facts.keys()
    assert not lost, f"{len(lost)} of {len(expected)} facts that arrived are lost, e.g. {sorted(lost)[:5]}"
    doubled = {key: n for key, n in taken.facts.items() if n > most_often(key, told)}
    assert not doubled, f"{len(doubled)} facts were told more than once, e.g. {sorted(doubled.items())[:5]}"
    assert taken.facts.keys() <= published
    tape = Tape(tmp_path / "tape")
    assert {(kind, iid): tape.n_rows(kind, iid) for kind, iid in tape.pairs()} == dict(taken.rows)
    assert verify(tmp_path / "tape").ok
    venues = recorder.health.snapshot().venues
    assert {venue.venue for venue in venues} == set(SLUGS)
    assert all(venue.n_reconnects > 0 for venue in venues)
    assert grown_mb < GROWTH_MB, f"grown by {grown_mb:.0f} MB"
    print(
        f"{len(expected):,} facts of {len(SLUGS)} venues, {sum(met.values()):,} faults, {grown_mb:.0f} MB more"
    )
