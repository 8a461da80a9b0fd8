"""Backpack, as its documentation of streams describes it."""

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

_US: Final = 1_000
_MS: Final = 1_000_000
_CONTRACTS: Final = linear_contracts("{base}_USDC_PERP", "USDC", (0.1, 0.01, 0.01))
_STREAMS: Final = {"trade", "depth", "markPrice", "openInterest", "liquidation"}


class Script(VenueScript):
    """Markets, requests that get no answer, marks that repeat, and books that need a snapshot."""

    slug: ClassVar[str] = "backpack"
    contracts = _CONTRACTS

    def __init__(self) -> None:
        self._by_symbol = {item.symbol: item for item in _CONTRACTS}
        self._books = WholeBooks()
        self._ids: dict[str, int] = {}
        self._marks = {item.symbol: _mark(item) for item in _CONTRACTS}

    def answer(
        self, method: str, path: str, query: Mapping[str, str], body: bytes, now_ns: int
    ) -> Answer | None:
        """Markets, a closed one and one of spot among them; the book of one."""
        del method, body
        if path == "/api/v1/markets":
            rows = [_market(item) for item in _CONTRACTS]
            closed = {**rows[0], "symbol": "OLD_USDC_PERP", "baseSymbol": "OLD", "orderBookState": "Closed"}
            spot = {
                **rows[0], "symbol": "BTC_USDC", "marketType": "SPOT", "imfFunction": None, "mmfFunction": None,
            }  # fmt: skip
            return _ok([*rows, closed, spot])
        symbol = query.get("symbol", "")
        if path != "/api/v1/depth" or symbol not in self._by_symbol:
            return None
        whole = self._books.get(symbol)
        bids, asks = (whole.bids, whole.asks) if whole else ((), ())
        return _ok(
            {
                "bids": _levels(sorted(bids)),
                "asks": _levels(sorted(asks)),
                "lastUpdateId": str(self._ids.get(symbol, 0)),
                "timestamp": (whole.ts_ns if whole else now_ns) // _US,
            }
        )

    def opened(self, client: Client, now_ns: int) -> Sequence[bytes]:
        """Nothing: Backpack waits for the first request."""
        del client, now_ns
        return ()

    def received(self, client: Client, frame: bytes, now_ns: int) -> Sequence[bytes]:
        """Begin streams without an answer; an unknown one is an error, an unknown contract is silence."""
        ask = msgspec.json.decode(frame)
        out = []
        for stream in ask["params"]:
            channel, _, rest = stream.partition(".")
            symbol = rest.rpartition(".")[2] if channel == "depth" else rest
            if channel not in _STREAMS:
                out.append(_json({"id": None, "error": {"code": 4006, "message": "Invalid stream"}}))
            elif symbol in self._by_symbol or stream == "liquidation":
                client.topics.add(stream) if ask["method"] == "SUBSCRIBE" else client.topics.discard(stream)
                if channel == "markPrice":
                    # Pushed every second, whether it changed or not.
                    out.append(self._push(stream, {**self._marks[symbol], "E": now_ns // _US})[1])
        return out

    def frames(self, fact: Fact, now_ns: int) -> Sequence[tuple[str, bytes]]:
        """One frame per fact; a liquidation goes to both of its streams."""
        symbol, ts_us = fact.symbol, fact.ts_ns // _US
        head = {"s": symbol, "E": now_ns // _US, "T": ts_us}
        match fact:
            case TradeFact():
                row = {
                    **head, "e": "trade", "p": repr(fact.price_usd), "q": repr(fact.qty_base), "t": fact.seq,
                    "a": "5121860761", "b": "5121861755", "m": fact.taker_side < 0,
                }  # fmt: skip
                return [self._push(f"trade.{symbol}", row)]
            case LiquidationFact():
                row = {
                    **head, "e": "liquidation", "p": repr(fact.price_usd), "q": repr(fact.qty_base),
                    "S": "Ask" if fact.side > 0 else "Bid",
                }  # fmt: skip
                return [self._push(stream, row) for stream in ("liquidation", f"liquidation.{symbol}")]
            case BookFact():
                return [self._depth(fact, head)]
            case OpenInterestFact():
                row = {"e": "openInterest", "s": symbol, "E": ts_us, "o": repr(fact.oi_base)}
                return [self._push(f"openInterest.{symbol}", row)]
            case MarkFact():
                self._marks[symbol] |= {"p": repr(fact.mark_usd), "i": repr(fact.index_usd)}
            case FundingFact():
                self._marks[symbol] |= {"f": repr(fact.rate_ratio), "n": fact.next_ns // _MS}
            case _:
                return []
        return [self._push(f"markPrice.{symbol}", {**self._marks[symbol], "E": ts_us, "T": ts_us})]

    def _depth(self, fact: BookFact, head: Mapping[str, Any]) -> tuple[str, bytes]:
        """Levels of a fact as changes; a snapshot is told as the changes that lead to it."""
        before = self._books.get(fact.symbol)
        first = self._ids.get(fact.symbol, 6_730_000) + 1
        self._ids[fact.symbol] = last = first + 3
        whole = self._books.apply(fact, last)
        sides = []
        for new, old in ((whole.bids, before and before.bids), (whole.asks, before and before.asks)):
            gone = {price: 0.0 for price, _ in old or ()}
            sides.append(tuple((gone | dict(new)).items()))
        bids, asks = sides if fact.is_snapshot else (fact.bids, fact.asks)
        row = {**head, "e": "depth", "U": first, "u": last, "b": _levels(bids), "a": _levels(asks)}
        return self._push(f"depth.200ms.{fact.symbol}", row)

    @staticmethod
    def _push(stream: str, row: Mapping[str, Any]) -> tuple[str, bytes]:
        return stream, _json({"stream": stream, "data": row})


def _levels(levels: Sequence[tuple[float, float]]) -> list[list[str]]:
    return [[repr(price), repr(qty)] for price, qty in levels]


def _mark(item: ScriptContract) -> dict[str, Any]:
    price = repr(item.price_usd)
    return {
        "e": "markPrice",
        "s": item.symbol,
        "p": price,
        "i": price,
        "f": "0.0000125",
        "n": 0,
        "E": 0,
        "T": 0,
    }


def _market(item: ScriptContract) -> dict[str, Any]:
    return {
        "symbol": item.symbol, "baseSymbol": item.base, "quoteSymbol": item.quote, "marketType": "PERP",
        "orderBookState": "Open", "fundingInterval": 3600000,
        "filters": {
            "price": {"tickSize": repr(item.tick_usd), "minPrice": "0.01", "maxPrice": None},
            "quantity": {"stepSize": "0.00001", "minQuantity": "0.00001", "maxQuantity": None},
        },
        "imfFunction": {"base": "0.02", "factor": "0.0001", "type": "sqrt"},
        "mmfFunction": {"base": "0.0125", "factor": "0.00005", "type": "sqrt"},
    }  # fmt: skip


def _ok(body: Any) -> Answer:
    return Answer(200, _json(body))


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)
