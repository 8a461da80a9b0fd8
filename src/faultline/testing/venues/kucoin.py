"""KuCoin Futures, as its documentation describes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec

from faultline.testing.facts import BookFact, FundingFact, MarkFact, OpenInterestFact, TradeFact
from faultline.testing.script import Answer, Client, ScriptContract, VenueScript
from faultline.testing.whole_books import WholeBooks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultline.testing.facts import Fact

__all__ = ("Script",)

_MS: Final = 1_000_000
_CONTRACTS: Final = tuple(
    ScriptContract(symbol, base, quote, quote == "USD", contract_size=size, tick_usd=tick, price_usd=price)
    for symbol, base, quote, size, tick, price in (
        ("XBTUSDTM", "BTC", "USDT", 0.001, 0.1, 100_000.0),
        ("ETHUSDTM", "ETH", "USDT", 0.01, 0.01, 3_500.0),
        ("SOLUSDTM", "SOL", "USDT", 0.1, 0.01, 160.0),
        ("DOTUSDTM", "DOT", "USDT", 1.0, 0.001, 4.0),
        ("XBTUSDM", "BTC", "USD", 1.0, 0.1, 100_000.0),
    )
)
_TOPICS: Final = {"/contractMarket/execution", "/contractMarket/level2", "/contract/instrument"}
_TICKET: Final = "a-token/with=signs"


class Script(VenueScript):
    """Tokens, a welcome, answers by id, books of single levels that need a snapshot, states that are polled."""

    slug: ClassVar[str] = "kucoin"
    contracts = _CONTRACTS

    def __init__(self) -> None:
        self._by_symbol = {item.symbol: item for item in _CONTRACTS}
        self._books = WholeBooks()
        self._sequences: dict[str, int] = {}
        self._states = {item.symbol: _contract(item) for item in _CONTRACTS}

    def answer(
        self, method: str, path: str, query: Mapping[str, str], body: bytes, now_ns: int
    ) -> Answer | None:
        """Tokens, contracts, risk limits, states, and whole books."""
        del body
        symbol = path.rpartition("/")[2]
        if path == "/api/v1/bullet-public" and method == "POST":
            server = {
                "endpoint": "wss://ws-api-futures.kucoin.com/",
                "pingInterval": 18000,
                "pingTimeout": 10000,
            }
            return _ok({"token": _TICKET, "instanceServers": [server]})
        if path == "/api/v1/contracts/active":
            return _ok([*self._states.values(), _dated()])
        if path == f"/api/v1/contracts/risk-limit/{symbol}":
            listed = symbol in self._by_symbol and symbol != "DOTUSDTM"
            return _ok([_limit(self._by_symbol[symbol], level) for level in (1, 2)] if listed else [])
        if path == f"/api/v1/contracts/{symbol}" and symbol in self._by_symbol:
            return _ok(self._states[symbol])
        if path == "/api/v1/level2/snapshot" and query.get("symbol") in self._by_symbol:
            return _ok(self._snapshot(query["symbol"], now_ns))
        return None

    def opened(self, client: Client, now_ns: int) -> Sequence[bytes]:
        """A welcome."""
        del client, now_ns
        return [_json({"id": "w-1", "type": "welcome"})]

    def received(self, client: Client, frame: bytes, now_ns: int) -> Sequence[bytes]:
        """Acknowledge a subscription by its id, or refuse it; answer pings."""
        ask = msgspec.json.decode(frame)
        if ask["type"] == "ping":
            return [_json({"id": ask["id"], "type": "pong", "timestamp": now_ns // 1000})]
        name, _, listed = ask["topic"].partition(":")
        symbols = listed.split(",")
        if name not in _TOPICS or not set(symbols) <= set(self._by_symbol):
            text = f"topic {ask['topic']} is not found"
            return [
                _json({"id": ask["id"], "type": "error", "code": 404, "topic": ask["topic"], "data": text})
            ]
        for symbol in symbols:
            topic = f"{name}:{symbol}"
            client.topics.add(topic) if ask["type"] == "subscribe" else client.topics.discard(topic)
        return [_json({"id": ask["id"], "type": "ack"})]

    def frames(self, fact: Fact, now_ns: int) -> Sequence[tuple[str, bytes]]:
        """One frame per fact, one per level of a book; funding and open interest are told by REST only."""
        del now_ns
        symbol = fact.symbol
        match fact:
            case TradeFact():
                row = {
                    "symbol": symbol, "sequence": fact.seq, "side": "buy" if fact.taker_side > 0 else "sell",
                    "size": self._size(symbol, fact.qty_base, fact.price_usd), "price": repr(fact.price_usd),
                    "tradeId": str(fact.seq), "ts": fact.ts_ns, "takerOrderId": "1", "makerOrderId": "2",
                }  # fmt: skip
                return [_push("/contractMarket/execution", symbol, "match", row)]
            case BookFact():
                return self._book(fact)
            case MarkFact():
                row = {
                    "markPrice": fact.mark_usd, "indexPrice": fact.index_usd, "granularity": 1000,
                    "timestamp": fact.ts_ns // _MS,
                }  # fmt: skip
                return [_push("/contract/instrument", symbol, "mark.index.price", row)]
            case FundingFact():
                moment = {"nextFundingRateDateTime": fact.next_ns // _MS}
                self._states[symbol] |= {"fundingFeeRate": fact.rate_ratio, **moment}
                row = {"granularity": 60000, "fundingRate": fact.rate_ratio, "timestamp": fact.ts_ns // _MS}
                return [_push("/contract/instrument", symbol, "funding.rate", row)]
            case OpenInterestFact():
                size = self._size(symbol, fact.oi_base, fact.mark_usd)
                self._states[symbol] |= {"openInterest": repr(size)}
        return []

    def _book(self, fact: BookFact) -> list[tuple[str, bytes]]:
        """Every level as a change; a snapshot is told as the changes that lead to it."""
        before = self._books.get(fact.symbol)
        self._books.apply(fact)
        frames = []
        for side, new, old in (
            ("buy", fact.bids, before and before.bids),
            ("sell", fact.asks, before and before.asks),
        ):
            gone = {price: 0.0 for price, _ in old or ()} if fact.is_snapshot else {}
            for price, qty in (gone | dict(new)).items():
                number = self._sequences[fact.symbol] = self._sequences.get(fact.symbol, 100) + 1
                change = f"{price!r},{side},{self._size(fact.symbol, qty, price)!r}"
                row = {"sequence": number, "change": change, "timestamp": fact.ts_ns // _MS}
                frames.append(_push("/contractMarket/level2", fact.symbol, "level2", row))
        return frames

    def _snapshot(self, symbol: str, now_ns: int) -> dict[str, Any]:
        whole = self._books.get(symbol)
        sides = {
            name: [[price, self._size(symbol, qty, price)] for price, qty in side]
            for name, side in (("bids", whole.bids if whole else ()), ("asks", whole.asks if whole else ()))
        }
        ts_ns = whole.ts_ns if whole else now_ns
        return {"symbol": symbol, "sequence": self._sequences.get(symbol, 100), **sides, "ts": ts_ns}

    def _size(self, symbol: str, qty_base: float, price_usd: float) -> float:
        item = self._by_symbol[symbol]
        return qty_base * price_usd if item.is_inverse else qty_base / item.contract_size


def _contract(item: ScriptContract) -> dict[str, Any]:
    base = "XBT" if item.base == "BTC" else item.base
    return {
        "symbol": item.symbol, "type": "FFWCSX", "baseCurrency": base, "quoteCurrency": item.quote,
        "settleCurrency": base if item.is_inverse else item.quote, "isInverse": item.is_inverse,
        "multiplier": -1.0 if item.is_inverse else item.contract_size, "tickSize": item.tick_usd, "lotSize": 1,
        "maintainMargin": 0.004, "maxLeverage": 125, "markPrice": item.price_usd, "status": "Open",
        "openInterest": "1000", "fundingFeeRate": 0.0001, "fundingRateGranularity": 28800000,
        "nextFundingRateTime": 22362107,
    }  # fmt: skip


def _dated() -> dict[str, Any]:
    """A contract that ends."""
    return _contract(_CONTRACTS[-1]) | {"symbol": "XBTMZ26", "type": "FFICSX", "expireDate": 1798185600000}


def _limit(item: ScriptContract, level: int) -> dict[str, Any]:
    unit = item.price_usd if item.is_inverse else 1.0
    return {
        "symbol": item.symbol, "level": level, "maxRiskLimit": 250_000 * level / unit,
        "minRiskLimit": 250_000 * (level - 1) / unit, "maxLeverage": 125 / level, "initialMargin": 0.008 * level,
        "maintainMargin": 0.004 * level,
    }  # fmt: skip


def _push(name: str, symbol: str, subject: str, row: Mapping[str, Any]) -> tuple[str, bytes]:
    topic = f"{name}:{symbol}"
    return topic, _json({"topic": topic, "type": "message", "subject": subject, "data": row})


def _ok(value: Any) -> Answer:
    return Answer(200, _json({"code": "200000", "data": value}))


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)
