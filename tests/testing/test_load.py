"""Fast traffic: stamped with the present, at the rate asked for, held back by clients that do not read."""

from __future__ import annotations

import asyncio
import json
import time
import zlib

import pytest
from tests.testing.raw_client import connected

from faultline.clock import ManualClock, SystemClock
from faultline.messages import Kind
from faultline.testing.load import _MARK_NS, Load, _forms, run_loads
from faultline.testing.server import VenueServer
from faultline.testing.venues import script_of

NOW_NS = 1_760_000_000_123_456_789
ALL = [f"{channel}.BTCUSDT" for channel in ("publicTrade", "allLiquidation", "orderbook.200", "tickers")]


def subscription(topics):
    return json.dumps({"op": "subscribe", "args": topics, "req_id": "all"}).encode()


def test_frames_carry_the_present_and_only_what_was_subscribed():
    async def run():
        async with VenueServer(script_of("bybit"), clock=ManualClock(NOW_NS)) as server:
            load = Load(server, 1, n_pool=300)
            async with connected(server.ws_url("linear")) as client:
                client.send(subscription(ALL))
                await server.subscribed(*ALL)
                load.write(100.0)
                return await client.told(server), load.sent, server.delivered

    frames, sent, delivered = asyncio.run(run())
    pushes = [frame for frame in (json.loads(payload) for _, payload in frames) if "topic" in frame]
    assert sent.frames == 100
    # What the subscription itself brought: the book as it stood after encoding.
    assert len(pushes) == 101
    assert {push["ts"] for push in pushes} == {NOW_NS // 1_000_000}
    assert {push["topic"] for push in pushes} == set(ALL)
    trades = [push["data"][0] for push in pushes if push["topic"] == ALL[0]]
    assert {trade["T"] for trade in trades} == {NOW_NS // 1_000_000}
    assert delivered == []


def test_a_round_of_the_pool_begins_with_a_snapshot():
    async def run():
        async with VenueServer(script_of("bybit"), clock=ManualClock(NOW_NS)) as server:
            load = Load(server, 1, n_pool=100, shares={Kind.BOOK_LEVEL: 1.0})
            async with connected(server.ws_url("linear")) as client:
                client.send(subscription(ALL[2:3]))
                await server.subscribed(ALL[2])
                load.write(200.0)
                return await client.told(server)

    pushes = [json.loads(payload) for _, payload in asyncio.run(run())[2:]]
    snapshots = [push["data"]["u"] for push in pushes if push["type"] == "snapshot"]
    assert len(snapshots) > 2
    assert len(set(snapshots)) == 1


def test_zipped_frames_are_stamped_too():
    async def run():
        script = script_of("bybit")
        script.zips = "gzip"
        async with VenueServer(script, clock=ManualClock(NOW_NS)) as server:
            load = Load(server, 1, n_pool=100, shares={Kind.TRADE: 1.0})
            async with connected(server.ws_url("linear")) as client:
                client.send(subscription(ALL[:1]))
                await server.subscribed(ALL[0])
                load.write(5.0)
                return await client.told(server)

    frames = asyncio.run(run())[1:]
    times = {json.loads(zlib.decompress(payload, 31))["ts"] for _, payload in frames}
    assert len(frames) == 5
    assert times == {NOW_NS // 1_000_000}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"1711111111", b"1760000000"),
        (b"1711111111111", b"1760000000123"),
        (b"1711111111111000", b"1760000000123000"),
        (b"1711111111111000000", b"1760000000123000000"),
        (b"1711111111.111", b"1760000000.123"),
        (b'"2024-03-22T12:38:31.111Z"', b'"2025-10-09T08:53:20.123Z"'),
        (b'"2024-03-22 12:38:31.111000"', b'"2025-10-09 08:53:20.123000"'),
        (b'"2024-03-22T12:38:31Z"', b'"2025-10-09T08:53:20Z"'),
    ],
)
def test_every_spelling_of_a_time_is_stamped_without_changing_its_length(text, expected):
    for form, stamp in zip(_forms(_MARK_NS), _forms(NOW_NS), strict=True):
        text = text.replace(form, stamp)
    assert text == expected


def test_the_rate_is_kept_and_a_client_that_does_not_read_holds_it_back():
    async def run():
        async with VenueServer(script_of("bybit")) as server:
            load = Load(server, 1, n_pool=500)
            async with connected(server.ws_url("linear")) as client:
                client.send(subscription(ALL))
                await server.subscribed(*ALL)
                reading = asyncio.create_task(client.told(server))
                await run_loads([load], 5_000.0, 0.3)
                n_read, n_sent = len([*await reading, *await client.told(server)]), load.sent.frames
                took_s = await run_loads([load], 2_000_000.0, 0.3)
                return n_read, n_sent, took_s, load.sent

    n_read, n_sent, took_s, sent = asyncio.run(run())
    # A confirmation and a book come besides.
    assert n_read == n_sent + 2
    assert n_sent + sent.behind >= 1_400
    assert took_s >= 0.3
    assert sent.behind > 0


def test_a_frame_costs_little():
    async def run():
        async with VenueServer(script_of("bybit"), clock=SystemClock()) as server:
            load = Load(server, 1, n_pool=2_000)
            async with connected(server.ws_url("linear")) as client:
                client.send(subscription(ALL))
                await server.subscribed(*ALL)
                course = load._course(server.clients()[0])
                begin_s = time.process_time()
                for _ in range(100):
                    load._stamped(
                        course.frames[:100], dict(zip(_forms(_MARK_NS), _forms(NOW_NS), strict=True))
                    )
                return (time.process_time() - begin_s) / 10_000

    assert asyncio.run(run()) < 5e-6
