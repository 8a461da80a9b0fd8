"""The account of deliveries is exact: what it says was delivered, the client has read, and nothing else."""

from __future__ import annotations

import asyncio
import json
import socket
import struct

import picows
import pytest
from tests.testing.raw_client import connected

from faultline.testing.facts import LiquidationFact
from faultline.testing.faults import Faults
from faultline.testing.link import Cut
from faultline.testing.server import VenueServer
from faultline.testing.venues import script_of

TOPIC = "publicTrade.BTCUSDT"
SWITCHES = {
    "calm": {},
    "frames lost and broken": {"drop_prob": 0.1, "corrupt_prob": 0.1, "spoil_prob": 0.1},
    "frames out of order": {"reorder_prob": 0.3, "duplicate_prob": 0.2},
    "late": {"delay_s": 0.01, "jitter_s": 0.02, "drop_prob": 0.1},
    "cut by faults": {"half_prob": 0.02, "reset_prob": 0.02, "drop_prob": 0.1},
}


def seq_of(payload):
    """Sequence number of an intact trade, or None."""
    try:
        return json.loads(payload)["data"][0]["seq"]
    except (ValueError, LookupError, TypeError):
        return None


def listener(read):
    """A listener of picows that subscribes and notes the trades it reads."""

    class Listener(picows.WSListener):
        def on_ws_connected(self, transport):
            transport.send(picows.WSMsgType.TEXT, b'{"op":"subscribe","args":["publicTrade.BTCUSDT"]}')

        def on_ws_frame(self, transport, frame):
            if frame.msg_type == picows.WSMsgType.TEXT:
                seq = seq_of(frame.get_payload_as_bytes())
                if seq is not None:
                    read.append(seq)

    return Listener


@pytest.mark.parametrize("switches", SWITCHES.values(), ids=SWITCHES)
@pytest.mark.parametrize("seed", [1, 2])
def test_what_was_delivered_is_what_was_read(trade, switches, seed):
    async def run():
        read, faults = {}, Faults()
        async with VenueServer(script_of("bybit"), faults=faults, seed=seed) as server:
            for name, value in switches.items():
                setattr(faults, name, value)
            for first in range(0, 100, 20):
                while len(server.clients(TOPIC)) < 2:
                    sink = read.setdefault(len(read), [])
                    await picows.ws_connect(listener(sink), server.ws_url("linear"))
                    await server.subscribed(TOPIC, clients=len(server.clients()))
                await server.publish(*(trade(seq) for seq in range(first, first + 20)))
                assert await server.settle()
            await server.cut(Cut.RESET)
            assert server.doubtful == []
            told = {}
            for one in server.delivered:
                told.setdefault(one.client, []).append(one.fact.seq)
            return told, read

    told, read = asyncio.run(run())
    for client, seqs in read.items():
        assert list(dict.fromkeys(seqs)) == told.get(client, [])
    assert sum(map(len, told.values())) > 0


def test_what_a_killed_client_may_not_have_read_is_doubtful(trade):
    async def run():
        async with VenueServer(script_of("bybit")) as server, connected(server.ws_url("linear")) as client:
            client.send(b'{"op":"subscribe","args":["publicTrade.BTCUSDT"]}')
            await server.subscribed(TOPIC)
            await server.publish(trade(1), trade(2))
            await client.told(server)
            await server.publish(trade(3))
            before = [one.fact.seq for one in server.delivered]
            peer = client.writer.get_extra_info("socket")
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.writer.transport.abort()
            await server.until(lambda: not server.clients())
            return (
                before,
                [one.fact.seq for one in server.delivered],
                [one.fact.seq for one in server.doubtful],
            )

    assert asyncio.run(run()) == ([1, 2, 3], [1, 2], [3])


def test_what_lies_in_the_buffers_of_the_server_is_not_delivered(subscribed, trade):
    async def run():
        async with VenueServer(script_of("bybit")) as server, subscribed(server):
            await server.say(b" " * 20_000_000)
            await server.publish(trade(1))
            return server.delivered, await server.settle(0.05)

    assert asyncio.run(run()) == ([], False)


def test_a_delivery_names_its_fact_client_topic_and_time(subscribed, trade):
    async def run():
        async with (
            VenueServer(script_of("bybit")) as server,
            subscribed(server) as one,
            subscribed(server) as two,
        ):
            unheard = LiquidationFact("BTCUSDT", 1_750_000_000_000_000_000, 1, 1, 99_000.0, 0.1)
            reached = await server.publish(unheard), await server.publish(trade(5))
            await one.frame(), await two.frame()
            return reached, server.delivered

    reached, delivered = asyncio.run(run())
    assert reached == (0, 2)
    assert [(one.number, one.client, one.topic, one.fact.seq) for one in delivered] == [
        (1, 0, TOPIC, 5),
        (1, 1, TOPIC, 5),
    ]
    assert all(one.at_ns > 0 for one in delivered)


def test_facts_after_a_cut_are_not_delivered(subscribed, trade):
    async def run():
        async with VenueServer(script_of("bybit")) as server, subscribed(server) as client:
            server.faults.reset_prob = 1.0
            await server.publish(trade(1), trade(2), trade(3))
            server.faults.calm()
            await client.frames(0.5)
            return server.delivered, server.counts["reset"], server.counts["unsent"], client.closed

    assert asyncio.run(run()) == ([], 1, 2, "ConnectionResetError")


def test_proofs_can_be_asked_for_all_the_time(trade):
    async def run():
        read = []
        async with VenueServer(script_of("bybit"), prove_every_s=0.01) as server:
            transport, _ = await picows.ws_connect(listener(read), server.ws_url("linear"))
            await server.subscribed(TOPIC)
            await server.publish(trade(1), trade(2))
            account = server.clients()[0].account
            await server.until(lambda: account._n_proven == 2)
            transport.underlying_transport.abort()
            await server.until(lambda: not server.clients())
            return [one.fact.seq for one in server.delivered], server.doubtful, read

    assert asyncio.run(run()) == ([1, 2], [], [1, 2])


def test_settling_does_not_wait_for_who_left_with_frames_still_on_their_way(subscribed, trade):
    async def run():
        async with VenueServer(script_of("bybit")) as server:
            async with subscribed(server) as client:
                server.faults.delay_s = 30.0
                await server.publish(trade(1))
                settling = asyncio.create_task(server.settle(5.0))
                await asyncio.sleep(0)
                await client.close()
            async with asyncio.timeout(1.0):
                return await settling, server.delivered, server.doubtful

    assert asyncio.run(run()) == (True, [], [])
