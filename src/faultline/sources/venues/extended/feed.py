"""What Extended gives and how it is asked for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from faultline.messages import Kind
from faultline.sources.plan import Beat, Heartbeat, Limits, Poll, Request, SocketPlan
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
from faultline.sources.venues.extended.instruments import HEADERS, LISTING, contracts_of
from faultline.sources.venues.extended.mapper import BOOK, FUNDING, MARKS, STATS, TRADES, ExtendedMapper
from faultline.units import PriceKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultline.instruments import Instrument
    from faultline.sources.plan import Wanted

__all__ = ("LIMITS", "VENUE", "ExtendedFeed")

_DOCS: Final = "https://api.docs.extended.exchange/"
#: Streams that can be had of all markets at once, by kind.
_STREAMS: Final = {
    Kind.TRADE: TRADES,
    Kind.LIQUIDATION: TRADES,
    Kind.ADL: TRADES,
    Kind.MARK: MARKS,
    Kind.FUNDING: FUNDING,
}
#: Seconds of silence after which a channel is stale; a book is sent whole every minute.
_SILENCE_S: Final = {TRADES: 3600.0, BOOK: 120.0, MARKS: 60.0, FUNDING: 7200.0}
_STATS_EVERY_S: Final = 30.0

_COVERAGE: Final = (
    Coverage(
        Kind.TRADE, TRADES, Transport.SOCKET, Evidence.PUBLISHED, Throttle.ALL,
        side=SideMeaning.TAKER, unit=Unit.BASE, source=_DOCS + "#trades-stream",
    ),
    Coverage(
        Kind.LIQUIDATION, TRADES, Transport.SOCKET, Evidence.DOCUMENTED, Throttle.ALL,
        side=SideMeaning.TAKER, price=PriceKind.FILL, unit=Unit.BASE, source=_DOCS + "#trades-stream",
        note="Type LIQUIDATION; the taker closes the position.",
    ),
    Coverage(
        Kind.ADL, TRADES, Transport.SOCKET, Evidence.ASSUMED, Throttle.ALL,
        side=SideMeaning.TAKER, price=PriceKind.FILL, unit=Unit.BASE, source=_DOCS + "#trades-stream",
        note="Type DELEVERAGE; that the taker closes the bankrupt position is assumed.",
    ),
    Coverage(
        Kind.BOOK_LEVEL, BOOK, Transport.SOCKET, Evidence.DOCUMENTED, Throttle.SNAPSHOT, unit=Unit.BASE,
        window_ms=100, source=_DOCS + "#order-book-stream",
        note="The whole book, again every minute; frames are numbered one by one.",
    ),
    Coverage(
        Kind.MARK, MARKS, Transport.SOCKET, Evidence.DOCUMENTED, Throttle.SNAPSHOT,
        source=_DOCS + "#mark-price-stream",
    ),
    Coverage(
        Kind.FUNDING, FUNDING, Transport.SOCKET, Evidence.DOCUMENTED, Throttle.SNAPSHOT,
        source=_DOCS + "#funding-rates-stream", note="Of an hour.",
    ),
    Coverage(
        Kind.OPEN_INTEREST, STATS, Transport.REST, Evidence.DOCUMENTED, Throttle.SNAPSHOT, unit=Unit.BASE,
        time_unit=TimeUnit.NONE, window_ms=30_000, source=_DOCS + "#get-market-statistics",
        note="In base units and USD; that it counts one side is assumed.",
    ),
)  # fmt: skip


class ExtendedFeed(Feed):
    """Plans for Extended: a connection per stream, and one per market for books."""

    def listing(self) -> Sequence[tuple[str, Request]]:
        """Markets and their margins, in one answer."""
        return LISTING

    def contracts(self, answers: Mapping[str, Sequence[bytes]]) -> list[Instrument]:
        """Perpetuals that trade."""
        return contracts_of(answers)

    def sockets(self, wanted: Wanted) -> list[SocketPlan]:
        """Streams of all markets, or of the one that is wanted; books are numbered market by market."""
        if not wanted.contracts:
            return []
        url, symbols = wanted.sockets["stream"], [item.symbol for item in wanted.contracts]
        streams = dict.fromkeys(stream for kind, stream in _STREAMS.items() if kind in wanted.kinds)
        market = symbols[0] if len(symbols) == 1 else ""
        plans = [_socket(url, stream, market) for stream in streams]
        if Kind.BOOK_LEVEL in wanted.kinds:
            plans += [_socket(url, BOOK, symbol) for symbol in symbols]
        return plans

    def polls(self, wanted: Wanted) -> list[Poll]:
        """Open interest, one request per contract."""
        if Kind.OPEN_INTEREST not in wanted.kinds:
            return []
        return [
            Poll(STATS, item.symbol, _request(item.symbol, "stats"), _STATS_EVERY_S)
            for item in wanted.contracts
        ]

    def book_snapshot(self, symbol: str) -> Poll | None:
        """The whole book, sooner than the stream sends it."""
        return Poll(BOOK, symbol, _request(symbol, "orderbook"), math.inf)


def _request(symbol: str, page: str) -> Request:
    return Request(f"/api/v1/info/markets/{symbol}/{page}", headers=HEADERS)


def _socket(url: str, stream: str, market: str) -> SocketPlan:
    """A connection is its own subscription: nothing is asked for and nothing confirmed."""
    return SocketPlan(
        name=f"{stream.replace('/', '-')}-{market or 'all'}",
        url=f"{url}/{stream}/{market}" if market else f"{url}/{stream}",
        subscribe=(),
        expects=frozenset(),
        channels={stream: _SILENCE_S[stream]},
        heartbeat=Heartbeat(Beat.SOCKET, 15.0),
        headers=HEADERS,
    )


#: 1,000 requests a minute for one address. The venue pings every 15 s and waits 10 s for the answer.
LIMITS: Final = Limits(connects_per_minute=60, subscriptions_per_socket=1, rest_weight=1000)

VENUE: Final = Venue(
    slug="extended",
    name="Extended",
    sockets={"stream": "wss://api.starknet.extended.exchange/stream.extended.exchange/v1"},
    rest={"main": "https://api.starknet.extended.exchange"},
    limits=LIMITS,
    coverage=_COVERAGE,
    absent={Kind.RATIO: "There is no long-short ratio."},
    feed=ExtendedFeed(),
    mapper=ExtendedMapper,
    docs=_DOCS,
)
