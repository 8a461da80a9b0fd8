"""What dYdX v4 gives and how it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from faultline.messages import Kind
from faultline.sources.plan import Beat, Heartbeat, Limits, Request, SocketPlan
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
from faultline.sources.venues.dydx.instruments import LISTING, contracts_of
from faultline.sources.venues.dydx.mapper import BOOK, MARKETS, TRADES, DydxMapper, key_of
from faultline.units import PriceKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultline.instruments import Instrument
    from faultline.sources.plan import Wanted

__all__ = ("LIMITS", "VENUE", "DydxFeed")

_DOCS: Final = "https://docs.dydx.exchange/api_integration-indexer/indexer_websocket"
#: Channels of one market by kind.
_CHANNELS: Final = {
    Kind.TRADE: TRADES,
    Kind.LIQUIDATION: TRADES,
    Kind.ADL: TRADES,
    Kind.BOOK_LEVEL: BOOK,
}
#: Kinds that the channel of all markets gives.
_STATES: Final = frozenset({Kind.MARK, Kind.FUNDING, Kind.OPEN_INTEREST})
#: Seconds of silence after which a channel is stale.
_SILENCE_S: Final = {TRADES: 1800.0, BOOK: 300.0, MARKETS: 60.0}
#: Markets on one connection: the indexer allows 32 subscriptions of each channel.
_MARKETS_PER_SOCKET: Final = 32

_COVERAGE: Final = (
    Coverage(
        Kind.TRADE, TRADES, Transport.SOCKET, Evidence.RECORDED, Throttle.ALL,
        side=SideMeaning.TAKER, unit=Unit.BASE, time_unit=TimeUnit.ISO, source=_DOCS + "#trades",
        note="The first frame repeats the latest trades, which are flagged as a snapshot.",
    ),
    Coverage(
        Kind.LIQUIDATION, TRADES, Transport.SOCKET, Evidence.RECORDED, Throttle.ALL,
        side=SideMeaning.TAKER, price=PriceKind.FILL, unit=Unit.BASE, time_unit=TimeUnit.ISO,
        source=_DOCS + "#trades", note="Trades of type LIQUIDATED; the taker closes the position.",
    ),
    Coverage(
        Kind.ADL, TRADES, Transport.SOCKET, Evidence.DOCUMENTED, Throttle.ALL,
        side=SideMeaning.TAKER, price=PriceKind.FILL, unit=Unit.BASE, time_unit=TimeUnit.ISO,
        source=_DOCS + "#trades",
        note="Trades of type DELEVERAGED; the position in profit has the direction of the taker.",
    ),
    Coverage(
        Kind.BOOK_LEVEL, BOOK, Transport.SOCKET, Evidence.PUBLISHED, Throttle.ALL, unit=Unit.BASE,
        time_unit=TimeUnit.NONE, source=_DOCS + "#orders",
        note="The whole book; it may be crossed for moments. Only message numbers of the connection are sent.",
    ),
    Coverage(
        Kind.MARK, MARKETS, Transport.SOCKET, Evidence.PUBLISHED, Throttle.SNAPSHOT,
        time_unit=TimeUnit.ISO, source=_DOCS + "#markets", note="The oracle's price, which margins are valued at.",
    ),
    Coverage(
        Kind.FUNDING, MARKETS, Transport.SOCKET, Evidence.PUBLISHED, Throttle.SNAPSHOT,
        time_unit=TimeUnit.NONE, source=_DOCS + "#markets", note="Predicted for the next full hour.",
    ),
    Coverage(
        Kind.OPEN_INTEREST, MARKETS, Transport.SOCKET, Evidence.PUBLISHED, Throttle.SNAPSHOT, unit=Unit.BASE,
        time_unit=TimeUnit.NONE, source=_DOCS + "#markets", note="One side.",
    ),
)  # fmt: skip


class DydxFeed(Feed):
    """Plans for dYdX: one connection per 32 markets; the first has the states of all markets, too."""

    def listing(self) -> Sequence[tuple[str, Request]]:
        """Markets and their margin fractions, in one answer."""
        return LISTING

    def contracts(self, answers: Mapping[str, Sequence[bytes]]) -> list[Instrument]:
        """Perpetuals that trade."""
        return contracts_of(answers)

    def sockets(self, wanted: Wanted) -> list[SocketPlan]:
        """One connection per 32 markets."""
        channels = list(dict.fromkeys(_CHANNELS[kind] for kind in _CHANNELS if kind in wanted.kinds))
        plans = []
        for first in range(0, len(wanted.contracts), _MARKETS_PER_SOCKET):
            part = wanted.contracts[first : first + _MARKETS_PER_SOCKET]
            keys = [(channel, item.symbol) for item in part for channel in channels]
            if first == 0 and _STATES & wanted.kinds:
                keys.insert(0, (MARKETS, ""))
            if keys:
                plans.append(_socket(f"public-{first}", wanted.sockets["public"], keys))
        return plans


def _socket(name: str, url: str, keys: Sequence[tuple[str, str]]) -> SocketPlan:
    return SocketPlan(
        name=name,
        url=url,
        subscribe=tuple(_ask("subscribe", channel, symbol) for channel, symbol in keys),
        expects=frozenset(key_of(channel, symbol) for channel, symbol in keys),
        channels={channel: _SILENCE_S[channel] for channel, _ in keys},
        heartbeat=Heartbeat(Beat.SOCKET, 30.0),
        resubscribe=_resubscribe,
    )


def _resubscribe(symbol: str) -> Sequence[bytes]:
    return (_ask("unsubscribe", BOOK, symbol), _ask("subscribe", BOOK, symbol))


def _ask(kind: str, channel: str, symbol: str) -> bytes:
    return msgspec.json.encode({"type": kind, "channel": channel} | ({"id": symbol} if symbol else {}))


#: 100 requests in 10 s for one address; two subscriptions a second of one channel and market.
LIMITS: Final = Limits(
    connects_per_minute=30,
    subscriptions_per_socket=2 * _MARKETS_PER_SOCKET + 1,
    frames_per_second=5.0,
    rest_weight=100,
    rest_window_s=10.0,
)

VENUE: Final = Venue(
    slug="dydx",
    name="dYdX",
    sockets={"public": "wss://indexer.dydx.trade/v4/ws"},
    rest={"main": "https://indexer.dydx.trade"},
    limits=LIMITS,
    coverage=_COVERAGE,
    absent={Kind.RATIO: "There is no long-short ratio."},
    feed=DydxFeed(),
    mapper=DydxMapper,
    docs=_DOCS,
)
