"""Binance's futures interface, as its documentation describes it; scripts of three venues are made of it."""

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
from faultline.testing.script import Answer, Client, ScriptContract, VenueScript

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultline.testing.facts import Fact

__all__ = ("BinanceScript",)

_MS: Final = 1_000_000
#: Updates of the venue between two facts of a book.
_UPDATES: Final = 10
_RATIOS: Final = {
    "accounts": "globalLongShortAccountRatio",
    "top_accounts": "topLongShortAccountRatio",
    "top_positions": "topLongShortPositionRatio",
}


class BinanceScript(VenueScript):
    """Listings, confirmations by ``id``, combined streams, depth snapshots and polls.

    A book's first fact is told by REST only: there is no snapshot on the socket. Later whole books are told as the
    changes that lead to them.
    """

    #: Path before REST pages, and the name of the ratios' parameter.
    root: ClassVar[str]
    ratio_key: ClassVar[str] = "symbol"

    def __init__(self) -> None:
        self._by_symbol = {item.symbol: item for item in self.contracts}
        self._books: dict[str, tuple[int, dict[float, float], dict[float, float]]] = {}
        self._interest: dict[str, OpenInterestFact] = {}
        self._ratios: dict[tuple[str, str], RatioFact] = {}
        self._marks: dict[str, tuple[float, float, float, int]] = {}

    def answer(
        self, method: str, path: str, query: Mapping[str, str], body: bytes, now_ns: int
    ) -> Answer | None:
        """Contracts, prices, books, open interest and ratios."""
        del method, body
        name = path.rpartition("/")[2]
        if path == f"/futures/data/{name}" and name in _RATIOS.values():
            rows = [fact for (channel, _), fact in self._ratios.items() if channel == name]
            key = query[self.ratio_key]
            return _ok(
                [_ratio(fact, self.ratio_key) for fact in rows if self._ratio_name(fact.symbol) == key]
            )
        if path != f"{self.root}/{name}":
            return None
        if name == "exchangeInfo":
            return _ok({"timezone": "UTC", "serverTime": now_ns // _MS, "symbols": self._symbols()})
        if name == "premiumIndex":
            return _ok([{"symbol": one.symbol, "markPrice": repr(one.price_usd)} for one in self.contracts])
        symbol = query.get("symbol", "")
        if symbol not in self._by_symbol:
            return Answer(400, _json({"code": -1121, "msg": "Invalid symbol."}))
        if name == "depth":
            return _ok(self._snapshot(symbol, now_ns))
        if name == "openInterest":
            fact = self._interest.get(symbol)
            amount = 1000.0 if fact is None else self._amount(symbol, fact.oi_base, fact.mark_usd)
            time_ms = (now_ns if fact is None else fact.ts_ns) // _MS
            return _ok({"symbol": symbol, "openInterest": repr(amount), "time": time_ms})
        return None

    def opened(self, client: Client, now_ns: int) -> Sequence[bytes]:
        """Nothing: the venue waits for the first request."""
        del client, now_ns
        return ()

    def received(self, client: Client, frame: bytes, now_ns: int) -> Sequence[bytes]:
        """Confirm every subscription; streams of symbols that do not exist are accepted and stay silent."""
        del now_ns
        ask = msgspec.json.decode(frame)
        if ask.get("method") not in {"SUBSCRIBE", "UNSUBSCRIBE"}:
            return [
                _json({"error": {"code": 2, "msg": "Invalid request: unknown method"}, "id": ask.get("id")})
            ]
        if ask["method"] == "SUBSCRIBE":
            client.topics |= set(ask["params"])
        else:
            client.topics -= set(ask["params"])
        return [_json({"result": None, "id": ask["id"]})]

    def frames(self, fact: Fact, now_ns: int) -> Sequence[tuple[str, bytes]]:
        """One frame per fact; open interest, ratios and the first book are told by REST only."""
        now_ms, ts_ms = now_ns // _MS, fact.ts_ns // _MS
        name = fact.symbol.lower()
        match fact:
            case TradeFact():
                event = {
                    "e": "aggTrade", "E": now_ms, "a": fact.seq, "s": fact.symbol, "p": repr(fact.price_usd),
                    "q": repr(self._amount(fact.symbol, fact.qty_base, fact.price_usd)), "f": fact.seq * 2,
                    "l": fact.seq * 2, "T": ts_ms, "m": fact.taker_side < 0,
                }  # fmt: skip
                return [_push(f"{name}@aggTrade", event)]
            case LiquidationFact():
                return [_push(f"{name}@forceOrder", self._force_order(fact, now_ms))]
            case BookFact():
                change = self._change(fact, now_ms)
                return [] if change is None else [_push(f"{name}@depth@100ms", change)]
            case MarkFact() | FundingFact():
                return [_push(f"{name}@markPrice@1s", self._mark(fact))]
            case OpenInterestFact():
                self._interest[fact.symbol] = fact
            case RatioFact():
                channel = _RATIOS.get(fact.ratio_kind)
                if channel is not None:
                    self._ratios[(channel, fact.symbol)] = fact
        return []

    def _force_order(self, fact: LiquidationFact, now_ms: int) -> dict[str, Any]:
        qty = repr(self._amount(fact.symbol, fact.qty_base, fact.price_usd))
        return {
            "e": "forceOrder", "E": now_ms,
            "o": {
                "s": fact.symbol, "S": "SELL" if fact.side > 0 else "BUY", "o": "LIMIT", "f": "IOC", "q": qty,
                "p": repr(fact.price_usd), "ap": repr(fact.price_usd * (1 + 0.004 * fact.side)), "X": "FILLED",
                "l": repr(float(qty) / 4), "z": qty, "T": fact.ts_ns // _MS,
            },
        }  # fmt: skip

    def _change(self, fact: BookFact, now_ms: int) -> dict[str, Any] | None:
        """The event that leads from the book that is known to the book after a fact; None for the first."""
        before = self._books.get(fact.symbol)
        last, *sides = before or (fact.seq * _UPDATES, {}, {})
        changed = []
        for side, levels in zip(sides, (fact.bids, fact.asks), strict=True):
            gone = dict.fromkeys(side, 0.0) if fact.is_snapshot else {}
            update = gone | dict(levels)
            changed.append([[repr(p), repr(self._amount(fact.symbol, q, p))] for p, q in update.items()])
            side.update(update)
        bids, asks = ({price: qty for price, qty in side.items() if qty > 0} for side in sides)
        this = last + _UPDATES
        self._books[fact.symbol] = (this, bids, asks)
        if before is None and fact.is_snapshot:
            return None
        return {
            "e": "depthUpdate", "E": now_ms, "T": fact.ts_ns // _MS, "s": fact.symbol, "U": last + 2, "u": this,
            "pu": last, "b": changed[0], "a": changed[1],
        }  # fmt: skip

    def _snapshot(self, symbol: str, now_ns: int) -> dict[str, Any]:
        last, *sides = self._books.get(symbol, (1, {}, {}))
        bids, asks = (
            [[repr(price), repr(self._amount(symbol, qty, price))] for price, qty in side.items()]
            for side in sides
        )
        now_ms = now_ns // _MS
        return {"lastUpdateId": last, "E": now_ms, "T": now_ms, "bids": bids, "asks": asks}

    def _mark(self, fact: MarkFact | FundingFact) -> dict[str, Any]:
        price = self._by_symbol[fact.symbol].price_usd
        mark, index, rate, next_ns = self._marks.get(fact.symbol, (price, price, 0.0001, fact.ts_ns))
        if isinstance(fact, MarkFact):
            mark, index = fact.mark_usd, fact.index_usd
        else:
            rate, next_ns = fact.rate_ratio, fact.next_ns
        self._marks[fact.symbol] = (mark, index, rate, next_ns)
        return {
            "e": "markPriceUpdate", "E": fact.ts_ns // _MS, "s": fact.symbol, "p": repr(mark), "i": repr(index),
            "P": repr(mark), "r": repr(rate), "T": next_ns // _MS,
        }  # fmt: skip

    def _symbols(self) -> list[dict[str, Any]]:
        listed = [self._contract(item) for item in self.contracts]
        # A dated contract and one that is closed stand beside the perpetuals.
        dated = {**listed[0], "symbol": f"{listed[0]['pair']}_261225", "contractType": "CURRENT_QUARTER"}
        closed = {**listed[0], "symbol": "OLDUSDT", "baseAsset": "OLD", self._status: "SETTLING"}
        return [*listed, dated, closed]

    @property
    def _status(self) -> str:
        return "contractStatus" if self.contracts[0].is_inverse else "status"

    def _contract(self, item: ScriptContract) -> dict[str, Any]:
        step = "1" if item.is_inverse else "0.001"
        row = {
            "symbol": item.symbol, "pair": f"{item.base}{item.quote}", "contractType": "PERPETUAL",
            self._status: "TRADING", "baseAsset": item.base, "quoteAsset": item.quote,
            "marginAsset": item.base if item.is_inverse else item.quote, "maintMarginPercent": "2.5000",
            "filters": [
                {"filterType": "PRICE_FILTER", "minPrice": "0.1", "tickSize": repr(item.tick_usd)},
                {"filterType": "LOT_SIZE", "stepSize": step, "minQty": step, "maxQty": "1000"},
                {"filterType": "MAX_NUM_ORDERS", "limit": 200},
                {"filterType": "MIN_NOTIONAL", "notional": "5"},
            ],
        }  # fmt: skip
        return row | ({"contractSize": int(item.contract_size)} if item.is_inverse else {})

    def _amount(self, symbol: str, qty_base: float, price_usd: float) -> float:
        item = self._by_symbol[symbol]
        return qty_base * (price_usd if item.is_inverse else 1.0) / item.contract_size

    def _ratio_name(self, symbol: str) -> str:
        return symbol.partition("_")[0] if self.ratio_key == "pair" else symbol


def _ratio(fact: RatioFact, key: str) -> dict[str, Any]:
    longs, shorts = fact.long_share_ratio, 1.0 - fact.long_share_ratio
    return {
        key: fact.symbol.partition("_")[0], "longShortRatio": f"{longs / shorts:.4f}",
        "longAccount": f"{longs:.4f}", "shortAccount": f"{shorts:.4f}", "timestamp": fact.ts_ns // _MS,
    }  # fmt: skip


def _push(stream: str, event: dict[str, Any]) -> tuple[str, bytes]:
    return stream, _json({"stream": stream, "data": event})


def _ok(value: Any) -> Answer:
    return Answer(200, _json(value))


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)
