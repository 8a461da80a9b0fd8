"""Gate, as its documentation of futures (version 4) describes it."""

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
_S: Final = 1_000_000_000
_CONTRACTS: Final = (
    *linear_contracts("{base}_USDT", "USDT", (0.1, 0.01, 0.01, 0.001), (0.0001, 0.01, 1.0, 1.0)),
    ScriptContract(
        "BTC_USD", "BTC", "USD", is_inverse=True, contract_size=1.0, tick_usd=0.1, price_usd=100_000.0
    ),
)
_CHANNELS: Final = {
    "futures.trades",
    "futures.tickers",
    "futures.order_book_update",
    "futures.public_liquidates",
}
_RATIOS: Final = {
    "accounts": "lsr_account",
    "top_accounts": "top_lsr_account",
    "top_positions": "top_lsr_size",
    "taker_volume": "lsr_taker",
}


class Script(VenueScript):
    """Listings and risk limits by settlement currency, answers by id, books that need a snapshot, statistics."""

    slug: ClassVar[str] = "gate"
    contracts = _CONTRACTS

    def __init__(self) -> None:
        self._by_symbol = {item.symbol: item for item in _CONTRACTS}
        self._books = WholeBooks()
        self._sequences: dict[str, int] = {}
        self._stats: dict[str, dict[str, Any]] = {}
        self._tickers = {item.symbol: _ticker(item) for item in _CONTRACTS}

    def answer(
        self, method: str, path: str, query: Mapping[str, str], body: bytes, now_ns: int
    ) -> Answer | None:
        """Contracts, risk limits, statistics, and books with their id."""
        del method, body
        _, _, rest = path.partition("/api/v4/futures/")
        settle, _, name = rest.partition("/")
        listed = [item for item in _CONTRACTS if _settle(item) == settle]
        item = self._by_symbol.get(query.get("contract", ""))
        if name == "contracts":
            return _ok([*map(_contract, listed), *map(_delisted, listed[:1])])
        if name == "risk_limit_tiers":
            page = listed[:-1] if settle == "usdt" and query.get("offset") == "0" else []
            return _ok([_tier(one, number) for one in page for number in (1, 2)])
        if name == "contract_stats" and item in listed:
            return _ok([self._stats.get(item.symbol) or {"time": now_ns // _S, "lsr_taker": 0}])
        if name == "order_book" and item in listed:
            return _ok(self._snapshot(item, now_ns))
        return None

    def opened(self, client: Client, now_ns: int) -> Sequence[bytes]:
        """Nothing: Gate waits for the first request."""
        del client, now_ns
        return ()

    def received(self, client: Client, frame: bytes, now_ns: int) -> Sequence[bytes]:
        """Confirm or refuse a request by its id; answer pings."""
        ask = msgspec.json.decode(frame)
        channel, now_ms = ask["channel"], now_ns // _MS
        head = {"time": now_ms // 1000, "time_ms": now_ms, "channel": channel}
        if channel == "futures.ping":
            return [_json({**head, "channel": "futures.pong", "event": "", "result": None})]
        head |= {"id": ask.get("id"), "event": ask["event"], "payload": ask["payload"]}
        whole = client.path.rpartition("/")[2]
        names = ask["payload"][:1] if channel == "futures.order_book_update" else ask["payload"]
        known = {item.symbol for item in _CONTRACTS if _settle(item) == whole} | {"!all"}
        if channel not in _CHANNELS or not set(names) <= known:
            error = {"code": 2, "message": f"unknown contract {names[0]}"}
            return [_json({**head, "error": error, "result": {"status": "fail"}})]
        for name in names:
            topic = f"{channel}|{whole if name == '!all' else name}"
            client.topics.add(topic) if ask["event"] == "subscribe" else client.topics.discard(topic)
        return [_json({**head, "result": {"status": "success"}})]

    def frames(self, fact: Fact, now_ns: int) -> Sequence[tuple[str, bytes]]:
        """One frame per fact; ratios are told by REST only."""
        symbol, ts_ms = fact.symbol, fact.ts_ns // _MS
        match fact:
            case TradeFact():
                # A negative quantity cannot be told where the sign is the side: it becomes 0.
                qty_base = max(fact.qty_base, 0.0) * fact.taker_side
                row = {
                    "size": self._size(symbol, qty_base, fact.price_usd), "id": fact.seq,
                    "create_time": ts_ms // 1000, "create_time_ms": ts_ms, "price": repr(fact.price_usd),
                    "contract": symbol,
                }  # fmt: skip
                return [_push("futures.trades", symbol, now_ns, [row])]
            case LiquidationFact():
                row = {
                    "price": repr(fact.price_usd), "time": ts_ms, "contract": symbol,
                    "size": self._size(symbol, fact.qty_base * fact.side, fact.price_usd),
                }  # fmt: skip
                settle = _settle(self._by_symbol[symbol])
                return [_push("futures.public_liquidates", settle, now_ns, [row])]
            case BookFact():
                return [self._book(fact, now_ns)]
            case RatioFact():
                ratio = fact.long_share_ratio / (1.0 - fact.long_share_ratio)
                stats = self._stats.setdefault(symbol, {})
                stats |= {"time": fact.ts_ns // _S, _RATIOS[fact.ratio_kind]: ratio}
            case MarkFact() | FundingFact() | OpenInterestFact():
                self._tickers[symbol] |= self._changed(fact)
                return [_push("futures.tickers", symbol, fact.ts_ns, [self._tickers[symbol]])]
        return []

    def _changed(self, fact: MarkFact | FundingFact | OpenInterestFact) -> dict[str, str]:
        if isinstance(fact, MarkFact):
            return {"mark_price": repr(fact.mark_usd), "index_price": repr(fact.index_usd)}
        if isinstance(fact, FundingFact):
            return {"funding_rate": repr(fact.rate_ratio)}
        return {"total_size": self._size(fact.symbol, fact.oi_base, fact.mark_usd)}

    def _book(self, fact: BookFact, now_ns: int) -> tuple[str, bytes]:
        """The levels of a fact as changes; a snapshot is told as the changes that lead to it."""
        before = self._books.get(fact.symbol)
        first = self._sequences.get(fact.symbol, 0) + 1
        self._sequences[fact.symbol] = last = first + 4
        whole = self._books.apply(fact, last)
        sides = []
        for new, old in ((whole.bids, before and before.bids), (whole.asks, before and before.asks)):
            gone = {price: 0.0 for price, _ in old or ()}
            sides.append(tuple((gone | dict(new)).items()))
        bids, asks = sides if fact.is_snapshot else (fact.bids, fact.asks)
        row = {
            "t": fact.ts_ns // _MS, "s": fact.symbol, "U": first, "u": last, "l": "100",
            "b": self._levels(fact.symbol, bids), "a": self._levels(fact.symbol, asks),
        }  # fmt: skip
        return _push("futures.order_book_update", fact.symbol, now_ns, row)

    def _snapshot(self, item: ScriptContract, now_ns: int) -> dict[str, Any]:
        whole = self._books.get(item.symbol)
        bids, asks = (whole.bids, whole.asks) if whole else ((), ())
        return {
            "id": self._sequences.get(item.symbol, 0), "current": now_ns / _S,
            "update": (whole.ts_ns if whole else now_ns) / _S, "bids": self._levels(item.symbol, bids),
            "asks": self._levels(item.symbol, asks),
        }  # fmt: skip

    def _levels(self, symbol: str, levels: Sequence[tuple[float, float]]) -> list[dict[str, str]]:
        return [{"p": repr(price), "s": self._size(symbol, qty, price)} for price, qty in levels]

    def _size(self, symbol: str, qty_base: float, price_usd: float) -> str:
        item = self._by_symbol[symbol]
        return repr(qty_base * price_usd if item.is_inverse else qty_base / item.contract_size)


def _settle(item: ScriptContract) -> str:
    return "btc" if item.is_inverse else "usdt"


def _contract(item: ScriptContract) -> dict[str, Any]:
    return {
        "name": item.symbol, "type": "inverse" if item.is_inverse else "direct",
        "quanto_multiplier": "0" if item.is_inverse else repr(item.contract_size), "status": "trading",
        "order_price_round": repr(item.tick_usd), "mark_price": repr(item.price_usd), "leverage_max": "100",
        "maintenance_rate": "0.005", "taker_fee_rate": "0.00075", "order_size_min": 1, "in_delisting": False,
        "funding_interval": 28800,
    }  # fmt: skip


def _delisted(item: ScriptContract) -> dict[str, Any]:
    """A contract that trades no more."""
    name = item.symbol.replace(item.base, "GONE")
    return _contract(item) | {"name": name, "status": "delisting", "in_delisting": True}


def _tier(item: ScriptContract, number: int) -> dict[str, Any]:
    return {
        "contract": item.symbol, "tier": number, "risk_limit": str(500_000 * number), "deduction": "0",
        "initial_rate": str(0.008 * number), "maintenance_rate": str(0.004 * number), "leverage_max": str(125 / number),
    }  # fmt: skip


def _ticker(item: ScriptContract) -> dict[str, str]:
    return {
        "contract": item.symbol, "last": repr(item.price_usd), "mark_price": repr(item.price_usd),
        "index_price": repr(item.price_usd), "funding_rate": "0.0001", "funding_rate_indicative": "0.0001",
        "total_size": "73648", "quanto_base_rate": "",
    }  # fmt: skip


def _push(channel: str, key: str, ts_ns: int, result: Any) -> tuple[str, bytes]:
    head = {"time": ts_ns // _S, "time_ms": ts_ns // _MS, "channel": channel, "event": "update"}
    return f"{channel}|{key}", _json({**head, "result": result})


def _ok(body: Any) -> Answer:
    return Answer(200, _json(body))


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)
