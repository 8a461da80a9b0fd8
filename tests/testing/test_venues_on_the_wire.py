"""Every venue of the registry over real sockets: its plans are confirmed, and what its script tells is read."""

from __future__ import annotations

import asyncio
import time
import zlib

import httpx
import pytest
from tests.testing.raw_client import connected

from faultline.messages import Kind
from faultline.sources.control import Confirmed, Refused
from faultline.sources.plan import Unzip, Wanted
from faultline.sources.registry import SLUGS, venue_of
from faultline.sources.rows import Rows
from faultline.testing.play import play_traffic
from faultline.testing.server import VenueServer
from faultline.testing.traffic import Traffic
from faultline.testing.venues import script_of

N_FACTS = 400


async def contracts_of(venue, server):
    """Contracts, from listings fetched over HTTP."""
    pages = {}
    async with httpx.AsyncClient(trust_env=False) as client:
        for name, first in venue.feed.listing():
            request, pages[name] = first, []
            while request is not None:
                answer = await client.request(
                    "GET" if request.body is None else "POST",
                    server.rest[request.base] + request.path,
                    params=request.query,
                    content=request.body,
                )
                assert answer.status_code == 200, request
                pages[name].append(answer.content)
                request = venue.feed.next_page(name, answer.content)
    return venue.feed.contracts(pages)


def unzipped(plan, opcode, payload):
    """A frame as its mapper wants it."""
    if opcode != 0x2 or plan.unzip is Unzip.NONE:
        return payload
    return zlib.decompress(payload, {Unzip.GZIP: 31, Unzip.DEFLATE: -15}[plan.unzip])


@pytest.mark.parametrize("slug", SLUGS)
def test_plans_are_confirmed_and_traffic_is_read_without_rejects(slug):
    venue = venue_of(slug)

    async def run():
        rows, answered = Rows(slug), {}
        async with VenueServer(script_of(slug), seed=1) as server:
            contracts = await contracts_of(venue, server)
            by_symbol = {item.symbol: item for item in contracts}
            listed = [one for one in server.script.contracts if one.symbol in by_symbol]
            traffic = Traffic(listed, 7, start_ns=time.time_ns())
            # Some venues show a book to who subscribes only if there is one.
            await play_traffic(server, traffic, 0)
            for plan in venue.feed.sockets(Wanted(contracts, venue.kinds, server.sockets)):
                assert plan.url.startswith(tuple(server.sockets.values()))
                mapper = venue.mapper(by_symbol)
                n_asked = len(server.heard) + len(plan.subscribe)
                async with connected(plan.url) as client:
                    for frame in plan.subscribe:
                        client.send(frame)
                    await server.until(lambda n=n_asked: len(server.heard) >= n)
                    await play_traffic(server, traffic, N_FACTS, begins=False)
                    for opcode, payload in await client.told(server):
                        mapper.map(unzipped(plan, opcode, payload), time.time_ns(), rows)
                answered[plan.name] = (plan.expects, rows.controls)
                rows.controls = []
        return rows, answered

    rows, answered = asyncio.run(run())
    assert answered
    assert rows.rejects == {}
    assert rows.n_rows > N_FACTS // 4
    for expects, controls in answered.values():
        assert not [one for one in controls if isinstance(one, Refused)]
        confirmed = {one.key for one in controls if isinstance(one, Confirmed)}
        assert expects <= confirmed or "" in confirmed
    kinds = {batch.kind for batch in rows.drain()}
    assert Kind.TRADE in kinds
