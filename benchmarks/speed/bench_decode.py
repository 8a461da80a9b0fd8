"""Frames to rows: ours beside msgspec alone, json and dictionaries, and ccxt's handler, in turns in one process.

* ``trade`` and ``liquidation``: a frame through the venue's mapper into rows, the share of the drain included, which
  comes after 200 frames, or after 20 as on a connection that is less busy; alternatives end with a dictionary of
  floats (json), a struct (msgspec), or ccxt's own trade.
* ``depth``: a change of 50 or of 500 levels, by ours to arrays, to rows, and to a book; alternatives likewise. The way
  of a venue without a layout for its bytes is measured too: msgspec's pairs to rows.
* ``venues``: trades and changes of 50 levels of every venue, frames of the scripts that its tests play, to rows. Some
  venues write a frame for every level, and some the whole book every time.
* ``socket``: a burst of trades from another process over a WebSocket on loopback, CPU of the receiver: picows with
  msgspec and with our mapper, beside websockets with msgspec. The sender writes a
  thousand frames at once, so that the receiver is never faster than it: else a wake-up for every frame would be
  measured, which costs more than the frame.

ccxt, cryptofeed, pysimdjson and websockets are no dependencies: each is measured only where it is installed, and the
result says so where not. So is simdjson alone in C++, where the folder of its single-header sources is told. Run
``python benchmarks/speed/bench_decode.py [SIMDJSON]``; figures go to ``results/decode.json``. CPU time, medians.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import numpy as np
from published import publish

sys.path.insert(0, str(Path(__file__).parent))

from decode_frames import (
    NOW_MS,
    SYMBOL,
    Ccxt,
    Cryptofeed,
    PySimdjson,
    binance_depth,
    binance_liquidation,
    binance_trade,
    bybit_depth,
    bybit_trade,
    simdjson_ns,
)
from venue_frames import map_frames, venue_frames

from faultline.instruments import ContractKind, FormulaFamily, Instrument, Tier
from faultline.market.book import Book
from faultline.messages import Kind
from faultline.sources.depth_bytes import DepthReader
from faultline.sources.level_lists import PAIRS, LevelLists
from faultline.sources.registry import SLUGS, venue_of
from faultline.sources.rows import Rows

NOW_NS = NOW_MS * 1_000_000
BINANCE_LAYOUT = (
    '{"stream":"?","data":{"e":"depthUpdate","E":#,"T":#,"s":"$","U":#,"u":#,"pu":#,"b":%,"a":%}}'
)
DRAIN_EVERY = 200
#: Largest or smallest values allowed, and what is aimed at.
GATES = {
    "trade_us": 1.0,
    "depth_50_bytes_us": 4.0,
    "aim_depth_50_bytes_us": 3.0,
    "depth_50_generic_us": 12.0,
    "aim_depth_50_generic_us": 9.0,
    # To a struct, and to a row that was checked, counted and drained.
    "times_ccxt_struct": 25.0,
    "times_ccxt_trade": 25.0,
    "times_ccxt_depth_500": 25.0,
    "times_cryptofeed_depth_500": 25.0,
    # From bytes to a book, of simdjson's time to read the numbers; a largest value.
    "of_simdjson_depth_500": 2.5,
    "aim_venue_depth_50_us": 9.0,
    "socket_per_s": 800_000,
    "times_websockets": 3.0,
}
BURST = 100_000


class Trade(msgspec.Struct):
    a: int
    p: float
    q: float
    T: int
    m: bool


class TradeFrame(msgspec.Struct):
    data: Trade


class Depth(msgspec.Struct):
    E: int
    T: int
    s: str
    U: int
    u: int
    pu: int
    b: list[tuple[float, float]]
    a: list[tuple[float, float]]


class DepthFrame(msgspec.Struct):
    data: Depth


class DepthWithLists(msgspec.Struct):
    """As our payloads have it: lists of levels stay as they are."""

    T: int
    s: str
    u: int
    b: msgspec.Raw
    a: msgspec.Raw


class FrameWithLists(msgspec.Struct):
    data: DepthWithLists


decode_trade = msgspec.json.Decoder(TradeFrame, strict=False).decode
decode_depth = msgspec.json.Decoder(DepthFrame, strict=False).decode
decode_lists = msgspec.json.Decoder(FrameWithLists, strict=False).decode


def instrument(slug):
    tier = Tier(0.0, math.inf, 0.005, 100.0)
    family = FormulaFamily.MARK_VALUED
    return Instrument(
        f"{slug}:{SYMBOL}", "BTC", "USDT", ContractKind.LINEAR, family, 1.0, 0.1, 0.001, math.nan, (tier,)
    )


def mapped(slug, frames, drain_every=DRAIN_EVERY):
    """A function that maps all frames and drains now and then."""
    mapper = venue_of(slug).mapper({SYMBOL: instrument(slug)})
    out = Rows(slug)

    def run():
        for number, frame in enumerate(frames):
            mapper.map(frame, NOW_NS, out)
            if number % drain_every == 0:
                out.drain()
        n = sum(len(batch) for batch in out.drain())
        assert not out.rejects, out.rejects
        return n

    return mapper, out, run


def each(function, frames):
    def run():
        for frame in frames:
            function(frame)

    return run


def json_trade(frame):
    data = json.loads(frame)["data"]
    return {
        "id": data["a"],
        "price": float(data["p"]),
        "qty": float(data["q"]),
        "time": data["T"],
        "m": data["m"],
    }


def json_depth(frame):
    data = json.loads(frame)["data"]
    return {key: {float(price): float(qty) for price, qty in data[key]} for key in "ba"}


def msgspec_arrays(frame):
    data = decode_depth(frame).data
    return np.array(data.b), np.array(data.a)


def in_turns(ways, n, repeats):
    """Median CPU microseconds per frame of each way, taken in turns; the first turn is not counted."""
    times = {name: [] for name in ways}
    for turn in range(repeats + 1):
        for name, run in ways.items():
            started = time.process_time_ns()
            run()
            if turn:
                times[name].append((time.process_time_ns() - started) / n / 1e3)
    return {name: round(statistics.median(values), 3) for name, values in times.items()}


def measure_trades(others, n=5_000, repeats=7):
    frames = [binance_trade(number) for number in range(n)]
    of_bybit = [bybit_trade(number) for number in range(n)]
    ways = {
        "ours_binance": mapped("binance", frames)[2],
        "ours_bybit": mapped("bybit", of_bybit)[2],
        "ours_binance_by_20": mapped("binance", frames, 20)[2],
        "ours_bybit_by_20": mapped("bybit", of_bybit, 20)[2],
        "msgspec_struct_only": each(decode_trade, frames),
        "json_dictionary": each(json_trade, frames),
    }
    if "ccxt" in others:
        ways["ccxt"] = each(others["ccxt"].handle, frames[: n // 5] * 5)
    if "cryptofeed" in others:
        ways["cryptofeed"] = each(others["cryptofeed"].handle, frames)
    if "pysimdjson" in others:
        ways["pysimdjson"] = each(others["pysimdjson"].trade, frames)
    return {**in_turns(ways, n, repeats), **by_simdjson("trade", frames)}


def by_simdjson(kind, frames):
    """Microseconds of simdjson alone, where its sources are."""
    return {"simdjson_cpp": round(simdjson_ns(sys.argv[1], kind, frames) / 1e3, 3)} if sys.argv[1:] else {}


def measure_liquidations(others, n=5_000, repeats=5):
    frames = [binance_liquidation()] * n
    ways = {"ours_binance": mapped("binance", frames)[2], "json": each(json.loads, frames)}
    if "ccxt" in others:
        ways["ccxt"] = each(others["ccxt"].handle, frames)
    if "cryptofeed" in others:
        ways["cryptofeed"] = each(others["cryptofeed"].handle, frames)
    return in_turns(ways, n, repeats)


def measure_venues(n=1_000, repeats=3):
    """Microseconds per trade and per change of 50 levels, and how many frames one such change is."""
    found = {}
    for slug in SLUGS:
        ways, n_frames = {}, {}
        for name, kind in (("trade", Kind.TRADE), ("depth_50", Kind.BOOK_LEVEL)):
            played = venue_frames(slug, kind, n)
            if played is not None:
                ways[name] = map_frames(*played, DRAIN_EVERY)
                n_frames[name] = len(played[2]) // n
        found[slug] = {**in_turns(ways, n, repeats), "frames_of_50_levels": n_frames["depth_50"]}
    return found


def measure_depth(others, n_levels, n, repeats=5):
    frames = [binance_depth(n_levels, number) for number in range(n)]
    reader, lists, book, slow_rows = (
        DepthReader(BINANCE_LAYOUT),
        LevelLists(*PAIRS),
        Book(0.1),
        Rows("binance"),
    )
    mapper, out, run_bybit = mapped("bybit", [bybit_depth(n_levels, 2 + number) for number in range(n)])

    def rows_of_bybit():
        mapper.reset()
        mapper.map(bybit_depth(2, 1, "snapshot"), NOW_NS, out)
        run_bybit()

    def generic():
        """What venues without a layout do: msgspec but for the lists of levels, then rows."""
        slow_rows.begin(b"", NOW_NS)
        for number, frame in enumerate(frames):
            data = decode_lists(frame).data
            slow_rows.levels(data.s, data.T * 1_000_000, data.u, *lists.read(data.b, data.a))
            if number % DRAIN_EVERY == 0:
                slow_rows.drain()
        slow_rows.drain()

    def to_book():
        for frame in frames:
            change = reader.read(frame)
            book.apply(change[2], change[3])

    ways = {
        "ours_bytes_to_arrays": each(reader.read, frames),
        "ours_bytes_to_book": to_book,
        "ours_bybit_to_rows": rows_of_bybit,
        "ours_generic_to_rows": generic,
        "msgspec_lists_only": each(decode_depth, frames),
        "msgspec_to_arrays": each(msgspec_arrays, frames),
        "json_dictionary": each(json_depth, frames),
    }
    if "pysimdjson" in others:
        ways["pysimdjson_dictionary"] = each(others["pysimdjson"].depth, frames)

    def with_book(other):
        def run():
            other.follow(0)
            for frame in frames:
                other.handle(frame)
            assert other.last_id() == 9_000_000_000_000 + 100 * n

        return run

    for name in others.keys() & {"ccxt", "cryptofeed"}:
        ways[f"{name}_with_book"] = with_book(others[name])
    assert all(reader.read(frame) is not None for frame in frames)
    return {**in_turns(ways, n, repeats), **by_simdjson("depth", frames)}


# ---------------------------------------------------------------- a burst over a socket

SERVER = """
import asyncio, base64, hashlib, struct, sys
sys.path.insert(0, sys.argv[1])
from decode_frames import binance_trade

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
frames = [binance_trade(number) for number in range(1000)]
# All frames in one write: were each its own, the receiver of an idle machine would wake up for every one of them.
block = b"".join(struct.pack(">BBH", 0x81, 126, len(frame)) + frame for frame in frames)

async def serve(reader, writer):
    head = await reader.readuntil(b"\\r\\n\\r\\n")
    told = dict(line.split(b": ", 1) for line in head.split(b"\\r\\n") if b": " in line)
    accept = base64.b64encode(hashlib.sha1(told[b"Sec-WebSocket-Key"] + GUID).digest())
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n"
        b"Sec-WebSocket-Accept: " + accept + b"\\r\\n\\r\\n"
    )
    _, length = await reader.readexactly(2)
    mask = await reader.readexactly(4)
    asked = bytes(a ^ b for a, b in zip(await reader.readexactly(length & 127), mask * 32))
    for _ in range(int(asked) // len(frames)):
        writer.write(block)
        await writer.drain()
    await reader.read()
    writer.close()

async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""


async def picows_burst(port, n, *, is_mapped=False):
    """CPU seconds to receive ``n`` trades with picows and decode them with msgspec, or map them to rows."""
    from picows import WSListener, WSMsgType, ws_connect

    mapper, out, _ = mapped("binance", [])
    done = asyncio.get_running_loop().create_future()

    class Side(WSListener):
        n_seen = 0

        def on_ws_frame(self, transport, frame):  # noqa: ARG002 - picows calls it so
            if is_mapped:
                mapper.map(frame.get_payload_as_bytes(), NOW_NS, out)
            else:
                decode_trade(frame.get_payload_as_memoryview())
            self.n_seen += 1
            if self.n_seen % DRAIN_EVERY == 0:
                out.drain()
                if self.n_seen == n and not done.done():
                    done.set_result(None)

    transport, _ = await ws_connect(Side, f"ws://127.0.0.1:{port}")
    started = time.process_time()
    transport.send(WSMsgType.TEXT, str(n).encode())
    await done
    spent = time.process_time() - started
    transport.disconnect()
    assert not out.rejects
    return spent


async def websockets_burst(port, n):
    """CPU seconds to receive ``n`` trades with websockets and decode them with msgspec."""
    from websockets.asyncio.client import connect

    async with connect(f"ws://127.0.0.1:{port}", compression=None, ping_interval=None) as socket:
        started = time.process_time()
        await socket.send(str(n))
        for _ in range(n):
            decode_trade(await socket.recv(decode=False))
        return time.process_time() - started


def measure_socket(repeats=3):
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(Path(__file__).parent)], stdout=subprocess.PIPE, text=True
    )
    try:
        port = int(server.stdout.readline())
        ways = {
            "picows_msgspec": picows_burst,
            "picows_ours": lambda port, n: picows_burst(port, n, is_mapped=True),
        }
        try:
            import websockets

            ways["websockets_msgspec"] = websockets_burst
            note = websockets.__version__
        except ImportError as exc:
            note = f"not measured: {exc}"
        spent = {name: [] for name in ways}
        for _ in range(repeats):
            for name, way in ways.items():
                spent[name].append(asyncio.run(way(port, BURST)) / BURST * 1e6)
    finally:
        server.terminate()
        server.wait()
    return {
        **{name: round(statistics.median(values), 3) for name, values in spent.items()},
        "websockets": note,
    }


def judge(result):
    """Which gates hold."""
    trade, depth, generic = (
        result["trade_us"],
        result["depth_50_us"],
        result["depth_50_us"]["ours_generic_to_rows"],
    )
    socket = result["socket_us"]
    held = {
        "trade_us": max(trade["ours_binance"], trade["ours_bybit"]) <= GATES["trade_us"],
        "depth_50_bytes_us": depth["ours_bytes_to_arrays"] <= GATES["depth_50_bytes_us"],
        "depth_50_generic_us": generic <= GATES["depth_50_generic_us"],
        "socket_per_s": 1e6 / socket["picows_msgspec"] >= GATES["socket_per_s"],
    }
    if "ccxt" in trade:
        held["times_ccxt_struct"] = trade["ccxt"] / trade["msgspec_struct_only"] >= GATES["times_ccxt_struct"]
        held["times_ccxt_trade"] = trade["ccxt"] / trade["ours_binance"] >= GATES["times_ccxt_trade"]
        large = result["depth_500_us"]
        times = large["ccxt_with_book"] / large["ours_bytes_to_book"]
        held["times_ccxt_depth_500"] = times >= GATES["times_ccxt_depth_500"]
    if "cryptofeed" in trade:
        large = result["depth_500_us"]
        times = large["cryptofeed_with_book"] / large["ours_bytes_to_book"]
        held["times_cryptofeed_depth_500"] = times >= GATES["times_cryptofeed_depth_500"]
    if "simdjson_cpp" in trade:
        large = result["depth_500_us"]
        times = large["ours_bytes_to_book"] / large["simdjson_cpp"]
        held["of_simdjson_depth_500"] = times <= GATES["of_simdjson_depth_500"]
    if "websockets_msgspec" in socket:
        times = socket["websockets_msgspec"] / socket["picows_msgspec"]
        held["times_websockets"] = times >= GATES["times_websockets"]
    return held


def measure():
    """All figures as one dictionary."""
    others, notes = {}, {}
    for name, kind in (("ccxt", Ccxt), ("cryptofeed", Cryptofeed), ("pysimdjson", PySimdjson)):
        try:
            others[name] = kind()
            notes[name] = others[name].version
        except ImportError as exc:
            notes[name] = f"not measured: {exc}"
    result = {
        "trade_us": measure_trades(others),
        "liquidation_us": measure_liquidations(others),
        "depth_50_us": measure_depth(others, 50, 1_000),
        "depth_500_us": measure_depth(others, 500, 150),
        "venues_us": measure_venues(),
        "socket_us": measure_socket(),
        **notes,
    }
    held = judge(result)
    return {
        **result,
        "load": os.getloadavg(),
        "gates": GATES,
        "held": held,
        "passed": all(held.values()),
        "machine": f"{platform.machine()} {platform.processor()}".strip(),
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    sys.exit(publish("decode", measure()))
