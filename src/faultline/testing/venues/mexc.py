"""MEXC Futures, as its documentation describes it."""

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
_CONTRACTS: Final = (
    *linear_contracts("{base}_USDT", "USDT", (0.1, 0.01, 0.01, 0.001), (0.0001, 0.01, 0.1, 1.0)),
    ScriptContract(
        "BTC_USD", "BTC", "USD", is_inverse=True, contract_size=100.0, tick_usd=0.1, price_usd=100_000.0
    ),
)
_CHANNELS: Final = {"deal", "depth", "ticker"}


class Script(VenueScript):
    """Listings, confirmations by channel, pongs, three channels, and books that need a snapshot."""

    slug: ClassVar[str] = "mexc"
    contracts = _CONTRACTS

    def __init__(self) -> None:
        self._by_symbol = {item.symbol: item for item in _CONTRACTS}
        self._books = WholeBooks()
        self._versions: dict[str, int] = {}
        self._tickers = {item.symbol: _ticker(item) for item in _CONTRACTS}

    def answer(
        self, method: str, path: str, query: Mapping[str, str], body: bytes, now_ns: int
    ) -> Answer | None:
        """Contracts, prices, and books with their version."""
        del method, query, body
        symbol = path.rpartition("/")[2]
        if path == "/api/v1/contract/detail":
            return _ok([*map(_contract, _CONTRACTS), _paused()])
        if path == "/api/v1/contract/ticker":
            return _ok([{"symbol": item.symbol, "fairPrice": item.price_usd} for item in _CONTRACTS])
        if path == f"/api/v1/contract/depth/{symbol}" and symbol in self._by_symbol:
            whole = self._books.get(symbol)
            sides = self._sides(symbol, whole.bids, whole.asks) if whole else {"asks": [], "bids": []}
            ts_ns = whole.ts_ns if whole else now_ns
            version = self._versions.get(symbol, 500)
            return _ok({**sides, "version": version, "timestamp": ts_ns // _MS})
        return None

    def opened(self, client: Client, now_ns: int) -> Sequence[bytes]:
        """Nothing: MEXC waits for the first request."""
        del client, now_ns
        return ()

    def received(self, client: Client, frame: bytes, now_ns: int) -> Sequence[bytes]:
        """Confirm a channel, or refuse a contract; answer pings."""
        ask, now_ms = msgspec.json.decode(frame), now_ns // _MS
        if ask["method"] == "ping":
            return [_json({"channel": "pong", "data": now_ms})]
        op, _, channel = ask["method"].partition(".")
        symbol = ask["param"]["symbol"]
        if channel not in _CHANNELS or symbol not in self._by_symbol:
            return [_json({"channel": "rs.error", "data": f"Contract [{symbol}] not exists", "ts": now_ms})]
        topic = f"push.{channel}|{symbol}"
        client.topics.add(topic) if op == "sub" else client.topics.discard(topic)
        return [_json({"channel": f"rs.{op}.{channel}", "data": "success", "ts": now_ms})]

    def frames(self, fact: Fact, now_ns: int) -> Sequence[tuple[str, bytes]]:
        """One frame per fact."""
        now_ms, symbol = now_ns // _MS, fact.symbol
        match fact:
            case TradeFact():
                deal = {
                    "p": fact.price_usd, "v": self._size(symbol, fact.qty_base, fact.price_usd),
                    "T": 1 if fact.taker_side > 0 else 2, "O": 3, "M": 1, "t": fact.ts_ns // _MS, "i": str(fact.seq),
                }  # fmt: skip
                return [_push("push.deal", symbol, now_ms, [deal])]
            case BookFact():
                return [self._book(fact)]
            case MarkFact() | FundingFact() | OpenInterestFact():
                ts_ms = fact.ts_ns // _MS
                self._tickers[symbol] |= {**self._changed(fact), "timestamp": ts_ms}
                return [_push("push.ticker", symbol, ts_ms, self._tickers[symbol])]
        return []

    def _changed(self, fact: MarkFact | FundingFact | OpenInterestFact) -> dict[str, float]:
        if isinstance(fact, MarkFact):
            return {"fairPrice": fact.mark_usd, "indexPrice": fact.index_usd}
        if isinstance(fact, FundingFact):
            return {"fundingRate": fact.rate_ratio}
        return {"holdVol": self._size(fact.symbol, fact.oi_base, fact.mark_usd)}

    def _book(self, fact: BookFact) -> tuple[str, bytes]:
        """The levels of a fact as changes; a snapshot is told as the changes that lead to it."""
        before = self._books.get(fact.symbol)
        self._versions[fact.symbol] = version = self._versions.get(fact.symbol, 500) + 1
        whole = self._books.apply(fact, version)
        sides = []
        for new, old in ((whole.bids, before and before.bids), (whole.asks, before and before.asks)):
            gone = {price: 0.0 for price, _ in old or ()}
            sides.append(tuple((gone | dict(new)).items()))
        bids, asks = sides if fact.is_snapshot else (fact.bids, fact.asks)
        row = {**self._sides(fact.symbol, bids, asks), "version": version}
        return _push("push.depth", fact.symbol, fact.ts_ns // _MS, row)

    def _sides(
        self, symbol: str, bids: Sequence[tuple[float, float]], asks: Sequence[tuple[float, float]]
    ) -> dict[str, Any]:
        return {
            name: [[price, self._size(symbol, qty, price), 1] for price, qty in side]
            for name, side in (("asks", asks), ("bids", bids))
        }

    def _size(self, symbol: str, qty_base: float, price_usd: float) -> float:
        item = self._by_symbol[symbol]
        return qty_base * (price_usd if item.is_inverse else 1.0) / item.contract_size


def _contract(item: ScriptContract) -> dict[str, Any]:
    table = [
        {
            "level": level,
            "maxVol": 100_000 * level,
            "mmr": 0.004 * level,
            "imr": 0.008 * level,
            "maxLeverage": 125 / level,
        }
        for level in (1, 2, 3)
    ]
    tiers: dict[str, Any] = {
        "riskLimitMode": "CUSTOM",
        "riskLimitType": "BY_VOLUME",
        "riskLimitCustom": table,
    }
    if item.base == "DOT":
        tiers = {
            "riskLimitMode": "INCREASE", "riskBaseVol": 10_000, "riskIncrVol": 20_000, "riskIncrMmr": 0.004,
            "riskIncrImr": 0.004, "riskLevelLimit": 3,
        }  # fmt: skip
    return {
        "symbol": item.symbol, "baseCoin": item.base, "quoteCoin": item.quote,
        "settleCoin": item.base if item.is_inverse else item.quote, "contractSize": item.contract_size,
        "priceUnit": item.tick_usd, "volUnit": 1, "minVol": 1, "maxLeverage": 125, "maintenanceMarginRate": 0.004,
        "initialMarginRate": 0.008, **tiers, "takerFeeRate": 0.0002, "state": 0,
    }  # fmt: skip


def _paused() -> dict[str, Any]:
    """A contract that does not trade, and has no price."""
    return _contract(_CONTRACTS[0]) | {"symbol": "GONE_USDT", "baseCoin": "GONE", "state": 4}


def _ticker(item: ScriptContract) -> dict[str, Any]:
    return {
        "symbol": item.symbol, "lastPrice": item.price_usd, "fairPrice": item.price_usd, "indexPrice": item.price_usd,
        "holdVol": 45_000, "fundingRate": 0.0001, "timestamp": 0,
    }  # fmt: skip


def _push(channel: str, symbol: str, ts_ms: int, row: Any) -> tuple[str, bytes]:
    return f"{channel}|{symbol}", _json({"symbol": symbol, "data": row, "channel": channel, "ts": ts_ms})


def _ok(value: Any) -> Answer:
    return Answer(200, _json({"success": True, "code": 0, "data": value}))


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)
