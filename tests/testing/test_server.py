"""The local server plays a venue: confirmations, facts, pings, REST, all over real sockets."""

from __future__ import annotations

import asyncio
import json

import httpx
import picows
import pytest
from tests.testing.raw_client import connected, exchange, get

from faultline.testing.facts import RatioFact
from faultline.testing.server import VenueServer
from faultline.testing.venues import script_of

TOPIC = "publicTrade.BTCUSDT"
SUBSCRIBE = b'{"op":"subscribe","args":["publicTrade.BTCUSDT"],"req_id":"one"}'


def test_a_subscription_is_confirmed_and_facts_follow(subscribed, trade):
    async def run():
        async with VenueServer(script_of("bybit")) as server, subscribed(server) as client:
            await server.subscribed(TOPIC)
            reached = await server.publish(trade(1), trade(2))
            frames = [await client.frame(), await client.frame()]
            return client.confirmation, reached, frames, server.counts

    confirmation, reached, frames, counts = asyncio.run(run())
    assert json.loads(confirmation[1])["success"] is True
    assert reached == 2
    assert [json.loads(payload)["data"][0]["seq"] for _, payload in frames] == [1, 2]
    assert counts["facts"] == counts["sent"] == 2
    assert counts["sockets"] == 1


def test_the_handshake_is_that_of_the_standard():
    async def run():
        async with VenueServer(script_of("bybit")) as server, connected(server.ws_url("linear")) as client:
            return client.answer

    assert "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in asyncio.run(run())


def test_the_library_that_the_engine_connects_with_understands_it(trade):
    frames = []

    class Listener(picows.WSListener):
        def on_ws_connected(self, transport):
            transport.send(picows.WSMsgType.TEXT, b'{"op":"subscribe","args":["publicTrade.BTCUSDT"]}')

        def on_ws_frame(self, transport, frame):
            if frame.msg_type == picows.WSMsgType.TEXT:
                frames.append(frame.get_payload_as_bytes())

    async def run():
        async with VenueServer(script_of("bybit")) as server:
            transport, _ = await picows.ws_connect(Listener, server.ws_url("linear"))
            await server.subscribed(TOPIC)
            await server.publish(trade(7))
            assert await server.settle()
            n_read = len(frames)
            transport.disconnect()
            await transport.wait_disconnected()
            return n_read

    assert asyncio.run(run()) == 2
    assert json.loads(frames[1])["data"][0]["seq"] == 7


def test_listings_and_polls_are_answered_under_the_paths_of_the_venue():
    async def run():
        async with VenueServer(script_of("bybit")) as server:
            await server.publish(RatioFact("BTCUSDT", 1_750_000_000_000_000_000, "accounts", 0.6))
            async with httpx.AsyncClient(base_url=server.rest_url, trust_env=False) as client:
                listing = await client.get("/v5/market/instruments-info", params={"category": "linear"})
                poll = await client.get("/v5/market/account-ratio?symbol=BTCUSDT&category=linear")
                missing = await client.get("/v5/none")
            asked = [(method, target) for _, method, target in server.requests]
            return listing.json(), poll.json(), missing.status_code, dict(server.counts), asked

    listing, poll, missing, counts, asked = asyncio.run(run())
    assert listing["result"]["list"][0]["symbol"] == "BTCUSDT"
    assert float(poll["result"]["list"][0]["buyRatio"]) == 0.6
    assert missing == 404
    assert counts["requests"] == 3
    assert counts["pages unknown"] == 1
    assert asked[0] == ("GET", "/v5/market/instruments-info?category=linear")
    assert len(asked) == 3


def test_addresses_keep_the_paths_of_the_venue_and_stay_on_the_loopback():
    async def run():
        async with VenueServer(script_of("bybit")) as server:
            return server.sockets, server.rest

    sockets, rest = asyncio.run(run())
    assert sockets["inverse"].startswith("ws://127.0.0.1:")
    assert sockets["inverse"].endswith("/v5/public/inverse")
    assert rest["main"].startswith("http://127.0.0.1:")


def test_a_request_the_script_cannot_understand_is_counted_and_harms_nobody(subscribed, trade):
    async def run():
        async with VenueServer(script_of("bybit")) as server, subscribed(server) as client:
            client.send(b"not json")
            await server.until(lambda: server.counts["not understood"] == 1)
            assert [message for _, _, message in server.heard] == [SUBSCRIBE, b"not json"]
            status, _, _ = await get(server.rest_url + "/v5/market/account-ratio")
            await server.publish(trade(1))
            return status, await client.frame()

    status, frame = asyncio.run(run())
    assert status == 400
    assert frame is not None


NO_REQUESTS = {
    "not HTTP": b"\x16\x03\x01 no HTTP\r\n\r\n",
    "endless head": b"GET / HTTP/1.1\r\nX: " + b"x" * 40_000,
    "endless body": b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
}


@pytest.mark.parametrize("request_bytes", NO_REQUESTS.values(), ids=NO_REQUESTS)
def test_a_client_that_speaks_no_http_or_too_much_is_cut(request_bytes):
    async def run():
        async with VenueServer(script_of("bybit")) as server:
            with pytest.raises(ConnectionError):
                await exchange(server.rest_url, request_bytes)
            return server.counts["bad bytes"]

    assert asyncio.run(run()) == 1


def test_a_frame_without_mask_is_cut(subscribed):
    async def run():
        async with VenueServer(script_of("bybit")) as server, subscribed(server) as client:
            client.send(b"{}", mask=False)
            return await client.frame(), client.closed

    assert asyncio.run(run()) == (None, "ConnectionResetError")


def test_pings_and_closing_frames_of_a_client_are_answered(subscribed):
    async def run():
        async with VenueServer(script_of("bybit")) as server, subscribed(server) as client:
            client.send(b"hello", opcode=0x9)
            pong = await client.frame()
            client.send(b"\x03\xe8", opcode=0x8)
            return pong, await client.frame(), await client.frame()

    assert asyncio.run(run()) == ((0xA, b"hello"), (0x8, b"\x03\xe8"), None)


@pytest.mark.parametrize("zips", ["gzip", "deflate"])
def test_frames_are_compressed_as_the_script_says(subscribed, trade, zips):
    import zlib

    async def run():
        script = script_of("bybit")
        script.zips = zips
        async with VenueServer(script) as server, subscribed(server) as client:
            await server.publish(trade(3))
            return client.confirmation, await client.frame()

    confirmation, (opcode, payload) = asyncio.run(run())
    wbits = {"gzip": 31, "deflate": -15}[zips]
    assert opcode == confirmation[0] == 0x2
    assert json.loads(zlib.decompress(confirmation[1], wbits))["success"] is True
    assert json.loads(zlib.decompress(payload, wbits))["data"][0]["seq"] == 3


def test_the_pings_of_the_script_come(subscribed):
    async def run():
        script = script_of("bybit")
        script.ping, script.ping_every_s = b'{"ping":1}', 0.02
        async with VenueServer(script) as server, subscribed(server) as client:
            return [await client.frame() for _ in range(3)], server.counts["pings sent"]

    frames, n = asyncio.run(run())
    assert frames == [(0x1, b'{"ping":1}')] * 3
    assert n >= 3


def test_leaving_the_server_ends_every_connection():
    async def run():
        async with VenueServer(script_of("bybit")) as server, connected(server.ws_url("linear")) as client:
            await server.__aexit__(None, None, None)
            return await client.frame(), server.clients()

    assert asyncio.run(run()) == (None, [])
