"""What Kraken Futures gives and how it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from faultline.messages import Kind
from faultline.sources.plan import Beat, Heartbeat, Limits, Request, SocketPlan
from faultline.sources.venue import Coverage, Evidence, Feed, SideMeaning, Throttle, Transport, Unit, Venue
from faultline.sources.venues.kraken.instruments import LISTING, contracts_of
from faultline.sources.venues.kraken.mapper import BOOK, TICKERS, TRADES, KrakenMapper
from faultline.units import PriceKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultline.instruments import Instrument
    from faultline.sources.plan import Wanted

__all__ = ("LIMITS", "VENUE", "KrakenFeed")

_DOCS: Final = "https://docs.kraken.com/exchange/api-reference/futures-websocket/"
#: Feeds by kind; one that gives several kinds stands once with each.
_FEEDS: Final = {
    Kind.TRADE: TRADES,
    Kind.LIQUIDATION: TRADES,
    Kind.BOOK_LEVEL: BOOK,
    Kind.MARK: TICKERS,
    Kind.FUNDING: TICKERS,
    Kind.OPEN_INTEREST: TICKERS,
}
#: Seconds of silence after which a channel is stale.
_SILENCE_S: Final = {TRADES: 1800.0, BOOK: 120.0, TICKERS: 60.0}
_CONTRACTS_PER_SOCKET: Final = 100
#: Contracts in one request to subscribe.
_CONTRACTS_PER_FRAME: Final = 20

_COVERAGE: Final = (
    Coverage(
        Kind.TRADE, TRADES, Transport.SOCKET, Evidence.RECORDED, Throttle.ALL,
        side=SideMeaning.TAKER, unit=Unit.BASE, source=_DOCS + "trade",
        note="Inverse contracts: quantity in USD. The latest trades are repeated first, and flagged.",
    ),
    Coverage(
        Kind.LIQUIDATION, TRADES, Transport.SOCKET, Evidence.RECORDED, Throttle.ALL,
        side=SideMeaning.TAKER, price=PriceKind.FILL, unit=Unit.BASE, source=_DOCS + "trade",
        note="Trades of type liquidation; a sell closed a long. Inverse contracts: quantity in USD.",
    ),
    Coverage(
        Kind.BOOK_LEVEL, BOOK, Transport.SOCKET, Evidence.RECORDED, Throttle.ALL, unit=Unit.BASE,
        source=_DOCS + "book",
        note="The whole book, one level a frame, numbered without gaps. Inverse contracts: quantity in USD.",
    ),
    Coverage(
        Kind.MARK, TICKERS, Transport.SOCKET, Evidence.PUBLISHED, Throttle.SNAPSHOT, window_ms=1_000,
        source=_DOCS + "ticker",
    ),
    Coverage(
        Kind.FUNDING, TICKERS, Transport.SOCKET, Evidence.PUBLISHED, Throttle.SNAPSHOT, window_ms=1_000,
        source=_DOCS + "ticker", note="The relative rate of one hour; the absolute one is not read.",
    ),
    Coverage(
        Kind.OPEN_INTEREST, TICKERS, Transport.SOCKET, Evidence.PUBLISHED, Throttle.SNAPSHOT, unit=Unit.BASE,
        window_ms=1_000, source=_DOCS + "ticker", note="Inverse contracts: USD.",
    ),
)  # fmt: skip


class KrakenFeed(Feed):
    """Plans for Kraken Futures: one connection per 100 contracts."""

    def listing(self) -> Sequence[tuple[str, Request]]:
        """Contracts with their margin levels, and prices."""
        return LISTING

    def contracts(self, answers: Mapping[str, Sequence[bytes]]) -> list[Instrument]:
        """Perpetuals that trade."""
        return contracts_of(answers)

    def sockets(self, wanted: Wanted) -> list[SocketPlan]:
        """One connection per 100 contracts."""
        feeds = list(dict.fromkeys(feed for kind, feed in _FEEDS.items() if kind in wanted.kinds))
        symbols = [item.symbol for item in wanted.contracts] if feeds else []
        return [
            _socket(
                f"public-{first}",
                wanted.sockets["public"],
                feeds,
                symbols[first : first + _CONTRACTS_PER_SOCKET],
            )
            for first in range(0, len(symbols), _CONTRACTS_PER_SOCKET)
        ]


def _socket(name: str, url: str, feeds: Sequence[str], symbols: Sequence[str]) -> SocketPlan:
    groups = [
        symbols[first : first + _CONTRACTS_PER_FRAME]
        for first in range(0, len(symbols), _CONTRACTS_PER_FRAME)
    ]
    return SocketPlan(
        name=name,
        url=url,
        subscribe=tuple(_ask("subscribe", feed, group) for feed in feeds for group in groups),
        expects=frozenset(f"{feed}|{symbol}" for feed in feeds for symbol in symbols),
        channels={feed: _SILENCE_S[feed] for feed in feeds},
        # The venue wants to hear something once a minute.
        heartbeat=Heartbeat(Beat.SOCKET, 30.0),
        resubscribe=_resubscribe,
        singly=_singly,
    )


def _singly(key: str) -> Mapping[str, bytes]:
    feed, _, symbol = key.partition("|")
    return {key: _ask("subscribe", feed, [symbol])}


def _resubscribe(symbol: str) -> Sequence[bytes]:
    return (_ask("unsubscribe", BOOK, [symbol]), _ask("subscribe", BOOK, [symbol]))


def _ask(event: str, feed: str, symbols: Sequence[str]) -> bytes:
    return msgspec.json.encode({"event": event, "feed": feed, "product_ids": list(symbols)})


#: 100 connections and 100 requests a second for one address.
LIMITS: Final = Limits(
    connects_per_minute=30,
    subscriptions_per_socket=300,
    frames_per_second=10.0,
    rest_weight=60,
    rest_window_s=10.0,
)

VENUE: Final = Venue(
    slug="kraken",
    name="Kraken Futures",
    sockets={"public": "wss://futures.kraken.com/ws/v1"},
    rest={"main": "https://futures.kraken.com"},
    limits=LIMITS,
    coverage=_COVERAGE,
    absent={
        Kind.RATIO: "There is no long-short ratio.",
        Kind.ADL: "Terminated positions are trades of that type, told with the cause ADL; the side is not told.",
    },
    feed=KrakenFeed(),
    mapper=KrakenMapper,
    docs=_DOCS,
)
