"""Bitfinex, as its documentation of version 2 describes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec

from faultline.testing.facts import (
    BookFact,
    FundingFact,
    LiquidationFact,
    MarkFact,
    OpenInterestFact,
    TradeFact,
)
from faultline.testing.script import Answer, Client, ScriptContract, VenueScript, linear_contracts
from faultline.testing.whole_books import WholeBooks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultline.testing.facts import Fact

__all__ = ("Script",)

_MS: Final = 1_000_000
_CONTRACTS: Final = linear_contracts("t{base}F0:USTF0", "USDT", (10.0, 0.1, 0.01, 0.0001))
_CHANNELS: Final = ("trades", "book", "deriv")
_LIQUIDATIONS: Final = "liq:global"
#: Number of the first channel.
_FIRST: Final = 17_470
#: Trades that are repeated to a new subscriber.
_REPEATED: Final = 5


class Script(VenueScript):
    """Pairs and prices, numbered channels, trades told twice, books level by level, states, liquidations of all."""

    slug: ClassVar[str] = "bitfinex"
    contracts = _CONTRACTS

    def __init__(self) -> None:
        self._by_symbol = {item.symbol: item for item in _CONTRACTS}
        topics = [_LIQUIDATIONS, *(f"{name}|{symbol}" for symbol in self._by_symbol for name in _CHANNELS)]
        self._numbers = {topic: _FIRST + number for number, topic in enumerate(topics)}
        self._books = WholeBooks()
        self._trades: dict[str, list[list[Any]]] = {}
        self._states = {item.symbol: _state(item) for item in _CONTRACTS}

    def answer(
        self, method: str, path: str, query: Mapping[str, str], body: bytes, now_ns: int
    ) -> Answer | None:
        """Pairs, one of them in BTC; states of all; the book of one."""
        del method, body
        if path == "/v2/conf/pub:info:pair:futures":
            pairs = [[item.symbol[1:], _facts()] for item in _CONTRACTS]
            return _ok([[*pairs, ["ETHF0:BTCF0", _facts()]]])
        if path == "/v2/status/deriv" and query.get("keys") == "ALL":
            rows = [[symbol, now_ns // _MS, *state[1:]] for symbol, state in self._states.items()]
            return _ok([*rows, ["tETHF0:BTCF0", now_ns // _MS, None, 0.035, 0.035]])
        symbol = path.removeprefix("/v2/book/").removesuffix("/P0")
        return _ok(self._levels(symbol)) if symbol in self._by_symbol else None

    def opened(self, client: Client, now_ns: int) -> Sequence[bytes]:
        """The version of the interface."""
        del client, now_ns
        return [_json({"event": "info", "version": 2, "serverId": "s-1", "platform": {"status": 1}})]

    def received(self, client: Client, frame: bytes, now_ns: int) -> Sequence[bytes]:
        """Confirm a subscription with the number of its channel, and begin it; answer pings and flags."""
        ask = msgspec.json.decode(frame)
        if ask["event"] == "ping":
            return [_json({"event": "pong", "ts": now_ns // _MS, "cid": ask["cid"]})]
        if ask["event"] == "conf":
            return [_json({"event": "conf", "status": "OK", "flags": ask["flags"]})]
        name, symbol, key = ask["channel"], ask.get("symbol", ""), ask.get("key", "")
        topic = key.replace(":", "|", 1) if key.startswith("deriv:") else key or f"{name}|{symbol}"
        told = {"channel": name, **({"key": key} if key else {"symbol": symbol, "pair": symbol[1:]})}
        number = self._numbers.get(topic)
        if number is None:
            return [
                _json(
                    {"event": "error", "msg": f"{'key' if key else 'symbol'}: invalid", "code": 10300, **told}
                )
            ]
        if topic in client.topics:
            return [_json({"event": "error", "msg": "subscribe: dup", "code": 10301, **told})]
        client.topics.add(topic)
        out = [_json({"event": "subscribed", "chanId": number, **told})]
        if name == "trades":
            out.append(_json([number, self._trades.get(symbol, [])[::-1], now_ns // _MS]))
        elif name == "book":
            out.append(_json([number, self._levels(symbol), now_ns // _MS]))
        return out

    def frames(self, fact: Fact, now_ns: int) -> Sequence[tuple[str, bytes]]:
        """A trade when it is made and when it is booked, a frame for every level, states, liquidations and matches."""
        symbol, ts_ms = fact.symbol, fact.ts_ns // _MS
        match fact:
            case TradeFact():
                row = [fact.seq, ts_ms, fact.qty_base * fact.taker_side, fact.price_usd]
                self._trades[symbol] = [*self._trades.get(symbol, []), row][-_REPEATED:]
                return [self._push(f"trades|{symbol}", [word, row], now_ns) for word in ("te", "tu")]
            case LiquidationFact():
                begun = ["pos", fact.seq, ts_ms, None, symbol, fact.side * fact.qty_base, fact.price_usd]
                rows = ([*begun, None, 0, 1, None, None], [*begun, None, 1, 1, None, fact.price_usd])
                margin = [*begun[:4], "tBTCUSD", *begun[5:], None, 0, 1, None, None]
                return [self._push(_LIQUIDATIONS, [[*rows, margin]], now_ns)]
            case BookFact():
                whole = self._books.apply(fact)
                levels = [*_rows(fact.bids, 1), *_rows(fact.asks, -1)]
                bodies = [self._levels(whole.symbol)] if fact.is_snapshot else levels
                return [self._push(f"book|{symbol}", [body], fact.ts_ns) for body in bodies]
            case MarkFact():
                changed = {14: fact.mark_usd, 3: fact.index_usd}
            case FundingFact():
                changed = {11: fact.rate_ratio, 7: fact.next_ns // _MS}
            case OpenInterestFact():
                changed = {17: fact.oi_base}
            case _:
                return []
        state = self._states[symbol]
        for place, value in {**changed, 0: ts_ms}.items():
            state[place] = value
        return [self._push(f"deriv|{symbol}", [state], now_ns)]

    def _levels(self, symbol: str) -> list[list[float]]:
        whole = self._books.get(symbol)
        return [*_rows(whole.bids, 1), *_rows(whole.asks, -1)] if whole else []

    def _push(self, topic: str, parts: list[Any], now_ns: int) -> tuple[str, bytes]:
        return topic, _json([self._numbers[topic], *parts, now_ns // _MS])


def _rows(levels: Sequence[tuple[float, float]], sign: int) -> list[list[float]]:
    """Levels as price, number of orders and signed amount; one without orders has an amount of 1."""
    return [[price, 2, sign * qty] if qty else [price, 0, sign] for price, qty in levels]


def _facts() -> list[Any]:
    return [None, None, None, "0.0001", "100.0", None, None, None, 0.01, 0.005]


def _state(item: ScriptContract) -> list[Any]:
    price = item.price_usd
    row = [
        0,
        None,
        price,
        price,
        None,
        3.7e7,
        None,
        0,
        0.0,
        1,
        None,
        0.0,
        None,
        None,
        price,
        None,
        None,
        100.0,
    ]
    return [*row, None, None, None, 0.0005, 0.0025]


def _ok(body: Any) -> Answer:
    return Answer(200, _json(body))


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)
