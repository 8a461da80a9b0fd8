"""Extended, as its documentation describes it: every connection is a stream of its own."""

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
_CONTRACTS: Final = linear_contracts("{base}-USD", "USD", (1.0, 0.1, 0.01, 0.001))
_STREAMS: Final = ("publicTrades", "orderbooks", "prices/mark", "funding")
_ROOT: Final = "/stream.extended.exchange/v1/"
_INFO: Final = "/api/v1/info/markets"


class Script(VenueScript):
    """Markets, states and books over REST, and four streams of one market or of all."""

    slug: ClassVar[str] = "extended"
    contracts = _CONTRACTS

    def __init__(self) -> None:
        self._by_symbol = {item.symbol: item for item in _CONTRACTS}
        self._books = WholeBooks()
        self._seqs: dict[str, int] = {}
        self._interest: dict[str, tuple[float, float]] = {}

    def answer(
        self, method: str, path: str, query: Mapping[str, str], body: bytes, now_ns: int
    ) -> Answer | None:
        """Markets, a closed and a spot one among them; states and books of one market."""
        del method, query, body, now_ns
        if path == _INFO:
            rows = [_contract(item) for item in _CONTRACTS]
            closed = {**rows[0], "name": "OLD-USD", "assetName": "OLD", "status": "DELISTED"}
            spot = {**rows[0], "name": "BTCSPOT-USD", "assetName": "BTCSPOT"}
            return _ok([*rows, closed, spot])
        symbol, _, page = path.removeprefix(f"{_INFO}/").partition("/")
        if symbol not in self._by_symbol:
            return None
        if page == "orderbook":
            whole = self._books.get(symbol)
            return _ok(
                {
                    "market": symbol,
                    **{
                        name: [{"qty": repr(qty), "price": repr(price)} for price, qty in side]
                        for name, side in (
                            ("bid", whole.bids if whole else ()),
                            ("ask", whole.asks if whole else ()),
                        )
                    },
                }
            )
        if page == "stats":
            base, usd = self._interest.get(symbol, (0.0, 0.0))
            return _ok({"openInterest": f"{usd:.6f}", "openInterestBase": repr(base), "fundingRate": "0"})
        return None

    def opened(self, client: Client, now_ns: int) -> Sequence[bytes]:
        """A stream begins, a book with what stands; an unknown market is an error."""
        topic = client.path.removeprefix(_ROOT)
        stream = next((one for one in _STREAMS if topic == one or topic.startswith(f"{one}/")), None)
        symbol = "" if stream is None else topic.removeprefix(stream).removeprefix("/")
        if stream is None or (symbol and symbol not in self._by_symbol):
            return [_json({"status": "ERROR", "error": {"code": 1001, "message": "Market not found."}})]
        client.topics.add(topic)
        if stream != "orderbooks":
            return ()
        whole = self._books.get(symbol)
        bids, asks = (whole.bids, whole.asks) if whole else ((), ())
        seq = self._seqs.setdefault(topic, 0)
        return [_json(_book("SNAPSHOT", symbol, now_ns // _MS, seq, _levels(bids, {}), _levels(asks, {})))]

    def received(self, client: Client, frame: bytes, now_ns: int) -> Sequence[bytes]:
        """Nothing: streams take no requests."""
        del client, frame, now_ns
        return ()

    def frames(self, fact: Fact, now_ns: int) -> Sequence[tuple[str, bytes]]:
        """A frame per fact, on the stream of its market and on that of all; open interest is told by REST."""
        del now_ns
        symbol, ts_ms = fact.symbol, fact.ts_ns // _MS
        match fact:
            case TradeFact():
                return self._trade(fact, "LIQUIDATION" if fact.is_liquidation else "TRADE")
            case LiquidationFact():
                price, qty = fact.price_usd, fact.qty_base
                trade = TradeFact(symbol, fact.ts_ns, fact.seq, price, qty, -fact.side)
                return self._trade(trade, "LIQUIDATION")
            case BookFact():
                return self._change(fact)
            case MarkFact():
                row: Any = {"m": symbol, "p": repr(fact.mark_usd), "ts": 0}
                return self._push("prices/mark", symbol, {"type": "MP", "data": row, "ts": ts_ms})
            case FundingFact():
                row = {"m": symbol, "T": ts_ms, "f": repr(fact.rate_ratio)}
                return self._push("funding", symbol, {"ts": ts_ms, "data": row})
            case OpenInterestFact():
                self._interest[symbol] = (fact.oi_base, fact.oi_base * fact.mark_usd)
                return []
            case _:
                return []

    def _trade(self, fact: TradeFact, kind: str) -> list[tuple[str, bytes]]:
        row = {
            "m": fact.symbol, "S": "BUY" if fact.taker_side > 0 else "SELL", "tT": kind, "T": fact.ts_ns // _MS,
            "p": repr(fact.price_usd), "q": repr(fact.qty_base), "i": fact.seq,
        }  # fmt: skip
        return self._push("publicTrades", fact.symbol, {"ts": fact.ts_ns // _MS, "data": [row]})

    def _change(self, fact: BookFact) -> list[tuple[str, bytes]]:
        """The whole book, or what changed and what stands after it."""
        before = self._books.get(fact.symbol)
        self._books.apply(fact)
        old = (before.bids, before.asks) if before and not fact.is_snapshot else ((), ())
        bids, asks = (
            _levels(new, dict(known)) for new, known in zip((fact.bids, fact.asks), old, strict=True)
        )
        topic = f"orderbooks/{fact.symbol}"
        self._seqs[topic] = seq = self._seqs.get(topic, 0) + 1
        kind = "SNAPSHOT" if fact.is_snapshot else "DELTA"
        return [(topic, _json(_book(kind, fact.symbol, fact.ts_ns // _MS, seq, bids, asks)))]

    def _push(self, stream: str, symbol: str, body: dict[str, Any]) -> list[tuple[str, bytes]]:
        out = []
        for topic in (stream, f"{stream}/{symbol}"):
            self._seqs[topic] = seq = self._seqs.get(topic, 0) + 1
            out.append((topic, _json({**body, "seq": seq})))
        return out


def _levels(side: Sequence[tuple[float, float]], known: Mapping[float, float]) -> list[dict[str, str]]:
    return [{"p": repr(price), "q": repr(qty - known.get(price, 0.0)), "c": repr(qty)} for price, qty in side]


def _book(
    kind: str, symbol: str, ts_ms: int, seq: int, bids: list[dict[str, str]], asks: list[dict[str, str]]
) -> dict[str, Any]:
    return {
        "type": kind,
        "data": {"t": kind, "m": symbol, "b": bids, "a": asks, "d": "0"},
        "ts": ts_ms,
        "seq": seq,
    }


def _contract(item: ScriptContract) -> dict[str, Any]:
    factors = [
        {"upperBound": "400000", "riskFactor": "0.02"},
        {"upperBound": "4000000", "riskFactor": "0.05"},
    ]
    return {
        "name": item.symbol, "uiName": item.symbol, "assetName": item.base, "assetPrecision": 5, "status": "ACTIVE",
        "collateralAssetName": item.quote, "collateralAssetPrecision": 6, "active": True,
        "tradingConfig": {
            "minOrderSize": "0.0001", "minOrderSizeChange": "0.00001", "minPriceChange": repr(item.tick_usd),
            "maxLeverage": "50.00", "maxPositionValue": "60000000", "riskFactorConfig": factors,
        },
    }  # fmt: skip


def _ok(value: Any) -> Answer:
    return Answer(200, _json({"status": "OK", "data": value}))


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)
