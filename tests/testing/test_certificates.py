"""Certificates made for a test are refused by whoever does not know them, and accepted by whoever does."""

from __future__ import annotations

import asyncio
import ssl
import time

import httpx
import picows
import pytest
from tests.testing.raw_client import connected, get

from faultline.testing.certificates import make_certificate, server_context, trusting_context
from faultline.testing.server import VenueServer
from faultline.testing.venues import script_of


def test_a_client_that_knows_the_certificate_is_served(subscribed, trade):
    certificate = make_certificate(time.time_ns())
    trusting = trusting_context(certificate)

    async def run():
        server = VenueServer(script_of("bybit"), tls=server_context(certificate))
        async with server, subscribed(server, ssl=trusting) as client:
            await server.publish(trade(1))
            frame = await client.frame()
            status, _, _ = await get(server.rest_url + "/v5/market/tickers", ssl=trusting)
            return server.sockets["linear"], frame, status

    address, frame, status = asyncio.run(run())
    assert address.startswith("wss://")
    assert frame is not None
    assert status == 200


def test_the_libraries_of_the_engine_refuse_a_certificate_they_do_not_know():
    async def run():
        async with VenueServer(
            script_of("bybit"), tls=server_context(make_certificate(time.time_ns()))
        ) as server:
            with pytest.raises(ssl.SSLCertVerificationError, match="self-signed"):
                await picows.ws_connect(picows.WSListener, server.ws_url("linear"))
            async with httpx.AsyncClient(trust_env=False) as client:
                with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                    await client.get(server.rest_url + "/v5/market/tickers")
            return server.counts["sockets"], server.counts["requests"]

    assert asyncio.run(run()) == (0, 0)


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        ({"until_days": -0.5}, "expired"),
        ({"from_days": 1.0}, "not yet valid"),
        ({"host": "venue.example"}, "IP address mismatch"),
    ],
)
def test_an_expired_an_early_and_a_foreign_certificate_are_refused_even_where_trusted(made, reason):
    certificate = make_certificate(time.time_ns(), **made)

    async def run():
        async with VenueServer(script_of("bybit"), tls=server_context(certificate)) as server:
            with pytest.raises(ssl.SSLCertVerificationError, match=reason):
                async with connected(server.ws_url("linear"), ssl=trusting_context(certificate)):
                    pass

    asyncio.run(run())
