from __future__ import annotations

import asyncio
import threading

import pytest

from faultline.bus.inprocess import InProcessBus
from faultline.bus.interface import OverflowPolicy, checked_pattern, subject_word
from faultline.errors import RequestError


@pytest.fixture
def bus():
    return InProcessBus()


def drain(subscription):
    payloads = []
    while (message := subscription.poll()) is not None:
        payloads.append(message.payload)
    return payloads


@pytest.mark.parametrize(
    ("pattern", "subject", "matches"),
    [
        ("map.BTC.5m", "map.BTC.5m", True),
        ("map.BTC.5m", "map.BTC.1m", False),
        ("map.*.5m", "map.BTC.5m", True),
        ("map.*.5m", "map.BTC.x.5m", False),
        ("map.>", "map.BTC.5m", True),
        ("map.>", "map", False),
        (">", "status", True),
        ("map.*", "map.BTC.5m", False),
        ("md.binance:BTCUSDT", "md.binance:BTCUSDT", True),
    ],
)
def test_patterns_match_whole_words(bus, pattern, subject, matches):
    subscription = bus.subscribe([pattern], limit=10, policy=OverflowPolicy.DROP_OLDEST)
    assert bus.publish(subject, b"x") == int(matches)
    assert drain(subscription) == ([b"x"] if matches else [])


@pytest.mark.parametrize("pattern", ["", "a..b", ".a", "a.", "a.>.b", "a b", "a.\n"])
def test_malformed_patterns_are_refused(bus, pattern):
    with pytest.raises(RequestError, match="not a subject"):
        bus.subscribe([pattern], limit=1, policy=OverflowPolicy.CLOSE)
    assert bus.counters().subscriptions == 0


def test_publishing_to_a_pattern_is_refused(bus):
    with pytest.raises(RequestError, match="wildcard"):
        bus.publish("map.*", b"")


def test_a_name_becomes_one_word():
    assert subject_word("binance:BTCUSDT") == "binance:BTCUSDT"
    assert subject_word("A.B *>") == "A_B___"
    assert checked_pattern(subject_word("")) == ("_",)


def test_one_message_arrives_once_even_when_two_patterns_match(bus):
    subscription = bus.subscribe(["a.b", "a.*", ">"], limit=10, policy=OverflowPolicy.DROP_OLDEST)
    assert bus.publish("a.b", b"1") == 1
    assert drain(subscription) == [b"1"]


@pytest.mark.parametrize(
    ("policy", "kept", "dropped", "closed"),
    [
        (OverflowPolicy.DROP_OLDEST, [b"2", b"3", b"4"], 2, False),
        (OverflowPolicy.DROP_NEWEST, [b"0", b"1", b"2"], 2, False),
        (OverflowPolicy.CLOSE, [], 4, True),
    ],
)
def test_a_full_queue_does_what_its_policy_says(bus, policy, kept, dropped, closed):
    full = bus.subscribe(["a"], limit=3, policy=policy)
    other = bus.subscribe(["a"], limit=100, policy=OverflowPolicy.CLOSE)
    for number in range(5):
        bus.publish("a", str(number).encode())
    assert drain(full) == kept
    assert full.dropped == dropped
    assert (full.is_closed, full.overflowed) == (closed, closed)
    assert len(drain(other)) == 5
    counters = bus.counters()
    assert counters.published == 5
    assert counters.dropped == dropped
    assert counters.overflowed == int(closed)
    assert counters.subscriptions == 2 - int(closed)


def test_a_closed_subscription_can_still_be_read_and_gets_nothing_new(bus):
    subscription = bus.subscribe(["a"], limit=3, policy=OverflowPolicy.CLOSE)
    bus.publish("a", b"1")
    subscription.close()
    assert bus.publish("a", b"2") == 0
    assert subscription.wait(0.1).payload == b"1"
    assert subscription.wait() is None
    subscription.extend("b")
    assert bus.publish("b", b"3") == 0


def test_extend_adds_a_subject_to_the_same_queue(bus):
    subscription = bus.subscribe(["a"], limit=9, policy=OverflowPolicy.CLOSE)
    subscription.extend("b")
    subscription.extend("b")
    for subject in ("a", "b", "c"):
        bus.publish(subject, subject.encode())
    assert drain(subscription) == [b"a", b"b"]


def test_a_waiting_thread_is_woken(bus):
    subscription = bus.subscribe(["a"], limit=1, policy=OverflowPolicy.CLOSE)
    got = []
    reader = threading.Thread(target=lambda: got.append(subscription.wait(5)))
    reader.start()
    bus.publish("a", b"x")
    reader.join(5)
    assert got[0].payload == b"x"
    assert subscription.wait(0) is None


def test_a_waiting_coroutine_is_woken_from_another_thread_in_order(bus):
    async def read():
        subscription = bus.subscribe(["a"], limit=2_000, policy=OverflowPolicy.CLOSE)
        writer = threading.Thread(target=lambda: [bus.publish("a", str(n).encode()) for n in range(1_000)])
        writer.start()
        got = [(await subscription.receive()).payload for _ in range(1_000)]
        writer.join()
        subscription.close()
        assert await subscription.receive() is None
        return got

    assert asyncio.run(read()) == [str(n).encode() for n in range(1_000)]


def test_a_cancelled_receive_loses_nothing(bus):
    async def read():
        subscription = bus.subscribe(["a"], limit=9, policy=OverflowPolicy.CLOSE)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(subscription.receive(), 0.01)
        bus.publish("a", b"x")
        return (await subscription.receive()).payload

    assert asyncio.run(read()) == b"x"


def test_an_overflow_wakes_a_waiting_coroutine(bus):
    async def read():
        subscription = bus.subscribe(["a"], limit=1, policy=OverflowPolicy.CLOSE)
        bus.publish("a", b"1")
        bus.publish("a", b"2")
        return await subscription.receive(), subscription.overflowed

    assert asyncio.run(read()) == (None, True)


def test_a_queue_holds_at_least_one_message(bus):
    with pytest.raises(RequestError, match="cannot hold 0"):
        bus.subscribe(["a"], limit=0, policy=OverflowPolicy.CLOSE)


def test_a_key_has_one_owner_until_its_lease_runs_out(bus):
    first = bus.claim("shard.BTC", "one", ttl_ns=100, now_ns=0)
    assert first.expires_ns == 100
    assert bus.claim("shard.BTC", "two", ttl_ns=100, now_ns=99) is None
    assert bus.claim("shard.ETH", "two", ttl_ns=100, now_ns=99) is not None
    renewed = bus.claim("shard.BTC", "one", ttl_ns=100, now_ns=50)
    assert (renewed.expires_ns, renewed.revision) == (150, first.revision + 1)
    taken = bus.claim("shard.BTC", "two", ttl_ns=100, now_ns=150)
    assert taken.owner == "two"
    assert taken.revision > renewed.revision


def test_only_the_present_lease_can_be_released(bus):
    first = bus.claim("k", "one", ttl_ns=100, now_ns=0)
    renewed = bus.claim("k", "one", ttl_ns=100, now_ns=1)
    assert bus.release(first) is False
    assert bus.release(renewed) is True
    assert bus.release(renewed) is False
    assert bus.claim("k", "two", ttl_ns=100, now_ns=2).owner == "two"


def test_only_one_of_many_threads_gets_a_key(bus):
    results = []
    barrier = threading.Barrier(8)

    def take(name):
        barrier.wait()
        results.append(bus.claim("k", name, ttl_ns=100, now_ns=0))

    threads = [threading.Thread(target=take, args=(str(n),)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(lease is not None for lease in results) == 1
