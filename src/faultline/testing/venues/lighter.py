"""Lighter, as the documentation of its socket describes it."""

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
from faultline.testing.whole_books import WholeBooks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultline.testing.facts import Fact

__all__ = ("Script",)

_MS: Final = 1_000_000
_CONTRACTS: Final = tuple(
    ScriptContract(
        f"{base}-{market}",
        base,
        "USDC",
        is_inverse=False,
        contract_size=1.0,
        tick_usd=10.0**-digits,
        price_usd=price,
    )
    for market, (base, digits, price) in enumerate(
        (("ETH", 2, 3_500.0), ("BTC", 1, 100_000.0), ("SOL", 3, 160.0), ("DOT", 5, 4.0))
    )
)
_CHANNELS: Final = {"trade", "order_book", "market_stats"}
#: Accounts of trades whose facts name none: taker and maker.
_ACCOUNTS: Final = (4021, 281_474_976_600_615)
#: Trades that are repeated to a new subscriber.
_REPEATED: Final = 5
#: Nonces of the whole venue that pass between two changes of a book.
_STEP: Final = 7


class Script(VenueScript):
    """Markets, subscriptions that begin with what stands, and three channels."""

    slug: ClassVar[str] = "lighter"
    contracts = _CONTRACTS

    def __init__(self) -> None:
        self._by_symbol = {item.symbol: item for item in _CONTRACTS}
        self._by_market = {item.symbol.rpartition("-")[2]: item for item in _CONTRACTS}
        self._books = WholeBooks()
        self._nonces: dict[str, int] = {}
        self._trades: dict[str, list[dict[str, Any]]] = {}
        self._stats: dict[str, dict[str, Any]] = {}
        self._now_ms = 0

    def answer(
        self, method: str, path: str, query: Mapping[str, str], body: bytes, now_ns: int
    ) -> Answer | None:
        """Markets, a closed one among them, and a spot market."""
        del method, query, body, now_ns
        if path != "/api/v1/orderBookDetails":
            return None
        rows = [_contract(item) for item in _CONTRACTS]
        closed = {**rows[0], "symbol": "OLD", "market_id": 77, "status": "inactive"}
        spot = {"symbol": "ETH/USDC", "market_id": 2048, "market_type": "spot", "status": "active"}
        return Answer(
            200,
            _json({"code": 200, "order_book_details": [*rows, closed], "spot_order_book_details": [spot]}),
        )

    def opened(self, client: Client, now_ns: int) -> Sequence[bytes]:
        """The name of the session."""
        del client, now_ns
        return [_json({"session_id": "3c1f6b60-1a52-4a4f-8df0-3b0f0c7f1e22", "type": "connected"})]

    def received(self, client: Client, frame: bytes, now_ns: int) -> Sequence[bytes]:
        """Answer pings, and begin, end or refuse a subscription."""
        self._now_ms = now_ns // _MS
        ask = msgspec.json.decode(frame)
        if ask["type"] == "ping":
            return [_json({"type": "pong"})]
        channel, _, market = ask["channel"].partition("/")
        is_known = market in self._by_market or (channel == "market_stats" and market == "all")
        if channel not in _CHANNELS or not is_known:
            return [_json({"error": {"code": 30005, "message": f"Invalid Channel: {ask['channel']}"}})]
        topic = f"{channel}:{market}"
        if ask["type"] == "unsubscribe":
            client.topics.discard(topic)
            return [_json({"channel": topic, "type": "unsubscribed"})]
        if topic in client.topics:
            return [_json({"error": {"code": 30003, "message": f"Already Subscribed to : {topic}"}})]
        client.topics.add(topic)
        return [self._first(channel, market, topic)]

    def frames(self, fact: Fact, now_ns: int) -> Sequence[tuple[str, bytes]]:
        """One frame per fact; a liquidation is a trade of a taker that was forced out."""
        self._now_ms = now_ns // _MS
        symbol = fact.symbol
        market = symbol.rpartition("-")[2]
        match fact:
            case TradeFact():
                return [self._trade(fact, market)]
            case LiquidationFact():
                price, qty = fact.price_usd, fact.qty_base
                trade = TradeFact(symbol, fact.ts_ns, fact.seq, price, qty, -fact.side, is_liquidation=True)
                return [self._trade(trade, market)]
            case BookFact():
                return [(f"order_book:{market}", self._change(fact, market))]
            case MarkFact():
                state = {"mark_price": repr(fact.mark_usd), "index_price": repr(fact.index_usd)}
            case FundingFact():
                state = {"current_funding_rate": repr(fact.rate_ratio * 100.0)}
            case OpenInterestFact():
                state = {"open_interest": f"{fact.oi_base * fact.mark_usd:.6f}"}
            case _:
                return []
        known = self._stats.setdefault(market, _state(self._by_symbol[symbol], market))
        known |= state
        body = {
            "channel": "market_stats:all",
            "market_stats": {market: known},
            "timestamp": fact.ts_ns // _MS,
        }
        return [("market_stats:all", _json({**body, "type": "update/market_stats"}))]

    def _first(self, channel: str, market: str, topic: str) -> bytes:
        head: dict[str, Any] = {"channel": topic, "type": f"subscribed/{channel}"}
        if channel == "trade":
            rows = self._trades.get(market, [])[::-1]
            return _json({**head, "liquidation_trades": [], "nonce": 1, "trades": rows})
        head["timestamp"] = self._now_ms
        if channel == "market_stats":
            return _json({**head, "market_stats": self._stats})
        whole, nonce = self._books.get(self._by_market[market].symbol), self._nonces.get(market, 0)
        bids, asks = (whole.bids, whole.asks) if whole else ((), ())
        return _json({**head, "offset": 1, "order_book": _book(bids, asks, nonce, 0)})

    def _trade(self, fact: TradeFact, market: str) -> tuple[str, bytes]:
        taker, maker = fact.users if all(fact.users) else _ACCOUNTS
        seller, buyer = (maker, taker) if fact.taker_side > 0 else (taker, maker)
        row = {
            "trade_id": fact.seq, "trade_id_str": str(fact.seq), "tx_hash": "00", "market_id": int(market),
            "type": "liquidation" if fact.is_liquidation else "trade", "size": repr(fact.qty_base),
            "price": repr(fact.price_usd), "usd_amount": repr(fact.price_usd * fact.qty_base),
            "ask_id": 1, "bid_id": 2, "ask_account_id": seller, "bid_account_id": buyer,
            "is_maker_ask": fact.taker_side > 0, "block_height": 219_000_000, "timestamp": fact.ts_ns // _MS,
            "taker_position_size_before": repr(-fact.taker_side * fact.qty_base),
            "taker_initial_margin_fraction_before": 200, "maker_position_size_before": "0.00000",
        }  # fmt: skip
        forced, other = ([row], []) if fact.is_liquidation else ([], [row])
        self._trades[market] = [*self._trades.get(market, []), row][-_REPEATED:]
        topic = f"trade:{market}"
        body = {"channel": topic, "liquidation_trades": forced, "nonce": 1, "trades": other}
        return topic, _json({**body, "type": "update/trade"})

    def _change(self, fact: BookFact, market: str) -> bytes:
        """Levels that changed; where a fact is a whole book, what is not in it is taken away."""
        before = self._books.get(fact.symbol) if fact.is_snapshot else None
        last = self._nonces.get(market, 0)
        self._nonces[market] = nonce = last + _STEP
        self._books.apply(fact, nonce)
        gone = [
            dict.fromkeys(dict(side), 0.0) for side in ((before.bids, before.asks) if before else ((), ()))
        ]
        bids, asks = (
            tuple((old | dict(new)).items()) for old, new in zip(gone, (fact.bids, fact.asks), strict=True)
        )
        head = {"channel": f"order_book:{market}", "offset": 2, "timestamp": fact.ts_ns // _MS}
        return _json({**head, "order_book": _book(bids, asks, nonce, last), "type": "update/order_book"})


def _book(
    bids: Sequence[tuple[float, float]], asks: Sequence[tuple[float, float]], nonce: int, before: int
) -> dict[str, Any]:
    sides = {
        name: [{"price": repr(price), "size": repr(qty)} for price, qty in side]
        for name, side in (("asks", asks), ("bids", bids))
    }
    return {"code": 0, **sides, "offset": 1, "nonce": nonce, "last_updated_at": 0, "begin_nonce": before}


def _state(item: ScriptContract, market: str) -> dict[str, Any]:
    price = repr(item.price_usd)
    return {
        "symbol": item.base, "market_id": int(market), "index_price": price, "mark_price": price, "mid_price": price,
        "open_interest": "1000000.000000", "current_funding_rate": "0.0012", "funding_rate": "0.0010",
        "funding_timestamp": 1_793_610_000_001, "last_trade_price": price,
    }  # fmt: skip


def _contract(item: ScriptContract) -> dict[str, Any]:
    base, _, market = item.symbol.rpartition("-")
    return {
        "symbol": base, "market_id": int(market), "market_type": "perp", "status": "active",
        "liquidation_fee": "1.0000", "min_base_amount": "0.0050", "min_quote_amount": "10.000000", "size_decimals": 5,
        "price_decimals": len(f"{item.tick_usd:.9f}".rstrip("0").partition(".")[2]),
        "default_initial_margin_fraction": 500, "min_initial_margin_fraction": 200, "maintenance_margin_fraction": 120,
        "closeout_margin_fraction": 80, "open_interest": 1_000.0,
    }  # fmt: skip


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)
