"""Frames for the decoding benchmark, and what other software makes of them where it is installed."""

from __future__ import annotations

import importlib.metadata
import json
import random
import subprocess
import tempfile
import types
from pathlib import Path

NOW_MS = 1_762_000_000_123
SYMBOL = "BTCUSDT"


def compact(value):
    """JSON as venues write it, without spaces."""
    return json.dumps(value, separators=(",", ":")).encode()


def price(number):
    return f"{100_000 + number % 977 / 10:.2f}"


def binance_trade(number):
    """An aggregated trade of a combined stream."""
    data = {
        "e": "aggTrade", "E": NOW_MS, "a": 3_000_000_000 + number, "s": SYMBOL, "p": price(number),
        "q": "0.014", "f": 5_600_000_001, "l": 5_600_000_001, "T": NOW_MS - 3, "m": bool(number % 2),
    }  # fmt: skip
    return compact({"stream": "btcusdt@aggTrade", "data": data})


def binance_liquidation():
    """A liquidation order of a combined stream."""
    order = {
        "s": SYMBOL, "S": "SELL", "o": "LIMIT", "f": "IOC", "q": "0.314", "p": "99712.30", "ap": "99820.00",
        "X": "FILLED", "l": "0.314", "z": "0.314", "T": NOW_MS - 5,
    }  # fmt: skip
    data = {"e": "forceOrder", "E": NOW_MS, "o": order}
    return compact({"stream": "btcusdt@forceOrder", "data": data})


def bybit_trade(number):
    """One trade of the topic of a symbol."""
    row = {
        "T": NOW_MS - 3, "s": SYMBOL, "S": "Buy" if number % 2 else "Sell", "v": "0.014", "p": price(number),
        "L": "PlusTick", "i": f"00000000-0000-5000-8000-{number:012d}", "BT": False, "RPI": False, "seq": number,
    }  # fmt: skip
    return compact({"topic": f"publicTrade.{SYMBOL}", "type": "snapshot", "ts": NOW_MS, "data": [row]})


def levels(n, seed):
    """Bids and asks, ``n`` levels in all, as text."""
    rng = random.Random(seed)  # noqa: S311 - a seeded benchmark
    half = n // 2
    sides = [], []
    for side, sign in ((0, -1), (1, 1)):
        ticks = sorted(rng.sample(range(1, 4 * n), half))
        sides[side].extend(
            [f"{100_000 + sign * tick / 10:.2f}", f"{rng.randrange(5_000) / 1000:.3f}"] for tick in ticks
        )
    return sides


def binance_depth(n, number, *, is_combined=True):
    """A change of ``n`` levels whose ids follow those of the one before."""
    bids, asks = levels(n, number)
    last = 9_000_000_000_000 + 100 * number
    data = {
        "e": "depthUpdate", "E": NOW_MS, "T": NOW_MS - 4, "s": SYMBOL, "U": last + 1, "u": last + 100, "pu": last,
        "b": bids, "a": asks,
    }  # fmt: skip
    return compact({"stream": "btcusdt@depth@100ms", "data": data} if is_combined else data)


def bybit_depth(n, number, kind="delta"):
    """A change or a snapshot of the book of a symbol."""
    bids, asks = levels(n, number)
    data = {"s": SYMBOL, "b": bids, "a": asks, "u": number, "seq": 7 * number}
    return compact(
        {"topic": f"orderbook.200.{SYMBOL}", "type": kind, "ts": NOW_MS, "data": data, "cts": NOW_MS - 2}
    )


class Ccxt:
    """The message handler of ccxt's streaming client of Binance futures, without a network."""

    def __init__(self):
        import ccxt
        import ccxt.pro

        self.version = ccxt.__version__
        self.exchange = exchange = ccxt.pro.binanceusdm()
        symbol = "BTC/USDT:USDT"
        market = exchange.safe_market_structure(
            {
                "id": SYMBOL, "symbol": symbol, "base": "BTC", "quote": "USDT", "settle": "USDT", "baseId": "BTC",
                "quoteId": "USDT", "settleId": "USDT", "type": "swap", "spot": False, "swap": True, "contract": True,
                "linear": True, "inverse": False, "active": True, "contractSize": 1.0,
                "precision": {"amount": 0.001, "price": 0.1},
            }
        )  # fmt: skip
        exchange.markets, exchange.markets_by_id = {symbol: market}, {SYMBOL: [market]}
        exchange.symbols = [symbol]
        self.client = types.SimpleNamespace(
            url="wss://fstream.binance.com/ws", subscriptions={}, resolve=lambda *_: None, reject=_raise
        )
        self.book = exchange.order_book({"bids": [], "asks": []})
        exchange.orderbooks[symbol] = self.book
        try:
            import orjson

            self.loads = orjson.loads
        except ImportError:
            self.loads = json.loads

    def handle(self, frame):
        """What its client does with a frame: JSON, then the handler of its event."""
        self.exchange.handle_message(self.client, self.loads(frame))

    def follow(self, number):
        """Let the book wait for the change of a number."""
        self.book["nonce"] = 9_000_000_000_000 + 100 * number

    def last_id(self):
        return self.book["nonce"]

    def trades(self):
        return self.exchange.trades["BTC/USDT:USDT"]


class Cryptofeed:
    """The message handler of cryptofeed's feed of Binance futures, without a network."""

    def __init__(self):
        import cryptofeed
        from cryptofeed.exchanges import BinanceFutures
        from cryptofeed.symbols import Symbols
        from cryptofeed.types import OrderBook

        name = "BTC-USDT-PERP"
        Symbols.set("BINANCE_FUTURES", {name: SYMBOL}, {"instrument_type": {name: "perpetual"}})
        self.version = importlib.metadata.version(cryptofeed.__name__)
        self.n_told = 0
        channels = ("trades", "l2_book", "liquidations")
        callbacks = dict.fromkeys(channels, self._take)
        self.feed = BinanceFutures(symbols=[name], channels=list(channels), callbacks=callbacks)
        self._new_book = lambda: OrderBook("BINANCE_FUTURES", name, max_depth=0, bids={}, asks={})
        self._name = name

    async def _take(self, *_):
        self.n_told += 1

    def handle(self, frame):
        """What its connection does with a frame; nothing in it waits."""
        told = self.n_told
        try:
            self.feed.message_handler(frame.decode(), None, 0.0).send(None)
        except StopIteration:
            assert self.n_told == told + 1
        else:
            raise AssertionError("the handler waits")

    def follow(self, number):
        """An empty book that waits for the change of a number."""
        vars(self.feed)["_l2_book"][self._name] = self._new_book()
        self.feed.last_update_id[self._name] = 9_000_000_000_000 + 100 * number

    def last_id(self):
        return self.feed.last_update_id[self._name]


class PySimdjson:
    """The Python binding of simdjson: a lazy document of which the fields that are used are read."""

    def __init__(self):
        import simdjson

        self.version = importlib.metadata.version("pysimdjson")
        self._parse = simdjson.Parser().parse

    def trade(self, frame):
        data = self._parse(frame)["data"]
        return data["a"], float(data["p"]), float(data["q"]), data["T"], data["m"]

    def depth(self, frame):
        data = self._parse(frame)["data"]
        return {side: {float(price): float(qty) for price, qty in data[side]} for side in "ba"}


def simdjson_ns(folder, kind, frames):
    """CPU nanoseconds a frame of simdjson alone, in C++, compiled here from the sources in ``folder``."""
    with tempfile.TemporaryDirectory() as place:
        program, file = Path(place, "frames"), Path(place, "frames.txt")
        sources = [str(Path(__file__).with_name("simdjson_frames.cpp")), str(Path(folder, "simdjson.cpp"))]
        command = [
            "g++",
            "-O3",
            "-march=native",
            "-std=c++17",
            "-I",
            str(folder),
            *sources,
            "-o",
            str(program),
        ]
        subprocess.run(command, check=True)
        file.write_bytes(b"\n".join(frames) + b"\n")
        said = subprocess.run([str(program), kind, str(file)], check=True, capture_output=True, text=True)
        return float(said.stdout.split()[0])


def _raise(error, *_):
    raise error
