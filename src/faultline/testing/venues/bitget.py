"""Bitget, as its documentation of the unified account (version 3) describes it."""

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
from faultline.testing.whole_books import WholeBooks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultline.testing.facts import Fact

__all__ = ("Script",)

_MS: Final = 1_000_000
_CONTRACTS: Final = (
    *linear_contracts("{base}USDT", "USDT", (0.1, 0.01, 0.01, 0.001)),
    ScriptContract(
        "BTCPERP", "BTC", "USDC", is_inverse=False, contract_size=1.0, tick_usd=0.5, price_usd=100_000.0
    ),
    ScriptContract(
        "BTCUSD", "BTC", "USD", is_inverse=True, contract_size=1.0, tick_usd=0.1, price_usd=100_000.0
    ),
)
_CATEGORIES: Final = {"USDT": "USDT-FUTURES", "USDC": "USDC-FUTURES", "USD": "COIN-FUTURES"}
_TOPICS: Final = {"publicTrade", "books", "ticker"}


class Script(VenueScript):
    """Listings by category, confirmations by argument, pongs, three topics of contracts and one of a category."""

    slug: ClassVar[str] = "bitget"
    contracts = _CONTRACTS

    def __init__(self) -> None:
        self._by_symbol = {item.symbol: item for item in _CONTRACTS}
        self._books = WholeBooks()
        self._sequences: dict[str, int] = {}
        self._ratios: dict[str, RatioFact] = {}
        self._tickers = {item.symbol: _ticker(item) for item in _CONTRACTS}

    def answer(
        self, method: str, path: str, query: Mapping[str, str], body: bytes, now_ns: int
    ) -> Answer | None:
        """Contracts, prices, tiers of one contract, and the ratio of accounts."""
        del method, body
        listed = [item for item in _CONTRACTS if _CATEGORIES[item.quote] == query.get("category")]
        if path == "/api/v3/market/instruments":
            return _ok([*(_contract(item) for item in listed), *map(_delivery, listed[:1])])
        if path == "/api/v3/market/tickers":
            return _ok([{"symbol": item.symbol, "markPrice": repr(item.price_usd)} for item in listed])
        if path == "/api/v3/market/position-tier":
            known = query["symbol"] in {item.symbol for item in listed}
            return _ok([_tier(number) for number in (1, 2, 3)] if known else [])
        if path == "/api/v3/market/futures-account-long-short":
            fact = self._ratios.get(query["symbol"])
            ts_ns, share = (now_ns, 0.5) if fact is None else (fact.ts_ns, fact.long_share_ratio)
            return _ok([_ratio(ts_ns, share), _ratio(ts_ns - 300_000 * _MS, 0.5)])
        return None

    def opened(self, client: Client, now_ns: int) -> Sequence[bytes]:
        """Nothing: Bitget waits for the first request."""
        del client, now_ns
        return ()

    def received(self, client: Client, frame: bytes, now_ns: int) -> Sequence[bytes]:
        """Confirm every argument or refuse it, send books and the latest trades, answer pings."""
        if frame == b"ping":
            return [b"pong"]
        ask = msgspec.json.decode(frame)
        out: list[bytes] = []
        for arg in ask["args"]:
            topic = _topic(arg)
            if ask["op"] == "unsubscribe":
                client.topics.discard(topic)
                out.append(_json({"event": "unsubscribe", "arg": arg}))
            elif not self._knows(arg):
                text = f"topic:{arg['topic']}, symbol:{arg.get('symbol')} doesn't exist"
                out.append(_json({"event": "error", "arg": arg, "code": "30001", "msg": text}))
            else:
                client.topics.add(topic)
                out.append(_json({"event": "subscribe", "arg": arg}))
                out += self._first(arg, now_ns)
        return out

    def frames(self, fact: Fact, now_ns: int) -> Sequence[tuple[str, bytes]]:
        """One frame per fact; ratios are told by REST only."""
        now_ms, ts = now_ns // _MS, str(fact.ts_ns // _MS)
        match fact:
            case TradeFact():
                arg = self._arg("publicTrade", fact.symbol)
                return [_push(arg, "update", now_ms, _trade(fact))]
            case LiquidationFact():
                arg = self._arg("liquidation", fact.symbol)
                del arg["symbol"]
                row = {
                    "symbol": fact.symbol, "side": "buy" if fact.side > 0 else "sell", "price": repr(fact.price_usd),
                    "amount": repr(fact.qty_base * fact.price_usd), "ts": ts,
                }  # fmt: skip
                return [_push(arg, "update", now_ms, row)]
            case BookFact():
                return [self._book(fact)]
            case RatioFact(ratio_kind="accounts"):
                self._ratios[fact.symbol] = fact
            case MarkFact() | FundingFact() | OpenInterestFact():
                self._tickers[fact.symbol] |= _changed(fact)
                arg = self._arg("ticker", fact.symbol)
                return [_push(arg, "snapshot", fact.ts_ns // _MS, self._tickers[fact.symbol])]
        return []

    def _first(self, arg: Mapping[str, str], now_ns: int) -> list[bytes]:
        """What a topic sends at once to a new subscriber."""
        if arg["topic"] == "books" and (whole := self._books.get(arg["symbol"])) is not None:
            return [_levels(arg, whole, "snapshot", 0)[1]]
        if arg["topic"] == "publicTrade":
            item = self._by_symbol[arg["symbol"]]
            old = TradeFact(item.symbol, now_ns - 5_000 * _MS, 7, item.price_usd, 1.0, 1)
            return [_push(arg, "snapshot", now_ns // _MS, _trade(old))[1]]
        return []

    def _book(self, fact: BookFact) -> tuple[str, bytes]:
        last = self._sequences.get(fact.symbol, 0)
        self._sequences[fact.symbol] = this = last + 7
        whole = self._books.apply(fact, this)
        arg = self._arg("books", fact.symbol)
        if fact.is_snapshot:
            return _levels(arg, whole, "snapshot", 0)
        changed = BookFact(fact.symbol, fact.ts_ns, this, fact.bids, fact.asks, is_snapshot=False)
        return _levels(arg, changed, "update", last)

    def _arg(self, topic: str, symbol: str) -> dict[str, str]:
        category = _CATEGORIES[self._by_symbol[symbol].quote].lower()
        return {"instType": category, "topic": topic, "symbol": symbol}

    def _knows(self, arg: Mapping[str, str]) -> bool:
        if arg["topic"] == "liquidation":
            return arg["instType"].upper() in _CATEGORIES.values()
        item = self._by_symbol.get(arg.get("symbol", ""))
        return arg["topic"] in _TOPICS and item is not None and arg == self._arg(arg["topic"], item.symbol)


def _contract(item: ScriptContract) -> dict[str, Any]:
    return {
        "symbol": item.symbol, "category": _CATEGORIES[item.quote], "baseCoin": item.base, "quoteCoin": item.quote,
        "symbolType": "crypto", "type": "perpetual", "priceMultiplier": repr(item.tick_usd),
        "quantityMultiplier": "0.001", "minOrderQty": "0.001", "minOrderAmount": "5", "takerFeeRate": "0.0006",
        "status": "online", "deliveryTime": "", "fundInterval": "8", "minLeverage": "1", "maxLeverage": "125",
    }  # fmt: skip


def _delivery(item: ScriptContract) -> dict[str, Any]:
    """A contract that ends."""
    return _contract(item) | {
        "symbol": f"{item.symbol}Z26",
        "type": "delivery",
        "deliveryTime": "1798185600000",
    }


def _tier(number: int) -> dict[str, str]:
    return {
        "tier": str(number), "minTierValue": str(150_000 * (number - 1)), "maxTierValue": str(150_000 * number),
        "leverage": str(125 / number), "mmr": str(0.004 * number),
    }  # fmt: skip


def _ticker(item: ScriptContract) -> dict[str, str]:
    return {
        "lastPrice": repr(item.price_usd), "indexPrice": repr(item.price_usd), "markPrice": repr(item.price_usd),
        "fundingRate": "0.0001", "openInterest": "1000", "deliveryTime": "", "nextFundingTime": "",
    }  # fmt: skip


def _changed(fact: MarkFact | FundingFact | OpenInterestFact) -> dict[str, str]:
    if isinstance(fact, MarkFact):
        return {"markPrice": repr(fact.mark_usd), "indexPrice": repr(fact.index_usd)}
    if isinstance(fact, FundingFact):
        return {"fundingRate": repr(fact.rate_ratio), "nextFundingTime": str(fact.next_ns // _MS)}
    return {"openInterest": repr(fact.oi_base)}


def _trade(fact: TradeFact) -> dict[str, str]:
    return {
        "i": str(fact.seq), "p": repr(fact.price_usd), "v": repr(fact.qty_base),
        "S": "buy" if fact.taker_side > 0 else "sell", "T": str(fact.ts_ns // _MS), "L": str(fact.seq + 1),
        "isRPI": "no",
    }  # fmt: skip


def _ratio(ts_ns: int, share: float) -> dict[str, str]:
    return {
        "longAccountRatio": repr(share), "shortAccountRatio": repr(1.0 - share),
        "longShortAccountRatio": repr(share / (1.0 - share)), "ts": str(ts_ns // _MS),
    }  # fmt: skip


def _levels(arg: Mapping[str, str], fact: BookFact, action: str, before: int) -> tuple[str, bytes]:
    sides = {
        name: [[repr(price), repr(qty)] for price, qty in side]
        for name, side in (("a", fact.asks), ("b", fact.bids))
    }
    row = {**sides, "checksum": 0, "seq": fact.seq, "pseq": before, "ts": str(fact.ts_ns // _MS)}
    return _push(arg, action, fact.ts_ns // _MS, row)


def _topic(arg: Mapping[str, str]) -> str:
    return f"{arg['topic']}|{arg['instType']}|{arg.get('symbol', '')}"


def _push(arg: Mapping[str, str], action: str, ts_ms: int, row: Mapping[str, Any]) -> tuple[str, bytes]:
    return _topic(arg), _json({"action": action, "arg": arg, "data": [row], "ts": ts_ms})


def _ok(rows: Any) -> Answer:
    return Answer(200, _json({"code": "00000", "msg": "success", "requestTime": 0, "data": rows}))


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)
