"""What Lighter gives and how it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from faultline.messages import Kind
from faultline.sources.plan import Beat, Heartbeat, Limits, Request, SocketPlan
from faultline.sources.venue import Coverage, Evidence, Feed, SideMeaning, Throttle, Transport, Unit, Venue
from faultline.sources.venues.lighter.instruments import LISTING, contracts_of, market_of
from faultline.sources.venues.lighter.mapper import ALL, BOOK, STATS, TRADES, LighterMapper
from faultline.units import PriceKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultline.instruments import Instrument
    from faultline.sources.plan import Wanted

__all__ = ("LIMITS", "VENUE", "LighterFeed")

_DOCS: Final = "https://apidocs.lighter.xyz/docs/websocket-reference"
#: Channels of one market by kind.
_CHANNELS: Final = {
    Kind.TRADE: TRADES,
    Kind.LIQUIDATION: TRADES,
    Kind.ADL: TRADES,
    Kind.WALLET_FILL: TRADES,
    Kind.BOOK_LEVEL: BOOK,
}
#: Kinds that the channel of all markets gives.
_STATES: Final = frozenset({Kind.MARK, Kind.FUNDING, Kind.OPEN_INTEREST})
#: Seconds of silence after which a channel is stale.
_SILENCE_S: Final = {TRADES: 600.0, BOOK: 60.0, STATS: 60.0}

_COVERAGE: Final = (
    Coverage(
        Kind.TRADE, TRADES, Transport.SOCKET, Evidence.RECORDED, Throttle.ALL,
        side=SideMeaning.MAKER, unit=Unit.BASE, source=_DOCS + "#trade",
        note="is_maker_ask: the taker bought. The first frame repeats the latest trades, flagged as a snapshot.",
    ),
    Coverage(
        Kind.LIQUIDATION, TRADES, Transport.SOCKET, Evidence.RECORDED, Throttle.ALL,
        side=SideMeaning.MAKER, price=PriceKind.FILL, unit=Unit.BASE, source=_DOCS + "#trade",
        note="liquidation_trades; the taker is the account that was forced out.",
    ),
    Coverage(
        Kind.ADL, TRADES, Transport.SOCKET, Evidence.ASSUMED, Throttle.ALL,
        side=SideMeaning.MAKER, price=PriceKind.FILL, unit=Unit.BASE, source=_DOCS + "#trade",
        note="Trades of type deleverage, never seen; that the maker is the one in profit is assumed.",
    ),
    Coverage(
        Kind.WALLET_FILL, TRADES, Transport.SOCKET, Evidence.RECORDED, Throttle.ALL,
        side=SideMeaning.MAKER, unit=Unit.BASE, source=_DOCS + "#trade",
        note="Numbers of both accounts, and what each held before the trade.",
    ),
    Coverage(
        Kind.BOOK_LEVEL, BOOK, Transport.SOCKET, Evidence.PUBLISHED, Throttle.SNAPSHOT, unit=Unit.BASE,
        window_ms=50, source=_DOCS + "#order-book", note="The whole book; begin_nonce is the nonce before.",
    ),
    Coverage(
        Kind.MARK, STATS, Transport.SOCKET, Evidence.PUBLISHED, Throttle.SNAPSHOT,
        source=_DOCS + "#market-stats",
    ),
    Coverage(
        Kind.FUNDING, STATS, Transport.SOCKET, Evidence.PUBLISHED, Throttle.SNAPSHOT,
        source=_DOCS + "#market-stats", note="Of an hour, told in percent.",
    ),
    Coverage(
        Kind.OPEN_INTEREST, STATS, Transport.SOCKET, Evidence.PUBLISHED, Throttle.SNAPSHOT, unit=Unit.USD,
        source=_DOCS + "#market-stats", note="One side, in USD; the listing tells base units.",
    ),
)  # fmt: skip


class LighterFeed(Feed):
    """Plans for Lighter: one connection per 100 subscriptions; states of all markets are one of them."""

    def listing(self) -> Sequence[tuple[str, Request]]:
        """Markets and their margin fractions, in one answer."""
        return LISTING

    def contracts(self, answers: Mapping[str, Sequence[bytes]]) -> list[Instrument]:
        """Perpetuals that trade."""
        return contracts_of(answers)

    def sockets(self, wanted: Wanted) -> list[SocketPlan]:
        """One connection per 100 subscriptions."""
        channels = list(dict.fromkeys(_CHANNELS[kind] for kind in _CHANNELS if kind in wanted.kinds))
        keys = [(channel, market_of(item.symbol)) for item in wanted.contracts for channel in channels]
        if wanted.contracts and _STATES & wanted.kinds:
            keys.insert(0, (STATS, ALL))
        most = LIMITS.subscriptions_per_socket
        return [
            _socket(f"public-{first}", wanted.sockets["public"], keys[first : first + most])
            for first in range(0, len(keys), most)
        ]


def _socket(name: str, url: str, keys: Sequence[tuple[str, str]]) -> SocketPlan:
    return SocketPlan(
        name=name,
        url=url,
        subscribe=tuple(_ask("subscribe", channel, market) for channel, market in keys),
        expects=frozenset(f"{channel}|{market}" for channel, market in keys),
        channels={channel: _SILENCE_S[channel] for channel, _ in keys},
        heartbeat=Heartbeat(Beat.OURS, 60.0, lambda _: b'{"type":"ping"}'),
        resubscribe=_resubscribe,
    )


def _resubscribe(symbol: str) -> Sequence[bytes]:
    market = market_of(symbol)
    return (_ask("unsubscribe", BOOK, market), _ask("subscribe", BOOK, market))


def _ask(kind: str, channel: str, market: str) -> bytes:
    return msgspec.json.encode({"type": kind, "channel": f"{channel}/{market}"})


#: 100 subscriptions on a connection and 200 frames a minute for one address; REST without an account: 60 a minute.
LIMITS: Final = Limits(
    connects_per_minute=30, subscriptions_per_socket=100, frames_per_second=2.0, rest_weight=60
)

VENUE: Final = Venue(
    slug="lighter",
    name="Lighter",
    sockets={"public": "wss://mainnet.zklighter.elliot.ai/stream?readonly=true"},
    rest={"main": "https://mainnet.zklighter.elliot.ai"},
    limits=LIMITS,
    coverage=_COVERAGE,
    absent={Kind.RATIO: "There is no long-short ratio; positions stand on the trades of accounts."},
    feed=LighterFeed(),
    mapper=LighterMapper,
    docs=_DOCS,
)
