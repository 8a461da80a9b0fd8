"""1,000 WebSocket clients on loopback, a tenth of which stop reading; and the CPU of one send beside bare picows.

``python benchmarks/speed/bench_stream.py [--clients 1000] [--seconds 20]``; figures go to ``results/stream.json``.

1. The time that the writer's thread needs per write, with no client and with all of them.
2. P1 events from ``append`` to the fast clients, while maps, candles and status flow and the slow clients are dropped.
3. The same bytes to the same number of clients by the whole program (log, bus, fan-out, litestar, granian) and by
   a loop over picows transports, in turns, as CPU time of the serving process per send.

Clients run in two processes of their own. A figure beyond its gate makes the script fail.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from serving import Serving

from faultline.api.app import build_app
from faultline.api.settings import ApiSettings
from faultline.signals.events import EventType, make_event
from faultline.store.events import EventStore
from faultline.store.maps import MapStore
from faultline.testing.market import fake_market, fill_store

HERE = Path(__file__).parent
PROCESSES = 2
ROUNDS, SENDS = 5, 60
TURN_S, EVENTS_PER_TURN = 0.25, 2
#: Frames of the map that only the slow clients follow, per turn: enough to fill their sockets.
WIDE_PER_TURN = 8
#: name of a figure -> largest value allowed.
GATES = {"event_ms_p99": 500.0, "event_ms_max": 500.0, "write_cpu_ratio": 1.5, "wrong": 0, "fast_dropped": 0}

MAP = {"type": "subscribe", "scope": "BTC", "tf": "5m", "planes": ["synthetic"]}
EVENTS = {"type": "subscribe_events", "after_seq": None}
WIDE = {"type": "subscribe", "scope": "WIDE", "tf": "5m", "planes": ["synthetic"], "sides": ["long"]}


class Clients:
    """Client processes and what they say."""

    def __init__(self, host: str, port: int, path: str, n_fast: int, n_slow: int, first: list) -> None:
        self.n_fast = n_fast
        self._parts = [
            subprocess.Popen(
                [
                    sys.executable, str(HERE / "stream_clients.py"), host, str(port), path,
                    str(share(n_fast, k)), str(share(n_slow, k)), json.dumps(first), json.dumps(WIDE),
                ],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )
            for k in range(PROCESSES)
        ]  # fmt: skip
        for part in self._parts:
            assert json.loads(part.stdout.readline())["ready"]

    def ask(self, command: str) -> list[dict]:
        for k, part in enumerate(self._parts):
            part.stdin.write(command.format(k=k) + "\n")
            part.stdin.flush()
        return [json.loads(part.stdout.readline()) for part in self._parts]

    def total(self, name: str) -> int:
        return sum(answer[name] for answer in self.ask("count"))

    def latencies_ms(self) -> np.ndarray:
        with tempfile.TemporaryDirectory() as folder:
            self.ask(f"save {folder}/{{k}}.npy")
            return np.concatenate([np.load(f"{folder}/{k}.npy") for k in range(PROCESSES)])

    def wait_for(self, name: str, target: int, timeout_s: float = 60) -> None:
        end_s = time.monotonic() + timeout_s
        while (seen := self.total(name)) < target:
            assert time.monotonic() < end_s, f"{seen} of {target} {name}"
            time.sleep(0.1)

    def end(self) -> None:
        for part in self._parts:
            part.stdin.write("end\n")
            part.stdin.close()
            part.wait(20)
            part.stdout.close()


def share(n: int, k: int) -> int:
    return n // PROCESSES + (k < n % PROCESSES)


def stamped(n: int):
    """The ``n``-th event; what it says is when it was handed over."""
    data = {
        "instrument": "binance:BTCUSDT", "silent_s": time.monotonic(), "channels": [], "status": "silent", "detail": "",
    }  # fmt: skip
    return make_event(
        EventType.SOURCE_DOWN, asset="BTC", subject="binance:BTCUSDT", detected_at_ns=n, data=data, simulated=True,
        mode="simulated", venue="binance", latency_ms=1.0,
    )  # fmt: skip


class Writer:
    """Writes what an engine would: forming columns of both sides, a candle, a status; and times every write."""

    def __init__(self, store: MapStore, events: EventStore) -> None:
        self.store, self.events = store, events
        self.market = fake_market(seed=21, n_columns=1_500, n_rows=400)
        fill_store(store, self.market, n_columns=200)
        wide = fake_market(seed=3, n_columns=4, n_rows=6_000)
        fill_store(store, wide, scope="WIDE", n_columns=2)
        self._wide = wide.columns("WIDE", "synthetic", "long", 1, 2, 1)
        self._rng = np.random.default_rng(0)
        self.column, self.n_events = 200, 0
        self.cpu_us: list[float] = []
        self.wall_us: list[float] = []

    def turn(self) -> None:
        self.column += 1
        end = self.column
        for side in ("long", "short"):
            columns = self.market.columns("BTC", "synthetic", side, end - 2, end, end - 1)
            wall, cpu = time.perf_counter(), time.thread_time()
            self.store.write_columns(columns)
            self.cpu_us.append((time.thread_time() - cpu) * 1e6)
            self.wall_us.append((time.perf_counter() - wall) * 1e6)
        self.store.write_candles(self.market.candles("BTC", end - 2, end, end - 1))
        status = {"mode": "simulated", "state": "ready", "simulated": True, "as_of_ns": end}
        self.store.write_status(status)

    def flood(self) -> None:
        noisy = self._rng.lognormal(12, 1, self._wide.usd.shape).astype(np.float32)
        self.store.write_columns(dataclasses.replace(self._wide, usd=noisy, n_closed=0))

    def happen(self, n: int) -> None:
        for _ in range(n):
            self.n_events += 1
            self.events.append([stamped(self.n_events)])

    def taken(self) -> dict[str, float]:
        figures = {
            "cpu_us_p50": float(np.median(self.cpu_us)),
            "cpu_us_p99": float(np.quantile(self.cpu_us, 0.99)),
            "wall_us_p50": float(np.median(self.wall_us)),
            "wall_us_p99": float(np.quantile(self.wall_us, 0.99)),
        }
        self.cpu_us.clear()
        self.wall_us.clear()
        return figures


def counters(serving: Serving) -> dict[str, float]:
    import httpx

    text = httpx.get(f"{serving.address.geturl()}/metrics", timeout=20).text
    found = re.findall(
        r'^faultline_stream_(\w+?)(?:_total)?(?:\{reason="(\w+)"\})? ([\d.e+]+)$', text, re.MULTILINE
    )
    return {f"{name}_{reason}".strip("_"): float(value) for name, reason, value in found}


def crowd(serving: Serving, writer: Writer, args) -> dict:
    """Parts 1 and 2."""
    turns = int(args.seconds / TURN_S)
    for _ in range(turns):
        writer.turn()
        time.sleep(TURN_S / 10)
    alone = writer.taken()
    n_slow = args.clients // 10
    started_s = time.monotonic()
    clients = Clients(
        serving.address.hostname,
        serving.address.port,
        "/api/v1/stream",
        args.clients - n_slow,
        n_slow,
        [MAP, EVENTS],
    )
    connected_s = time.monotonic() - started_s
    cpu_s, begun_s, n_turns = time.process_time(), time.monotonic(), 0
    while (elapsed_s := time.monotonic() - begun_s) < args.seconds or (
        counters(serving).get("ended_slow", 0) < n_slow and elapsed_s < 6 * args.seconds
    ):
        next_s = time.monotonic() + TURN_S
        writer.turn()
        writer.happen(EVENTS_PER_TURN)
        for _ in range(WIDE_PER_TURN):
            writer.flood()
        n_turns += 1
        time.sleep(max(next_s - time.monotonic(), 0))
    writer.events.flush()
    clients.wait_for("events", clients.n_fast * n_turns * EVENTS_PER_TURN)
    crowded, ended, latencies = writer.taken(), counters(serving), clients.latencies_ms()
    figures = {
        "clients": args.clients,
        "slow": n_slow,
        "connect_s": connected_s,
        "seconds": time.monotonic() - begun_s,
        "cpu_share": (time.process_time() - cpu_s) / (time.monotonic() - begun_s),
        "events": n_turns * EVENTS_PER_TURN,
        "deliveries": len(latencies),
        "event_ms_p50": float(np.median(latencies)),
        "event_ms_p99": float(np.quantile(latencies, 0.99)),
        "event_ms_max": float(latencies.max()),
        "wrong": clients.total("wrong"),
        "fast_dropped": clients.total("closed"),
        "slow_dropped": ended.get("ended_slow", 0),
        "messages_sent": ended["messages"],
        "write_alone": alone,
        "write_crowded": crowded,
        "write_cpu_ratio": crowded["cpu_us_p50"] / alone["cpu_us_p50"],
    }
    clients.end()
    return figures


def fan_out(serving: Serving, writer: Writer, n_clients: int) -> dict:
    """Part 3."""
    payload = writer_message(writer)
    bare = subprocess.Popen(
        [sys.executable, __file__, "--bare"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    port = int(bare.stdout.readline())
    there = Clients("127.0.0.1", port, "/", n_clients, 0, [])
    here = Clients(serving.address.hostname, serving.address.port, "/api/v1/stream", n_clients, 0, [EVENTS])
    ours, theirs = [], []
    n_here = n_there = 0
    for _ in range(ROUNDS):
        n_here += SENDS * n_clients
        idle_from_s, idle_cpu_s = time.monotonic(), time.process_time()
        time.sleep(1)
        idle_share = (time.process_time() - idle_cpu_s) / (time.monotonic() - idle_from_s)
        begun_s, cpu_s = time.monotonic(), time.process_time()
        for _ in range(SENDS):
            writer.happen(1)
            time.sleep(0.01)
        here.wait_for("events", n_here)
        spent_s = time.process_time() - cpu_s - idle_share * (time.monotonic() - begun_s)
        ours.append(spent_s / (SENDS * n_clients) * 1e6)
        bare.stdin.write(f"{SENDS} {payload}\n")
        bare.stdin.flush()
        n_there += SENDS * n_clients
        theirs.append(float(bare.stdout.readline()) / (SENDS * n_clients) * 1e6)
        there.wait_for("events", n_there)
    here.end()
    there.end()
    bare.stdin.close()
    bare.stdout.close()
    bare.wait(20)
    return {
        "clients": n_clients,
        "bytes": len(payload),
        "ours_cpu_us_per_send": float(np.median(ours)),
        "picows_cpu_us_per_send": float(np.median(theirs)),
        "ratio": float(np.median(ours) / np.median(theirs)),
        "rounds_us": {"ours": ours, "picows": theirs},
    }


def writer_message(writer: Writer) -> str:
    """One event as it is sent."""
    from faultline.api.hub import event_message

    writer.happen(1)
    writer.events.flush()
    return event_message(*writer.events.newest(1)[0]).decode()


async def serve_bare() -> None:
    """A picows server that sends a line as often as it is told to, to everybody; answers with its CPU time."""
    from picows import WSListener, WSMsgType, ws_create_server

    transports = set()

    class Keeper(WSListener):
        def on_ws_connected(self, transport) -> None:
            transports.add(transport)

        def on_ws_disconnected(self, transport) -> None:
            transports.discard(transport)

    server = await ws_create_server(lambda _: Keeper(), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        times, _, text = line.strip().partition(" ")
        payload = text.encode()
        cpu_s = time.process_time()
        for _ in range(int(times)):
            for transport in transports:
                transport.send(WSMsgType.TEXT, payload)
            await asyncio.sleep(0.01)
        print(time.process_time() - cpu_s, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--bare", action="store_true")
    args = parser.parse_args()
    if args.bare:
        import uvloop

        uvloop.run(serve_bare())
        return 0
    wanted = 4 * args.clients + 200
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
    with tempfile.TemporaryDirectory() as folder:
        store, events = MapStore(first_seq=0), EventStore(Path(folder) / "facts.db")
        writer = Writer(store, events)
        settings = ApiSettings(clients_max=2 * args.clients, send_timeout_s=5.0)
        serving = Serving(build_app(store, None, settings, events=events))
        try:
            result = {"crowd": crowd(serving, writer, args)}
            result["fan_out"] = fan_out(serving, writer, args.clients - args.clients // 10)
        finally:
            serving.stop()
            events.close()
    result["machine"] = {"cores": os.cpu_count(), "load": os.getloadavg()}
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / "stream.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))
    figures = result["crowd"]
    broken = [name for name, limit in GATES.items() if figures[name] > limit]
    broken += ["slow_dropped"] if figures["slow_dropped"] < figures["slow"] else []
    print("FAILS: " + ", ".join(broken) if broken else "all gates hold")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
