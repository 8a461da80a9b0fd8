"""Arguments in, venues that talk for some seconds out: the local server as a process of its own, for benchmarks.

The first line it prints is JSON with the addresses. It then waits for subscriptions, writes traffic, and prints a
second line with what it wrote. See ``python -m faultline.testing.server --help``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import math
import sys
import time
from typing import TYPE_CHECKING, Any

import msgspec

from faultline.errors import ConfigError
from faultline.messages import Kind
from faultline.testing.faults import Faults
from faultline.testing.link import Cut
from faultline.testing.load import Load, run_loads
from faultline.testing.server import VenueServer
from faultline.testing.traffic import SHARES, Traffic
from faultline.testing.venues import script_of
from faultline.units import MILLISECOND_NS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ("faults_of", "main", "play_traffic")


async def play_traffic(
    server: VenueServer, traffic: Traffic, n: int, *, rate_per_s: float = math.inf, begins: bool = True
) -> int:
    """Publish snapshots of all books (where ``begins``) and ``n`` facts, at the present time, with faults and account.

    Returns to how many clients, summed over frames.
    """
    loop, reached = asyncio.get_running_loop(), 0
    if begins:
        reached += await server.publish(*traffic.snapshots(_whole_ms(server)))
    begin_s = loop.time()
    for number in range(n):
        ahead_s = begin_s + number / rate_per_s - loop.time()
        if ahead_s > 0:
            await asyncio.sleep(ahead_s)
        reached += await server.publish(traffic.make(_whole_ms(server)))
    return reached


def faults_of(text: str) -> Faults:
    """Switches spelt ``name=value,name=value``; words of truth are 0 and 1.

    Raises:
        ConfigError: there is no such switch, or the value is impossible.
    """
    faults = Faults()
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        kind = type(getattr(faults, name, None))
        if kind not in {bool, int, float}:
            raise ConfigError(f"there is no fault {name!r}", where="--faults")
        try:
            setattr(faults, name, kind(float(value)))
        except ValueError as exc:
            raise ConfigError(f"{value!r} is not a number", where=name) from exc
    return faults


def main(arguments: Sequence[str] | None = None) -> None:
    """Play venues until the time is over or the process is told to end."""
    asked = _parser().parse_args(arguments)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_play(asked))
    except (ConfigError, ModuleNotFoundError) as exc:
        sys.exit(str(exc))


async def _play(asked: argparse.Namespace) -> None:
    faults = faults_of(asked.faults)
    async with contextlib.AsyncExitStack() as stack:
        servers = [
            await stack.enter_async_context(
                VenueServer(script_of(slug), faults=faults, seed=asked.seed + number)
            )
            for number, slug in enumerate(asked.venues.split(","))
        ]
        shares = {kind: SHARES[kind] for kind in map(Kind, asked.kinds.split(","))} if asked.kinds else SHARES
        loads = []
        if not asked.live:
            loads = [
                Load(server, asked.seed + number, n_pool=asked.pool, shares=shares)
                for number, server in enumerate(servers)
            ]
        venues = {
            server.script.slug: {
                "sockets": server.sockets,
                "rest": server.rest,
                "symbols": [contract.symbol for contract in server.script.contracts],
            }
            for server in servers
        }
        frame_bytes = {s.script.slug: round(x.frame_bytes, 1) for s, x in zip(servers, loads, strict=False)}
        _print({"venues": venues, "messages_per_frame": 1, "frame_bytes": frame_bytes})
        async with asyncio.timeout(asked.wait):
            for server in servers:
                await server.subscribed(timeout_s=asked.wait)
        await asyncio.sleep(asked.pause)
        if asked.live:
            report = await _play_live(servers, asked, shares)
        else:
            report = await _play_loads(loads, asked)
        settled = [await server.settle(timeout_s=5.0) for server in servers]
        counts = {server.script.slug: dict(server.counts) for server in servers}
        _print({**report, "settled": all(settled), "counts": counts})
        for server in servers:
            await server.cut(Cut.CLOSE)


async def _play_loads(loads: Sequence[Load], asked: argparse.Namespace) -> dict[str, Any]:
    begin_cpu_s = time.process_time()
    took_s = await run_loads(loads, asked.rate, asked.seconds)
    frames = sum(load.sent.frames for load in loads)
    return {
        "frames": frames,
        "bytes": sum(load.sent.n_bytes for load in loads),
        "behind": sum(load.sent.behind for load in loads),
        "seconds": round(took_s, 3),
        "frames_per_s": round(frames / took_s, 1),
        "cpu_s": round(time.process_time() - begin_cpu_s, 3),
    }


async def _play_live(
    servers: Sequence[VenueServer], asked: argparse.Namespace, shares: Mapping[Kind, float]
) -> dict[str, Any]:
    begin_cpu_s, begin_s = time.process_time(), time.monotonic()
    rate_per_s = asked.rate / len(servers)
    runs = [
        play_traffic(
            server,
            Traffic(
                server.script.contracts, asked.seed + number, start_ns=server.clock.now_ns(), shares=shares
            ),
            int(rate_per_s * asked.seconds),
            rate_per_s=rate_per_s,
        )
        for number, server in enumerate(servers)
    ]
    frames = sum(await asyncio.gather(*runs))
    return {
        "frames": frames,
        "seconds": round(time.monotonic() - begin_s, 3),
        "cpu_s": round(time.process_time() - begin_cpu_s, 3),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="faultline.testing.server", description=__doc__)
    parser.add_argument("--venues", required=True, help="slugs, separated by commas")
    parser.add_argument("--rate", type=float, default=1_000.0, help="frames a second, of all venues together")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of the traffic")
    parser.add_argument("--seed", type=int, default=1, help="of the traffic and the faults")
    parser.add_argument("--kinds", default="", help="kinds of messages, separated by commas; all without it")
    parser.add_argument("--pool", type=int, default=20_000, help="facts encoded per venue; then they repeat")
    parser.add_argument(
        "--live", action="store_true", help="encode every fact as it is told: slower, never repeats"
    )
    parser.add_argument(
        "--faults", default="", help="name=value, separated by commas; frames: with --live only"
    )
    parser.add_argument("--wait", type=float, default=60.0, help="seconds to wait for subscriptions")
    parser.add_argument("--pause", type=float, default=0.5, help="seconds between those and the traffic")
    return parser


def _print(line: Any) -> None:
    sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
    sys.stdout.flush()


def _whole_ms(server: VenueServer) -> int:
    return server.clock.now_ns() // MILLISECOND_NS * MILLISECOND_NS
