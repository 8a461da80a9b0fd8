"""The server in a process of its own, and in a thread."""

from __future__ import annotations

import asyncio
import json
import os
import sys

import picows
import pytest
import uvloop
from tests.testing.raw_client import connected

from faultline.errors import ConfigError
from faultline.testing.faults import Faults
from faultline.testing.link import Cut
from faultline.testing.play import faults_of, main, play_traffic
from faultline.testing.server import VenueServer
from faultline.testing.serving import serving
from faultline.testing.traffic import Traffic
from faultline.testing.venues import script_of

START_NS = 1_750_000_000_000_000_000
SUBSCRIBE = b'{"op":"subscribe","args":["publicTrade.BTCUSDT","orderbook.200.BTCUSDT"],"req_id":"one"}'


@pytest.mark.parametrize("more", [(), ("--live", "--faults", "drop_prob=0.5")], ids=["fast", "live"])
def test_another_process_prints_its_addresses_plays_and_reports(root, more):
    async def run():
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "faultline.testing.server", "--venues", "bybit", "--rate", "2000",
            "--seconds", "0.3", "--pool", "200", "--pause", "0", *more,
            stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(root / "src")},
        )  # fmt: skip
        told = json.loads(await process.stdout.readline())
        async with connected(told["venues"]["bybit"]["sockets"]["linear"]) as client:
            client.send(SUBSCRIBE)
            frames = await client.frames(2.0)
        report = json.loads(await process.stdout.readline())
        return told, frames, report, await process.wait()

    told, frames, report, code = asyncio.run(run())
    assert code == 0
    assert told["messages_per_frame"] == 1
    assert frames[-1][0] == 0x8
    # Besides facts: the confirmation, the book as it stands where there is one already, and the closing frame.
    facts = [frame for frame in frames[1:-1] if b'"topic"' in frame[1]]
    assert len(facts) > 10
    if more:
        assert len(facts) == report["counts"]["bybit"]["sent"]
        assert report["counts"]["bybit"]["dropped"] > 0
    else:
        assert len(facts) == report["frames"] + 1
    assert report["settled"] is True


def test_a_venue_without_a_script_is_named():
    with pytest.raises(SystemExit, match="nowhere"):
        main(["--venues", "nowhere"])


def test_faults_are_read_from_text_and_unknown_ones_named():
    assert faults_of("drop_prob=0.25,is_stalled=1,rest_status=503") == Faults(
        drop_prob=0.25, is_stalled=True, rest_status=503
    )
    assert faults_of("") == Faults()
    for text in ("drops=1", "drop_prob=often", "calm=1", "drop_prob=2"):
        with pytest.raises(ConfigError):
            faults_of(text)


def test_a_thread_serves_tests_that_are_not_asynchronous(trade):
    server = VenueServer(script_of("bybit"))
    read = []

    async def listen(url, begun):
        async with connected(url) as client:
            client.send(SUBSCRIBE)
            begun.set()
            read.extend(await client.frames(2.0))

    async def run():
        begun = asyncio.Event()
        listening = asyncio.create_task(listen(server.ws_url("linear"), begun))
        await begun.wait()
        await asyncio.to_thread(call.run, server.subscribed("publicTrade.BTCUSDT"))
        await asyncio.to_thread(call.run, server.publish(trade(1), trade(2)))
        assert await asyncio.to_thread(call.run, server.settle())
        assert await asyncio.to_thread(call.run, server.cut(Cut.CLOSE)) == 1
        await listening

    with serving(server) as call:
        asyncio.run(run())
        delivered = call.ask(lambda: [one.fact.seq for one in server.delivered])
    assert delivered == [1, 2]
    assert len(read) == 4


def test_live_traffic_is_accounted_to_the_last_frame_under_the_loop_of_the_engine():
    async def run():
        read, faults = [], Faults(drop_prob=0.1, duplicate_prob=0.1, corrupt_prob=0.1)

        class Listener(picows.WSListener):
            def on_ws_connected(self, transport):
                transport.send(picows.WSMsgType.TEXT, SUBSCRIBE)

            def on_ws_frame(self, transport, frame):
                if frame.msg_type == picows.WSMsgType.TEXT:
                    read.append(frame.get_payload_as_bytes())

        async with VenueServer(script_of("bybit"), faults=faults, seed=2) as server:
            await picows.ws_connect(Listener, server.ws_url("linear"))
            await server.subscribed("publicTrade.BTCUSDT", "orderbook.200.BTCUSDT")
            traffic = Traffic(server.script.contracts, 3, start_ns=START_NS)
            reached = await play_traffic(server, traffic, 500)
            assert await server.settle()
            return read, reached, server.delivered, server.counts

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        read, reached, delivered, counts = runner.run(run())
    assert len(delivered) == counts["sent"] + counts["duplicated"]
    assert len(read) == 1 + reached - counts["dropped"] + counts["duplicated"]
    assert counts["dropped"] > 0
    assert counts["corrupted"] > 0
