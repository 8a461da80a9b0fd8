"""What Backpack gives and how it is asked for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

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
from faultline.sources.venues.backpack.instruments import LISTING, contracts_of
from faultline.sources.venues.backpack.mapper import (
    BOOK,
    INTEREST,
    LIQUIDATIONS,
    MARKS,
    TRADES,
    BackpackMapper,
)
from faultline.units import PriceKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultline.instruments import Instrument
    from faultline.sources.plan import Wanted

__all__ = ("LIMITS", "VENUE", "BackpackFeed")

_DOCS: Final = "https://docs.backpack.exchange/#tag/Streams"
#: Streams by kind, in the order in which they are asked for; one that gives several kinds stands once with each.
_CHANNELS: Final = {
    Kind.LIQUIDATION: LIQUIDATIONS,
    Kind.TRADE: TRADES,
    Kind.BOOK_LEVEL: BOOK,
    Kind.OPEN_INTEREST: INTEREST,
    Kind.MARK: MARKS,
    Kind.FUNDING: MARKS,
}
#: Changes of the book are gathered over this interval.
_WINDOW: Final = "200ms"
#: Seconds of silence after which a channel is stale.
_SILENCE_S: Final = {TRADES: 900.0, BOOK: 300.0, MARKS: 30.0, INTEREST: 240.0, LIQUIDATIONS: math.inf}
_CONTRACTS_PER_SOCKET: Final = 30
#: Stands for the symbol of what is told of all symbols.
_ALL: Final = "all"

_COVERAGE: Final = (
    Coverage(
        Kind.TRADE, TRADES, Transport.SOCKET, Evidence.PUBLISHED, Throttle.ALL, side=SideMeaning.MAKER,
        unit=Unit.BASE, time_unit=TimeUnit.MICROSECONDS, source=_DOCS + "/Public/Trade",
        note="m: the buyer was the maker. Trades of liquidations are among them, without a mark.",
    ),
    Coverage(
        Kind.LIQUIDATION, LIQUIDATIONS, Transport.SOCKET, Evidence.ASSUMED, Throttle.UNKNOWN,
        side=SideMeaning.ORDER, price=PriceKind.UNKNOWN, unit=Unit.BASE, time_unit=TimeUnit.MICROSECONDS,
        source=_DOCS + "/Public/Liquidation",
        note="The fields are documented; that an Ask closes a long, what the price is and which events are shown is "
        "not. Nobody is known to have recorded one.",
    ),
    Coverage(
        Kind.BOOK_LEVEL, BOOK, Transport.SOCKET, Evidence.PUBLISHED, Throttle.SNAPSHOT, unit=Unit.BASE,
        time_unit=TimeUnit.MICROSECONDS, window_ms=200, source=_DOCS + "/Public/Depth",
        note="The whole book. Changes name their first and last update; it begins with a REST snapshot.",
    ),
    Coverage(
        Kind.MARK, MARKS, Transport.SOCKET, Evidence.PUBLISHED, Throttle.SNAPSHOT,
        time_unit=TimeUnit.MICROSECONDS, window_ms=1_000, source=_DOCS + "/Public/Mark-price",
    ),
    Coverage(
        Kind.FUNDING, MARKS, Transport.SOCKET, Evidence.PUBLISHED, Throttle.SNAPSHOT,
        time_unit=TimeUnit.MICROSECONDS, window_ms=1_000, source=_DOCS + "/Public/Mark-price",
        note="The estimate for the next settlement; the interval is not told. The time of that is in milliseconds.",
    ),
    Coverage(
        Kind.OPEN_INTEREST, INTEREST, Transport.SOCKET, Evidence.DOCUMENTED, Throttle.SNAPSHOT, unit=Unit.BASE,
        time_unit=TimeUnit.MICROSECONDS, window_ms=60_000, source=_DOCS + "/Public/Open-interest",
        note="In contracts, which are one base unit.",
    ),
)  # fmt: skip


class BackpackFeed(Feed):
    """Plans for Backpack: one connection per 30 contracts; the first has the liquidations of all."""

    def listing(self) -> Sequence[tuple[str, Request]]:
        """Markets, with their margin functions."""
        return LISTING

    def contracts(self, answers: Mapping[str, Sequence[bytes]]) -> list[Instrument]:
        """Perpetuals whose book is open."""
        return contracts_of(answers)

    def sockets(self, wanted: Wanted) -> list[SocketPlan]:
        """One connection per 30 contracts."""
        channels = list(dict.fromkeys(name for kind, name in _CHANNELS.items() if kind in wanted.kinds))
        symbols = [item.symbol for item in wanted.contracts] if channels else []
        return [
            _socket(
                f"public-{first}",
                wanted.sockets["public"],
                channels,
                symbols[first : first + _CONTRACTS_PER_SOCKET],
                has_all=first == 0,
            )
            for first in range(0, len(symbols), _CONTRACTS_PER_SOCKET)
        ]

    def book_snapshot(self, symbol: str) -> Poll | None:
        """The book with the id of its last update."""
        query = (("symbol", symbol), ("limit", "1000"))
        return Poll(BOOK, symbol, Request("/api/v1/depth", query), math.inf)


def _socket(
    name: str, url: str, channels: Sequence[str], symbols: Sequence[str], *, has_all: bool
) -> SocketPlan:
    """Marks are asked for last, and of one contract where they are not wanted: they stand for an answer."""
    asked = {channel: list(symbols) for channel in channels} | {
        MARKS: list(symbols) if MARKS in channels else list(symbols[:1])
    }
    frames = [_ask([_stream(channel, symbol) for symbol in some]) for channel, some in asked.items()]
    keys = {f"{channel}|{symbol}" for channel, some in asked.items() for symbol in some}
    if LIQUIDATIONS in channels and has_all:
        frames.insert(0, _ask([LIQUIDATIONS]))
        keys.add(f"{LIQUIDATIONS}|{_ALL}")
    return SocketPlan(
        name=name,
        url=url,
        subscribe=tuple(frames),
        expects=frozenset(keys),
        channels={channel: _SILENCE_S[channel] for channel in asked},
        # The venue pings once a minute, and hears us twice.
        heartbeat=Heartbeat(Beat.SOCKET, 30.0),
    )


def _stream(channel: str, symbol: str) -> str:
    return f"{channel}.{_WINDOW}.{symbol}" if channel == BOOK else f"{channel}.{symbol}"


def _ask(streams: Sequence[str]) -> bytes:
    return msgspec.json.encode({"method": "SUBSCRIBE", "params": list(streams)})


#: Limits are not published; much less is used than others have measured to be allowed.
LIMITS: Final = Limits(
    connects_per_minute=20,
    subscriptions_per_socket=181,
    frames_per_second=5.0,
    rest_weight=50,
    rest_window_s=10.0,
)

VENUE: Final = Venue(
    slug="backpack",
    name="Backpack",
    sockets={"public": "wss://ws.backpack.exchange"},
    rest={"main": "https://api.backpack.exchange"},
    limits=LIMITS,
    coverage=_COVERAGE,
    absent={
        Kind.RATIO: "There is no long-short ratio.",
        Kind.ADL: "Closures by auto-deleveraging are told to their own account only.",
    },
    feed=BackpackFeed(),
    mapper=BackpackMapper,
    docs=_DOCS,
)
