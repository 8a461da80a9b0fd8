"""Deribit, as its documentation of version 2 describes it."""

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
from faultline.testing.script import Answer, Client, ScriptContract, VenueScript

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultline.testing.facts import Fact

__all__ = ("Script",)

_MS: Final = 1_000_000
_CONTRACTS: Final = tuple(
    ScriptContract(name, base, quote, quote == "USD", contract_size=size, tick_usd=tick, price_usd=price)
    for name, base, quote, size, tick, price in (
        ("BTC-PERPETUAL", "BTC", "USD", 10.0, 0.5, 100_000.0),
        ("ETH-PERPETUAL", "ETH", "USD", 1.0, 0.05, 3_500.0),
        ("BTC_USDC-PERPETUAL", "BTC", "USDC", 0.0001, 0.5, 100_000.0),
        ("SOL_USDC-PERPETUAL", "SOL", "USDC", 0.1, 0.01, 160.0),
    )
)
_CHANNELS: Final = {"trades", "book", "ticker"}


class Script(VenueScript):
    """Contracts, prices, confirmations by name, heartbeats with test requests, and three channels."""

    slug: ClassVar[str] = "deribit"
    contracts = _CONTRACTS
    ping: ClassVar[bytes | None] = b'{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}'
    ping_every_s: ClassVar[float] = 30.0

    def __init__(self) -> None:
        self._by_symbol = {item.symbol: item for item in _CONTRACTS}
        self._books: dict[str, BookFact] = {}
        self._changes: dict[str, int] = {}
        self._tickers = {item.symbol: _ticker(item) for item in _CONTRACTS}

    def answer(
        self, method: str, path: str, query: Mapping[str, str], body: bytes, now_ns: int
    ) -> Answer | None:
        """Contracts, dated and closed ones among them, and prices by currency of settlement."""
        del method, body, now_ns
        if path == "/api/v2/public/get_instruments":
            rows = [_contract(item) for item in _CONTRACTS]
            dated = {**rows[0], "instrument_name": "BTC-25DEC26", "settlement_period": "month"}
            closed = {
                **rows[1],
                "instrument_name": "OLD-PERPETUAL",
                "base_currency": "OLD",
                "is_active": False,
            }
            return _ok([*rows, dated, closed])
        if path == "/api/v2/public/get_book_summary_by_currency":
            rows = [
                {"instrument_name": item.symbol, "mark_price": item.price_usd}
                for item in _CONTRACTS
                if query["currency"] == (item.base if item.is_inverse else item.quote)
            ]
            return _ok(rows)
        return None

    def opened(self, client: Client, now_ns: int) -> Sequence[bytes]:
        """Nothing: Deribit waits for the first request."""
        del client, now_ns
        return ()

    def received(self, client: Client, frame: bytes, now_ns: int) -> Sequence[bytes]:
        """Confirm the channels that exist, send books, take heartbeats and tests."""
        del now_ns
        ask = msgspec.json.decode(frame)
        head = {"jsonrpc": "2.0", "id": ask["id"]}
        if ask["method"] == "public/set_heartbeat":
            return [_json({**head, "result": "ok"})]
        if ask["method"] == "public/test":
            return [_json({**head, "result": {"version": "1.2.26"}})]
        names = [name for name in ask["params"]["channels"] if self._knows(name)]
        out = [_json({**head, "result": names, "usIn": 1, "usOut": 2, "usDiff": 1, "testnet": False})]
        if ask["method"] == "public/unsubscribe":
            client.topics -= set(names)
            return out
        client.topics |= set(names)
        books = [name.split(".")[1] for name in names if name.startswith("book.")]
        return out + [self._book(self._books[symbol], None) for symbol in books if symbol in self._books]

    def frames(self, fact: Fact, now_ns: int) -> Sequence[tuple[str, bytes]]:
        """One frame per fact; a liquidation is a trade of a taker that was forced out."""
        del now_ns
        symbol = fact.symbol
        match fact:
            case TradeFact():
                return [self._trade(fact, "T" if fact.is_liquidation else "")]
            case LiquidationFact():
                price, qty = fact.price_usd, fact.qty_base
                return [self._trade(TradeFact(symbol, fact.ts_ns, fact.seq, price, qty, -fact.side), "T")]
            case BookFact():
                return [self._change(fact)]
            case MarkFact():
                state = {"mark_price": fact.mark_usd, "index_price": fact.index_usd}
            case FundingFact():
                state = {"current_funding": fact.rate_ratio, "funding_8h": fact.rate_ratio}
            case OpenInterestFact():
                state = {"open_interest": self._amount(symbol, fact.oi_base, fact.mark_usd)}
            case _:
                return []
        self._tickers[symbol] |= state
        row = {**self._tickers[symbol], "timestamp": fact.ts_ns // _MS}
        return [_push(f"ticker.{symbol}.100ms", row)]

    def _trade(self, fact: TradeFact, mark: str) -> tuple[str, bytes]:
        amount = self._amount(fact.symbol, fact.qty_base, fact.price_usd)
        row = {
            "trade_seq": fact.seq, "trade_id": str(fact.seq), "timestamp": fact.ts_ns // _MS, "amount": amount,
            "tick_direction": 2, "price": fact.price_usd, "instrument_name": fact.symbol, "index_price": 1.0,
            "direction": "buy" if fact.taker_side > 0 else "sell", "mark_price": fact.price_usd,
            "contracts": amount / self._by_symbol[fact.symbol].contract_size,
        }  # fmt: skip
        return _push(f"trades.{fact.symbol}.100ms", [row | ({"liquidation": mark} if mark else {})])

    def _change(self, fact: BookFact) -> tuple[str, bytes]:
        before = None if fact.is_snapshot else self._books.get(fact.symbol)
        sides = []
        for new, known in (
            (fact.bids, before.bids if before else ()),
            (fact.asks, before.asks if before else ()),
        ):
            sides.append(tuple((price, qty) for price, qty in (dict(known) | dict(new)).items() if qty > 0))
        last = self._changes.get(fact.symbol, fact.seq * 5)
        self._changes[fact.symbol] = this = last + 5
        self._books[fact.symbol] = BookFact(
            fact.symbol, fact.ts_ns, this, sides[0], sides[1], is_snapshot=True
        )
        topic = f"book.{fact.symbol}.100ms"
        if fact.is_snapshot:
            return topic, self._book(self._books[fact.symbol], None)
        return topic, self._book(
            BookFact(fact.symbol, fact.ts_ns, this, fact.bids, fact.asks, is_snapshot=False), last
        )

    def _book(self, fact: BookFact, before: int | None) -> bytes:
        sides = {
            name: [
                [
                    "new" if before is None else "change" if qty else "delete",
                    price,
                    self._amount(fact.symbol, qty, price),
                ]
                for price, qty in side
            ]
            for name, side in (("bids", fact.bids), ("asks", fact.asks))
        }
        row = {
            "type": "snapshot" if before is None else "change", "timestamp": fact.ts_ns // _MS,
            "instrument_name": fact.symbol, "change_id": fact.seq, **sides,
        }  # fmt: skip
        return _push(
            f"book.{fact.symbol}.100ms", row | ({} if before is None else {"prev_change_id": before})
        )[1]

    def _amount(self, symbol: str, qty_base: float, price_usd: float) -> float:
        return qty_base * (price_usd if self._by_symbol[symbol].is_inverse else 1.0)

    def _knows(self, name: str) -> bool:
        channel, _, rest = name.partition(".")
        return channel in _CHANNELS and rest.rpartition(".")[0] in self._by_symbol


def _ticker(item: ScriptContract) -> dict[str, Any]:
    return {
        "instrument_name": item.symbol, "state": "open", "mark_price": item.price_usd, "index_price": item.price_usd,
        "open_interest": 1_000_000.0, "current_funding": 0.0, "funding_8h": 0.0, "last_price": item.price_usd,
    }  # fmt: skip


def _contract(item: ScriptContract) -> dict[str, Any]:
    return {
        "instrument_name": item.symbol, "kind": "future", "base_currency": item.base, "quote_currency": item.quote,
        "instrument_type": "reversed" if item.is_inverse else "linear", "settlement_period": "perpetual",
        "settlement_currency": item.base if item.is_inverse else item.quote, "contract_size": item.contract_size,
        "min_trade_amount": item.contract_size, "tick_size": item.tick_usd, "max_leverage": 50, "is_active": True,
        "taker_commission": 0.0005, "maker_commission": 0.0, "tick_size_steps": [],
    }  # fmt: skip


def _push(channel: str, row: Any) -> tuple[str, bytes]:
    params = {"channel": channel, "data": row}
    return channel, _json({"jsonrpc": "2.0", "method": "subscription", "params": params})


def _ok(rows: Any) -> Answer:
    return Answer(200, _json({"jsonrpc": "2.0", "result": rows, "usIn": 1, "usOut": 2, "usDiff": 1}))


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)
