"""Facts of Bybit's script, and a client that is subscribed to them."""

from __future__ import annotations

import contextlib

import pytest
from tests.testing.raw_client import connected

from faultline.testing.facts import TradeFact

TOPIC = "publicTrade.BTCUSDT"
SUBSCRIBE = b'{"op":"subscribe","args":["publicTrade.BTCUSDT"],"req_id":"one"}'


@pytest.fixture
def trade():
    """A function that makes trades, told apart by their sequence number."""
    return lambda seq: TradeFact(
        "BTCUSDT", 1_750_000_000_000_000_000 + seq * 1_000_000, seq, 100_000.0, 0.5, 1
    )


@pytest.fixture
def subscribed():
    """A raw client of a server, subscribed to trades of BTCUSDT, its confirmation read."""

    @contextlib.asynccontextmanager
    async def subscribe(server, ssl=None):
        async with connected(server.ws_url("linear"), ssl=ssl) as client:
            client.send(SUBSCRIBE)
            client.confirmation = await client.frame()
            yield client

    return subscribe
