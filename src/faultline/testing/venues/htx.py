"""HTX, as its documentation of linear and inverse perpetuals describes it."""

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
    *linear_contracts("{base}-USDT", "USDT", (0.1, 0.01, 0.01, 0.001), (0.001, 0.01, 1.0, 1.0)),
    ScriptContract(
        "BTC-USD", "BTC", "USD", is_inverse=True, contract_size=100.0, tick_usd=0.1, price_usd=100_000.0
    ),
)
_DEPTH: Final = "depth.size_150.high_freq"
#: Channels by address.
_CHANNELS: Final = {
    "ws": {"trade.detail", _DEPTH},
    "ws_index": {"mark_price.1min", "index.1min"},
    "notification": {"funding_rate", "liquidation_orders"},
}
_RATIOS: Final = {
    "top_accounts": "swap_elite_account_ratio",
    "top_positions": "swap_elite_position_ratio",
}


class Script(VenueScript):
    """Listings by margin, three kinds of address, pings that want answers, gzip, three polls."""

    slug: ClassVar[str] = "htx"
    contracts = _CONTRACTS
    ping: ClassVar[bytes | None] = b'{"ping":1777000000131}'
    ping_every_s: ClassVar[float] = 5.0
    zips: ClassVar[str] = "gzip"

    def __init__(self) -> None:
        self._by_symbol = {item.symbol: item for item in _CONTRACTS}
        self._books = WholeBooks()
        self._versions: dict[str, int] = {}
        self._ratios: dict[tuple[str, str], RatioFact] = {}
        self._interest: dict[str, tuple[int, float]] = {}

    def answer(
        self, method: str, path: str, query: Mapping[str, str], body: bytes, now_ns: int
    ) -> Answer | None:
        """Contracts, index prices, adjustment factors, open interest and ratios."""
        del method, body
        head, _, name = path.rpartition("/")
        margin = {"/linear-swap-api/v1": False, "/swap-api/v1": True}.get(head)
        listed = [item for item in _CONTRACTS if item.is_inverse is margin]
        code, now_ms = query.get("contract_code", ""), now_ns // _MS
        if name == "swap_contract_info":
            return _ok([*map(_contract, listed), *map(_suspended, listed[:1])], now_ms)
        if name == "swap_index":
            return _ok(
                [{"contract_code": one.symbol, "index_price": one.price_usd} for one in listed], now_ms
            )
        if name == "swap_adjustfactor":
            return _ok([_factors(one) for one in listed], now_ms)
        if name == "swap_open_interest" and code in self._by_symbol:
            ts_ms, volume = self._interest.get(code, (now_ms, 1000.0))
            row = {"volume": volume, "symbol": self._by_symbol[code].base, "contract_code": code}
            return _ok([row], ts_ms)
        if name in _RATIOS.values() and code in self._by_symbol:
            fact = self._ratios.get((name, code))
            ts_ms, share = (now_ms, 0.5) if fact is None else (fact.ts_ns // _MS, fact.long_share_ratio)
            row = {"buy_ratio": share, "sell_ratio": 1.0 - share, "locked_ratio": 0.0, "ts": ts_ms}
            return _ok({"list": [row], "contract_code": code}, now_ms)
        return None

    def opened(self, client: Client, now_ns: int) -> Sequence[bytes]:
        """Nothing: HTX waits for the first request."""
        del client, now_ns
        return ()

    def received(self, client: Client, frame: bytes, now_ns: int) -> Sequence[bytes]:
        """Confirm or refuse a topic in the dialect of the address, and send the book of a contract."""
        ask, now_ms = msgspec.json.decode(frame), now_ns // _MS
        if "pong" in ask or ask.get("op") == "pong":
            return []
        if "op" in ask:
            topic = ask["topic"]
            is_known = self._knows(client.path, topic)
            _keep(client, ask["op"], topic, is_known=is_known)
            answer = {"op": ask["op"], "cid": ask.get("cid"), "topic": topic, "ts": now_ms}
            if not is_known:
                return [_json({**answer, "err-code": 2011, "err-msg": "Contract doesnt exist."})]
            return [_json({**answer, "err-code": 0})]
        op = "unsub" if "unsub" in ask else "sub"
        topic = ask[op]
        if not self._knows(client.path, topic):
            text = f"invalid topic {topic}"
            error = {"status": "error", "err-code": "bad-request", "err-msg": text}
            return [_json({**error, "id": ask.get("id"), "ts": now_ms})]
        _keep(client, op, topic, is_known=True)
        out = [_json({"id": ask.get("id"), "status": "ok", f"{op}bed": topic, "ts": now_ms})]
        _, symbol, channel = topic.split(".", 2)
        whole = self._books.get(symbol)
        if op == "sub" and channel == _DEPTH and whole is not None:
            out.append(self._levels(whole, "snapshot")[1])
        return out

    def frames(self, fact: Fact, now_ns: int) -> Sequence[tuple[str, bytes]]:
        """One frame per fact, two for a mark (index, then mark); open interest and ratios are told by REST only."""
        symbol, ts_ms = fact.symbol, fact.ts_ns // _MS
        match fact:
            case TradeFact():
                amount = 2 * self._volume(symbol, fact.qty_base, fact.price_usd)
                row = {
                    "amount": amount, "quantity": 2 * fact.qty_base, "ts": ts_ms, "id": fact.seq,
                    "price": fact.price_usd, "direction": "buy" if fact.taker_side > 0 else "sell",
                }  # fmt: skip
                return [_data(symbol, "trade.detail", now_ns, {"id": 7, "ts": ts_ms, "data": [row]})]
            case LiquidationFact():
                return [self._liquidation(fact, now_ns)]
            case BookFact():
                return [self._book(fact)]
            case MarkFact():
                return [
                    _data(symbol, "index.1min", fact.ts_ns, _candle(fact.index_usd)),
                    _data(symbol, "mark_price.1min", fact.ts_ns, _candle(fact.mark_usd)),
                ]
            case FundingFact():
                rate: dict[str, Any] = {
                    "symbol": self._by_symbol[symbol].base, "contract_code": symbol, "fee_asset": "USDT",
                    "funding_time": str(ts_ms), "funding_rate": repr(fact.rate_ratio), "estimated_rate": None,
                    "settlement_time": str(fact.next_ns // _MS),
                }  # fmt: skip
                topic = f"public.{symbol}.funding_rate"
                return [_notice(topic, topic, fact.ts_ns, rate)]
            case OpenInterestFact():
                self._interest[symbol] = (ts_ms, self._volume(symbol, fact.oi_base, fact.mark_usd))
            case RatioFact() if fact.ratio_kind in _RATIOS:
                self._ratios[(_RATIOS[fact.ratio_kind], symbol)] = fact
        return []

    def _liquidation(self, fact: LiquidationFact, now_ns: int) -> tuple[str, bytes]:
        item = self._by_symbol[fact.symbol]
        row = {
            "symbol": item.base, "contract_code": fact.symbol, "direction": "sell" if fact.side > 0 else "buy",
            "offset": "close", "volume": self._volume(fact.symbol, fact.qty_base, fact.price_usd),
            "price": fact.price_usd, "created_at": fact.ts_ns // _MS,
        }  # fmt: skip
        if not item.is_inverse:
            row |= {"amount": fact.qty_base, "trade_turnover": fact.qty_base * fact.price_usd}
        topic = f"public.{'inverse' if item.is_inverse else 'linear'}.liquidation_orders"
        return _notice(topic, f"public.{fact.symbol}.liquidation_orders", now_ns, row)

    def _book(self, fact: BookFact) -> tuple[str, bytes]:
        self._versions[fact.symbol] = version = self._versions.get(fact.symbol, 40) + 1
        whole = self._books.apply(fact, version)
        if fact.is_snapshot:
            return self._levels(whole, "snapshot")
        changed = BookFact(fact.symbol, fact.ts_ns, version, fact.bids, fact.asks, is_snapshot=False)
        return self._levels(changed, "update")

    def _levels(self, fact: BookFact, event: str) -> tuple[str, bytes]:
        sides = {
            name: [[price, self._volume(fact.symbol, qty, price)] for price, qty in side]
            for name, side in (("asks", fact.asks), ("bids", fact.bids))
        }
        ch = f"market.{fact.symbol}.{_DEPTH}"
        tick = {**sides, "ch": ch, "event": event, "id": 9, "mrid": 9, "version": fact.seq}
        return _data(fact.symbol, _DEPTH, fact.ts_ns, {**tick, "ts": fact.ts_ns // _MS})

    def _knows(self, path: str, topic: str) -> bool:
        """Whether an address has a topic; the wildcard is for notifications."""
        _, symbol, channel = [*topic.split(".", 2), "", ""][:3]
        name = path.rpartition("/")[2]
        kind = name.removeprefix("linear-").removeprefix("swap-")
        if symbol == "*":
            return channel == "liquidation_orders" and kind == "notification"
        item = self._by_symbol.get(symbol)
        is_here = name == "ws_index" or (item is not None and item.is_inverse != name.startswith("linear"))
        return item is not None and is_here and channel in _CHANNELS[kind]

    def _volume(self, symbol: str, qty_base: float, price_usd: float) -> float:
        item = self._by_symbol[symbol]
        return qty_base * (price_usd if item.is_inverse else 1.0) / item.contract_size


def _keep(client: Client, op: str, topic: str, *, is_known: bool) -> None:
    """Note what a client hears: the liquidations of all contracts are one topic of its address."""
    margin = "linear" if "linear" in client.path else "inverse"
    kept = topic.replace("*", margin)
    if op == "unsub":
        client.topics.discard(kept)
    elif is_known:
        client.topics.add(kept)


def _contract(item: ScriptContract) -> dict[str, Any]:
    return {
        "symbol": item.base, "contract_code": item.symbol, "contract_size": item.contract_size,
        "price_tick": item.tick_usd, "contract_status": 1, "business_type": "swap", "support_margin_mode": "all",
    }  # fmt: skip


def _suspended(item: ScriptContract) -> dict[str, Any]:
    """A contract that does not trade."""
    code = item.symbol.replace(item.base, "GONE")
    return _contract(item) | {"symbol": "GONE", "contract_code": code, "contract_status": 3}


def _factors(item: ScriptContract) -> dict[str, Any]:
    rows = [
        {
            "lever_rate": leverage,
            "ladders": [
                {"ladder": 0, "min_size": 0, "max_size": 9999, "adjust_factor": factor},
                {"ladder": 1, "min_size": 10000, "max_size": None, "adjust_factor": factor + 0.1},
            ],
        }
        for leverage, factor in ((5, 0.04), (20, 0.12), (75, 0.5))
    ]
    return {"symbol": item.base, "contract_code": item.symbol, "margin_mode": "isolated", "list": rows}


def _candle(close: float) -> dict[str, Any]:
    return {
        "id": 1,
        "open": repr(close),
        "close": repr(close),
        "high": repr(close),
        "low": repr(close),
        "vol": "0",
    }


def _data(symbol: str, channel: str, ts_ns: int, tick: Mapping[str, Any]) -> tuple[str, bytes]:
    topic = f"market.{symbol}.{channel}"
    return topic, _json({"ch": topic, "ts": ts_ns // _MS, "tick": tick})


def _notice(kept: str, topic: str, ts_ns: int, row: Mapping[str, Any]) -> tuple[str, bytes]:
    return kept, _json({"op": "notify", "topic": topic, "ts": ts_ns // _MS, "data": [row]})


def _ok(rows: Any, ts_ms: int) -> Answer:
    return Answer(200, _json({"status": "ok", "data": rows, "ts": ts_ms}))


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)
