"""What Bitfinex gives and how it is asked for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

from faultline.messages import Kind
from faultline.sources.plan import Beat, Heartbeat, Limits, Poll, Request, SocketPlan
from faultline.sources.venue import Coverage, Evidence, Feed, SideMeaning, Throttle, Transport, Unit, Venue
from faultline.sources.venues.bitfinex.instruments import LISTING, contracts_of
from faultline.sources.venues.bitfinex.mapper import (
    ALL,
    BOOK,
    LIQUIDATIONS,
    STATUS,
    TRADES,
    BitfinexMapper,
)
from faultline.units import PriceKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultline.instruments import Instrument
    from faultline.sources.plan import Wanted

__all__ = ("LIMITS", "VENUE", "BitfinexFeed")

_DOCS: Final = "https://docs.bitfinex.com/reference/"
#: Channels of one contract by kind; one that gives several kinds stands once with each.
_CHANNELS: Final = {
    Kind.TRADE: TRADES,
    Kind.BOOK_LEVEL: BOOK,
    Kind.MARK: STATUS,
    Kind.FUNDING: STATUS,
    Kind.OPEN_INTEREST: STATUS,
}
#: Seconds of silence after which a channel is stale.
_SILENCE_S: Final = {TRADES: 3600.0, BOOK: 300.0, STATUS: 300.0, LIQUIDATIONS: math.inf}
#: Levels of a book and of its snapshot.
_DEPTH: Final = "100"
#: Frames end with the time at which they were sent.
_WITH_TIMES: Final = b'{"event":"conf","flags":32768}'

_COVERAGE: Final = (
    Coverage(
        Kind.TRADE, TRADES, Transport.SOCKET, Evidence.PUBLISHED, Throttle.ALL,
        side=SideMeaning.TAKER, unit=Unit.BASE, source=_DOCS + "ws-public-trades",
        note="The sign of the amount is the taker's side. The latest trades are repeated first, and flagged; only "
        "those have been recorded.",
    ),
    Coverage(
        Kind.LIQUIDATION, LIQUIDATIONS, Transport.SOCKET, Evidence.RECORDED, Throttle.ALL,
        side=SideMeaning.SIGN, price=PriceKind.ENTRY, unit=Unit.BASE, source=_DOCS + "ws-public-status",
        note="Told when a liquidation begins; the orders that match it are passed over. The price is the entry.",
    ),
    Coverage(
        Kind.BOOK_LEVEL, BOOK, Transport.SOCKET, Evidence.RECORDED, Throttle.ALL, unit=Unit.BASE,
        source=_DOCS + "ws-public-books",
        note="100 levels, one a frame, not numbered. Recorded of spot pairs, which have the same channel.",
    ),
    Coverage(
        Kind.MARK, STATUS, Transport.SOCKET, Evidence.PUBLISHED, Throttle.SNAPSHOT,
        source=_DOCS + "ws-public-status", note="The index is the price of the spot pair.",
    ),
    Coverage(
        Kind.FUNDING, STATUS, Transport.SOCKET, Evidence.PUBLISHED, Throttle.SNAPSHOT,
        source=_DOCS + "ws-public-status", note="The rate of the running eight hours.",
    ),
    Coverage(
        Kind.OPEN_INTEREST, STATUS, Transport.SOCKET, Evidence.PUBLISHED, Throttle.SNAPSHOT, unit=Unit.BASE,
        source=_DOCS + "ws-public-status",
    ),
)  # fmt: skip


class BitfinexFeed(Feed):
    """Plans for Bitfinex: 25 subscriptions a connection; the first one has the liquidations of all."""

    def listing(self) -> Sequence[tuple[str, Request]]:
        """Futures pairs with their margins, and prices."""
        return LISTING

    def contracts(self, answers: Mapping[str, Sequence[bytes]]) -> list[Instrument]:
        """Perpetuals in USDT."""
        return contracts_of(answers)

    def sockets(self, wanted: Wanted) -> list[SocketPlan]:
        """Connections of 25 subscriptions."""
        channels = list(dict.fromkeys(name for kind, name in _CHANNELS.items() if kind in wanted.kinds))
        keys = [(channel, item.symbol) for item in wanted.contracts for channel in channels]
        if wanted.contracts and Kind.LIQUIDATION in wanted.kinds:
            keys.insert(0, (LIQUIDATIONS, ALL))
        most = LIMITS.subscriptions_per_socket
        return [
            _socket(f"public-{first}", wanted.sockets["public"], keys[first : first + most])
            for first in range(0, len(keys), most)
        ]

    def book_snapshot(self, symbol: str) -> Poll | None:
        """The book: to subscribe anew needs the number of the channel, which plans do not know."""
        return Poll(BOOK, symbol, Request(f"/v2/book/{symbol}/P0", (("len", _DEPTH),)), math.inf)


def _socket(name: str, url: str, keys: Sequence[tuple[str, str]]) -> SocketPlan:
    return SocketPlan(
        name=name,
        url=url,
        subscribe=(_WITH_TIMES, *(_ask(channel, symbol) for channel, symbol in keys)),
        expects=frozenset(f"{channel}|{symbol}" for channel, symbol in keys),
        channels={channel: _SILENCE_S[channel] for channel, _ in keys},
        heartbeat=Heartbeat(Beat.OURS, 20.0, lambda _: b'{"event":"ping","cid":1}'),
    )


def _ask(channel: str, symbol: str) -> bytes:
    what: dict[str, str]
    if channel == LIQUIDATIONS:
        what = {"channel": "status", "key": LIQUIDATIONS}
    elif channel == STATUS:
        what = {"channel": "status", "key": f"{STATUS}:{symbol}"}
    elif channel == BOOK:
        what = {"channel": BOOK, "symbol": symbol, "prec": "P0", "freq": "F0", "len": _DEPTH}
    else:
        what = {"channel": channel, "symbol": symbol}
    return msgspec.json.encode({"event": "subscribe", **what})


#: 20 connections a minute for one address, 25 subscriptions on each; 90 requests a minute to most pages.
LIMITS: Final = Limits(
    connects_per_minute=15,
    subscriptions_per_socket=25,
    frames_per_second=10.0,
    rest_weight=60,
    rest_window_s=60.0,
)

VENUE: Final = Venue(
    slug="bitfinex",
    name="Bitfinex",
    sockets={"public": "wss://api-pub.bitfinex.com/ws/2"},
    rest={"main": "https://api-pub.bitfinex.com"},
    limits=LIMITS,
    coverage=_COVERAGE,
    absent={
        Kind.RATIO: "Sizes of longs and shorts are published of margin trading only, not of derivatives.",
        Kind.ADL: "Closures by auto-deleveraging are not published.",
    },
    feed=BitfinexFeed(),
    mapper=BitfinexMapper,
    docs="https://docs.bitfinex.com/docs/ws-general",
)
