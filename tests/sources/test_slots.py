"""Connections that are lost, grow old and are replaced, and what reaches the tape of it."""

from __future__ import annotations

import asyncio
import dataclasses
import math

import msgspec
import pytest
import structlog
from tests.sources.local_venue import (
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
    play,
    trade,
    until,
    venue,
)

from faultline.messages import Flag, Kind
from faultline.sources.connection import Connection
from faultline.sources.plan import Limits, Request, Ticket, Wanted
from faultline.sources.slots import symbols_of
from faultline.testing.link import Cut
from faultline.testing.script import Answer
from faultline.testing.venues import script_of

#: Connections are replaced after half a second.
SHORT_LIVED = Limits(socket_life_s=0.6, connects_per_minute=1000, frames_per_second=1000.0)


def hasty(self, wanted):
    """Plans on whose books silence is soon too long."""
    plans = super(type(self), self).sockets(wanted)
    return [
        dataclasses.replace(plan, channels={**dict.fromkeys(plan.channels, math.inf), "orderbook": 0.3})
        for plan in plans[:1]
    ]


# ---------------------------------------------------------------- coming back


@pytest.mark.parametrize("how", list(Cut))
def test_a_lost_connection_comes_back_and_what_was_missing_is_a_gap_per_symbol_and_kind(how):
    async def test(server, recording):
        await connected(server, recording)
        await server.publish(trade(1), book(1, is_snapshot=True), mark())
        await until(lambda: recording.trades() == [1] and recording.rows(Kind.BOOK_LEVEL))
        last_ns = max(int(row["ts_received_ns"]) for row in recording.rows(Kind.MARK))
        await server.cut(how)
        await connected(server, recording)
        await server.publish(trade(2))
        await until(lambda: recording.trades() == [1, 2] and recording.gaps(Kind.BOOK_LEVEL))
        await until(lambda: recording.gaps(Kind.TRADE, "bybit:BTCUSD"))
        for kind in (Kind.TRADE, Kind.LIQUIDATION, Kind.MARK, Kind.FUNDING, Kind.OPEN_INTEREST):
            (gap,) = recording.gaps(kind)
            assert gap["reason"] == b"disconnect"
            assert gap["from_ns"] >= last_ns
            assert gap["from_ns"] < gap["to_ns"] <= gap["ts_received_ns"]
            assert len(recording.gaps(kind, "bybit:BTCUSD")) == 1
        (gap,) = recording.gaps(Kind.BOOK_LEVEL)
        snapshot = [row for row in recording.rows(Kind.BOOK_LEVEL) if row["flags"] & Flag.SNAPSHOT][-1]
        assert gap["to_ns"] == snapshot["ts_received_ns"]
        assert recording.gaps(Kind.RATIO) == []
        assert recording.venue().n_reconnects == 2
        assert recording.channel("publicTrade").n_gaps == 2

    play(test, venues=[venue(sockets=patient)])


def test_changes_of_state_are_rows():
    async def test(server, recording):
        await connected(server, recording)
        await server.cut()
        await connected(server, recording)
        await until(lambda: len(recording.statuses("publicTrade")) == 3)

    recording = play(test)
    assert recording.statuses("publicTrade") == ["live", "down", "live", "down"]
    assert recording.rows(Kind.SOURCE_STATUS, "bybit:all")[-1]["detail"] == b"the recorder was stopped"


def test_nothing_is_missing_where_nothing_was_connected_before():
    async def test(server, recording):
        server.faults.handshake_status = 503
        await until(lambda: "HTTP 503" in recording.channel("publicTrade").sentence)
        server.faults.calm()
        await connected(server, recording)

    recording = play(test)
    assert recording.gaps(Kind.TRADE) == []
    assert recording.statuses("publicTrade") == ["live", "down"]


def test_what_is_still_missing_at_the_end_is_a_gap_up_to_the_end():
    async def test(server, recording):
        await connected(server, recording)
        await server.publish(trade(1), book(1, is_snapshot=True))
        await until(lambda: recording.rows(Kind.BOOK_LEVEL))
        await server.refuse_connects(refuse=True)
        await server.cut()
        await until(lambda: recording.channel("publicTrade").status == "down")

    recording = play(test)
    (trades,), (books,) = recording.gaps(Kind.TRADE), recording.gaps(Kind.BOOK_LEVEL)
    assert trades["from_ns"] < trades["to_ns"] == books["to_ns"] <= trades["ts_received_ns"]


def test_rows_that_a_venue_replays_after_a_reconnect_are_taken_once():
    async def test(server, recording):
        replayed = []
        received = type(server.script).received

        def replay(self, client, frame, now_ns):
            frames = received(self, client, frame, now_ns)
            if TRADES in client.topics and b"publicTrade" in frame:
                frames += [content for fact in replayed for _, content in self.frames(fact, now_ns)]
            return frames

        server.script.__class__ = type("Script", (type(server.script),), {"received": replay})
        await connected(server, recording)
        facts = [trade(number) for number in range(5)] + [liquidation(number) for number in range(3)]
        await server.publish(*facts)
        await until(lambda: len(recording.trades()) == 5)
        # While we are away two more happen; a replay shows them with those we have.
        replayed += [*facts, trade(5), liquidation(3), liquidation(4)]
        await server.cut()
        await until(lambda: len(recording.trades()) == 6)
        await server.publish(trade(6))
        await until(lambda: len(recording.trades()) == 7)

    recording = play(test)
    assert recording.trades() == list(range(7))
    sizes = [float(row["qty_base"]) for row in recording.rows(Kind.LIQUIDATION)]
    assert sizes == [0.5, 1.5, 2.5, 3.5, 4.5]
    assert recording.venue().n_duplicates == 8


def test_a_stalled_but_open_socket_is_cut_and_replaced():
    async def test(server, recording):
        await connected(server, recording)
        await server.publish(book(1, is_snapshot=True))
        await until(lambda: recording.rows(Kind.BOOK_LEVEL))
        # From here on the venue says nothing, though the socket stands.
        await until(lambda: recording.gaps(Kind.BOOK_LEVEL))

    recording = play(test, venues=[venue(sockets=hasty)])
    assert {"stale", "down"} & set(recording.statuses("orderbook"))
    assert recording.venue().n_reconnects >= 1


# ---------------------------------------------------------------- renewal


def test_an_old_connection_is_replaced_without_losing_or_doubling_a_row():
    async def test(server, recording):
        await connected(server, recording)
        await server.publish(book(1, is_snapshot=True))
        published, number = [], 0
        while recording.venue().n_renewals < 4:
            number += 1
            facts = [trade(number), liquidation(number), book(number + 1), mark(100_000.0 + number)]
            await server.publish(*facts)
            published.append(number)
            await asyncio.sleep(0.002)
        await server.settle()
        await until(lambda: number in recording.trades())
        # While two connections tell the same, either may be ahead of the other.
        assert sorted(recording.trades()) == published
        sizes = [float(row["qty_base"]) for row in recording.rows(Kind.LIQUIDATION)]
        assert sorted(sizes) == [0.5 + one for one in published]
        assert recording.venue().n_duplicates > 0
        assert recording.venue().n_reconnects == 0
        assert recording.gaps(Kind.TRADE) == []
        await until(lambda: recording.rows(Kind.BOOK_LEVEL)[-1]["seq"] == number + 1)
        check_book(recording)

    recording = play(test, venues=[venue(limits=SHORT_LIVED, sockets=patient)])
    # One of the two connections may be there before the other.
    assert [one for one in recording.statuses("publicTrade") if one != "partial"] == ["live", "down"]


def check_book(recording):
    """It begins with a snapshot, and between two snapshots updates only rise."""
    rows = recording.rows(Kind.BOOK_LEVEL)
    assert rows[0]["flags"] & Flag.SNAPSHOT
    updates = []
    for row in rows:
        if row["flags"] & Flag.SNAPSHOT:
            updates.clear()
        updates.append(int(row["seq"]))
        assert updates == sorted(updates)


@pytest.mark.parametrize("is_amid", [False, True])
def test_a_connection_that_cannot_be_replaced_goes_on_and_is_tried_again(is_amid):
    def loud(self, wanted):
        """Plans on whose channels silence is not normal: the next connection waits for what the present one tells."""
        return [
            dataclasses.replace(plan, channels=dict.fromkeys(plan.channels, 3600.0))
            for plan in linear(self, wanted)
        ]

    async def test(server, recording):
        await connected(server, recording)
        await server.publish(trade(0))
        await until(lambda: recording.trades() == [0])
        if is_amid:
            # The venue may begin to refuse while a connection takes over, which then still succeeds.
            await until(lambda: len(server.clients(TRADES)) == 2)
        server.faults.handshake_status = 503
        n_begun = recording.venue().n_renewals
        # The first of these began after that, and has failed when the second begins.
        await until(lambda: recording.venue().n_renewals >= n_begun + 2)
        await until(lambda: len(server.clients(TRADES)) == 1)
        (client,) = server.clients(TRADES)
        await server.publish(trade(1))
        await until(lambda: recording.trades() == [0, 1])
        assert recording.venue().n_reconnects == 0
        assert server.clients(TRADES) == [client]
        server.faults.calm()
        await until(lambda: server.clients(TRADES) and server.clients(TRADES)[0] is not client)

    play(test, venues=[venue(limits=SHORT_LIVED, sockets=loud)], patience=patience(sync_s=0.5))


def slow_to_close(monkeypatch):
    """Connections that take long to close; those that began to, in order."""
    closing, hang_up = [], Connection._hang_up

    async def hang_up_slowly(self):
        closing.append(self)
        await hang_up(self)
        await asyncio.sleep(0.3)

    monkeypatch.setattr(Connection, "_hang_up", hang_up_slowly)
    return closing


def test_a_recorder_that_is_stopped_while_a_replaced_connection_closes_ends(monkeypatch):
    closing = slow_to_close(monkeypatch)

    async def go():
        async with local() as server:
            recording = Recording([server], venues=[venue(limits=SHORT_LIVED, sockets=linear)])
            stop = asyncio.Event()
            task = asyncio.create_task(recording.recorder.run(stop))
            await connected(server, recording)
            await until(lambda: closing)
            stop.set()
            ended, _ = await asyncio.wait({task}, timeout=60.0)
            assert ended, "the recorder goes on"
            await task
            # Nothing of it is left, neither a socket nor a task.
            await until(lambda: server.clients() == [])
            assert asyncio.all_tasks() == {asyncio.current_task()}
            assert recording.venue().channels[0].sentence == "the recorder was stopped"

    asyncio.run(go())


def test_a_plan_that_is_dropped_while_its_replaced_connection_closes_costs_the_venue_nothing(monkeypatch):
    closing, dropped = slow_to_close(monkeypatch), []

    def sockets(self, wanted):
        plans = patient(self, wanted)
        return plans[:1] if dropped else plans

    async def test(server, recording):
        await connected(server, recording)
        await until(lambda: any("inverse" in one.plan.name for one in closing))
        dropped.append(True)
        (supervisor,) = recording.recorder._supervisors
        (gone,) = (slot for name, slot in supervisor._slots.items() if "inverse" in name)
        supervisor._slot_tasks[gone.plan.name].cancel()
        await until(lambda: not gone.sockets() or gone.sockets()[0].state == "waiting")
        await server.publish(trade(1))
        await until(lambda: recording.trades() == [1])
        assert recording.venue().status != "down"

    with structlog.testing.capture_logs() as logs:
        play(test, venues=[venue(limits=SHORT_LIVED, sockets=sockets)])
    assert [one["event"] for one in logs if one["log_level"] == "error"] == []


def test_a_connection_that_is_lost_while_the_next_one_dials_leaves_a_gap_and_is_followed():
    async def test(server, recording):
        await connected(server, recording)
        await server.publish(trade(1), book(1, is_snapshot=True))
        await until(lambda: recording.trades() == [1] and recording.rows(Kind.BOOK_LEVEL))
        server.faults.hangs_connects = True
        await until(lambda: sorted(one.state for one in recording.venue().sockets) == ["dialling", "live"])
        await server.cut()
        await until(lambda: recording.channel("publicTrade").status == "down")
        server.faults.calm()
        await connected(server, recording)
        await server.publish(trade(2))
        await until(lambda: recording.trades() == [1, 2] and recording.gaps(Kind.BOOK_LEVEL))
        for kind in (Kind.TRADE, Kind.MARK, Kind.BOOK_LEVEL):
            (gap,) = recording.gaps(kind)
            assert gap["reason"] == b"disconnect"
            assert gap["from_ns"] >= recording.rows(Kind.TRADE)[0]["ts_received_ns"]
            assert gap["to_ns"] <= recording.rows(Kind.TRADE)[1]["ts_received_ns"]

    limits = Limits(socket_life_s=1.0, connects_per_minute=1000, frames_per_second=1000.0)
    play(test, venues=[venue(limits=limits, sockets=linear)], patience=patience(dial_s=0.5))


def test_a_connection_with_one_silent_channel_is_replaced_while_it_goes_on():
    def sockets(self, wanted):
        plans = super(type(self), self).sockets(wanted)
        limits = {"publicTrade": 5.0, "orderbook": 0.1, "tickers": math.inf, "allLiquidation": math.inf}
        return [dataclasses.replace(plan, channels=limits) for plan in plans if plan.name == "linear-0"]

    async def test(server, recording):
        await connected(server, recording)
        number = 0
        while recording.venue().n_renewals < 1:
            number += 1
            await server.publish(trade(number))
            await asyncio.sleep(0.01)
        await server.publish(book(1, is_snapshot=True))
        await until(lambda: recording.gaps(Kind.BOOK_LEVEL))
        (gap,) = recording.gaps(Kind.BOOK_LEVEL)
        assert gap["reason"] == b"silence"
        assert recording.venue().n_reconnects == 0
        assert recording.trades()[:number] == list(range(1, number + 1))

    recording = play(test, venues=[venue(sockets=sockets)], patience=patience(renew_s=0.0))
    assert "stale" in recording.statuses("orderbook")


# ---------------------------------------------------------------- tokens


def ticketed(ticket):
    """Plans that want a ticket."""
    return lambda self, wanted: [dataclasses.replace(plan, ticket=ticket) for plan in linear(self, wanted)]


def test_a_token_is_fetched_for_every_connection_and_stands_in_no_log():
    given, dialled = [], []

    def answer(self, method, path, query, body, now_ns):
        if path == "/token":
            given.append(f"secret{len(given)}")
            return Answer(200, msgspec.json.encode({"token": given[-1]}))
        return type(script_of("bybit")).answer(self, method, path, query, body, now_ns)

    def address(url, body):
        dialled.append(f"{url}?token={msgspec.json.decode(body)['token']}")
        return dialled[-1]

    async def test(server, recording):
        await connected(server, recording)
        await server.cut()
        await connected(server, recording)
        server.faults.handshake_status = 503
        await server.cut()
        await until(lambda: "HTTP 503" in recording.channel("publicTrade").sentence)

    found = venue(sockets=ticketed(Ticket(Request("/token", body=b"{}"), address)))
    with structlog.testing.capture_logs() as logs:
        play(test, script=plain_script(answer=answer), venues=[found])
    assert len(given) >= 3
    assert [url.rpartition("=")[2] for url in dialled] == given
    assert "secret" not in repr(logs)
    assert "/v5/public/linear" in repr(logs)


def test_a_token_that_is_not_given_is_a_failure_like_any_other():
    def address(url, body):
        raise ValueError("no servers")

    async def test(server, recording):
        await until(lambda: "ticket cannot be read: no servers" in recording.channel("publicTrade").sentence)
        await until(lambda: recording.venue().n_requests > 10)
        assert server.clients() == []

    play(test, venues=[venue(sockets=ticketed(Ticket(Request("/v5/market/tickers"), address)))])


# ---------------------------------------------------------------- plans


def test_symbols_of_a_plan_are_those_it_names_or_all():
    items = contracts(("BTCUSDT", "ETHUSDT", "BTCUSD"))
    found = venue()
    wanted = Wanted(items, found.kinds, found.sockets)
    linear, inverse = found.feed.sockets(wanted)
    assert sorted(symbols_of(linear, items)) == ["BTCUSDT", "ETHUSDT"]
    assert symbols_of(inverse, items) == ("BTCUSD",)
    nameless = dataclasses.replace(linear, url="wss://x/all", subscribe=(b'{"channel":"trades/1"}',))
    assert len(symbols_of(nameless, items)) == 3
