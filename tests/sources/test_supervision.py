"""Venues that fail, come back, refuse, grow old and change their listing, and what reaches the tape of it."""

from __future__ import annotations

import asyncio
import dataclasses
import math

import msgspec
import numpy as np
import pytest
import structlog
from tests.sources.local_venue import (
    TRADES,
    Recording,
    book,
    contracts,
    liquidation,
    local,
    mark,
    nothing_listed,
    patience,
    plain_script,
    refusing,
    trade,
    until,
    venue,
)

from faultline.instruments import instruments_from_rows
from faultline.messages import Flag, Kind
from faultline.sources.plan import Limits, Request, Ticket
from faultline.sources.rows import Rows
from faultline.sources.slots import symbols_of
from faultline.testing.link import Cut
from faultline.testing.script import Answer
from faultline.testing.server import VenueServer
from faultline.testing.venues import script_of


def patient(self, wanted):
    """Plans on whose channels silence is normal."""
    plans = super(type(self), self).sockets(wanted)
    return [dataclasses.replace(plan, channels=dict.fromkeys(plan.channels, math.inf)) for plan in plans]


def linear(self, wanted):
    """The first of those."""
    return patient(self, wanted)[:1]


def hasty(self, wanted):
    """Plans on whose books silence is soon too long."""
    plans = super(type(self), self).sockets(wanted)
    return [
        dataclasses.replace(plan, channels={**dict.fromkeys(plan.channels, math.inf), "orderbook": 0.3})
        for plan in plans[:1]
    ]


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


# ---------------------------------------------------------------- refusals and blocks


@pytest.mark.parametrize("status", [403, 451])
def test_a_venue_that_refuses_us_is_blocked_not_quiet(status):
    async def test(server, recording):
        server.faults.rest_status = server.faults.handshake_status = status
        await until(lambda: recording.venue().status == "blocked")
        assert str(status) in recording.venue().sentence
        assert recording.channel("allLiquidation").status == "blocked"
        server.faults.calm()
        await connected(server, recording)
        assert recording.venue().status != "blocked"

    recording = play(test)
    assert [one for one in recording.statuses("publicTrade") if one != "down"] == ["blocked", "live"]


def test_a_refused_handshake_is_blocked_though_the_listing_came():
    async def test(server, recording):
        server.faults.handshake_status = 403
        await until(lambda: recording.channel("publicTrade").status == "blocked")
        # Requests are not refused: the venue as a whole is partial.
        await until(lambda: recording.channel("account-ratio").status == "live")
        assert recording.venue().status == "partial"
        assert recording.venue().n_contracts == 2

    play(test)


def test_a_partial_refusal_is_partial_and_the_rest_goes_on():
    async def test(server, recording):
        await server.subscribed(TRADES, timeout_s=60.0)
        await until(lambda: recording.channel("publicTrade").status == "partial")
        await server.publish(trade(1))
        await until(lambda: recording.trades() == [1])
        found = recording.venue()
        assert found.n_refusals >= 1
        assert any("not for you" in words for words in found.refusals)
        assert "not for you" in recording.channel("publicTrade").sentence

    play(test, script=plain_script(received=refusing("SOLUSDT")), assets=("BTC", "ETH", "SOL", "DOT"))


def test_a_listing_that_fails_is_tried_again_until_it_works():
    async def test(server, recording):
        server.faults.is_rest_spoilt = True
        await until(lambda: "listing cannot be read" in recording.channel("publicTrade").sentence)
        server.faults.calm()
        await connected(server, recording)

    recording = play(test)
    assert recording.statuses("publicTrade") == ["live", "down"]
    assert recording.venue().n_requests > 6


def test_a_venue_that_lists_none_of_the_assets_says_so():
    async def test(_, recording):
        await until(lambda: "lists no contract of BTC" in recording.venue().sentence)
        assert recording.venue().status == "down"

    play(test, script=plain_script(answer=nothing_listed))


# ---------------------------------------------------------------- isolation


def aim(recording, server):
    """Point the second venue of a recording at a server."""
    supervisor = recording.recorder._supervisors[1]
    supervisor._addresses, supervisor._sockets = server.rest, server.sockets


def test_a_broken_venue_touches_no_other():
    def sockets(self, wanted):
        raise ZeroDivisionError("by a venue")

    async def go():
        async with local() as server, local() as other:
            good = venue(sockets=patient)
            broken = dataclasses.replace(venue(sockets=sockets), slug="okx")
            slow = patience(backoff_first_s=0.5, backoff_most_s=0.5)
            recording = Recording([server], venues=[good, broken], patience=slow)
            aim(recording, other)
            async with recording.running():
                await connected(server, recording)
                for number in range(20):
                    await server.publish(trade(number))
                    await asyncio.sleep(0.01)
                await until(lambda: len(recording.trades()) == 20)
                assert "ZeroDivisionError" in recording.venue("okx").sentence
                assert recording.venue("okx").status == "down"
                assert recording.venue().n_reconnects == 0

    asyncio.run(go())


def test_a_venue_that_fails_in_the_middle_begins_again_and_says_what_was_missing():
    calls = []

    def sockets(self, wanted):
        calls.append(wanted)
        if len(calls) == 2:
            raise ZeroDivisionError("by a venue")
        return linear(self, wanted)

    sizes = iter(range(1, 10**6))
    answer = type(script_of("bybit")).answer

    def change(self, method, path, query, body, now_ns):
        found = answer(self, method, path, query, body, now_ns)
        return Answer(200, found.body.replace(b'"0.001"', b'"0.%03d"' % next(sizes)))

    async def test(server, recording):
        await connected(server, recording)
        await server.publish(trade(1))
        await until(lambda: recording.trades() == [1])
        await until(lambda: len(calls) >= 3)
        await connected(server, recording)
        await until(lambda: recording.gaps(Kind.TRADE))
        await server.publish(trade(2))
        await until(lambda: recording.trades() == [1, 2])
        gap = recording.gaps(Kind.TRADE)[0]
        first, second = recording.rows(Kind.TRADE)
        assert first["ts_received_ns"] <= gap["from_ns"] < gap["to_ns"] <= second["ts_received_ns"]

    play(
        test,
        script=plain_script(answer=change),
        venues=[venue(sockets=sockets)],
        patience=patience(relist_s=1.0),
    )


def test_rows_that_cannot_be_taken_are_missing_and_cost_nothing_else(monkeypatch):
    broken = {"n": 0}
    drain = Rows.drain

    def fail(self):
        if broken["n"] and any(kind is Kind.TRADE for kind, _ in self._rows):
            broken["n"] -= 1
            raise OverflowError("a number of a venue")
        return drain(self)

    monkeypatch.setattr(Rows, "drain", fail)

    async def test(server, recording):
        await connected(server, recording)
        await server.publish(trade(1))
        await until(lambda: recording.trades() == [1])
        broken["n"] = 1
        await server.publish(trade(2))
        await until(lambda: recording.gaps(Kind.TRADE))
        await server.publish(trade(3))
        await until(lambda: recording.trades() == [1, 3])
        (gap,) = recording.gaps(Kind.TRADE)
        assert gap["reason"] == b"recorder_down"
        assert gap["from_ns"] >= recording.rows(Kind.TRADE)[0]["ts_received_ns"]
        assert gap["to_ns"] <= recording.rows(Kind.TRADE)[1]["ts_received_ns"]
        assert recording.venue().n_reconnects == 0

    with structlog.testing.capture_logs() as logs:
        play(test)
    assert [one["n_rows"] for one in logs if one["event"] == "rows cannot be taken"] == [1]


def test_a_venue_whose_health_cannot_be_told_touches_no_other(monkeypatch):
    async def test(server, recording):
        def look(now_ns):
            raise ZeroDivisionError("by a count")

        await connected(server, recording)
        recording.recorder._supervisors[0].look = look
        await until(lambda: recording.recorder.n_look_failures > 3)
        await server.publish(trade(1))
        await until(lambda: recording.trades() == [1])

    with structlog.testing.capture_logs():
        play(test)


def test_a_venue_that_is_down_touches_no_other():
    async def go():
        async with local() as server, VenueServer(script_of("bybit")) as dead:
            other = dataclasses.replace(venue(), slug="okx")
            recording = Recording([server], venues=[venue(sockets=patient), other])
            dead.faults.hangs_connects = True
            aim(recording, dead)
            async with recording.running():
                await connected(server, recording)
                await server.publish(trade(1))
                await until(lambda: recording.trades() == [1])
                assert recording.venue("okx").status == "down"

    asyncio.run(go())


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
        await until(lambda: recording.trades()[-1:] == [number])
        assert recording.trades() == published
        sizes = [float(row["qty_base"]) for row in recording.rows(Kind.LIQUIDATION)]
        assert sizes == [0.5 + one for one in published]
        assert recording.venue().n_duplicates > 0
        assert recording.venue().n_reconnects == 0
        assert recording.gaps(Kind.TRADE) == []
        await until(lambda: recording.rows(Kind.BOOK_LEVEL)[-1]["seq"] == number + 1)
        check_book(recording)

    limits = Limits(socket_life_s=0.6, connects_per_minute=1000, frames_per_second=1000.0)
    recording = play(test, venues=[venue(limits=limits, sockets=patient)])
    assert recording.statuses("publicTrade") == ["live", "down"]


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


def test_a_connection_that_cannot_be_replaced_goes_on_and_is_tried_again():
    async def test(server, recording):
        await connected(server, recording)
        server.faults.handshake_status = 503
        await until(lambda: recording.venue().n_renewals >= 3)
        await server.publish(trade(1))
        await until(lambda: recording.trades() == [1])
        assert recording.venue().n_reconnects == 0
        (client,) = server.clients(TRADES)
        server.faults.calm()
        await until(lambda: server.clients(TRADES) and server.clients(TRADES)[0] is not client)

    limits = Limits(socket_life_s=0.5, connects_per_minute=1000, frames_per_second=1000.0)
    play(test, venues=[venue(limits=limits, sockets=patient)])


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


# ---------------------------------------------------------------- listing


def test_contracts_are_written_when_they_are_first_seen_and_when_they_change():
    listed = {"names": {"BTCUSDT", "BTCUSD"}, "tick": "0.1"}
    answer = type(script_of("bybit")).answer

    def change(self, method, path, query, body, now_ns):
        found = answer(self, method, path, query, body, now_ns)
        if path != "/v5/market/instruments-info":
            return found
        page = msgspec.json.decode(found.body)
        page["result"]["list"] = [one for one in page["result"]["list"] if one["symbol"] in listed["names"]]
        for one in page["result"]["list"]:
            if one["symbol"] == "BTCUSDT":
                one["priceFilter"]["tickSize"] = listed["tick"]
        return Answer(200, msgspec.json.encode(page))

    async def test(server, recording):
        await connected(server, recording)
        await until(lambda: len(recording.rows(Kind.INSTRUMENT)) == 2)
        await server.publish(trade(1))
        await until(lambda: recording.trades() == [1])
        # A tick that changes is written, and changes no subscription.
        listed["tick"] = "0.5"
        await until(lambda: len(recording.rows(Kind.INSTRUMENT)) == 4)
        assert recording.venue().n_renewals == 0
        # A contract that is listed anew is subscribed to; the connection is replaced while it goes on.
        listed["names"] |= {"ETHUSDT"}
        await server.subscribed("publicTrade.ETHUSDT", timeout_s=60.0)
        await until(lambda: recording.venue().n_renewals == 1 and len(server.clients(TRADES)) == 1)
        await server.publish(trade(2), trade(3, symbol="ETHUSDT"))
        await until(lambda: recording.trades() == [1, 2] and recording.rows(Kind.TRADE, "bybit:ETHUSDT"))
        # One that is gone is left.
        listed["names"] -= {"BTCUSD"}
        await until(lambda: len(server.clients()) == 1)
        assert recording.venue().n_contracts == 2
        rows = np.array(recording.rows(Kind.INSTRUMENT))
        ticks = [item.tick_usd for _, item in instruments_from_rows("bybit:BTCUSDT", rows)]
        assert ticks == [0.1, 0.5]
        assert recording.gaps(Kind.TRADE) == []

    play(
        test,
        script=plain_script(answer=change),
        assets=("BTC", "ETH"),
        patience=patience(relist_s=0.05),
        venues=[venue(sockets=patient)],
    )


def test_a_listing_that_fails_later_leaves_the_last_one_in_force():
    async def test(server, recording):
        await connected(server, recording)
        server.faults.rest_status = 503
        await until(lambda: recording.venue().n_request_failures > 5)
        await server.publish(trade(1))
        await until(lambda: recording.trades() == [1])
        await until(lambda: recording.channel("publicTrade").status == "live")

    play(test, patience=patience(relist_s=0.05))


# ---------------------------------------------------------------- polls


def test_polls_give_rows_and_a_failing_one_says_so():
    from tests.sources.local_venue import now_ms

    from faultline.testing.facts import RatioFact

    async def test(server, recording):
        await server.publish(RatioFact("BTCUSDT", now_ms(), "accounts", 0.625))
        await until(lambda: recording.rows(Kind.RATIO))
        assert float(recording.rows(Kind.RATIO)[0]["long_share_ratio"]) == pytest.approx(0.625)
        assert recording.channel("account-ratio").status in {"live", "partial"}
        server.faults.rest_status = 403
        await until(lambda: recording.channel("account-ratio").status == "blocked")
        server.faults.calm()
        await until(lambda: recording.channel("account-ratio").status == "live")

    def polls(self, wanted):
        found = super(type(self), self).polls(wanted)
        return [dataclasses.replace(poll, every_s=0.05) for poll in found]

    play(test, venues=[venue(sockets=patient, polls=polls)])


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
    from faultline.sources.plan import Wanted

    items = contracts(("BTCUSDT", "ETHUSDT", "BTCUSD"))
    found = venue()
    wanted = Wanted(items, found.kinds, found.sockets)
    linear, inverse = found.feed.sockets(wanted)
    assert sorted(symbols_of(linear, items)) == ["BTCUSDT", "ETHUSDT"]
    assert symbols_of(inverse, items) == ("BTCUSD",)
    nameless = dataclasses.replace(linear, url="wss://x/all", subscribe=(b'{"channel":"trades/1"}',))
    assert len(symbols_of(nameless, items)) == 3
