"""What Bybit gives and how it is asked for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

from faultline.instruments import ContractKind
from faultline.messages import Kind
from faultline.sources.plan import Beat, Heartbeat, Limits, Poll, Request, SocketPlan
from faultline.sources.venue import Coverage, Evidence, Feed, SideMeaning, Throttle, Transport, Unit, Venue
from faultline.sources.venues.bybit.instruments import LISTING, contracts_of, next_page
from faultline.sources.venues.bybit.mapper import (
    ACCOUNT_RATIO,
    BOOK,
    LIQUIDATIONS,
    TICKERS,
    TRADES,
    BybitMapper,
)
from faultline.units import PriceKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultline.instruments import Instrument
    from faultline.sources.plan import Wanted

__all__ = ("LIMITS", "VENUE", "BybitFeed")

_DOCS: Final = "https://bybit-exchange.github.io/docs/v5/"
#: Topics by kind; a topic that gives several kinds stands once with each.
_TOPICS: Final = {
    Kind.TRADE: TRADES,
    Kind.LIQUIDATION: LIQUIDATIONS,
    Kind.BOOK_LEVEL: f"{BOOK}.200",
    Kind.MARK: TICKERS,
    Kind.FUNDING: TICKERS,
    Kind.OPEN_INTEREST: TICKERS,
}
#: Seconds of silence after which a channel is stale.
_SILENCE_S: Final = {TRADES: 120.0, LIQUIDATIONS: math.inf, BOOK: 10.0, TICKERS: 30.0}
_RATIO_EVERY_S: Final = 300.0
#: Topics in one request to subscribe.
_TOPICS_PER_FRAME: Final = 10

_COVERAGE: Final = (
    Coverage(
        Kind.TRADE, TRADES, Transport.SOCKET, Evidence.RECORDED, Throttle.ALL,
        side=SideMeaning.TAKER, unit=Unit.BASE, source=_DOCS + "websocket/public/trade",
        note="Inverse contracts: quantity in USD. Up to 1,024 trades a frame.",
    ),
    Coverage(
        Kind.LIQUIDATION, LIQUIDATIONS, Transport.SOCKET, Evidence.RECORDED, Throttle.BATCHED,
        side=SideMeaning.POSITION, price=PriceKind.BANKRUPTCY, unit=Unit.BASE, window_ms=500,
        source=_DOCS + "websocket/public/all-liquidation",
        note="A Buy is a long that was liquidated. Inverse contracts: quantity in USD.",
    ),
    Coverage(
        Kind.BOOK_LEVEL, BOOK, Transport.SOCKET, Evidence.RECORDED, Throttle.SNAPSHOT, unit=Unit.BASE,
        window_ms=100, source=_DOCS + "websocket/public/orderbook",
        note="200 levels; ids rise and may skip; inverse contracts: quantity in USD.",
    ),
    Coverage(
        Kind.MARK, TICKERS, Transport.SOCKET, Evidence.RECORDED, Throttle.SNAPSHOT, window_ms=100,
        source=_DOCS + "websocket/public/ticker",
    ),
    Coverage(
        Kind.FUNDING, TICKERS, Transport.SOCKET, Evidence.RECORDED, Throttle.SNAPSHOT, window_ms=100,
        source=_DOCS + "websocket/public/ticker",
    ),
    Coverage(
        Kind.OPEN_INTEREST, TICKERS, Transport.SOCKET, Evidence.DOCUMENTED, Throttle.SNAPSHOT, unit=Unit.BASE,
        window_ms=100, source=_DOCS + "websocket/public/ticker",
        note="One side: singleOpenInterest, or openInterest where that is not sent. Inverse contracts: USD.",
    ),
    Coverage(
        Kind.RATIO, ACCOUNT_RATIO, Transport.REST, Evidence.RECORDED, Throttle.SNAPSHOT, window_ms=300_000,
        source=_DOCS + "market/long-short-ratio", note="Share of accounts that are long.",
    ),
)  # fmt: skip


class BybitFeed(Feed):
    """Plans for Bybit: one connection per category of contracts and 200 subscriptions."""

    def listing(self) -> Sequence[tuple[str, Request]]:
        """Contracts, risk limits and prices of both categories."""
        return LISTING

    def next_page(self, name: str, body: bytes) -> Request | None:
        """The page after ``body``."""
        return next_page(name, body)

    def contracts(self, answers: Mapping[str, Sequence[bytes]]) -> list[Instrument]:
        """Perpetuals that trade."""
        return contracts_of(answers)

    def sockets(self, wanted: Wanted) -> list[SocketPlan]:
        """Connections: linear and inverse contracts have their own address."""
        topics = list(dict.fromkeys(_TOPICS[kind] for kind in _TOPICS if kind in wanted.kinds))
        plans = []
        for name, kind in (("linear", ContractKind.LINEAR), ("inverse", ContractKind.INVERSE)):
            symbols = [item.symbol for item in wanted.contracts if item.contract_kind is kind]
            keys = [f"{topic}.{symbol}" for symbol in symbols for topic in topics]
            for first in range(0, len(keys), LIMITS.subscriptions_per_socket):
                part = keys[first : first + LIMITS.subscriptions_per_socket]
                plans.append(_socket(f"{name}-{first}", wanted.sockets[name], part))
        return plans

    def polls(self, wanted: Wanted) -> list[Poll]:
        """Ratios of accounts, one request per contract."""
        if Kind.RATIO not in wanted.kinds:
            return []
        return [
            Poll(ACCOUNT_RATIO, item.symbol, _ratio_request(item), _RATIO_EVERY_S)
            for item in wanted.contracts
        ]


def _ratio_request(item: Instrument) -> Request:
    category = "linear" if item.contract_kind is ContractKind.LINEAR else "inverse"
    query = (("category", category), ("symbol", item.symbol), ("period", "5min"), ("limit", "1"))
    return Request("/v5/market/account-ratio", query)


def _socket(name: str, url: str, keys: Sequence[str]) -> SocketPlan:
    groups = [keys[first : first + _TOPICS_PER_FRAME] for first in range(0, len(keys), _TOPICS_PER_FRAME)]
    channels = {key.partition(".")[0] for key in keys}
    return SocketPlan(
        name=name,
        url=url,
        subscribe=tuple(_ask("subscribe", group) for group in groups),
        expects=frozenset(",".join(group) for group in groups),
        channels={channel: _SILENCE_S[channel] for channel in channels},
        heartbeat=Heartbeat(Beat.OURS, 20.0, lambda _: b'{"op":"ping"}'),
        resubscribe=_resubscribe,
        singly=_singly,
    )


def _singly(key: str) -> Mapping[str, bytes]:
    return {topic: _ask("subscribe", [topic]) for topic in key.split(",")}


def _resubscribe(symbol: str) -> Sequence[bytes]:
    topics = [f"{_TOPICS[Kind.BOOK_LEVEL]}.{symbol}"]
    return (_ask("unsubscribe", topics), _ask("subscribe", topics))


def _ask(op: str, topics: Sequence[str]) -> bytes:
    return msgspec.json.encode({"op": op, "args": list(topics), "req_id": ",".join(topics)})


#: 600 requests in 5 s for one address; 500 connections in 5 minutes.
LIMITS: Final = Limits(
    connects_per_minute=60, subscriptions_per_socket=200, rest_weight=600, rest_window_s=5.0
)

VENUE: Final = Venue(
    slug="bybit",
    name="Bybit",
    sockets={
        "linear": "wss://stream.bybit.com/v5/public/linear",
        "inverse": "wss://stream.bybit.com/v5/public/inverse",
    },
    rest={"main": "https://api.bybit.com"},
    limits=LIMITS,
    coverage=_COVERAGE,
    absent={Kind.ADL: "Alerts are public, single closures are not."},
    feed=BybitFeed(),
    mapper=BybitMapper,
    docs=_DOCS,
)
