"""Orderly, as its documentation describes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec

from faultline.testing.facts import (
    BookFact,
    FundingFact,
    LiquidationFact,
    MarkFact,
    OpenInterestFact,
    PositionFact,
    TradeFact,
)
from faultline.testing.script import Answer, Client, ScriptContract, VenueScript, linear_contracts
from faultline.testing.whole_books import WholeBooks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultline.testing.facts import Fact

__all__ = ("Script",)

_MS: Final = 1_000_000
_CONTRACTS: Final = linear_contracts("PERP_{base}_USDC", "USDC", (0.1, 0.01, 0.01, 0.001))
_TOPICS: Final = {"trade", "orderbookupdate", "openinterest", "estfundingrate"}
_OF_ALL: Final = {"markprices", "liquidation"}


class Script(VenueScript):
    """Contracts, confirmations by id, pings, whole books by request, six topics, and positions of all accounts."""

    slug: ClassVar[str] = "orderly"
    contracts = _CONTRACTS
    ping: ClassVar[bytes | None] = b'{"event":"ping","ts":1793613600000}'
    ping_every_s: ClassVar[float] = 10.0

    def __init__(self) -> None:
        self._by_symbol = {item.symbol: item for item in _CONTRACTS}
        self._books = WholeBooks()
        self._changed_ms: dict[str, int] = {}
        self._positions: dict[str, dict[str, PositionFact]] = {}

    def answer(
        self, method: str, path: str, query: Mapping[str, str], body: bytes, now_ns: int
    ) -> Answer | None:
        """Contracts, a spot pair among them, and queries for positions."""
        del query
        if path == "/v1/public/info":
            rows = [_contract(item) for item in _CONTRACTS]
            spot = {**rows[0], "symbol": "SPOT_BTC_USDC"}
            return _ok({"rows": [*rows, spot]}, now_ns)
        if (method, path) != ("POST", "/v1/public/query"):
            return None
        ask = msgspec.json.decode(body)
        if ask["type"] != "platformPositions":
            fault = {"success": False, "code": "UNKNOWN_TYPE", "message": "unknown type", "ts": now_ns // _MS}
            return Answer(400, _json(fault))
        facts = [fact for fact in self._positions.get(ask["symbol"], {}).values() if fact.side]
        page = {"total_positions": len(facts), "rows": [_position(one) for one in facts], "next_cursor": None}
        return _ok(page, now_ns)

    def opened(self, client: Client, now_ns: int) -> Sequence[bytes]:
        """Nothing: Orderly waits for the first request."""
        del client, now_ns
        return ()

    def received(self, client: Client, frame: bytes, now_ns: int) -> Sequence[bytes]:
        """Take pongs; confirm or refuse topics; answer requests for books."""
        ask = msgspec.json.decode(frame)
        if ask["event"] == "pong":
            return ()
        if ask["event"] == "ping":
            return [_json({"event": "pong", "ts": now_ns // _MS})]
        head = {"id": ask["id"], "event": ask["event"], "ts": now_ns // _MS}
        if ask["event"] == "request":
            symbol = ask["params"]["symbol"]
            if symbol not in self._by_symbol:
                return [_json({**head, "success": False, "errorMsg": f"invalid symbol {symbol}"})]
            return [_json({**head, "success": True, "data": self._whole(symbol, now_ns)})]
        topic = ask["topic"]
        symbol, _, name = topic.rpartition("@")
        if not (topic in _OF_ALL or (symbol in self._by_symbol and name in _TOPICS)):
            return [_json({**head, "success": False, "errorMsg": f"invalid topic {topic}"})]
        if ask["event"] == "unsubscribe":
            client.topics.discard(topic)
        else:
            client.topics.add(topic)
        return [_json({**head, "success": True})]

    def frames(self, fact: Fact, now_ns: int) -> Sequence[tuple[str, bytes]]:
        """One frame per fact; before a liquidation the mark price it happened at. Positions are told by REST."""
        del now_ns
        symbol, ts_ms = fact.symbol, fact.ts_ns // _MS
        match fact:
            case TradeFact():
                side = "BUY" if fact.taker_side > 0 else "SELL"
                row = {"symbol": symbol, "price": fact.price_usd, "size": fact.qty_base, "side": side}
                return [_push(f"{symbol}@trade", ts_ms, row)]
            case LiquidationFact():
                position = {
                    "symbol": symbol,
                    "positionQty": fact.qty_base * fact.side,
                    "liquidatorFee": 0.0075,
                }
                event = {
                    "liquidationId": fact.seq, "timestamp": ts_ms, "type": "liquidated", "positionsByPerp": [position],
                }  # fmt: skip
                mark = [{"symbol": symbol, "price": fact.price_usd}]
                return [_push("markprices", ts_ms, mark), _push("liquidation", ts_ms + 5, [event])]
            case BookFact():
                return [self._change(fact)]
            case MarkFact():
                return [_push("markprices", ts_ms, [{"symbol": symbol, "price": fact.mark_usd}])]
            case FundingFact():
                row = {"symbol": symbol, "fundingRate": fact.rate_ratio, "fundingTs": ts_ms}
                return [_push(f"{symbol}@estfundingrate", ts_ms, row)]
            case OpenInterestFact():
                row = {"symbol": symbol, "openInterest": fact.oi_base}
                return [_push(f"{symbol}@openinterest", ts_ms, row)]
            case PositionFact():
                self._positions.setdefault(symbol, {})[fact.wallet] = fact
                return []
            case _:
                return []

    def _whole(self, symbol: str, now_ns: int) -> dict[str, Any]:
        whole = self._books.get(symbol)
        bids, asks = (whole.bids, whole.asks) if whole else ((), ())
        return {
            "symbol": symbol,
            "ts": self._changed_ms.get(symbol, now_ns // _MS),
            "asks": asks,
            "bids": bids,
        }

    def _change(self, fact: BookFact) -> tuple[str, bytes]:
        """Levels that changed; where a fact is a whole book, what is not in it is taken away."""
        before = self._books.get(fact.symbol) if fact.is_snapshot else None
        self._books.apply(fact)
        gone = [
            dict.fromkeys(dict(side), 0.0) for side in ((before.bids, before.asks) if before else ((), ()))
        ]
        bids, asks = (
            list((old | dict(new)).items()) for old, new in zip(gone, (fact.bids, fact.asks), strict=True)
        )
        last_ms = self._changed_ms.get(fact.symbol, 0)
        self._changed_ms[fact.symbol] = ts_ms = max(fact.ts_ns // _MS, last_ms + 1)
        row = {"symbol": fact.symbol, "prevTs": last_ms, "asks": asks, "bids": bids}
        return _push(f"{fact.symbol}@orderbookupdate", ts_ms, row)


def _contract(item: ScriptContract) -> dict[str, Any]:
    return {
        "symbol": item.symbol, "quote_min": 0, "quote_max": 100_000_000, "quote_tick": item.tick_usd, "base_min": 0.001,
        "base_max": 1_000, "base_tick": 0.001, "min_notional": 10, "funding_period": 8, "imr_factor": 0.0000002,
        "base_mmr": 0.012, "base_imr": 0.02, "std_liquidation_fee": 0.012, "liquidator_fee": 0.006,
    }  # fmt: skip


def _position(fact: PositionFact) -> dict[str, Any]:
    return {
        "address": fact.wallet, "account_id": "0x" + "5a" * 32, "broker_id": "orderly", "symbol": fact.symbol,
        "side": "LONG" if fact.side > 0 else "SHORT", "position_qty": repr(fact.qty_base),
        "notional": repr(fact.qty_base * fact.entry_price_usd), "average_open_price": repr(fact.entry_price_usd),
        "mark_price": repr(fact.entry_price_usd), "est_liq_price": None, "unrealized_pnl": "0", "unsettled_pnl": "0",
        "leverage": int(fact.leverage), "margin_mode": "CROSS", "opened_at": fact.ts_ns // _MS,
    }  # fmt: skip


def _push(topic: str, ts_ms: int, rows: Any) -> tuple[str, bytes]:
    return topic, _json({"topic": topic, "ts": ts_ms, "data": rows})


def _ok(value: Any, now_ns: int) -> Answer:
    return Answer(200, _json({"success": True, "data": value, "ts": now_ns // _MS}))


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)
