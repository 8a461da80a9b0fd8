"""Every venue of the registry under one recorder: each becomes live, tells what it is told, and falls alone."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from tests.sources.local_venue import Recording, contracts, now_ms, until

from faultline.messages import Kind
from faultline.sources.plan import Wanted
from faultline.sources.registry import SLUGS, venue_of
from faultline.testing.facts import TradeFact
from faultline.testing.server import VenueServer
from faultline.testing.venues import script_of


def contract_of(slug):
    """A linear contract on BTC of the script, or whatever it has."""
    items = contracts([item.symbol for item in script_of(slug).contracts], slug)
    return min(items, key=lambda item: (item.asset != "BTC", item.contract_kind, item.id))


def traded(slug):
    return Kind.TRADE in venue_of(slug).kinds


async def told(server, recording, slug, number):
    """A trade of a venue arrives as a row."""
    item = contract_of(slug)
    script = next(one for one in server.script.contracts if one.symbol == item.symbol)
    before = len(recording.rows(Kind.TRADE, item.id))
    price_usd = script.price_usd * (1.0 + number / 1000)
    await server.publish(TradeFact(item.symbol, now_ms(), 1000 + number, price_usd, 2.0, 1))
    await until(lambda: len(recording.rows(Kind.TRADE, item.id)) > before, timeout_s=60.0)
    row = recording.rows(Kind.TRADE, item.id)[-1]
    assert float(row["price_usd"]) == pytest.approx(price_usd, rel=1e-4)
    assert float(row["qty_base"]) == pytest.approx(2.0, rel=1e-2)


def test_every_venue_becomes_live_tells_its_trades_and_falls_alone():
    async def go():
        async with contextlib.AsyncExitStack() as stack:
            servers = {slug: await stack.enter_async_context(VenueServer(script_of(slug))) for slug in SLUGS}
            recording = Recording(list(servers.values()), assets=("BTC",))
            async with recording.running():
                for slug in SLUGS:
                    states = lambda slug=slug: {one.state for one in recording.venue(slug).sockets}
                    await until(lambda states=states: states() == {"live"}, timeout_s=60.0)
                    found = recording.venue(slug)
                    assert found.refusals == (), slug
                    rejects = [(slug, one.channel, one.rejects) for one in found.channels if one.rejects]
                    assert rejects == []
                for slug in filter(traded, SLUGS):
                    await told(servers[slug], recording, slug, 1)
                down = SLUGS[0]
                await servers[down].refuse_connects(refuse=True)
                await servers[down].cut()
                await until(lambda: recording.venue(down).status != "live")
                for slug in filter(traded, SLUGS[1:]):
                    await told(servers[slug], recording, slug, 2)
                    assert recording.venue(slug).n_reconnects == 0
                await servers[down].refuse_connects(refuse=False)
                states = lambda: {one.state for one in recording.venue(down).sockets}
                await until(lambda: states() == {"live"}, timeout_s=60.0)
                if traded(down):
                    await told(servers[down], recording, down, 3)

    asyncio.run(go())


@pytest.mark.parametrize("slug", SLUGS)
def test_plans_keep_what_the_supervisor_relies_on(slug):
    found = venue_of(slug)
    items = contracts([item.symbol for item in script_of(slug).contracts], slug)
    plans = found.feed.sockets(Wanted(items, found.kinds, found.sockets))
    assert len({plan.name for plan in plans}) == len(plans)
    channels = {line.channel for line in found.coverage}
    for plan in plans:
        assert plan.channels.keys() <= channels
        assert all(silence_s > 0 for silence_s in plan.channels.values())
        assert any(plan.url.startswith(address) for address in found.sockets.values())
        assert plan.heartbeat.every_s > 0
    assert {poll.channel for poll in found.feed.polls(Wanted(items, found.kinds, found.sockets))} <= channels
