"""Paradex, as its documentation describes it."""

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
_CONTRACTS: Final = linear_contracts("{base}-USD-PERP", "USD", (0.1, 0.01, 0.01, 0.001))
_BOOK_END: Final = ".snapshot@15@100ms"


class Script(VenueScript):
    """Markets, confirmations by channel, and three channels."""

    slug: ClassVar[str] = "paradex"
    contracts = _CONTRACTS

    def __init__(self) -> None:
        self._books = WholeBooks()
        self._summaries = {item.symbol: _summary(item) for item in _CONTRACTS}
        self._channels = {
            name
            for item in _CONTRACTS
            for name in (
                f"trades.{item.symbol}",
                f"markets_summary.{item.symbol}",
                f"order_book.{item.symbol}{_BOOK_END}",
            )
        }

    def answer(
        self, method: str, path: str, query: Mapping[str, str], body: bytes, now_ns: int
    ) -> Answer | None:
        """Markets, an option and a spot pair among them."""
        del method, query, body, now_ns
        if path != "/v1/markets":
            return None
        rows = [_contract(item) for item in _CONTRACTS]
        option = {**rows[0], "symbol": "BTC-USD-100000-C", "asset_kind": "PERP_OPTION"}
        spot = {"symbol": "BTC-USD", "base_currency": "BTC", "quote_currency": "USD", "asset_kind": "SPOT"}
        return Answer(200, _json({"results": [*rows, option, spot]}))

    def opened(self, client: Client, now_ns: int) -> Sequence[bytes]:
        """Nothing: Paradex waits for the first request."""
        del client, now_ns
        return ()

    def received(self, client: Client, frame: bytes, now_ns: int) -> Sequence[bytes]:
        """Confirm or refuse a channel; a book begins with what stands."""
        del now_ns
        ask = msgspec.json.decode(frame)
        channel = ask["params"]["channel"]
        head = {"jsonrpc": "2.0", "usIn": 1, "usDiff": 1, "usOut": 2, "id": ask["id"]}
        if channel not in self._channels:
            fault = {"code": -32600, "message": "invalid subscribe request", "data": "invalid channel"}
            return [_json({**head, "error": fault})]
        confirmed = _json({**head, "result": {"channel": channel}})
        if ask["method"] == "unsubscribe":
            client.topics.discard(channel)
            return [confirmed]
        client.topics.add(channel)
        whole = self._books.get(channel.removeprefix("order_book.").removesuffix(_BOOK_END))
        return [confirmed, _book(whole)[1]] if whole and channel.startswith("order_book.") else [confirmed]

    def frames(self, fact: Fact, now_ns: int) -> Sequence[tuple[str, bytes]]:
        """One frame per fact; a liquidation is a trade of a taker that was forced out."""
        del now_ns
        symbol = fact.symbol
        match fact:
            case TradeFact():
                return [_trade(fact, "LIQUIDATION" if fact.is_liquidation else "FILL")]
            case LiquidationFact():
                price, qty = fact.price_usd, fact.qty_base
                return [
                    _trade(TradeFact(symbol, fact.ts_ns, fact.seq, price, qty, -fact.side), "LIQUIDATION")
                ]
            case BookFact():
                return [_book(self._books.apply(fact))]
            case MarkFact():
                state = {"mark_price": repr(fact.mark_usd), "underlying_price": repr(fact.index_usd)}
            case FundingFact():
                state = {"funding_rate": repr(fact.rate_ratio)}
            case OpenInterestFact():
                state = {"open_interest": repr(fact.oi_base)}
            case _:
                return []
        self._summaries[symbol] |= state
        return [
            _push(f"markets_summary.{symbol}", {**self._summaries[symbol], "created_at": fact.ts_ns // _MS})
        ]


def _trade(fact: TradeFact, kind: str) -> tuple[str, bytes]:
    ts_ms = fact.ts_ns // _MS
    row = {
        "id": f"{abs(ts_ms)}{fact.seq:015d}", "market": fact.symbol, "side": "BUY" if fact.taker_side > 0 else "SELL",
        "size": repr(fact.qty_base), "price": repr(fact.price_usd), "created_at": ts_ms, "trade_type": kind,
    }  # fmt: skip
    return _push(f"trades.{fact.symbol}", row)


def _book(whole: BookFact) -> tuple[str, bytes]:
    levels = [
        {"side": side, "price": repr(price), "size": repr(qty)}
        for side, levels in (("BUY", whole.bids), ("SELL", whole.asks))
        for price, qty in levels
    ]
    row = {
        "seq_no": whole.seq, "market": whole.symbol, "last_updated_at": whole.ts_ns // _MS, "update_type": "s",
        "inserts": levels, "updates": [], "deletes": [],
    }  # fmt: skip
    return _push(f"order_book.{whole.symbol}{_BOOK_END}", row)


def _summary(item: ScriptContract) -> dict[str, Any]:
    price = repr(item.price_usd)
    return {
        "symbol": item.symbol, "mark_price": price, "underlying_price": price, "last_traded_price": price, "bid": price,
        "ask": price, "open_interest": "1000", "funding_rate": "0.0001", "volume_24h": "0", "total_volume": "0",
    }  # fmt: skip


def _contract(item: ScriptContract) -> dict[str, Any]:
    margin = {"imf_base": "0.02", "imf_factor": "0", "imf_shift": "0", "mmf_factor": "0.5"}
    return {
        "symbol": item.symbol, "base_currency": item.base, "quote_currency": item.quote, "settlement_currency": "USDC",
        "asset_kind": "PERP", "market_kind": "cross", "order_size_increment": "0.00001", "min_notional": "10",
        "price_tick_size": repr(item.tick_usd), "expiry_at": 0, "funding_period_hours": 8,
        "delta1_cross_margin_params": margin,
    }  # fmt: skip


def _push(channel: str, row: Any) -> tuple[str, bytes]:
    params = {"channel": channel, "data": row}
    return channel, _json({"jsonrpc": "2.0", "method": "subscription", "params": params})


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)
