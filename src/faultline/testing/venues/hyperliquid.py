"""Hyperliquid, as its documentation describes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec

from faultline.testing.facts import (
    BookFact,
    FundingFact,
    MarkFact,
    OpenInterestFact,
    PositionFact,
    TradeFact,
)
from faultline.testing.script import Answer, Client, ScriptContract, VenueScript, linear_contracts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultline.testing.facts import Fact

__all__ = ("Script",)

_MS: Final = 1_000_000
_CONTRACTS: Final = linear_contracts("{base}", "USDC", (1.0, 0.1, 0.01, 0.0001))
_DECIMALS: Final = {"BTC": 5, "ETH": 4, "SOL": 2, "DOT": 1}
_CHANNELS: Final = {"trades", "l2Book", "activeAssetCtx"}
#: Accounts of trades whose facts name none.
_USERS: Final = ("0x" + "11" * 20, "0x" + "22" * 20)


class Script(VenueScript):
    """Coins, confirmations, pongs, whole books, states of coins, and states and fills of accounts."""

    slug: ClassVar[str] = "hyperliquid"
    contracts = _CONTRACTS

    def __init__(self) -> None:
        self._by_symbol = {item.symbol: item for item in _CONTRACTS}
        self._books: dict[str, BookFact] = {}
        self._states = {item.symbol: _state(item) for item in _CONTRACTS}
        self._positions: dict[str, dict[str, PositionFact]] = {}
        self._fills: dict[str, list[dict[str, Any]]] = {}
        self._trades: dict[str, list[dict[str, Any]]] = {}

    def answer(
        self, method: str, path: str, query: Mapping[str, str], body: bytes, now_ns: int
    ) -> Answer | None:
        """``POST /info`` with its types."""
        del query
        if method != "POST" or path != "/info":
            return None
        ask = msgspec.json.decode(body)
        if ask.get("type") == "metaAndAssetCtxs":
            delisted = {
                "name": "OLD",
                "szDecimals": 1,
                "maxLeverage": 3,
                "marginTableId": 3,
                "isDelisted": True,
            }
            universe = [*(_coin(item) for item in _CONTRACTS), delisted]
            states = [*(_state(item) for item in _CONTRACTS), _state(_CONTRACTS[0])]
            return _ok([{"universe": universe, "marginTables": _TABLES, "collateralToken": 0}, states])
        if ask.get("type") == "clearinghouseState":
            return _ok(self._account(ask["user"], now_ns))
        if ask.get("type") == "userFills":
            return _ok(self._fills.get(ask["user"], []))
        return Answer(422, b"Failed to deserialize the JSON body into the target type")

    def opened(self, client: Client, now_ns: int) -> Sequence[bytes]:
        """Nothing: the venue waits for the first request."""
        del client, now_ns
        return ()

    def received(self, client: Client, frame: bytes, now_ns: int) -> Sequence[bytes]:
        """Confirm a subscription and repeat the latest trades, refuse unknown coins, answer pings."""
        del now_ns
        ask = msgspec.json.decode(frame)
        if ask["method"] == "ping":
            return [_json({"channel": "pong"})]
        asked = ask["subscription"]
        if asked["type"] not in _CHANNELS or asked["coin"] not in self._by_symbol:
            return [_json({"channel": "error", "data": f"Invalid subscription {_json(asked).decode()}"})]
        topic = f"{asked['type']}|{asked['coin']}"
        if ask["method"] == "unsubscribe":
            client.topics.discard(topic)
        else:
            client.topics.add(topic)
        out = [_json({"channel": "subscriptionResponse", "data": ask})]
        if asked["type"] == "trades" and ask["method"] == "subscribe":
            out.append(_json({"channel": "trades", "data": self._trades.get(asked["coin"], [])}))
        return out

    def frames(self, fact: Fact, now_ns: int) -> Sequence[tuple[str, bytes]]:
        """One frame per fact; liquidations and ratios are not told, positions by REST only."""
        del now_ns
        coin = fact.symbol
        match fact:
            case TradeFact():
                row = self._trade(fact)
                self._trades[coin] = [*self._trades.get(coin, []), row][-10:]
                return [(f"trades|{coin}", _json({"channel": "trades", "data": [row]}))]
            case BookFact():
                return [(f"l2Book|{coin}", self._book(fact))]
            case MarkFact():
                self._states[coin] |= {"markPx": repr(fact.mark_usd), "oraclePx": repr(fact.index_usd)}
            case FundingFact():
                self._states[coin]["funding"] = repr(fact.rate_ratio)
            case OpenInterestFact():
                self._states[coin]["openInterest"] = repr(fact.oi_base)
            case PositionFact():
                self._positions.setdefault(fact.wallet, {})[coin] = fact
                return []
            case _:
                return []
        state = {"coin": coin, "ctx": self._states[coin]}
        return [(f"activeAssetCtx|{coin}", _json({"channel": "activeAssetCtx", "data": state}))]

    def _trade(self, fact: TradeFact) -> dict[str, Any]:
        taker, maker = fact.users if all(fact.users) else _USERS
        users = [taker, maker] if fact.taker_side > 0 else [maker, taker]
        row = {
            "coin": fact.symbol, "side": "B" if fact.taker_side > 0 else "A", "px": repr(fact.price_usd),
            "sz": repr(fact.qty_base), "hash": "0x" + "00" * 32, "time": fact.ts_ns // _MS, "tid": fact.seq,
        }  # fmt: skip
        for user, side in zip(users, "BA", strict=True):
            fill = {**row, "side": side, "startPosition": "0.0", "closedPnl": "0.0", "dir": "Open Long"}
            self._fills.setdefault(user, []).append(fill | {"crossed": user == taker, "oid": fact.seq})
        return row | {"users": users}

    def _book(self, fact: BookFact) -> bytes:
        before = None if fact.is_snapshot else self._books.get(fact.symbol)
        sides = []
        for new, known in (
            (fact.bids, before.bids if before else ()),
            (fact.asks, before.asks if before else ()),
        ):
            sides.append(tuple((price, qty) for price, qty in (dict(known) | dict(new)).items() if qty > 0))
        self._books[fact.symbol] = BookFact(
            fact.symbol, fact.ts_ns, fact.seq, sides[0], sides[1], is_snapshot=True
        )
        levels = [[{"px": repr(price), "sz": repr(qty), "n": 1} for price, qty in side] for side in sides]
        book = {"coin": fact.symbol, "levels": levels, "time": fact.ts_ns // _MS}
        return _json({"channel": "l2Book", "data": book})

    def _account(self, wallet: str, now_ns: int) -> dict[str, Any]:
        positions = [
            {"type": "oneWay", "position": _position(fact)}
            for fact in self._positions.get(wallet, {}).values()
            if fact.side
        ]
        summary = {
            "accountValue": "125000.5",
            "totalNtlPos": "0.0",
            "totalRawUsd": "0.0",
            "totalMarginUsed": "0.0",
        }
        state = {"marginSummary": summary, "crossMarginSummary": summary, "crossMaintenanceMarginUsed": "0.0"}
        return {"assetPositions": positions, **state, "withdrawable": "0.0", "time": now_ns // _MS}


#: Table 56 has two tiers; numbers under 50 are tables of one tier with that leverage.
_TABLES: Final = [
    [50, {"description": "", "marginTiers": [{"lowerBound": "0.0", "maxLeverage": 50}]}],
    [
        56,
        {
            "description": "tiered 40x",
            "marginTiers": [
                {"lowerBound": "0.0", "maxLeverage": 40},
                {"lowerBound": "150000000.0", "maxLeverage": 20},
            ],
        },
    ],
]


def _coin(item: ScriptContract) -> dict[str, Any]:
    is_first = item.base == "BTC"
    row = {"name": item.base, "szDecimals": _DECIMALS[item.base], "maxLeverage": 40 if is_first else 10}
    return row | {"marginTableId": 56 if is_first else 10}


def _state(item: ScriptContract) -> dict[str, Any]:
    price = repr(item.price_usd)
    return {
        "funding": "0.0000125", "openInterest": "1000.0", "prevDayPx": price, "dayNtlVlm": "0.0", "premium": "0.0",
        "oraclePx": price, "markPx": price, "midPx": price, "impactPxs": [price, price],
    }  # fmt: skip


def _position(fact: PositionFact) -> dict[str, Any]:
    return {
        "coin": fact.symbol, "szi": repr(fact.qty_base * fact.side), "entryPx": repr(fact.entry_price_usd),
        "leverage": {"type": "cross", "value": int(fact.leverage)}, "liquidationPx": None, "marginUsed": "1.0",
        "positionValue": repr(fact.qty_base * fact.entry_price_usd), "unrealizedPnl": "0.0", "returnOnEquity": "0.0",
    }  # fmt: skip


def _ok(value: Any) -> Answer:
    return Answer(200, _json(value))


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)
