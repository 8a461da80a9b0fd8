"""CoinEx, as its documentation of version 2 describes it."""

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
_CONTRACTS: Final = (
    *linear_contracts("{base}USDT", "USDT", (0.5, 0.01, 0.01, 0.0001)),
    ScriptContract(
        "BTCUSD", "BTC", "USD", is_inverse=True, contract_size=1.0, tick_usd=0.5, price_usd=100_000.0
    ),
)
_CHANNELS: Final = {"deals", "depth", "state"}
#: Liquidations that a page shows.
_PAGE: Final = 100


class Script(VenueScript):
    """Markets, levels and prices, answers by number, compressed pushes, and pages of liquidations."""

    slug: ClassVar[str] = "coinex"
    contracts = _CONTRACTS
    zips: ClassVar[str] = "gzip"

    def __init__(self) -> None:
        self._by_symbol = {item.symbol: item for item in _CONTRACTS}
        self._books = WholeBooks()
        self._liquidations: dict[str, list[dict[str, Any]]] = {}
        self._states = {item.symbol: _state(item) for item in _CONTRACTS}

    def answer(
        self, method: str, path: str, query: Mapping[str, str], body: bytes, now_ns: int
    ) -> Answer | None:
        """Markets, one of them closed; levels; prices; liquidations of one market, newest first."""
        del method, body, now_ns
        if path == "/v2/futures/market":
            rows = [_contract(item) for item in _CONTRACTS]
            return _ok(
                [*rows, {**rows[0], "market": "OLDUSDT", "base_ccy": "OLD", "is_market_available": False}]
            )
        if path == "/v2/futures/position-level":
            return _ok([{"market": item.symbol, "level": _levels(item)} for item in _CONTRACTS])
        if path == "/v2/futures/ticker":
            return _ok([{"market": item.symbol, "mark_price": repr(item.price_usd)} for item in _CONTRACTS])
        if path == "/v2/futures/liquidation-history":
            rows = self._liquidations.get(query["market"], [])[::-1]
            return _ok(rows[: int(query.get("limit", "10"))], pagination={"has_next": len(rows) > _PAGE})
        return None

    def opened(self, client: Client, now_ns: int) -> Sequence[bytes]:
        """Nothing: CoinEx waits for the first request."""
        del client, now_ns
        return ()

    def received(self, client: Client, frame: bytes, now_ns: int) -> Sequence[bytes]:
        """Answer by number; begin books with the whole of them."""
        del now_ns
        ask = msgspec.json.decode(frame)
        channel, _, verb = ask["method"].partition(".")
        if ask["method"] == "server.ping":
            return [_json({"id": ask["id"], "code": 0, "data": {"result": "pong"}, "message": "OK"})]
        markets = [one[0] if isinstance(one, list) else one for one in ask["params"]["market_list"]]
        if channel not in _CHANNELS or not set(markets) <= set(self._by_symbol):
            return [_json({"id": ask["id"], "code": 20001, "message": "invalid argument"})]
        topics = {f"{channel}|{market}" for market in markets}
        client.topics = client.topics | topics if verb == "subscribe" else client.topics - topics
        out = [_json({"id": ask["id"], "code": 0, "message": "OK"})]
        if channel == "depth" and verb == "subscribe":
            wholes = [self._books.get(market) for market in markets]
            out += [self._depth(whole) for whole in wholes if whole]
        return out

    def frames(self, fact: Fact, now_ns: int) -> Sequence[tuple[str, bytes]]:
        """One frame per fact; liquidations are told by REST only."""
        del now_ns
        symbol, ts_ms = fact.symbol, fact.ts_ns // _MS
        changed: dict[str, Any]
        match fact:
            case TradeFact():
                row = {
                    "deal_id": fact.seq, "created_at": ts_ms, "side": "buy" if fact.taker_side > 0 else "sell",
                    "price": repr(fact.price_usd), "amount": self._qty(symbol, fact.qty_base, fact.price_usd),
                }  # fmt: skip
                return [_push("deals", symbol, {"market": symbol, "deal_list": [row]})]
            case LiquidationFact():
                row = {
                    "market": f" {symbol}", "side": "long" if fact.side > 0 else "short", "created_at": ts_ms,
                    "liq_price": repr(fact.price_usd), "bkr_price": repr(fact.price_usd * (1 - 0.005 * fact.side)),
                    "liq_amount": self._qty(symbol, fact.qty_base, fact.price_usd),
                }  # fmt: skip
                self._liquidations[symbol] = [*self._liquidations.get(symbol, []), row][-2 * _PAGE :]
                return []
            case BookFact():
                self._books.apply(fact)
                return [(f"depth|{symbol}", self._depth(fact))]
            case MarkFact():
                changed = {"mark_price": repr(fact.mark_usd), "index_price": repr(fact.index_usd)}
            case FundingFact():
                changed = {
                    "next_funding_rate": repr(fact.rate_ratio),
                    "next_funding_time": fact.next_ns // _MS,
                }
            case OpenInterestFact():
                changed = {"open_interest_size": self._qty(symbol, fact.oi_base, fact.mark_usd)}
            case _:
                return []
        self._states[symbol] |= changed
        return [_push("state", symbol, {"state_list": [self._states[symbol]]})]

    def _depth(self, fact: BookFact) -> bytes:
        sides = {
            name: [[repr(price), self._qty(fact.symbol, qty, price)] for price, qty in side]
            for name, side in (("asks", fact.asks), ("bids", fact.bids))
        }
        depth = {**sides, "last": "0", "updated_at": fact.ts_ns // _MS, "checksum": 578768879}
        body = {"market": fact.symbol, "is_full": fact.is_snapshot, "depth": depth}
        return _push("depth", fact.symbol, body)[1]

    def _qty(self, symbol: str, qty_base: float, price_usd: float) -> str:
        return repr(qty_base * price_usd if self._by_symbol[symbol].is_inverse else qty_base)


def _contract(item: ScriptContract) -> dict[str, Any]:
    return {
        "market": item.symbol, "contract_type": "inverse" if item.is_inverse else "linear", "taker_fee_rate": "0.0005",
        "min_amount": "10" if item.is_inverse else "0.0001", "base_ccy": item.base, "quote_ccy": item.quote,
        "tick_size": repr(item.tick_usd), "leverage": ["3", "5", "10", "50", "100"], "is_market_available": True,
        "open_interest_volume": "100",
    }  # fmt: skip


def _levels(item: ScriptContract) -> list[dict[str, str]]:
    unit = 1.0 if item.is_inverse else item.price_usd
    return [
        {
            "amount": repr(cap_usd / unit), "leverage": str(leverage), "maintenance_margin_rate": str(ratio),
            "min_initial_margin_rate": str(1 / leverage),
        }
        for cap_usd, leverage, ratio in ((2e6, 100, 0.005), (5e6, 50, 0.01), (1e7, 20, 0.02))
    ]  # fmt: skip


def _state(item: ScriptContract) -> dict[str, Any]:
    price = repr(item.price_usd)
    return {
        "market": item.symbol, "last": price, "open": price, "volume": "1", "mark_price": price, "index_price": price,
        "open_interest_size": "100", "insurance_fund_size": "1000", "latest_funding_rate": "0.0001",
        "next_funding_rate": "0.0001", "latest_funding_time": 0, "next_funding_time": 0, "period": 86400,
    }  # fmt: skip


def _push(channel: str, symbol: str, body: Any) -> tuple[str, bytes]:
    return f"{channel}|{symbol}", _json({"method": f"{channel}.update", "data": body, "id": None})


def _ok(rows: Any, **more: Any) -> Answer:
    return Answer(200, _json({"code": 0, "data": rows, "message": "OK", **more}))


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)
