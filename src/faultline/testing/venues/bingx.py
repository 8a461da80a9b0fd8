"""BingX, as its documentation of version 3 describes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec

from faultline.testing.facts import BookFact, FundingFact, MarkFact, OpenInterestFact, TradeFact
from faultline.testing.script import Answer, Client, ScriptContract, VenueScript, linear_contracts
from faultline.testing.whole_books import WholeBooks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultline.testing.facts import Fact

__all__ = ("Script",)

_MS: Final = 1_000_000
_CONTRACTS: Final = linear_contracts("{base}-USDT", "USDT", (0.1, 0.01, 0.01, 0.001))
_CHANNELS: Final = {"trade", "incrDepth", "markPrice"}
#: Digits after the point of a price, by its step.
_DIGITS: Final = {0.1: 1, 0.01: 2, 0.001: 3}


class Script(VenueScript):
    """Contracts, answers by id, compressed pushes and pings, trades that overlap, funding and interest by REST."""

    slug: ClassVar[str] = "bingx"
    contracts = _CONTRACTS
    ping: ClassVar[bytes | None] = b"Ping"
    ping_every_s: ClassVar[float] = 5.0
    zips: ClassVar[str] = "gzip"

    def __init__(self) -> None:
        self._by_symbol = {item.symbol: item for item in _CONTRACTS}
        self._books = WholeBooks()
        self._ids: dict[str, int] = {}
        self._latest_trade: dict[str, dict[str, Any]] = {}
        self._funding = {
            item.symbol: {"lastFundingRate": "0.00010000", "nextFundingTime": 0} for item in _CONTRACTS
        }
        self._interest = {item.symbol: {"openInterest": "0", "time": 0} for item in _CONTRACTS}

    def answer(
        self, method: str, path: str, query: Mapping[str, str], body: bytes, now_ns: int
    ) -> Answer | None:
        """Contracts, a paused one among them; funding and open interest of one contract."""
        del method, body, now_ns
        name, symbol = path.removeprefix("/openApi/swap/v2/quote/"), query.get("symbol", "")
        if name == "contracts":
            rows = [_contract(item) for item in _CONTRACTS]
            return _ok([*rows, {**rows[0], "symbol": "OLD-USDT", "asset": "OLD", "status": 25}])
        if name not in {"premiumIndex", "openInterest"}:
            return None
        if symbol not in self._by_symbol:
            return Answer(200, _json({"code": 109425, "msg": f"{symbol} not exist", "data": {}}))
        if name == "openInterest":
            return _ok({"symbol": symbol, **self._interest[symbol]})
        price = repr(self._by_symbol[symbol].price_usd)
        prices = {"symbol": symbol, "markPrice": price, "indexPrice": price, "fundingIntervalHours": 8}
        return _ok({**prices, **self._funding[symbol]})

    def opened(self, client: Client, now_ns: int) -> Sequence[bytes]:
        """Nothing: BingX waits for the first request."""
        del client, now_ns
        return ()

    def received(self, client: Client, frame: bytes, now_ns: int) -> Sequence[bytes]:
        """Answer by id; begin books with the whole of them. Answers to pings are taken in silence."""
        del now_ns
        if frame == b"Pong":
            return []
        ask = msgspec.json.decode(frame)
        topic = ask["dataType"]
        symbol, _, channel = topic.partition("@")
        answer = {"id": ask["id"], "code": 0, "msg": "", "dataType": "", "data": None}
        if symbol not in self._by_symbol or channel not in _CHANNELS:
            return [_json({**answer, "code": 80015, "msg": "dataType not support"})]
        if ask["reqType"] == "unsub":
            client.topics.discard(topic)
            return [_json(answer)]
        client.topics.add(topic)
        whole = self._books.get(symbol) if channel == "incrDepth" else None
        return [_json(answer), *([self._depth(whole, self._ids.get(symbol, 0))] if whole else [])]

    def frames(self, fact: Fact, now_ns: int) -> Sequence[tuple[str, bytes]]:
        """One frame per fact; a frame of trades repeats the trade before; funding and interest by REST only."""
        del now_ns
        symbol, ts_ms = fact.symbol, fact.ts_ns // _MS
        match fact:
            case TradeFact():
                before = self._latest_trade.get(symbol)
                row = {
                    "q": repr(fact.qty_base), "p": repr(fact.price_usd), "T": ts_ms, "m": fact.taker_side < 0,
                    "s": symbol,
                }  # fmt: skip
                if (
                    fact.price_usd > 0
                    and fact.qty_base > 0
                    and (before is None or ts_ms - before["T"] < 10**6)
                ):
                    self._latest_trade[symbol] = row
                return [_push(f"{symbol}@trade", [row, *([before] if before else [])])]
            case BookFact():
                # Ids skip now and then.
                self._ids[symbol] = last = self._ids.get(symbol, 393_000) + 1 + fact.seq % 2
                self._books.apply(fact)
                return [(f"{symbol}@incrDepth", self._depth(fact, last))]
            case MarkFact():
                row = {"e": "markPriceUpdate", "E": ts_ms, "s": symbol, "p": repr(fact.mark_usd)}
                return [_push(f"{symbol}@markPrice", row)]
            case FundingFact():
                rate = {"lastFundingRate": repr(fact.rate_ratio), "nextFundingTime": fact.next_ns // _MS}
                self._funding[symbol] = rate
            case OpenInterestFact():
                self._interest[symbol] = {"openInterest": repr(fact.oi_base * fact.mark_usd), "time": ts_ms}
        return []

    def _depth(self, fact: BookFact, last_id: int) -> bytes:
        """Levels of a fact; asks of a change come worst first."""
        asks = fact.asks if fact.is_snapshot else fact.asks[::-1]
        body = {
            "action": "all" if fact.is_snapshot else "update", "lastUpdateId": last_id, "time": fact.ts_ns // _MS,
            "bids": [[repr(price), repr(qty)] for price, qty in fact.bids],
            "asks": [[repr(price), repr(qty)] for price, qty in asks],
        }  # fmt: skip
        return _push(f"{fact.symbol}@incrDepth", body)[1]


def _contract(item: ScriptContract) -> dict[str, Any]:
    return {
        "contractId": "100", "symbol": item.symbol, "size": "0.0001", "quantityPrecision": 4,
        "pricePrecision": _DIGITS[item.tick_usd], "takerFeeRate": 0.0005, "makerFeeRate": 0.0002,
        "tradeMinQuantity": 0.0001, "tradeMinUSDT": 2, "currency": item.quote, "asset": item.base, "status": 1,
        "apiStateOpen": "true", "apiStateClose": "true",
    }  # fmt: skip


def _push(topic: str, body: Any) -> tuple[str, bytes]:
    return topic, _json({"code": 0, "dataType": topic, "data": body})


def _ok(body: Any) -> Answer:
    return Answer(200, _json({"code": 0, "msg": "", "data": body}))


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)
