"""What Paradex gives and how it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from faultline.messages import Kind
from faultline.sources.plan import Beat, Heartbeat, Limits, Request, SocketPlan
from faultline.sources.venue import Coverage, Evidence, Feed, SideMeaning, Throttle, Transport, Unit, Venue
from faultline.sources.venues.paradex.instruments import LISTING, contracts_of
from faultline.sources.venues.paradex.mapper import BOOK, SUMMARY, TRADES, UNSUBSCRIBE_ID, ParadexMapper
from faultline.units import PriceKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultline.instruments import Instrument
    from faultline.sources.plan import Wanted

__all__ = ("LIMITS", "VENUE", "ParadexFeed")

_DOCS: Final = "https://docs.paradex.trade/ws/"
_CHANNEL_DOCS: Final = _DOCS + "web-socket-channels/"
#: Channels by kind; one that gives several kinds stands once with each.
_CHANNELS: Final = {
    Kind.TRADE: TRADES,
    Kind.LIQUIDATION: TRADES,
    Kind.BOOK_LEVEL: BOOK,
    Kind.MARK: SUMMARY,
    Kind.FUNDING: SUMMARY,
    Kind.OPEN_INTEREST: SUMMARY,
}
#: What stands behind the name of a market.
_ENDS: Final = {BOOK: ".snapshot@15@100ms"}
#: Seconds of silence after which a channel is stale.
_SILENCE_S: Final = {TRADES: 3600.0, BOOK: 120.0, SUMMARY: 60.0}

_COVERAGE: Final = (
    Coverage(
        Kind.TRADE, TRADES, Transport.SOCKET, Evidence.PUBLISHED, Throttle.ALL,
        side=SideMeaning.TAKER, unit=Unit.BASE, source=_CHANNEL_DOCS + "trades-market-symbol/trades-market-symbol",
        note="Types FILL and RPI. Ids are longer than a sequence can be.",
    ),
    Coverage(
        Kind.LIQUIDATION, TRADES, Transport.SOCKET, Evidence.DOCUMENTED, Throttle.ALL,
        side=SideMeaning.TAKER, price=PriceKind.FILL, unit=Unit.BASE,
        source=_CHANNEL_DOCS + "trades-market-symbol/trades-market-symbol",
        note="Type LIQUIDATION, never seen; positions go to the insurance fund, which closes them later.",
    ),
    Coverage(
        Kind.BOOK_LEVEL, BOOK, Transport.SOCKET, Evidence.PUBLISHED, Throttle.SNAPSHOT, unit=Unit.BASE,
        window_ms=100, source=_CHANNEL_DOCS + "order-book-market-symbol-feed-type-15-refresh-rate-price-tick",
        note="Fifteen levels a side, whole every time.",
    ),
    Coverage(
        Kind.MARK, SUMMARY, Transport.SOCKET, Evidence.DOCUMENTED, Throttle.SNAPSHOT,
        source=_CHANNEL_DOCS + "markets-summary-market-symbol/markets-summary-market-symbol",
        note="The index is the price of the underlying.",
    ),
    Coverage(
        Kind.FUNDING, SUMMARY, Transport.SOCKET, Evidence.DOCUMENTED, Throttle.SNAPSHOT,
        source=_CHANNEL_DOCS + "markets-summary-market-symbol/markets-summary-market-symbol",
        note="Continuous; the rate of the market's own period, which is not sent with it.",
    ),
    Coverage(
        Kind.OPEN_INTEREST, SUMMARY, Transport.SOCKET, Evidence.DOCUMENTED, Throttle.SNAPSHOT, unit=Unit.BASE,
        source=_CHANNEL_DOCS + "markets-summary-market-symbol/markets-summary-market-symbol",
        note="That it counts one side is assumed.",
    ),
)  # fmt: skip


class ParadexFeed(Feed):
    """Plans for Paradex: one connection per 200 channels."""

    def listing(self) -> Sequence[tuple[str, Request]]:
        """Markets and their margin fractions, in one answer."""
        return LISTING

    def contracts(self, answers: Mapping[str, Sequence[bytes]]) -> list[Instrument]:
        """Perpetuals that are listed."""
        return contracts_of(answers)

    def sockets(self, wanted: Wanted) -> list[SocketPlan]:
        """One connection per 200 channels."""
        channels = list(dict.fromkeys(_CHANNELS[kind] for kind in _CHANNELS if kind in wanted.kinds))
        names = [_name(channel, item.symbol) for item in wanted.contracts for channel in channels]
        most = LIMITS.subscriptions_per_socket
        return [
            _socket(f"public-{first}", wanted.sockets["public"], names[first : first + most])
            for first in range(0, len(names), most)
        ]


def _name(channel: str, symbol: str) -> str:
    return f"{channel}.{symbol}{_ENDS.get(channel, '')}"


def _socket(name: str, url: str, names: Sequence[str]) -> SocketPlan:
    asks = enumerate(names, UNSUBSCRIBE_ID + 1)
    return SocketPlan(
        name=name,
        url=url,
        subscribe=tuple(_ask("subscribe", number, channel) for number, channel in asks),
        expects=frozenset(names),
        channels={channel: _SILENCE_S[channel] for channel in (one.partition(".")[0] for one in names)},
        heartbeat=Heartbeat(Beat.SOCKET, 30.0),
    )


def _ask(method: str, number: int, channel: str) -> bytes:
    return msgspec.json.encode(
        {"jsonrpc": "2.0", "method": method, "params": {"channel": channel}, "id": number}
    )


#: 600 connections a minute and 1,500 public requests a minute for one address.
LIMITS: Final = Limits(
    connects_per_minute=60, subscriptions_per_socket=200, frames_per_second=10.0, rest_weight=600
)

VENUE: Final = Venue(
    slug="paradex",
    name="Paradex",
    sockets={"public": "wss://ws.api.prod.paradex.trade/v1"},
    rest={"main": "https://api.prod.paradex.trade"},
    limits=LIMITS,
    coverage=_COVERAGE,
    absent={
        Kind.RATIO: "There is no long-short ratio.",
        Kind.ADL: "Losses are shared out; there is no public record of positions closed for it.",
    },
    feed=ParadexFeed(),
    mapper=ParadexMapper,
    docs=_DOCS + "general-information/introduction",
)
