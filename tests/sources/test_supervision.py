"""Venues that refuse, fail, block and change their listing, and what reaches the tape of it."""

from __future__ import annotations

import asyncio
import dataclasses
import time

import msgspec
import numpy as np
import pytest
import structlog
from tests.sources.local_venue import (
    TRADES,
    Recording,
    book,
    connected,
    linear,
    local,
    nothing_listed,
    now_ms,
    patience,
    patient,
    plain_script,
    play,
    refusing,
    trade,
    until,
    venue,
)

from faultline.instruments import instruments_from_rows
from faultline.messages import Kind
from faultline.sources.rows import Rows
from faultline.tape import TapeWriter
from faultline.testing.facts import RatioFact
from faultline.testing.script import Answer
from faultline.testing.server import VenueServer
from faultline.testing.venues import script_of

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


# ---------------------------------------------------------------- books


def test_the_first_snapshot_of_a_book_is_no_loss():
    async def go():
        async with local(plain_script("binance")) as server:
            recording = Recording([server], venues=[venue("binance")])
            async with recording.running():
                await until(lambda: recording.channel("depth", "binance").status in {"live", "quiet"})
                for number in range(1, 4):
                    await server.publish(book(number))
                await until(lambda: recording.rows(Kind.BOOK_LEVEL, "binance:BTCUSDT"))
                assert await server.settle(timeout_s=30.0)
                server.faults.drop_prob = 1.0
                await server.publish(book(4))
                server.faults.calm()
                await server.publish(book(5))
                await until(lambda: recording.gaps(Kind.BOOK_LEVEL, "binance:BTCUSDT"))

    with structlog.testing.capture_logs() as logs:
        asyncio.run(go())
    books = [(one["log_level"], one["event"]) for one in logs if one.get("symbol") == "BTCUSDT"]
    assert books == [("debug", "book is asked for"), ("info", "book is asked for anew")]


# ---------------------------------------------------------------- polls


def test_polls_give_rows_and_a_failing_one_says_so_and_leaves_a_gap():
    async def test(server, recording):
        await server.publish(RatioFact("BTCUSDT", now_ms(), "accounts", 0.625))
        await until(lambda: recording.rows(Kind.RATIO))
        assert float(recording.rows(Kind.RATIO)[0]["long_share_ratio"]) == pytest.approx(0.625)
        assert recording.channel("account-ratio").status in {"live", "partial"}
        server.faults.rest_status = 403
        await until(lambda: recording.channel("account-ratio").status == "blocked")
        failed_ns = time.time_ns()
        # Longer than the period and its grace.
        await asyncio.sleep(0.2)
        server.faults.calm()
        await until(lambda: recording.channel("account-ratio").status == "live")
        again_ns = time.time_ns()

        def gaps():
            found = recording.gaps(Kind.RATIO)
            return [gap for gap in found if gap["from_ns"] < failed_ns < gap["to_ns"] <= again_ns]

        await until(gaps)
        (gap,) = gaps()
        assert gap["reason"] == b"unanswered"
        assert recording.channel("account-ratio").n_gaps > 0

    def polls(self, wanted):
        found = super(type(self), self).polls(wanted)
        return [dataclasses.replace(poll, every_s=0.05) for poll in found]

    play(test, venues=[venue(sockets=patient, polls=polls)])


def test_what_a_poll_missed_between_two_runs_on_one_tape_is_missing(tmp_path):
    def polls(self, wanted):
        found = super(type(self), self).polls(wanted)
        return [dataclasses.replace(poll, every_s=0.05) for poll in found]

    async def go(server):
        with TapeWriter(tmp_path / "tape", simulated=False) as tape:
            recording = Recording([server], tape, venues=[venue(sockets=linear, polls=polls)])
            async with recording.running():
                await server.publish(RatioFact("BTCUSDT", now_ms(), "accounts", 0.625))
                await until(lambda: recording.rows(Kind.RATIO))
            return recording

    async def both():
        async with local() as server:
            first = await go(server)
            await asyncio.sleep(0.5)
            return first, await go(server)

    first, second = asyncio.run(both())
    assert {gap["reason"] for gap in first.gaps(Kind.RATIO)} <= {b"unanswered"}
    gap = second.gaps(Kind.RATIO)[0]
    assert gap["reason"] == b"recorder_down"
    assert gap["from_ns"] >= first.rows(Kind.RATIO)[-1]["ts_received_ns"]
    assert gap["to_ns"] == second.rows(Kind.RATIO)[0]["ts_received_ns"]
