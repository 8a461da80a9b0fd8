"""What was asked for and how the venue answered."""

from __future__ import annotations

import asyncio
import json
import math
import re

import pytest
from tests.sources.local_venue import (
    Bench,
    Recording,
    local,
    patience,
    plain_script,
    play,
    refusing,
    trade,
    until,
    venue,
)
from tests.sources.venues.play import Play

from faultline.messages import Kind
from faultline.sources.asking import NO_ANSWER, Subscriptions, is_about
from faultline.sources.plan import Beat, Heartbeat, Limits, SocketPlan
from faultline.sources.registry import SLUGS


def run(test, script, **bench):
    """Run a test coroutine with a server and a connection to it."""

    async def go():
        async with local(script) as server:
            await test(server, Bench(server, **bench))

    asyncio.run(go())


def singly(key):
    return {part: part.encode() for part in key.split(",")}


def asking(*expects, singly=None, is_asked=True):
    heartbeat = Heartbeat(Beat.THEIRS, 1.0)
    plan = SocketPlan(
        "p", "wss://x", (b"1",), frozenset(expects), {"trade": math.inf}, heartbeat, singly=singly
    )
    found = Subscriptions(plan)
    found.is_asked = is_asked
    return found


def test_every_key_wants_an_answer():
    found = asking("a", "b")
    found.confirm("a")
    assert not found.is_answered
    found.refuse("b", "not for you")
    assert found.is_answered
    assert not found.is_hopeless
    assert found.refused == {"b": "not for you"}
    found.confirm("b")
    assert found.refused == {}


def test_a_refusal_without_a_name_is_of_the_only_one_that_is_left():
    found = asking("a", "b")
    found.confirm("a")
    found.refuse("", "")
    assert found.refused == {"b": "no reason given"}


def test_a_confirmation_without_a_name_confirms_nothing_before_all_is_asked():
    found = asking("a", "b", is_asked=False)
    found.confirm("")
    assert found.outstanding == {"a", "b"}
    found.is_asked = True
    assert not found.is_answered
    found.confirm("")
    assert found.is_answered
    assert found.is_vague
    found.refuse("", "not all of it")
    assert found.refused == {"": "not all of it"}


def test_confirmations_by_name_before_all_is_asked_do_not_end_the_asking():
    found = asking("a", is_asked=False)
    found.confirm("a")
    assert not found.is_answered
    found.is_asked = True
    assert found.is_answered
    assert not found.is_vague


def test_a_request_that_is_refused_as_a_whole_is_asked_for_part_by_part():
    found = asking("a,b,c", "d", singly=singly)
    found.confirm("d")
    found.refuse("a,b,c", "one of them is unknown")
    assert found.refused == {}
    assert found.asked == {"a", "b", "c", "d"}
    assert list(found.again) == [b"a", b"b", b"c"]
    found.again.clear()
    found.confirm("a")
    found.refuse("b", "unknown")
    found.confirm("c")
    assert found.is_answered
    assert found.refused == {"b": "unknown"}


def test_a_part_is_asked_for_once():
    found = asking("a,b", singly=lambda _: {"a": b"a", "b": b"b"})
    found.refuse("a,b", "no")
    found.again.clear()
    found.refuse("a", "no")
    found.refuse("b", "no")
    assert not found.again
    assert found.is_hopeless


def test_what_cannot_be_taken_apart_is_refused():
    for parts in (None, lambda _: {}, singly):
        found = asking("a", "b", singly=parts)
        found.refuse("a", "no")
        assert found.refused == {"a": "no"}
        assert not found.again


def test_parts_are_bounded():
    many = ",".join(str(number) for number in range(150))
    found = asking(many, "x" + many, singly=singly)
    found.refuse(many, "no")
    found.refuse("x" + many, "no")
    assert len(found.again) == 150
    assert found.refused == {"x" + many: "no"}


def test_what_is_not_answered_is_asked_for_alone_where_something_was_refused_without_a_name():
    found = asking("a", "b", "c", singly=singly)
    found.confirm("a")
    found.refuse("", "unknown")
    assert found.give_up()
    assert list(found.again) == [b"b", b"c"]
    assert found.refused == {}
    found.again.clear()
    found.refuse("", "unknown")
    assert not found.give_up()
    assert found.refused == {"": "unknown", "b": NO_ANSWER, "c": NO_ANSWER}


def test_what_is_not_answered_is_refused_where_nothing_was_refused():
    found = asking("a", "b", singly=singly)
    assert not found.give_up()
    assert found.is_hopeless


@pytest.mark.parametrize(
    ("key", "expected"),
    [("trade|BTC", True), ("book|BTC", False), ("trade.BTC,book.BTC", True), ("17", True), ("", True)],
)
def test_a_key_that_names_no_channel_is_about_all(key, expected):
    assert is_about(key, "trade", ("trade", "book")) is expected


# ---------------------------------------------------------------- on a connection


def test_an_unknown_topic_does_not_take_its_request_with_it():
    async def test(server, bench):
        async with bench.running():
            await bench.ready()
            assert bench.connection.refused == dict.fromkeys(
                (key for key in bench.connection.asking.asked if "ETHUSDT" in key), "not for you"
            )
            assert bench.connection.refused
            await server.publish(trade(1))
            await until(lambda: bench.rows(Kind.TRADE))

    # All topics of both contracts are one request.
    run(test, plain_script(received=refusing("ETHUSDT")), symbols=("BTCUSDT", "ETHUSDT"))


def test_a_confirmation_of_nothing_in_particular_counts_once_all_is_asked():
    def received(self, client, frame, now_ns):
        client.topics |= set(json.loads(frame).get("args", ()))
        return [b'{"success":true,"ret_msg":"","op":"subscribe"}']

    async def test(server, bench):
        async with bench.running():
            await bench.ready()
            assert len(server.heard) >= 3
            await server.say(b'{"success":false,"ret_msg":"not all of it","op":"subscribe"}')
            await until(lambda: bench.connection.refused == {"": "not all of it"})
            assert bench.connection.asking.is_vague

    frames = [
        json.dumps({"op": "subscribe", "args": [f"{topic}.BTCUSDT"]}).encode()
        for topic in ("publicTrade", "tickers", "allLiquidation")
    ]
    run(
        test,
        plain_script(received=received),
        subscribe=tuple(frames),
        expects=frozenset("abc"),
        channels=dict.fromkeys(("publicTrade", "tickers", "allLiquidation"), math.inf),
        heartbeat=Heartbeat(Beat.THEIRS, 60.0),
        wiring={"limits": Limits(frames_per_second=20.0)},
    )


def test_only_topics_that_remain_refused_make_a_channel_partial():
    async def test(server, recording):
        await until(lambda: recording.channel("publicTrade").status == "partial")
        assert "1 of 3 subscriptions refused: not for you" in recording.channel("publicTrade").sentence
        # The request that was refused as a whole had this topic too.
        await server.publish(trade(1))
        await until(lambda: recording.trades() == [1])
        assert recording.venue().n_refusals == 4

    play(test, script=plain_script(received=refusing("SOLUSDT")), assets=("BTC", "ETH", "SOL"))


TAKEN_APART = (
    "aster",
    "binance",
    "binance-coinm",
    "bitget",
    "bybit",
    "coinex",
    "deribit",
    "gate",
    "kraken",
    "kucoin",
    "okx",
)


#: Venues whose requests carry several contracts and cannot be taken apart: the README of each says why.
WHOLE = {"backpack"}


@pytest.mark.parametrize("slug", SLUGS)
def test_every_request_of_several_contracts_can_be_taken_apart(slug):
    played = Play(slug)
    plans = played.venue.feed.sockets(played.wanted())

    def named(frame):
        told = frame.decode().lower()
        names = [re.escape(item.symbol.lower()) for item in played.instruments]
        return sum(re.search(rf"(?<![a-z0-9]){name}(?![a-z0-9])", told) is not None for name in names)

    def several(plan):
        return any(named(frame) > 1 for frame in plan.subscribe)

    assert any(map(several, plans)) == (slug in TAKEN_APART or slug in WHOLE)
    assert all(plan.singly is not None for plan in plans if several(plan)) == (slug not in WHOLE)


def test_one_contract_that_is_gone_does_not_silence_its_neighbours_where_the_venue_names_nothing():
    """Kraken refuses a whole group, and says of what it refused nothing but that it did."""

    def received(self, client, frame, now_ns):
        if b"PF_ETHUSD" in frame:
            return [b'{"event":"error","message":"Invalid product id"}']
        return super(type(self), self).received(client, frame, now_ns)

    async def go():
        async with local(plain_script("kraken", received=received)) as server:
            patient = patience(confirm_s=1.0)
            recording = Recording([server], venues=[venue("kraken")], assets=("BTC", "ETH"), patience=patient)
            async with recording.running():
                await until(lambda: recording.channel("trade", "kraken").status == "partial")
                await server.publish(trade(1, symbol="PF_XBTUSD"))
                await until(lambda: recording.rows(Kind.TRADE, "kraken:PF_XBTUSD"))
                assert "Invalid product id" in " ".join(recording.venue("kraken").refusals)

    asyncio.run(go())


@pytest.mark.parametrize("slug", TAKEN_APART)
def test_parts_of_a_request_are_confirmed_by_their_keys_and_give_what_the_whole_gives(slug):
    played = Play(slug).connect()
    for connection in played.connections:
        topics, connection.client.topics = connection.client.topics, set()
        connection.confirmed.clear()
        for key in sorted(connection.plan.expects):
            for part, frame in connection.plan.singly(key).items():
                assert part == key or part not in connection.plan.expects
                played.send(connection, frame)
                assert connection.confirmed[-1] == part
        assert len(set(connection.confirmed)) == len(connection.confirmed)
        missing = topics - connection.client.topics
        assert not {topic for topic in missing if slug != "gate" or "order_book" not in topic}
    assert played.out.rejects == {}
