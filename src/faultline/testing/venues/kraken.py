"""Kraken Futures, as its documentation of the first version of the socket describes it."""

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
from faultline.testing.script import Answer, Client, ScriptContract, VenueScript
from faultline.testing.whole_books import WholeBooks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultline.testing.facts import Fact

__all__ = ("Script",)

_MS: Final = 1_000_000
_CONTRACTS: Final = tuple(
    ScriptContract(
        symbol, base, "USD", symbol.startswith("PI_"), contract_size=1.0, tick_usd=tick, price_usd=price
    )
    for symbol, base, tick, price in (
        ("PF_XBTUSD", "BTC", 1.0, 100_000.0),
        ("PF_ETHUSD", "ETH", 0.1, 3_500.0),
        ("PF_SOLUSD", "SOL", 0.01, 160.0),
        ("PF_DOTUSD", "DOT", 0.001, 4.0),
        ("PI_XBTUSD", "BTC", 0.5, 100_000.0),
    )
)
_FEEDS: Final = {"trade", "book", "ticker"}
#: Trades that are repeated to a new subscriber.
_REPEATED: Final = 5


class Script(VenueScript):
    """Contracts and prices, confirmations product by product, repeated trades, books, and three feeds."""

    slug: ClassVar[str] = "kraken"
    contracts = _CONTRACTS

    def __init__(self) -> None:
        self._by_symbol = {item.symbol: item for item in _CONTRACTS}
        self._books = WholeBooks()
        self._seqs: dict[str, int] = {}
        self._trades: dict[str, list[dict[str, Any]]] = {}
        self._tickers = {item.symbol: _ticker(item) for item in _CONTRACTS}

    def answer(
        self, method: str, path: str, query: Mapping[str, str], body: bytes, now_ns: int
    ) -> Answer | None:
        """Contracts, a dated and a closed one and an index among them, and prices."""
        del method, query, body, now_ns
        if path == "/derivatives/api/v3/instruments":
            rows = [_contract(item) for item in _CONTRACTS]
            dated = {**rows[-1], "symbol": "FI_XBTUSD_261225"}
            closed = {**rows[0], "symbol": "PF_OLDUSD", "base": "OLD", "tradeable": False}
            index = {"symbol": "in_xbtusd", "type": "spot index", "tradeable": False}
            return _ok("instruments", [*rows, dated, closed, index])
        if path == "/derivatives/api/v3/tickers":
            return _ok(
                "tickers", [{"symbol": item.symbol, "markPrice": item.price_usd} for item in _CONTRACTS]
            )
        return None

    def opened(self, client: Client, now_ns: int) -> Sequence[bytes]:
        """The version of the interface."""
        del client, now_ns
        return [_json({"event": "info", "version": 1})]

    def received(self, client: Client, frame: bytes, now_ns: int) -> Sequence[bytes]:
        """Confirm every product, or refuse the request; begin feeds with what came before."""
        del now_ns
        ask = msgspec.json.decode(frame)
        feed, products = ask["feed"], ask["product_ids"]
        if feed not in _FEEDS:
            return [_json({"event": "error", "message": "Invalid feed"})]
        if not set(products) <= set(self._by_symbol):
            return [_json({"event": "error", "message": "Invalid product id"})]
        topics = {f"{feed}|{product}" for product in products}
        if ask["event"] == "unsubscribe":
            client.topics -= topics
            return [_json({"event": "unsubscribed", "feed": feed, "product_ids": [one]}) for one in products]
        client.topics |= topics
        out = [_json({"event": "subscribed", "feed": feed, "product_ids": [one]}) for one in products]
        for product in products:
            out += self._begin(feed, product)
        return out

    def frames(self, fact: Fact, now_ns: int) -> Sequence[tuple[str, bytes]]:
        """A frame per fact, and per level of the book; a liquidation is a trade of a taker that was forced out."""
        del now_ns
        symbol = fact.symbol
        match fact:
            case TradeFact():
                return [self._trade(fact, "liquidation" if fact.is_liquidation else "fill")]
            case LiquidationFact():
                price, qty = fact.price_usd, fact.qty_base
                trade = TradeFact(symbol, fact.ts_ns, fact.seq, price, qty, -fact.side)
                return [self._trade(trade, "liquidation")]
            case BookFact():
                return self._book(fact)
            case MarkFact():
                state = {"markPrice": fact.mark_usd, "index": fact.index_usd}
            case FundingFact():
                mark_usd = self._tickers[symbol]["markPrice"]
                state = {
                    "relative_funding_rate": fact.rate_ratio, "funding_rate": fact.rate_ratio / mark_usd,
                    "next_funding_rate_time": fact.next_ns // _MS,
                }  # fmt: skip
            case OpenInterestFact():
                state = {"openInterest": self._qty(symbol, fact.oi_base, fact.mark_usd)}
            case _:
                return []
        self._tickers[symbol] |= state
        return [(f"ticker|{symbol}", _json({"time": fact.ts_ns // _MS, **self._tickers[symbol]}))]

    def _begin(self, feed: str, product: str) -> list[bytes]:
        """What a new subscriber gets first."""
        if feed == "trade":
            newest_first = self._trades.get(product, [])[::-1]
            return [_json({"feed": "trade_snapshot", "product_id": product, "trades": newest_first})]
        whole = self._books.get(product)
        return [self._snapshot(whole)] if feed == "book" and whole else []

    def _trade(self, fact: TradeFact, kind: str) -> tuple[str, bytes]:
        row = {
            "feed": "trade", "product_id": fact.symbol, "side": "buy" if fact.taker_side > 0 else "sell",
            "uid": f"{fact.seq % 2**32:08x}-{len(kind):04x}-4000-8000-{fact.ts_ns // _MS % 2**48:012x}",
            "type": kind, "seq": fact.seq, "time": fact.ts_ns // _MS, "price": fact.price_usd,
            "qty": self._qty(fact.symbol, fact.qty_base, fact.price_usd),
        }  # fmt: skip
        self._trades[fact.symbol] = [*self._trades.get(fact.symbol, []), row][-_REPEATED:]
        return f"trade|{fact.symbol}", _json(row)

    def _book(self, fact: BookFact) -> list[tuple[str, bytes]]:
        """The whole book, or a frame for every level that changed."""
        topic, seq = f"book|{fact.symbol}", self._seqs.get(fact.symbol, 7_000)
        levels = [("buy", *level) for level in fact.bids] + [("sell", *level) for level in fact.asks]
        self._seqs[fact.symbol] = last = seq + (1 if fact.is_snapshot else len(levels))
        whole = self._books.apply(fact, last)
        if fact.is_snapshot:
            return [(topic, self._snapshot(whole))]
        return [
            (
                topic,
                _json({
                    "feed": "book", "product_id": fact.symbol, "side": side, "seq": seq + number, "price": price,
                    "qty": self._qty(fact.symbol, qty, price), "timestamp": fact.ts_ns // _MS,
                }),
            )
            for number, (side, price, qty) in enumerate(levels, 1)
        ]  # fmt: skip

    def _snapshot(self, whole: BookFact) -> bytes:
        sides = {
            name: [{"price": price, "qty": self._qty(whole.symbol, qty, price)} for price, qty in side]
            for name, side in (("bids", whole.bids), ("asks", whole.asks))
        }
        head = {"feed": "book_snapshot", "product_id": whole.symbol, "timestamp": whole.ts_ns // _MS}
        return _json({**head, "seq": whole.seq, "tickSize": None, **sides})

    def _qty(self, symbol: str, qty_base: float, price_usd: float) -> float:
        return qty_base * (price_usd if self._by_symbol[symbol].is_inverse else 1.0)


def _ticker(item: ScriptContract) -> dict[str, Any]:
    return {
        "feed": "ticker", "product_id": item.symbol, "bid": item.price_usd, "ask": item.price_usd, "tag": "perpetual",
        "markPrice": item.price_usd, "index": item.price_usd, "openInterest": 1_000.0, "leverage": "50x",
        "funding_rate": 0.0, "relative_funding_rate": 0.0, "next_funding_rate_time": 0, "suspended": False,
    }  # fmt: skip


def _contract(item: ScriptContract) -> dict[str, Any]:
    size = "contracts" if item.is_inverse else "numNonContractUnits"
    return {
        "symbol": item.symbol, "type": "futures_inverse" if item.is_inverse else "flexible_futures",
        "tickSize": item.tick_usd, "contractSize": 1, "tradeable": True, "fundingRateCoefficient": 24,
        "marginLevels": [
            {size: 0, "initialMargin": 0.02, "maintenanceMargin": 0.01},
            {size: 500_000, "initialMargin": 0.04, "maintenanceMargin": 0.02},
        ],
        "contractValueTradePrecision": 0 if item.is_inverse else 4, "base": item.base, "quote": item.quote,
    }  # fmt: skip


def _ok(name: str, rows: Any) -> Answer:
    return Answer(200, _json({"result": "success", name: rows, "serverTime": "2026-11-02T10:00:00.000Z"}))


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)
