"""What reads frames is compiled before a venue is connected, and nothing is compiled while frames wait."""

from __future__ import annotations

import asyncio
import dataclasses
import math

import numba
import pytest
from tests.sources.local_venue import Recording, connected, linear, local, venue
from tests.sources.venues.play import NOW_NS, Play

from faultline.messages import Kind
from faultline.sources import depth_bytes, level_lists, rows, trade_bytes
from faultline.sources.registry import SLUGS, venue_of
from faultline.sources.rows import Rows
from faultline.testing.traffic import Traffic

KERNELS = [
    (trade_bytes, "read_trades_kernel"),
    (depth_bytes, "read_depth_kernel"),
    (level_lists, "read_lists_kernel"),
    (level_lists, "base_units_kernel"),
    (rows, "write_levels_kernel"),
]
#: Where the readers call them, trades wait until there are some.
N_FACTS, EVERY = 400, 100


@pytest.fixture
def compiled(monkeypatch):
    """Kernels as they are called: name and types of the arguments, for each of which numba compiles once."""
    found = set()

    def noting(name, kernel):
        def call(*args):
            found.add((name, tuple(map(numba.typeof, args))))
            return kernel(*args)

        return call

    for module, name in KERNELS:
        monkeypatch.setattr(module, name, noting(name, getattr(module, name)))
    return found


@pytest.mark.parametrize("slug", SLUGS)
def test_frames_have_nothing_compiled_that_a_mapper_did_not_when_it_was_made(slug, compiled):
    venue_of(slug).mapper({})
    Rows(slug)
    at_first = set(compiled)
    compiled.clear()
    play = Play(slug).connect()
    traffic = Traffic(play.script.contracts, 1, start_ns=NOW_NS, rate_per_s=math.inf)
    facts, n_rows = [*traffic.snapshots(NOW_NS), *traffic.take(N_FACTS)], 0
    for begin in range(0, len(facts), EVERY):
        play.publish(*facts[begin : begin + EVERY])
        n_rows += sum(len(found) for (kind, _), found in play.drain().items() if kind is Kind.TRADE)
    assert n_rows
    assert compiled
    assert compiled <= at_first, f"first compiled while frames wait: {compiled - at_first}"


def test_a_recorder_compiles_before_it_asks_any_venue_for_anything():
    done = []

    async def go():
        async with local() as server:
            one = venue(sockets=linear)

            def listing(_):
                done.append("listing")
                return one.feed.listing()

            def mapper(contracts):
                done.append("mapper")
                return one.mapper(contracts)

            noted = venue(sockets=linear, listing=listing)
            recording = Recording([server], venues=[dataclasses.replace(noted, mapper=mapper)])
            async with recording.running():
                await connected(server, recording)

    asyncio.run(go())
    assert done.index("mapper") < done.index("listing")
