"""dYdX v4, as the documentation of its indexer describes it."""

from __future__ import annotations

import datetime as dt
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

_CONTRACTS: Final = linear_contracts("{base}-USD", "USD", (1.0, 0.1, 0.01, 0.001))
_CHANNELS: Final = {"v4_trades", "v4_orderbook", "v4_markets"}
_CONNECTION: Final = "0f7a52c4-91d3-4a60-b1be-6a2f5c0d8e11"
#: Trades that are repeated to a new subscriber.
_REPEATED: Final = 5


class Script(VenueScript):
    """Markets, confirmations that carry the first contents, repeated trades, books, and three channels."""

    slug: ClassVar[str] = "dydx"
    contracts = _CONTRACTS

    def __init__(self) -> None:
        self._by_symbol = {item.symbol: item for item in _CONTRACTS}
        self._books = WholeBooks()
        self._trades: dict[str, list[dict[str, Any]]] = {}
        self._markets = {item.symbol: _market(item) for item in _CONTRACTS}
        #: Markets of which something was told; a subscription begins with their states.
        self._told: set[str] = set()
        self._message_id = 0

    def answer(
        self, method: str, path: str, query: Mapping[str, str], body: bytes, now_ns: int
    ) -> Answer | None:
        """Markets, a closed one and one of a pool among them."""
        del method, query, body, now_ns
        if path != "/v4/perpetualMarkets":
            return None
        first = self._markets["BTC-USD"]
        closed = {**first, "ticker": "OLD-USD", "status": "FINAL_SETTLEMENT"}
        pool = {**first, "ticker": "CAT,raydium,9abc-USD"}
        rows = {one["ticker"]: one for one in (*self._markets.values(), closed, pool)}
        return Answer(200, _json({"markets": rows}))

    def opened(self, client: Client, now_ns: int) -> Sequence[bytes]:
        """The name of the connection."""
        del client, now_ns
        return [_json({"type": "connected", "connection_id": _CONNECTION, "message_id": 0})]

    def received(self, client: Client, frame: bytes, now_ns: int) -> Sequence[bytes]:
        """Confirm a subscription with its first contents, or refuse it."""
        del now_ns
        ask = msgspec.json.decode(frame)
        channel, symbol = ask["channel"], ask.get("id", "")
        is_known = symbol in self._by_symbol or (channel == "v4_markets" and not symbol)
        if channel not in _CHANNELS or not is_known:
            return [
                self._frame(
                    "error", {"message": f"Invalid subscription id for channel: ({channel}-{symbol})"}
                )
            ]
        names = {"channel": channel, "id": symbol or channel}
        topic = f"{channel}|{symbol}"
        if ask["type"] == "unsubscribe":
            client.topics.discard(topic)
            return [self._frame("unsubscribed", names)]
        client.topics.add(topic)
        return [self._frame("subscribed", {**names, "contents": self._first(channel, symbol)})]

    def frames(self, fact: Fact, now_ns: int) -> Sequence[tuple[str, bytes]]:
        """One frame per fact; a liquidation is a trade of a taker that was forced out."""
        del now_ns
        symbol = fact.symbol
        match fact:
            case TradeFact():
                return [self._trade(fact, "LIQUIDATED" if fact.is_liquidation else "LIMIT")]
            case LiquidationFact():
                price, qty = fact.price_usd, fact.qty_base
                trade = TradeFact(symbol, fact.ts_ns, fact.seq, price, qty, -fact.side)
                return [self._trade(trade, "LIQUIDATED")]
            case BookFact():
                return [self._data("v4_orderbook", symbol, self._change(fact))]
            case MarkFact():
                self._markets[symbol]["oraclePrice"] = repr(fact.mark_usd)
                self._told.add(symbol)
                price_row = {
                    "oraclePrice": repr(fact.mark_usd), "effectiveAt": _iso(fact.ts_ns),
                    "effectiveAtHeight": "71300100", "marketId": 0,
                }  # fmt: skip
                return [self._data("v4_markets", "", {"oraclePrices": {symbol: price_row}})]
            case FundingFact():
                state = {"nextFundingRate": repr(fact.rate_ratio)}
            case OpenInterestFact():
                state = {"openInterest": repr(fact.oi_base)}
            case _:
                return []
        self._markets[symbol] |= state
        self._told.add(symbol)
        return [self._data("v4_markets", "", {"trading": {symbol: state}})]

    def _first(self, channel: str, symbol: str) -> dict[str, Any]:
        if channel == "v4_markets":
            return {"markets": {symbol: self._markets[symbol] for symbol in sorted(self._told)}}
        if channel == "v4_trades":
            return {"trades": self._trades.get(symbol, [])[::-1]}
        whole = self._books.get(symbol)
        sides = (("bids", whole.bids if whole else ()), ("asks", whole.asks if whole else ()))
        return {
            name: [{"price": repr(price), "size": repr(qty)} for price, qty in levels]
            for name, levels in sides
        }

    def _trade(self, fact: TradeFact, kind: str) -> tuple[str, bytes]:
        row = {
            "id": f"{fact.ts_ns // 10**9 % 2**32:08x}{len(kind):08x}{fact.seq % 2**32:08x}",
            "side": "BUY" if fact.taker_side > 0 else "SELL", "size": repr(fact.qty_base), "type": kind,
            "price": repr(fact.price_usd), "createdAt": _iso(fact.ts_ns), "createdAtHeight": "71300100",
        }  # fmt: skip
        self._trades[fact.symbol] = [*self._trades.get(fact.symbol, []), row][-_REPEATED:]
        return self._data("v4_trades", fact.symbol, {"trades": [row]})

    def _change(self, fact: BookFact) -> dict[str, Any]:
        """Levels that changed; where a fact is a whole book, what is not in it is taken away."""
        before = self._books.get(fact.symbol) if fact.is_snapshot else None
        self._books.apply(fact)
        sides = (
            ("bids", before.bids if before else (), fact.bids),
            ("asks", before.asks if before else (), fact.asks),
        )
        return {
            name: [
                [repr(price), repr(qty)] for price, qty in (dict.fromkeys(dict(old), 0.0) | dict(new)).items()
            ]
            for name, old, new in sides
        }

    def _data(self, channel: str, symbol: str, contents: dict[str, Any]) -> tuple[str, bytes]:
        names = {"id": symbol or channel, "channel": channel, "version": "2.1.0"}
        return f"{channel}|{symbol}", self._frame("channel_data", {**names, "contents": contents})

    def _frame(self, kind: str, rest: dict[str, Any]) -> bytes:
        self._message_id += 1
        return _json({"type": kind, "connection_id": _CONNECTION, "message_id": self._message_id, **rest})


def _market(item: ScriptContract) -> dict[str, Any]:
    return {
        "clobPairId": "0", "ticker": item.symbol, "status": "ACTIVE", "oraclePrice": repr(item.price_usd),
        "nextFundingRate": "0.00000125", "initialMarginFraction": "0.02", "maintenanceMarginFraction": "0.012",
        "openInterest": "512.25", "tickSize": repr(item.tick_usd), "stepSize": "0.0001", "marketType": "CROSS",
    }  # fmt: skip


def _iso(ts_ns: int) -> str:
    """A time in milliseconds; impossible ones of tests are possible years."""
    moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=ts_ns // 10**6)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)
