"""Every row that was read is handed over once, in time, and is on the tape when the recorder has stopped."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import random
import threading
import time

import numpy as np
import pytest
from tests.sources.local_venue import (
    PATIENCE,
    TRADES,
    Recording,
    book,
    connected,
    contracts,
    linear,
    liquidation,
    local,
    mark,
    patience,
    patient,
    plain_script,
    trade,
    until,
    venue,
)

from faultline.clock import ManualClock
from faultline.errors import TapeError
from faultline.messages import Kind, TradeCause
from faultline.sources.raw_frames import RawFrames, read_raw_frames
from faultline.sources.recorder import Recorder
from faultline.sources.rows import Rows
from faultline.sources.tape_tail import Tail, read_tail
from faultline.tape import Tape, TapeWriter
from faultline.testing.facts import LiquidationFact, TradeFact
from faultline.testing.link import Cut
from faultline.testing.server import VenueServer
from faultline.testing.venues import script_of


class SlowTape:
    """Takes rows slowly, or not at all."""

    path = "slow"

    def __init__(self, append_s=0.0, failure=None):
        self.append_s, self.failure = append_s, failure
        self.batches = []

    def append(self, batches):
        time.sleep(self.append_s)
        if self.failure is not None:
            raise self.failure
        self.batches += batches


def check_watermarks(flushes):
    """No row comes later than a watermark that had passed it; watermarks never go back."""
    before_ns = 0
    for batches, watermark_ns in flushes:
        assert watermark_ns >= before_ns
        for batch in batches:
            received = batch.rows["ts_received_ns"]
            assert (np.diff(received) >= 0).all()
            assert received.min() >= before_ns, f"a row of {batch.kind} came too late"
            assert received.max() <= watermark_ns
        before_ns = watermark_ns


def taken(flushes):
    """Trades and liquidations that were handed over: how often each."""
    found = collections.Counter()
    for batches, _ in flushes:
        for batch in batches:
            if batch.kind is Kind.TRADE:
                found.update(("trade", batch.symbol, int(row["seq"])) for row in batch.rows)
            elif batch.kind is Kind.LIQUIDATION:
                found.update(("liquidation", batch.symbol, float(row["qty_base"])) for row in batch.rows)
    return found


def told(server):
    """Trades and liquidations that the server told, and that arrived: how often each."""
    found = collections.Counter()
    for one in server.delivered:
        if isinstance(one.fact, TradeFact):
            found[("trade", one.fact.symbol, one.fact.seq)] += 1
        elif isinstance(one.fact, LiquidationFact):
            found[("liquidation", one.fact.symbol, one.fact.qty_base)] += 1
    return found


def on_tape(path):
    """Number of rows on a tape by kind and instrument."""
    tape = Tape(path)
    return {(kind, name): len(tape.read(kind, name)) for kind in Kind for name in tape.ids(kind)}


def handed_over(flushes):
    """The same of what was handed over."""
    found = collections.Counter()
    for batches, _ in flushes:
        for batch in batches:
            found[(batch.kind, batch.instrument_id)] += len(batch)
    return dict(found)


# ---------------------------------------------------------------- exact accounting


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_arrived_is_handed_over_once_and_is_on_the_tape_whatever_the_venue_does(tmp_path, seed):
    rng = random.Random(seed)

    async def go():
        with TapeWriter(tmp_path / "tape", simulated=False) as tape:
            async with local(seed=seed) as server:
                recording = Recording([server], tape, venues=[venue(sockets=patient)])
                async with recording.running():
                    await connected(server, recording)
                    faults = server.faults
                    faults.drop_prob = faults.corrupt_prob = faults.spoil_prob = faults.reorder_prob = 0.02
                    for number in range(400):
                        facts = [trade(number), liquidation(number), mark(100_000.0 + number)]
                        facts.append(trade(number, symbol="BTCUSD"))
                        await server.publish(*facts, book(number + 1, is_snapshot=number % 50 == 0))
                        if rng.random() < 0.02:
                            await server.cut(rng.choice(list(Cut)))
                            await server.subscribed(TRADES, "publicTrade.BTCUSD", timeout_s=60.0)
                        await asyncio.sleep(0.001)
                    faults.calm()
                    await server.publish(trade(10_000))
                    await server.settle()
                    await until(lambda: recording.trades()[-1:] == [10_000])
                    await asyncio.sleep(0.1)
                    expected = told(server)
                    doubtful = {repr(one.fact) for one in server.doubtful}
        return recording, expected, doubtful

    recording, expected, doubtful = asyncio.run(go())
    found = taken(recording.flushes)
    assert max(found.values()) == 1
    if not doubtful:
        assert found == expected
    assert expected <= found
    assert len(found) <= len(expected) + len(doubtful)
    check_watermarks(recording.flushes)
    assert on_tape(tmp_path / "tape") == handed_over(recording.flushes)
    assert recording.venue().n_reconnects > 0
    rejects = sum(one.n for channel in recording.venue().channels for one in channel.rejects)
    assert rejects > 0


def test_rows_on_the_tape_are_those_handed_over(tmp_path):
    async def go():
        with TapeWriter(tmp_path / "tape", simulated=False) as tape:
            async with local() as server:
                recording = Recording([server], tape, venues=[venue(sockets=linear)])
                async with recording.running():
                    await connected(server, recording)
                    await server.publish(*(trade(number) for number in range(300)))
                    await until(lambda: len(recording.trades()) == 300)
                    await until(lambda: recording.recorder.n_rows_acknowledged >= 300)
        return recording

    recording = asyncio.run(go())
    rows = Tape(tmp_path / "tape").read(Kind.TRADE, "bybit:BTCUSDT")
    assert rows.tolist() == [row.item() for row in recording.rows(Kind.TRADE)]
    assert set(rows["cause"].tolist()) == {TradeCause.ORDINARY}


def test_stopping_hands_over_and_acknowledges_everything_that_was_read(tmp_path):
    async def go():
        with TapeWriter(tmp_path / "tape", simulated=False) as tape:
            async with local() as server:
                # No flush but the last: everything is handed over by the end.
                recording = Recording([server], tape, venues=[venue(sockets=linear)], flush_s=3600.0)
                async with recording.running():
                    await server.subscribed(TRADES, timeout_s=60.0)
                    await server.publish(*(trade(number) for number in range(500)))
                    assert await server.settle(timeout_s=60.0)
                    expected = told(server)
        return recording, expected

    recording, expected = asyncio.run(go())
    assert taken(recording.flushes) == expected
    assert sum(expected.values()) == 500
    assert on_tape(tmp_path / "tape") == handed_over(recording.flushes)
    assert recording.recorder.n_rows_acknowledged == sum(handed_over(recording.flushes).values())


def test_the_clock_may_go_back_and_receive_times_do_not():
    async def go():
        clock = ManualClock(time.time_ns())
        async with local() as server:
            recording = Recording([server], clock=clock, venues=[venue(sockets=linear)])
            async with recording.running():
                await connected(server, recording)
                for number in range(20):
                    clock._now_ns += 10**9 if number % 2 else -(10**9)
                    await server.publish(trade(number))
                    await until(lambda number=number: len(recording.trades()) == number + 1)
        return recording

    recording = asyncio.run(go())
    check_watermarks(recording.flushes)
    stamps = [int(row["ts_received_ns"]) for row in recording.rows(Kind.TRADE)]
    assert stamps == sorted(stamps)


def test_flushes_come_even_where_nothing_happens_and_move_the_watermark():
    async def go():
        async with local() as server:
            recording = Recording([server], venues=[venue(sockets=linear)])
            async with recording.running():
                await connected(server, recording)
                n_before = len(recording.flushes)
                await until(lambda: len(recording.flushes) > n_before + 10)
        return recording.flushes[n_before:]

    flushes = asyncio.run(go())
    assert flushes[0][1] < flushes[-1][1]


def test_a_second_run_on_the_same_tape_says_what_was_missing_and_doubles_nothing(tmp_path):
    facts = [trade(number) for number in range(6)] + [liquidation(number) for number in range(4)]
    received = type(script_of("bybit")).received

    def replay(self, client, frame, now_ns):
        frames = received(self, client, frame, now_ns)
        if b"publicTrade" in frame and self.replayed:
            frames += [content for fact in self.replayed for _, content in self.frames(fact, now_ns)]
        return frames

    script = plain_script(received=replay)
    script.replayed = []

    async def go(publish, n_trades):
        with TapeWriter(tmp_path / "tape", simulated=False) as tape:
            async with local(script) as server:
                recording = Recording([server], tape, venues=[venue(sockets=linear)])
                async with recording.running():
                    await connected(server, recording)
                    await server.publish(*publish)
                    await until(lambda: len(recording.trades()) == n_trades)
        return recording

    first = asyncio.run(go([*facts[:5], *facts[6:9]], 5))
    assert first.rows(Kind.GAP) == []
    last_ns = max(int(row["ts_received_ns"]) for row in first.rows(Kind.LIQUIDATION))
    # The venue replays all of it to the second run, with a trade and a liquidation that it missed.
    script.replayed = facts
    second = asyncio.run(go([trade(6)], 2))
    assert second.trades() == [5, 6]
    assert len(second.rows(Kind.LIQUIDATION)) == 1
    for kind in (Kind.TRADE, Kind.LIQUIDATION, Kind.BOOK_LEVEL, Kind.MARK):
        (gap,) = second.gaps(kind)
        assert gap["reason"] == b"recorder_down"
        assert gap["from_ns"] == last_ns
        assert last_ns < gap["to_ns"] <= second.rows(Kind.TRADE)[0]["ts_received_ns"]
    assert second.gaps(Kind.TRADE, "bybit:BTCUSD") == []
    rows = Tape(tmp_path / "tape").read(Kind.TRADE, "bybit:BTCUSDT")
    assert sorted(rows["seq"].tolist()) == list(range(7))
    check_watermarks(second.flushes)


def test_the_end_of_a_tape_that_cannot_be_read_stops_nobody(tmp_path):
    assert read_tail(tmp_path / "nothing", ["bybit"]) == {"bybit": Tail()}


# ---------------------------------------------------------------- backpressure


def test_a_slow_tape_pauses_reading_and_loses_nothing():
    tape = SlowTape(append_s=0.02)

    async def go():
        async with local() as server:
            recording = Recording(
                [server], tape, venues=[venue(sockets=linear)], rows_waiting_max=40, flush_s=0.001
            )
            most = 0
            async with recording.running():
                await connected(server, recording)
                for first in range(0, 2000, 20):
                    await server.publish(*(trade(number) for number in range(first, first + 20)))
                    most = max(most, recording.health.snapshot().writer.rows_waiting)
                await until(lambda: len(recording.trades()) == 2000, timeout_s=60.0)
                writer = recording.health.snapshot().writer
                assert recording.venue().n_reconnects == 0
        return recording, writer, most

    recording, writer, most = asyncio.run(go())
    assert recording.trades() == list(range(2000))
    assert writer.n_pauses > 0
    assert writer.paused_s > 0
    assert writer.rows_waiting_max == 40
    assert most < 2000
    on_it = [int(row["seq"]) for batch in tape.batches if batch.kind is Kind.TRADE for row in batch.rows]
    assert on_it == list(range(2000))


def test_a_long_pause_is_not_taken_for_silence():
    tape = SlowTape()

    def sockets(self, wanted):
        return [
            dataclasses.replace(plan, channels={"publicTrade": 0.2})
            for plan in super(type(self), self).sockets(wanted)[:1]
        ]

    async def go():
        async with local() as server:
            recording = Recording([server], tape, venues=[venue(sockets=sockets)], rows_waiting_max=5)
            async with recording.running():
                await connected(server, recording)
                tape.append_s = 1.0
                await server.publish(*(trade(number) for number in range(50)))
                await until(lambda: recording.health.snapshot().writer.is_paused)
                await asyncio.sleep(0.6)
                n_reconnects = recording.venue().n_reconnects
                tape.append_s = 0.0
                await until(lambda: len(recording.trades()) == 50)
        return n_reconnects

    assert asyncio.run(go()) == 0


# ---------------------------------------------------------------- failures


def test_a_tape_that_refuses_ends_the_recorder_and_says_why():
    failure = TapeError("the disk is full", where="slow")

    async def go():
        async with local() as server:
            recording = Recording([server], SlowTape(failure=failure), venues=[venue(sockets=linear)])
            with pytest.raises(TapeError, match="disk is full"):
                await asyncio.wait_for(recording.recorder.run(asyncio.Event()), 20.0)
            return recording.health.snapshot().writer

    writer = asyncio.run(go())
    assert "disk is full" in writer.failure
    assert writer.n_rows_acknowledged == 0


def test_a_listener_that_fails_costs_no_row():
    calls = []

    def listen(batches, watermark_ns):
        calls.append(watermark_ns)
        raise ZeroDivisionError("by a listener")

    async def go():
        tape = SlowTape()
        async with local() as server:
            recording = Recording([server], tape, venues=[venue(sockets=linear)], on_batches=listen)
            async with recording.running():
                await connected(server, recording)
                await server.publish(trade(1))
                await until(lambda: any(batch.kind is Kind.TRADE for batch in tape.batches))
            return recording.recorder.n_listener_failures

    assert asyncio.run(go()) == len(calls) > 0


def test_a_disk_that_takes_no_raw_frames_costs_no_row(tmp_path):
    (tmp_path / "bybit").write_text("not a folder")

    async def go():
        async with local() as server:
            recording = Recording([server], venues=[venue(sockets=linear)], raw=RawFrames(tmp_path))
            async with recording.running():
                await connected(server, recording)
                await server.publish(trade(1))
                await until(lambda: recording.trades() == [1])

    asyncio.run(go())


# ---------------------------------------------------------------- raw frames


def often(self, wanted):
    """Polls that are not waited for."""
    return [dataclasses.replace(poll, every_s=0.05) for poll in super(type(self), self).polls(wanted)]


def test_raw_frames_give_the_same_rows_again(tmp_path):
    async def go():
        async with local() as server:
            options = {"raw": RawFrames(tmp_path), "venues": [venue(sockets=linear, polls=often)]}
            recording = Recording([server], **options)
            async with recording.running():
                await connected(server, recording)
                await server.publish(*(trade(number) for number in range(30)), liquidation(1))
                await until(lambda: len(recording.trades()) == 30 and recording.rows(Kind.LIQUIDATION))
                await until(lambda: recording.channel("account-ratio").status == "live")
        return recording

    recording = asyncio.run(go())
    mapper = venue().mapper({item.symbol: item for item in contracts()})
    rows = Rows("bybit")
    for path in sorted(tmp_path.rglob("linear-0-*.gz")):
        for received_ns, frame in read_raw_frames(path):
            mapper.map(frame, received_ns, rows)
    again = {batch.kind: batch.rows.tolist() for batch in rows.drain()}
    for kind in (Kind.TRADE, Kind.LIQUIDATION):
        assert again[kind] == [row.item() for row in recording.rows(kind)]
    assert rows.rejects == {}
    assert list(tmp_path.rglob("rest-account-ratio-*.gz"))


# ---------------------------------------------------------------- threads and ends


class Elsewhere:
    """A server in a loop and thread of its own."""

    def __init__(self):
        self.ready, self.stop = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self.run()))

    async def run(self):
        async with VenueServer(script_of("bybit")) as server:
            self.server, self.loop = server, asyncio.get_running_loop()
            self.ready.set()
            while not self.stop.is_set():  # noqa: ASYNC110 - another thread sets it
                await asyncio.sleep(0.005)

    def do(self, what):
        return asyncio.run_coroutine_threadsafe(what, self.loop).result(20.0)

    def __enter__(self):
        self.thread.start()
        assert self.ready.wait(20.0)
        return self

    def __exit__(self, *exc):
        self.stop.set()
        self.thread.join()


def recorder_of(server, tape=None, **options):
    return Recorder(
        [venue(sockets=linear)],
        {"BTC"},
        tape,
        sockets={"bybit": server.sockets},
        rest={"bybit": server.rest},
        rng=random.Random(1),
        **{"patience": PATIENCE, **options},
    )


def wait_until(is_so):
    end_s = time.monotonic() + 20.0
    while not is_so():
        assert time.monotonic() < end_s
        time.sleep(0.005)


def test_it_runs_in_a_thread_of_its_own_and_leaves_none(tmp_path):
    before = set(threading.enumerate())
    with Elsewhere() as there, TapeWriter(tmp_path / "tape", simulated=False) as tape:
        with recorder_of(there.server, tape) as recorder:
            there.do(there.server.subscribed(TRADES, timeout_s=60.0))
            there.do(there.server.publish(*(trade(number) for number in range(10))))
            wait_until(lambda: recorder.health.snapshot().venues[0].status == "live")
            wait_until(lambda: recorder.n_rows_acknowledged >= 10)
            assert recorder.failure is None
            assert not recorder.wait(0.0)
            with pytest.raises(RuntimeError, match="runs once"):
                recorder.start()
        assert recorder.wait(0.0)
        recorder.stop()
        tape.seal()
        assert len(Tape(tmp_path / "tape").read(Kind.TRADE, "bybit:BTCUSDT")) == 10
    assert {one for one in threading.enumerate() if "recorder" in one.name or "tape" in one.name} <= before


def test_a_recorder_that_was_never_started_stops_at_once():
    with Elsewhere() as there:
        recorder = recorder_of(there.server)
        recorder.stop()
        assert not recorder.wait(0.0)
        assert recorder.health.snapshot().venues[0].status == "down"


def test_a_failure_in_the_thread_is_raised_once_by_stop():
    with Elsewhere() as there:
        recorder = recorder_of(there.server, SlowTape(failure=TapeError("the disk is full")))
        recorder.start()
        wait_until(lambda: recorder.wait(0.01))
        assert isinstance(recorder.failure, TapeError)
        with pytest.raises(TapeError, match="disk is full"):
            recorder.stop()
        recorder.stop()
        assert isinstance(recorder.failure, TapeError)


@pytest.mark.parametrize("fault", ["hangs_connects", "is_stalled"])
def test_it_stops_soon_while_a_venue_hangs(fault):
    async def go():
        async with local() as server:
            setattr(server.faults, fault, True)
            recording = Recording([server], patience=patience(dial_s=600.0, request_s=600.0, answer_s=600.0))
            async with recording.running():
                await asyncio.sleep(0.2)
                began_s = time.monotonic()
            took_s = time.monotonic() - began_s
            left = [one for one in asyncio.all_tasks() if one is not asyncio.current_task()]
            return took_s, [one for one in left if "sources" in repr(one.get_coro())]

    took_s, left = asyncio.run(go())
    assert took_s < 5.0
    assert left == []


def test_it_stops_soon_while_sockets_shake_hands():
    async def go():
        async with local() as server:
            recording = Recording([server], patience=patience(dial_s=600.0))
            async with recording.running():
                await connected(server, recording)
                server.faults.hangs_connects = True
                await server.cut()
                await until(lambda: {one.state for one in recording.venue().sockets} == {"dialling"})
                await asyncio.sleep(0.1)
                began_s = time.monotonic()
            return time.monotonic() - began_s

    assert asyncio.run(go()) < 5.0


def test_many_venues_at_once_are_told_apart():
    async def go():
        async with contextlib.AsyncExitStack() as stack:
            servers = [await stack.enter_async_context(local()) for _ in range(3)]
            names = ("bybit", "okx", "gate")
            venues = [dataclasses.replace(venue(sockets=linear), slug=name) for name in names]
            recording = Recording(servers[:1], venues=venues)
            for supervisor, server in zip(recording.recorder._supervisors, servers, strict=True):
                supervisor._addresses, supervisor._sockets = server.rest, server.sockets
            async with recording.running():
                for number, server in enumerate(servers):
                    await server.subscribed(TRADES, timeout_s=60.0)
                    await server.publish(trade(number))
                await until(lambda: all(one.status == "live" for one in recording.health.snapshot().venues))
                await servers[1].cut()
                await servers[1].subscribed(TRADES, timeout_s=60.0)
                await until(lambda: recording.venue("okx").n_reconnects == 1)
                assert recording.venue("bybit").n_reconnects == recording.venue("gate").n_reconnects == 0

    asyncio.run(go())
