"""OKX, as its documentation of version 5 describes it."""

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

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultline.testing.facts import Fact

__all__ = ("Script",)

_MS: Final = 1_000_000
_CONTRACTS: Final = (
    *linear_contracts("{base}-USDT-SWAP", "USDT", (0.1, 0.01, 0.01, 0.001), (0.01, 0.1, 1.0, 1.0)),
    ScriptContract(
        "BTC-USD-SWAP", "BTC", "USD", is_inverse=True, contract_size=100.0, tick_usd=0.1, price_usd=100_000.0
    ),
)
_CHANNELS: Final = {"trades", "books", "mark-price", "index-tickers", "funding-rate", "open-interest"}
_RATIOS: Final = {
    "accounts": "long-short-account-ratio-contract",
    "top_accounts": "long-short-account-ratio-contract-top-trader",
    "top_positions": "long-short-position-ratio-contract-top-trader",
}


class Script(VenueScript):
    """Listings, confirmations by argument, pongs, a stale first liquidation, seven channels and three ratios."""

    slug: ClassVar[str] = "okx"
    contracts = _CONTRACTS

    def __init__(self) -> None:
        self._by_symbol = {item.symbol: item for item in _CONTRACTS}
        self._books: dict[str, BookFact] = {}
        self._sequences: dict[str, int] = {}
        self._ratios: dict[tuple[str, str], RatioFact] = {}
        self._latest: dict[str, Any] | None = None

    def answer(
        self, method: str, path: str, query: Mapping[str, str], body: bytes, now_ns: int
    ) -> Answer | None:
        """Contracts, mark prices, tiers of at most five families, and ratios."""
        del method, body
        name = path.rpartition("/")[2]
        if path == "/api/v5/public/instruments":
            return _ok([*(_contract(item) for item in _CONTRACTS), _preopen()])
        if path == "/api/v5/public/mark-price":
            return _ok([{"instId": one.symbol, "markPx": repr(one.price_usd)} for one in _CONTRACTS])
        if path == "/api/v5/public/position-tiers":
            families = query.get("instFamily", "").split(",")
            if len(families) > 5:
                return Answer(200, _json({"code": "51000", "msg": "Parameter instFamily error", "data": []}))
            return _ok([tier for family in families for tier in self._tiers(family)])
        if path == f"/api/v5/rubik/stat/contracts/{name}" and name in _RATIOS.values():
            fact = self._ratios.get((name, query["instId"]))
            now_ms = now_ns // _MS
            ratio = [now_ms, 1.0] if fact is None else [fact.ts_ns // _MS, _ratio(fact)]
            return _ok([[str(value) for value in ratio]])
        return None

    def opened(self, client: Client, now_ns: int) -> Sequence[bytes]:
        """Nothing: OKX waits for the first request."""
        del client, now_ns
        return ()

    def received(self, client: Client, frame: bytes, now_ns: int) -> Sequence[bytes]:
        """Confirm every argument or refuse it, send books and an old liquidation, answer pings."""
        if frame == b"ping":
            return [b"pong"]
        ask = msgspec.json.decode(frame)
        out: list[bytes] = []
        for arg in ask["args"]:
            topic = _topic(arg)
            if ask["op"] == "unsubscribe":
                client.topics.discard(topic)
                out.append(_json({"event": "unsubscribe", "arg": arg, "connId": "c-1"}))
            elif not self._knows(arg):
                text = f"channel:{arg['channel']},instId:{arg.get('instId')} doesn't exist"
                out.append(_json({"event": "error", "code": "60018", "msg": text, "connId": "c-1"}))
            else:
                client.topics.add(topic)
                out.append(_json({"event": "subscribe", "arg": arg, "connId": "c-1"}))
                out += self._first(arg, now_ns)
        return out

    def frames(self, fact: Fact, now_ns: int) -> Sequence[tuple[str, bytes]]:
        """One frame per fact, two for a mark (index, then mark); ratios are told by REST only."""
        del now_ns
        ts, symbol = str(fact.ts_ns // _MS), fact.symbol
        match fact:
            case TradeFact():
                size = self._contracts(symbol, fact.qty_base, fact.price_usd)
                row = {
                    "instId": symbol, "tradeId": str(fact.seq), "px": repr(fact.price_usd), "sz": size,
                    "side": "buy" if fact.taker_side > 0 else "sell", "ts": ts, "count": "1",
                }  # fmt: skip
                return [_push({"channel": "trades", "instId": symbol}, row)]
            case LiquidationFact():
                self._latest = self._liquidation(fact)
                return [_push({"channel": "liquidation-orders", "instType": "SWAP"}, self._latest)]
            case BookFact():
                return [self._book(fact)]
            case MarkFact():
                name = symbol.rpartition("-")[0]
                index = {"instId": name, "idxPx": repr(fact.index_usd), "ts": ts}
                mark = {"instType": "SWAP", "instId": symbol, "markPx": repr(fact.mark_usd), "ts": ts}
                return [
                    _push({"channel": "index-tickers", "instId": name}, index),
                    _push({"channel": "mark-price", "instId": symbol}, mark),
                ]
            case FundingFact():
                row = {
                    "instType": "SWAP", "instId": symbol, "fundingRate": repr(fact.rate_ratio),
                    "fundingTime": str(fact.next_ns // _MS), "method": "current_period", "ts": ts,
                    "nextFundingTime": str(fact.next_ns // _MS + 8 * 3_600_000), "nextFundingRate": "",
                }  # fmt: skip
                return [_push({"channel": "funding-rate", "instId": symbol}, row)]
            case OpenInterestFact():
                oi = self._contracts(symbol, fact.oi_base, fact.mark_usd)
                row = {"instType": "SWAP", "instId": symbol, "oi": oi, "oiCcy": repr(fact.oi_base), "ts": ts}
                return [_push({"channel": "open-interest", "instId": symbol}, row)]
            case RatioFact() if fact.ratio_kind in _RATIOS:
                self._ratios[(_RATIOS[fact.ratio_kind], symbol)] = fact
        return []

    def _liquidation(self, fact: LiquidationFact) -> dict[str, Any]:
        """Linear accounts tell the position's side, inverse ones are in net mode."""
        is_long = fact.side > 0
        pos_side = "net" if self._by_symbol[fact.symbol].is_inverse else "long" if is_long else "short"
        detail = {
            "bkLoss": "0", "bkPx": repr(fact.price_usd), "ccy": "", "posSide": pos_side,
            "side": "sell" if is_long else "buy", "ts": str(fact.ts_ns // _MS),
            "sz": self._contracts(fact.symbol, fact.qty_base, fact.price_usd),
        }  # fmt: skip
        family = fact.symbol.rpartition("-")[0]
        return {
            "details": [detail],
            "instFamily": family,
            "instId": fact.symbol,
            "instType": "SWAP",
            "uly": family,
        }

    def _first(self, arg: Mapping[str, str], now_ns: int) -> list[bytes]:
        """What a channel sends at once to a new subscriber."""
        if arg["channel"] == "books" and arg["instId"] in self._books:
            return [self._whole(self._books[arg["instId"]])]
        if arg["channel"] == "liquidation-orders":
            symbol = _CONTRACTS[0].symbol
            old = LiquidationFact(symbol, now_ns - 90_000_000_000, 1, 1, _CONTRACTS[0].price_usd, 0.05)
            return [_push(arg, self._latest or self._liquidation(old))[1]]
        return []

    def _book(self, fact: BookFact) -> tuple[str, bytes]:
        before = None if fact.is_snapshot else self._books.get(fact.symbol)
        sides = []
        for new, known in (
            (fact.bids, before.bids if before else ()),
            (fact.asks, before.asks if before else ()),
        ):
            sides.append(tuple((price, qty) for price, qty in (dict(known) | dict(new)).items() if qty > 0))
        last = self._sequences.get(fact.symbol, -1)
        self._sequences[fact.symbol] = this = max(last, fact.seq * 3) + 3
        self._books[fact.symbol] = BookFact(
            fact.symbol, fact.ts_ns, this, sides[0], sides[1], is_snapshot=True
        )
        arg = {"channel": "books", "instId": fact.symbol}
        if fact.is_snapshot:
            return _topic(arg), self._whole(self._books[fact.symbol])
        return _topic(arg), self._levels(fact, "update", last, this)

    def _whole(self, fact: BookFact) -> bytes:
        return self._levels(fact, "snapshot", -1, fact.seq)

    def _levels(self, fact: BookFact, action: str, before: int, this: int) -> bytes:
        sides = {
            name: [[repr(price), self._contracts(fact.symbol, qty, price), "0", "1"] for price, qty in side]
            for name, side in (("asks", fact.asks), ("bids", fact.bids))
        }
        row = {**sides, "ts": str(fact.ts_ns // _MS), "checksum": 0, "seqId": this, "prevSeqId": before}
        return _json({"arg": {"channel": "books", "instId": fact.symbol}, "action": action, "data": [row]})

    def _knows(self, arg: Mapping[str, str]) -> bool:
        if arg["channel"] == "liquidation-orders":
            return arg.get("instType") == "SWAP"
        names = {symbol.rpartition("-")[0] for symbol in self._by_symbol}
        known = names if arg["channel"] == "index-tickers" else set(self._by_symbol)
        return arg["channel"] in _CHANNELS and arg.get("instId") in known

    def _contracts(self, symbol: str, qty_base: float, price_usd: float) -> str:
        item = self._by_symbol[symbol]
        return repr(qty_base * (price_usd if item.is_inverse else 1.0) / item.contract_size)

    def _tiers(self, family: str) -> list[dict[str, str]]:
        found = self._by_symbol.get(f"{family}-SWAP")
        return [] if found is None else [_tier(family, number) for number in (1, 2, 3)]


def _contract(item: ScriptContract) -> dict[str, Any]:
    family = f"{item.base}-{item.quote}"
    return {
        "instType": "SWAP", "instId": item.symbol, "uly": family, "instFamily": family, "baseCcy": "",
        "ctType": "inverse" if item.is_inverse else "linear", "ctVal": repr(item.contract_size), "ctMult": "1",
        "ctValCcy": "USD" if item.is_inverse else item.base, "settleCcy": item.base if item.is_inverse else item.quote,
        "state": "live", "tickSz": repr(item.tick_usd), "lotSz": "1", "minSz": "1", "lever": "100",
    }  # fmt: skip


def _preopen() -> dict[str, Any]:
    """A contract that does not trade yet."""
    row = _contract(_CONTRACTS[1])
    return row | {"instId": "NEW-USDT-SWAP", "uly": "NEW-USDT", "ctValCcy": "NEW", "state": "preopen"}


def _tier(family: str, number: int) -> dict[str, str]:
    return {
        "instFamily": family, "uly": family, "instId": "", "tier": str(number), "minSz": str(1000 * (number - 1)),
        "maxSz": str(1000 * number), "mmr": str(0.004 * number), "imr": str(0.01 * number),
        "maxLever": str(100 / number), "optMgnFactor": "0",
    }  # fmt: skip


def _ratio(fact: RatioFact) -> float:
    return fact.long_share_ratio / (1.0 - fact.long_share_ratio)


def _topic(arg: Mapping[str, str]) -> str:
    return f"{arg['channel']}|{arg.get('instId') or arg.get('instType')}"


def _push(arg: Mapping[str, str], row: dict[str, Any]) -> tuple[str, bytes]:
    return _topic(arg), _json({"arg": arg, "data": [row]})


def _ok(rows: Any) -> Answer:
    return Answer(200, _json({"code": "0", "msg": "", "data": rows}))


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)
