"""Venues of ``bench_ingest.py`` in a process of their own: one local server each, and traffic at the rate told.

Arguments: slugs, facts encoded per venue, seed. The first line printed is JSON with the addresses, as
``python -m faultline.testing.server`` prints it; this process keeps its connections from one rate to the next. Commands
on stdin: ``wait`` answers when every venue has subscribers, ``RATE SECONDS`` writes so many frames a second, all venues
together, and answers with what was written when the clients have proved to have read it. The end of stdin ends it.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import json
import sys
import time

from faultline.testing.link import Cut
from faultline.testing.load import Load, run_loads
from faultline.testing.server import VenueServer
from faultline.testing.venues import script_of

SETTLE_S = 60.0


def totals(loads: list[Load]) -> dict[str, int]:
    return {name: sum(getattr(load.sent, name) for load in loads) for name in ("frames", "n_bytes", "behind")}


async def write(servers: list[VenueServer], loads: list[Load], rate: float, seconds: float) -> dict:
    before, said, cpu_s = totals(loads), heard(servers), time.process_time()
    took_s = await run_loads(loads, rate, seconds)
    cpu_s = time.process_time() - cpu_s
    settled = [await server.settle(timeout_s=SETTLE_S) for server in servers]
    after, answered = totals(loads), heard(servers)
    return {
        **{name: after[name] - before[name] for name in after},
        "seconds": took_s,
        "cpu_s": cpu_s,
        "settled": all(settled),
        # Each is one frame more that the client gets: the pings that prove, pongs, and pings of the venue's own.
        "control_frames": sum(len(server.clients()) for server in servers)
        + sum(answered[name] - said[name] for name in ("pings heard", "pings sent")),
        # Each may be answered by one.
        "messages_heard": answered["messages heard"] - said["messages heard"],
        "clients": sum(len(server.clients()) for server in servers),
    }


def heard(servers: list[VenueServer]) -> collections.Counter[str]:
    return sum((server.counts for server in servers), collections.Counter())


async def play(slugs: list[str], n_pool: int, seed: int) -> None:
    loop = asyncio.get_running_loop()
    async with contextlib.AsyncExitStack() as stack:
        servers = [
            await stack.enter_async_context(VenueServer(script_of(slug), seed=seed + number))
            for number, slug in enumerate(slugs)
        ]
        loads = [Load(server, seed + number, n_pool=n_pool) for number, server in enumerate(servers)]
        venues = {one.script.slug: {"sockets": one.sockets, "rest": one.rest} for one in servers}
        frame_bytes = {slug: round(load.frame_bytes, 1) for slug, load in zip(slugs, loads, strict=True)}
        say({"venues": venues, "messages_per_frame": 1, "frame_bytes": frame_bytes})
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            if line.strip() == "wait":
                for server in servers:
                    await server.subscribed(timeout_s=SETTLE_S)
                say({"subscribed": True})
            else:
                rate, seconds = map(float, line.split())
                say(await write(servers, loads, rate, seconds))
        for server in servers:
            await server.cut(Cut.CLOSE)


def say(line: dict) -> None:
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    asyncio.run(play(sys.argv[1].split(","), int(sys.argv[2]), int(sys.argv[3])))
