"""Bybit, as its documentation of version 5 describes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec

from faultline.testing.facts import (
    BookFact,
    FundingFact,
    LiquidationFact,
    MarkFact,
    OpenInterestFact,
    RatioFact,
    TradeFact,
)
from faultline.testing.script import Answer, Client, ScriptContract, VenueScript, linear_contracts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultline.testing.facts import Fact

__all__ = ("Script",)

_MS: Final = 1_000_000
_CONTRACTS: Final = (
    *linear_contracts("{base}USDT", "USDT", (0.1, 0.01, 0.01, 0.001)),
    ScriptContract(
        "BTCUSD", "BTC", "USD", is_inverse=True, contract_size=1.0, tick_usd=0.5, price_usd=100_000.0
    ),
)


class Script(VenueScript):
    """Listings, confirmations by ``req_id``, pongs, and the four topics and one poll we use."""

    slug: ClassVar[str] = "bybit"
    contracts = _CONTRACTS

    def __init__(self) -> None:
        self._by_symbol = {item.symbol: item for item in _CONTRACTS}
        self._books: dict[str, BookFact] = {}
        self._ratios: dict[str, RatioFact] = {}

    def answer(
        self, method: str, path: str, query: Mapping[str, str], body: bytes, now_ns: int
    ) -> Answer | None:
        """The pages under ``/v5/market``; the list of contracts comes in two pages."""
        del method, body, now_ns
        listed = [item for item in _CONTRACTS if item.is_inverse == (query.get("category") == "inverse")]
        result: dict[str, Any]
        if path == "/v5/market/instruments-info":
            half = max(len(listed) // 2, 1)
            first = query.get("cursor") != "second"
            page = listed[:half] if first else listed[half:]
            more = first and len(listed) > half
            result = {"list": [_contract(item) for item in page], "nextPageCursor": "second" if more else ""}
        elif path == "/v5/market/risk-limit":
            result = {"list": [tier for item in listed for tier in _tiers(item)], "nextPageCursor": ""}
        elif path == "/v5/market/tickers":
            result = {"list": [{"symbol": item.symbol, "markPrice": str(item.price_usd)} for item in listed]}
        elif path == "/v5/market/account-ratio":
            ratio = self._ratios.get(query["symbol"])
            result = {"list": [] if ratio is None else [_ratio(ratio)]}
        else:
            return None
        return Answer(200, _json({"retCode": 0, "retMsg": "OK", "result": result, "time": 0}))

    def opened(self, client: Client, now_ns: int) -> Sequence[bytes]:
        """Nothing: Bybit waits for the first request."""
        del client, now_ns
        return ()

    def received(self, client: Client, frame: bytes, now_ns: int) -> Sequence[bytes]:
        """Confirm subscriptions, send the book of a symbol when it is subscribed, answer pings."""
        del now_ns
        ask = msgspec.json.decode(frame)
        op, topics = ask["op"], ask.get("args", [])
        if op == "ping":
            return [_json({"success": True, "ret_msg": "pong", "conn_id": "c-1", "req_id": "", "op": "ping"})]
        known = all(topic.rpartition(".")[2] in self._by_symbol for topic in topics)
        answer = {"success": known, "ret_msg": "" if known else f"error:handler not found,topic:{topics}"}
        out = [_json({**answer, "conn_id": "c-1", "req_id": ask.get("req_id", ""), "op": op})]
        if op == "unsubscribe":
            client.topics -= set(topics)
        elif known:
            client.topics |= set(topics)
            books = [topic.rpartition(".")[2] for topic in topics if topic.startswith("orderbook.")]
            out += [self._book(self._books[symbol], "snapshot") for symbol in books if symbol in self._books]
        return out

    def frames(self, fact: Fact, now_ns: int) -> Sequence[tuple[str, bytes]]:
        """One frame per fact; ratios are told by REST only."""
        now_ms = now_ns // _MS
        match fact:
            case TradeFact():
                row = {
                    "T": fact.ts_ns // _MS, "s": fact.symbol, "S": "Buy" if fact.taker_side > 0 else "Sell",
                    "v": self._qty(fact.symbol, fact.qty_base, fact.price_usd), "p": repr(fact.price_usd),
                    "L": "PlusTick", "i": f"00000000-0000-5000-8000-{fact.seq:012d}", "BT": False, "RPI": False,
                    "seq": fact.seq,
                }  # fmt: skip
                return [_push(f"publicTrade.{fact.symbol}", "snapshot", now_ms, [row])]
            case LiquidationFact():
                row = {
                    "T": fact.ts_ns // _MS, "s": fact.symbol, "S": "Buy" if fact.side > 0 else "Sell",
                    "v": self._qty(fact.symbol, fact.qty_base, fact.price_usd), "p": repr(fact.price_usd),
                }  # fmt: skip
                return [_push(f"allLiquidation.{fact.symbol}", "snapshot", now_ms, [row])]
            case BookFact():
                self._keep(fact)
                kind = "snapshot" if fact.is_snapshot else "delta"
                return [(f"orderbook.200.{fact.symbol}", self._book(fact, kind))]
            case RatioFact():
                self._ratios[fact.symbol] = fact
                return []
            case MarkFact() | FundingFact() | OpenInterestFact():
                topic = f"tickers.{fact.symbol}"
                ticker = {"symbol": fact.symbol, **self._ticker(fact)}
                return [_push(topic, "snapshot", fact.ts_ns // _MS, ticker)]
        return []

    def _ticker(self, fact: MarkFact | FundingFact | OpenInterestFact) -> dict[str, Any]:
        if isinstance(fact, MarkFact):
            return {"markPrice": repr(fact.mark_usd), "indexPrice": repr(fact.index_usd)}
        if isinstance(fact, FundingFact):
            return {
                "fundingRate": repr(fact.rate_ratio),
                "nextFundingTime": str(fact.next_ns // _MS),
                "fundingIntervalHour": "8",
            }
        one_side = fact.oi_base * (fact.mark_usd if self._by_symbol[fact.symbol].is_inverse else 1.0)
        return {"openInterest": repr(2 * one_side), "singleOpenInterest": repr(one_side)}

    def _book(self, fact: BookFact, kind: str) -> bytes:
        levels = {
            key: [[repr(price), self._qty(fact.symbol, qty, price)] for price, qty in side]
            for key, side in (("b", fact.bids), ("a", fact.asks))
        }
        body = {"s": fact.symbol, **levels, "u": fact.seq, "seq": fact.seq * 7}
        return _push(f"orderbook.200.{fact.symbol}", kind, fact.ts_ns // _MS, body)[1]

    def _keep(self, fact: BookFact) -> None:
        """The whole book after a fact, so that a new subscriber gets it."""
        before = None if fact.is_snapshot else self._books.get(fact.symbol)
        sides = []
        for new, old in (
            (fact.bids, before.bids if before else ()),
            (fact.asks, before.asks if before else ()),
        ):
            levels = dict(old) | dict(new)
            sides.append(tuple((price, qty) for price, qty in levels.items() if qty > 0))
        self._books[fact.symbol] = BookFact(
            fact.symbol, fact.ts_ns, fact.seq, sides[0], sides[1], is_snapshot=True
        )

    def _qty(self, symbol: str, qty_base: float, price_usd: float) -> str:
        return repr(qty_base * price_usd if self._by_symbol[symbol].is_inverse else qty_base)


def _contract(item: ScriptContract) -> dict[str, Any]:
    return {
        "symbol": item.symbol, "contractType": "InversePerpetual" if item.is_inverse else "LinearPerpetual",
        "status": "Trading", "baseCoin": item.base, "quoteCoin": item.quote, "settleCoin": item.quote,
        "leverageFilter": {"minLeverage": "1", "maxLeverage": "100.00", "leverageStep": "0.01"},
        "priceFilter": {"minPrice": "0.1", "maxPrice": "1999999", "tickSize": str(item.tick_usd)},
        "lotSizeFilter": {"qtyStep": "1" if item.is_inverse else "0.001", "minNotionalValue": "5"},
        "fundingInterval": 480,
    }  # fmt: skip


def _tiers(item: ScriptContract) -> list[dict[str, Any]]:
    unit = item.price_usd if item.is_inverse else 1.0
    return [
        {
            "id": number, "symbol": item.symbol, "riskLimitValue": repr(cap_usd / unit),
            "maintenanceMargin": str(ratio), "initialMargin": str(2 * ratio), "isLowestRisk": int(number == 1),
            "maxLeverage": str(leverage), "mmDeduction": "",
        }
        for number, cap_usd, ratio, leverage in ((1, 2e6, 0.005, 100.0), (2, 1e7, 0.01, 50.0))
    ]  # fmt: skip


def _ratio(ratio: RatioFact) -> dict[str, str]:
    longs, shorts = ratio.long_share_ratio, 1.0 - ratio.long_share_ratio
    return {
        "symbol": ratio.symbol, "buyRatio": repr(longs), "sellRatio": repr(shorts),
        "timestamp": str(ratio.ts_ns // _MS),
    }  # fmt: skip


def _push(topic: str, kind: str, ts_ms: int, body: Any) -> tuple[str, bytes]:
    return topic, _json({"topic": topic, "type": kind, "ts": ts_ms, "data": body})


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)
