"""What KuCoin Futures gives and how it is asked for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import msgspec

from faultline.messages import Kind
from faultline.sources.plan import Beat, Heartbeat, Limits, Poll, Request, SocketPlan, Ticket
from faultline.sources.venue import (
    Coverage,
    Evidence,
    Feed,
    SideMeaning,
    Throttle,
    TimeUnit,
    Transport,
    Unit,
    Venue,
)
from faultline.sources.venues.kucoin.instruments import LISTING, contracts_of
from faultline.sources.venues.kucoin.mapper import BOOK, MARKS, STATES, TRADES, KucoinMapper
from faultline.sources.venues.kucoin.payloads import Answer, Token
from faultline.units import MILLISECOND_NS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultline.instruments import Instrument
    from faultline.sources.plan import Wanted

__all__ = ("LIMITS", "VENUE", "KucoinFeed")

_DOCS: Final = "https://www.kucoin.com/docs-new/"
#: Topics by kind.
_TOPICS: Final = {Kind.TRADE: TRADES, Kind.BOOK_LEVEL: BOOK, Kind.MARK: MARKS}
#: Seconds of silence after which a channel is stale.
_SILENCE_S: Final = {TRADES: 600.0, BOOK: 60.0, MARKS: 60.0}
_CONTRACTS_PER_SOCKET: Final = 90
_STATE_EVERY_S: Final = 60.0
#: The venue cuts connections that did not ping for 18 s and 10 s more.
_PING_S: Final = 15.0

_COVERAGE: Final = (
    Coverage(
        Kind.TRADE, TRADES, Transport.SOCKET, Evidence.RECORDED, Throttle.ALL,
        side=SideMeaning.TAKER, unit=Unit.CONTRACTS, time_unit=TimeUnit.NANOSECONDS, source=_DOCS + "3470084w0",
    ),
    Coverage(
        Kind.BOOK_LEVEL, BOOK, Transport.SOCKET, Evidence.RECORDED, Throttle.ALL, unit=Unit.CONTRACTS,
        source=_DOCS + "3470082w0", note="One level a change, numbered by one; the book begins with a REST snapshot.",
    ),
    Coverage(
        Kind.MARK, MARKS, Transport.SOCKET, Evidence.DOCUMENTED, Throttle.SNAPSHOT, window_ms=1000,
        source=_DOCS + "3470087w0",
    ),
    Coverage(
        Kind.FUNDING, STATES, Transport.REST, Evidence.RECORDED, Throttle.SNAPSHOT, time_unit=TimeUnit.NONE,
        window_ms=60_000, source=_DOCS + "rest/futures-trading/market-data/get-symbol",
    ),
    Coverage(
        Kind.OPEN_INTEREST, STATES, Transport.REST, Evidence.RECORDED, Throttle.SNAPSHOT, unit=Unit.CONTRACTS,
        time_unit=TimeUnit.NONE, window_ms=60_000,
        source=_DOCS + "rest/futures-trading/market-data/get-symbol", note="Inverse contracts: USD.",
    ),
)  # fmt: skip


class KucoinFeed(Feed):
    """Plans for KuCoin: one connection per 90 contracts, each with a token of its own."""

    def listing(self) -> Sequence[tuple[str, Request]]:
        """Contracts, and risk limits of the larger ones."""
        return LISTING

    def contracts(self, answers: Mapping[str, Sequence[bytes]]) -> list[Instrument]:
        """Perpetuals that trade."""
        return contracts_of(answers)

    def sockets(self, wanted: Wanted) -> list[SocketPlan]:
        """One connection per 90 contracts, one subscription a topic."""
        topics = [topic for kind, topic in _TOPICS.items() if kind in wanted.kinds]
        symbols = [item.symbol for item in wanted.contracts]
        if not topics:
            return []
        return [
            _socket(f"public-{first}", wanted.sockets["public"], topics, part)
            for first in range(0, len(symbols), _CONTRACTS_PER_SOCKET)
            if (part := symbols[first : first + _CONTRACTS_PER_SOCKET])
        ]

    def polls(self, wanted: Wanted) -> list[Poll]:
        """Funding and open interest, one request per contract."""
        if not {Kind.FUNDING, Kind.OPEN_INTEREST} & wanted.kinds:
            return []
        return [
            Poll(STATES, item.symbol, Request(f"/api/v1/contracts/{item.symbol}", weight=3), _STATE_EVERY_S)
            for item in wanted.contracts
        ]

    def book_snapshot(self, symbol: str) -> Poll | None:
        """The whole book."""
        request = Request("/api/v1/level2/snapshot", (("symbol", symbol),), weight=3)
        return Poll(BOOK, symbol, request, math.inf)


def _socket(name: str, url: str, topics: Sequence[str], symbols: Sequence[str]) -> SocketPlan:
    keys = [f"{topic}|{name}" for topic in topics]
    return SocketPlan(
        name=name,
        url=url,
        subscribe=tuple(_ask(key, topic, symbols) for key, topic in zip(keys, topics, strict=True)),
        expects=frozenset(keys),
        channels={topic: _SILENCE_S[topic] for topic in topics},
        heartbeat=Heartbeat(Beat.OURS, _PING_S, _ping),
        singly=lambda key: _singly(key, symbols),
        ticket=Ticket(Request("/api/v1/bullet-public", body=b"{}", weight=10), _with_token),
    )


def _ask(key: str, topic: str, symbols: Sequence[str]) -> bytes:
    topics = f"/{topic}:{','.join(symbols)}"
    return msgspec.json.encode({"id": key, "type": "subscribe", "topic": topics, "response": True})


def _singly(key: str, symbols: Sequence[str]) -> dict[str, bytes]:
    topic = key.partition("|")[0]
    keys = {f"{key}|{symbol}": symbol for symbol in symbols}
    return {one: _ask(one, topic, [symbol]) for one, symbol in keys.items()}


def _with_token(url: str, body: bytes) -> str:
    """The address with the token of an answer; the endpoint that the answer names is the one of ``VENUE``.

    Raises:
        ValueError: the answer is an error.
        msgspec.MsgspecError: it has no token.
    """
    answer = msgspec.json.decode(body, type=Answer)
    if answer.code != "200000":
        raise ValueError(f"the venue answered {answer.code[:20]}: {answer.msg[:100]}")
    token = msgspec.json.decode(answer.data, type=Token).token
    return f"{url}?token={quote(token, safe='')}&connectId=faultline"


def _ping(now_ns: int) -> bytes:
    return msgspec.json.encode({"id": str(now_ns // MILLISECOND_NS), "type": "ping"})


#: 100 frames in 10 s on a connection; 2,000 of weight in 30 s for public requests; 30 connections a minute.
LIMITS: Final = Limits(
    connects_per_minute=30,
    subscriptions_per_socket=300,
    frames_per_second=8.0,
    socket_life_s=86_400.0,
    rest_weight=2000,
    rest_window_s=30.0,
)

VENUE: Final = Venue(
    slug="kucoin",
    name="KuCoin Futures",
    sockets={"public": "wss://ws-api-futures.kucoin.com/"},
    rest={"main": "https://api-futures.kucoin.com"},
    limits=LIMITS,
    coverage=_COVERAGE,
    absent={
        Kind.LIQUIDATION: "There is no public feed: every topic that was tried is answered by 404 (2026-09).",
        Kind.RATIO: "There is no public request for long-short ratios.",
        Kind.ADL: "Closures by deleveraging are told to the account only.",
    },
    feed=KucoinFeed(),
    mapper=KucoinMapper,
    docs=_DOCS,
)
