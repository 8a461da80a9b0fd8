"""What Orderly gives and how it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from faultline.messages import Kind
from faultline.sources.plan import Beat, Heartbeat, Limits, Poll, Request, SocketPlan
from faultline.sources.venue import Coverage, Evidence, Feed, SideMeaning, Throttle, Transport, Unit, Venue
from faultline.sources.venues.orderly.instruments import LISTING, contracts_of
from faultline.sources.venues.orderly.mapper import (
    BOOK,
    BOOK_REQUEST,
    FUNDING,
    INTEREST,
    LIQUIDATIONS,
    MARKS,
    POSITIONS,
    TRADES,
    OrderlyMapper,
)
from faultline.units import PriceKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultline.instruments import Instrument
    from faultline.sources.plan import Wanted

__all__ = ("LIMITS", "VENUE", "OrderlyFeed")

_DOCS: Final = "https://orderly.network/docs/build-on-omnichain/"
_PUBLIC: Final = _DOCS + "websocket-api/public/"
#: Account in the address of the public socket for those who have none, as the venue's own kit has it.
_NO_ACCOUNT: Final = "OqdphuyCtYWxwzhxyLLjOWNdFP7sQt8RPWzmb5xY"
#: Topics of one contract by kind.
_CHANNELS: Final = {
    Kind.TRADE: TRADES,
    Kind.BOOK_LEVEL: BOOK,
    Kind.OPEN_INTEREST: INTEREST,
    Kind.FUNDING: FUNDING,
}
#: Topics of all contracts by kind; liquidations are valued at the mark price and need it on their connection.
_OF_ALL: Final = {Kind.LIQUIDATION: (LIQUIDATIONS, MARKS), Kind.MARK: (MARKS,)}
#: Seconds of silence after which a channel is stale.
_SILENCE_S: Final = {
    TRADES: 3600.0,
    BOOK: 120.0,
    INTEREST: 60.0,
    FUNDING: 120.0,
    MARKS: 30.0,
    LIQUIDATIONS: float("inf"),
}
#: A poll of positions costs 20 of 1,200 a minute; together they use up to half of that.
_POSITIONS_WEIGHT: Final = 20
_POSITIONS_EVERY_S: Final = 60.0
_POSITIONS_MAX: Final = 5_000

_COVERAGE: Final = (
    Coverage(
        Kind.TRADE, TRADES, Transport.SOCKET, Evidence.PUBLISHED, Throttle.ALL,
        side=SideMeaning.TAKER, unit=Unit.BASE, source=_PUBLIC + "trade",
        note="Without ids; the time is that of the push.",
    ),
    Coverage(
        Kind.LIQUIDATION, LIQUIDATIONS, Transport.SOCKET, Evidence.PUBLISHED, Throttle.BATCHED,
        side=SideMeaning.SIGN, price=PriceKind.MARK, unit=Unit.BASE, window_ms=1_000,
        source=_PUBLIC + "liquidation-push",
        note="No price is sent: the mark price stands in. Positions are handed over, not sold in the book.",
    ),
    Coverage(
        Kind.BOOK_LEVEL, BOOK, Transport.SOCKET, Evidence.PUBLISHED, Throttle.SNAPSHOT, unit=Unit.BASE,
        window_ms=200, source=_PUBLIC + "order-book-update",
        note="prevTs is the time of the change before; the whole book is asked for over the socket.",
    ),
    Coverage(
        Kind.MARK, MARKS, Transport.SOCKET, Evidence.PUBLISHED, Throttle.SNAPSHOT, window_ms=1_000,
        source=_PUBLIC + "mark-prices",
    ),
    Coverage(
        Kind.FUNDING, FUNDING, Transport.SOCKET, Evidence.PUBLISHED, Throttle.SNAPSHOT, window_ms=15_000,
        source=_PUBLIC + "estimated-funding-rate", note="Estimate for the next settlement.",
    ),
    Coverage(
        Kind.OPEN_INTEREST, INTEREST, Transport.SOCKET, Evidence.PUBLISHED, Throttle.SNAPSHOT, unit=Unit.BASE,
        window_ms=1_000, source=_PUBLIC + "open-interest", note="That it counts one side is assumed.",
    ),
    Coverage(
        Kind.WALLET_POSITION, POSITIONS, Transport.REST, Evidence.PUBLISHED, Throttle.SNAPSHOT,
        side=SideMeaning.POSITION, unit=Unit.BASE, window_ms=60_000,
        source=_DOCS + "public-info-api/platform/platform-positions",
        note="Every open position, with leverage, margin mode and liquidation price; up to 5,000 per contract.",
    ),
)  # fmt: skip


class OrderlyFeed(Feed):
    """Plans for Orderly: one connection per 200 topics, and a poll of positions per contract."""

    def listing(self) -> Sequence[tuple[str, Request]]:
        """Contracts and their margin numbers, in one answer."""
        return LISTING

    def contracts(self, answers: Mapping[str, Sequence[bytes]]) -> list[Instrument]:
        """Perpetuals that are listed."""
        return contracts_of(answers)

    def sockets(self, wanted: Wanted) -> list[SocketPlan]:
        """One connection per 200 topics; those of all contracts are on the first."""
        of_all = dict.fromkeys(
            topic for kind, topics in _OF_ALL.items() if kind in wanted.kinds for topic in topics
        )
        channels = [channel for kind, channel in _CHANNELS.items() if kind in wanted.kinds]
        topics = [f"{item.symbol}@{channel}" for item in wanted.contracts for channel in channels]
        if wanted.contracts:
            topics = [*of_all, *topics]
        most = LIMITS.subscriptions_per_socket
        return [
            _socket(f"public-{first}", wanted.sockets["public"], topics[first : first + most])
            for first in range(0, len(topics), most)
        ]

    def polls(self, wanted: Wanted) -> list[Poll]:
        """Positions, one request per contract; the more contracts, the rarer."""
        if Kind.WALLET_POSITION not in wanted.kinds:
            return []
        half_s = len(wanted.contracts) * _POSITIONS_WEIGHT / (LIMITS.rest_weight / 2) * LIMITS.rest_window_s
        every_s = max(_POSITIONS_EVERY_S, half_s)
        return [
            Poll(POSITIONS, item.symbol, _positions_request(item.symbol), every_s)
            for item in wanted.contracts
        ]


def _positions_request(symbol: str) -> Request:
    body = msgspec.json.encode({"type": POSITIONS, "symbol": symbol, "limit": _POSITIONS_MAX})
    return Request("/v1/public/query", body=body, weight=_POSITIONS_WEIGHT)


def _socket(name: str, url: str, topics: Sequence[str]) -> SocketPlan:
    books = [topic.partition("@")[0] for topic in topics if topic.endswith(f"@{BOOK}")]
    return SocketPlan(
        name=name,
        url=url,
        subscribe=(
            *(msgspec.json.encode({"id": topic, "topic": topic, "event": "subscribe"}) for topic in topics),
            *(frame for symbol in books for frame in _ask_book(symbol)),
        ),
        expects=frozenset(topics),
        channels={channel: _SILENCE_S[channel] for channel in (topic.rpartition("@")[2] for topic in topics)},
        heartbeat=Heartbeat(Beat.THEIRS, 60.0),
        resubscribe=_ask_book,
    )


def _ask_book(symbol: str) -> Sequence[bytes]:
    params = {"type": "orderbook", "symbol": symbol}
    ask = {"id": f"{BOOK_REQUEST}|{symbol}", "event": "request", "params": params}
    return (msgspec.json.encode(ask),)


#: Weight 1,200 a minute for public queries; other requests are counted apart, ten a second.
LIMITS: Final = Limits(
    connects_per_minute=20, subscriptions_per_socket=200, frames_per_second=5.0, rest_weight=1200
)

VENUE: Final = Venue(
    slug="orderly",
    name="Orderly",
    sockets={"public": f"wss://ws-evm.orderly.org/ws/stream/{_NO_ACCOUNT}"},
    rest={"main": "https://api.orderly.org"},
    limits=LIMITS,
    coverage=_COVERAGE,
    absent={
        Kind.RATIO: "Open interest of traders is told by side, shares of accounts are not.",
        Kind.ADL: "Closures by auto-deleveraging are not public.",
    },
    feed=OrderlyFeed(),
    mapper=OrderlyMapper,
    docs=_DOCS + "websocket-api/introduction",
)
