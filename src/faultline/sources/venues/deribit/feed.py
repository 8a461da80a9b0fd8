"""What Deribit gives and how it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from faultline.messages import Kind
from faultline.sources.plan import Beat, Heartbeat, Limits, Request, SocketPlan
from faultline.sources.venue import Coverage, Evidence, Feed, SideMeaning, Throttle, Transport, Unit, Venue
from faultline.sources.venues.deribit.instruments import LISTING, contracts_of
from faultline.sources.venues.deribit.mapper import (
    BOOK,
    SUBSCRIBE_ID,
    TICKERS,
    TRADES,
    UNSUBSCRIBE_ID,
    DeribitMapper,
)
from faultline.units import PriceKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultline.instruments import Instrument
    from faultline.sources.plan import Wanted

__all__ = ("LIMITS", "VENUE", "DeribitFeed")

_DOCS: Final = "https://docs.deribit.com/"
#: Channels by kind; one that gives several kinds stands once with each.
_CHANNELS: Final = {
    Kind.TRADE: TRADES,
    Kind.LIQUIDATION: TRADES,
    Kind.BOOK_LEVEL: BOOK,
    Kind.MARK: TICKERS,
    Kind.FUNDING: TICKERS,
    Kind.OPEN_INTEREST: TICKERS,
}
#: Pushes without a key are gathered over this interval.
_INTERVAL: Final = "100ms"
#: Seconds of silence after which a channel is stale.
_SILENCE_S: Final = {TRADES: 1800.0, BOOK: 120.0, TICKERS: 60.0}
#: Channels in one request to subscribe.
_CHANNELS_PER_FRAME: Final = 100
#: Seconds between heartbeats that we ask for; the venue closes what does not answer.
_HEARTBEAT_S: Final = 30
_SET_HEARTBEAT: Final = msgspec.json.encode(
    {"jsonrpc": "2.0", "id": 3, "method": "public/set_heartbeat", "params": {"interval": _HEARTBEAT_S}}
)

_COVERAGE: Final = (
    Coverage(
        Kind.TRADE, TRADES, Transport.SOCKET, Evidence.RECORDED, Throttle.ALL,
        side=SideMeaning.TAKER, unit=Unit.USD, window_ms=100,
        source=_DOCS + "subscriptions/trades/tradesinstrument_nameinterval",
        note="Linear contracts: base units.",
    ),
    Coverage(
        Kind.LIQUIDATION, TRADES, Transport.SOCKET, Evidence.RECORDED, Throttle.ALL,
        side=SideMeaning.TAKER, price=PriceKind.FILL, unit=Unit.USD, window_ms=100,
        source=_DOCS + "subscriptions/trades/tradesinstrument_nameinterval",
        note="Marked trades: T the taker's position, M the maker's, MT both. Linear contracts: base units.",
    ),
    Coverage(
        Kind.BOOK_LEVEL, BOOK, Transport.SOCKET, Evidence.RECORDED, Throttle.SNAPSHOT, unit=Unit.USD,
        window_ms=100, source=_DOCS + "subscriptions/orderbook/bookinstrument_nameinterval",
        note="The whole book; every change names the one before. Linear contracts: base units.",
    ),
    Coverage(
        Kind.MARK, TICKERS, Transport.SOCKET, Evidence.RECORDED, Throttle.SNAPSHOT, window_ms=100,
        source=_DOCS + "subscriptions/market-data/tickerinstrument_nameinterval",
    ),
    Coverage(
        Kind.FUNDING, TICKERS, Transport.SOCKET, Evidence.RECORDED, Throttle.SNAPSHOT, window_ms=1_000,
        source=_DOCS + "subscriptions/market-data/tickerinstrument_nameinterval",
        note="Continuous; the current rate for eight hours.",
    ),
    Coverage(
        Kind.OPEN_INTEREST, TICKERS, Transport.SOCKET, Evidence.RECORDED, Throttle.SNAPSHOT, unit=Unit.USD,
        window_ms=1_000, source=_DOCS + "subscriptions/market-data/tickerinstrument_nameinterval",
        note="Linear contracts: base units.",
    ),
)  # fmt: skip


class DeribitFeed(Feed):
    """Plans for Deribit: one connection per 400 channels."""

    def listing(self) -> Sequence[tuple[str, Request]]:
        """Contracts, and prices by currency of settlement."""
        return LISTING

    def contracts(self, answers: Mapping[str, Sequence[bytes]]) -> list[Instrument]:
        """Perpetuals that trade."""
        return contracts_of(answers)

    def sockets(self, wanted: Wanted) -> list[SocketPlan]:
        """One connection per 400 channels."""
        channels = list(dict.fromkeys(_CHANNELS[kind] for kind in _CHANNELS if kind in wanted.kinds))
        keys = [_name(channel, item.symbol) for item in wanted.contracts for channel in channels]
        most = LIMITS.subscriptions_per_socket
        return [
            _socket(f"public-{first}", wanted.sockets["public"], keys[first : first + most])
            for first in range(0, len(keys), most)
        ]


def _name(channel: str, symbol: str) -> str:
    return f"{channel}.{symbol}.{_INTERVAL}"


def _socket(name: str, url: str, keys: Sequence[str]) -> SocketPlan:
    groups = [keys[first : first + _CHANNELS_PER_FRAME] for first in range(0, len(keys), _CHANNELS_PER_FRAME)]
    channels = {key.partition(".")[0] for key in keys}
    return SocketPlan(
        name=name,
        url=url,
        subscribe=(_SET_HEARTBEAT, *(_ask("subscribe", SUBSCRIBE_ID, group) for group in groups)),
        expects=frozenset(keys),
        channels={channel: _SILENCE_S[channel] for channel in channels},
        heartbeat=Heartbeat(Beat.THEIRS, 3.0 * _HEARTBEAT_S),
        resubscribe=_resubscribe,
        # A refusal names no channel: those that nobody confirmed are asked for alone.
        singly=lambda key: {key: _ask("subscribe", SUBSCRIBE_ID, [key])},
    )


def _resubscribe(symbol: str) -> Sequence[bytes]:
    names = [_name(BOOK, symbol)]
    return (_ask("unsubscribe", UNSUBSCRIBE_ID, names), _ask("subscribe", SUBSCRIBE_ID, names))


def _ask(method: str, number: int, names: Sequence[str]) -> bytes:
    params = {"channels": list(names)}
    return msgspec.json.encode(
        {"jsonrpc": "2.0", "id": number, "method": f"public/{method}", "params": params}
    )


#: Requests cost credits that refill: some 10 a second without a key; 32 connections for one address.
LIMITS: Final = Limits(
    connects_per_minute=20,
    subscriptions_per_socket=400,
    frames_per_second=3.0,
    rest_weight=20,
    rest_window_s=10.0,
)

VENUE: Final = Venue(
    slug="deribit",
    name="Deribit",
    sockets={"public": "wss://www.deribit.com/ws/api/v2"},
    rest={"main": "https://www.deribit.com"},
    limits=LIMITS,
    coverage=_COVERAGE,
    absent={
        Kind.RATIO: "There is no long-short ratio.",
        Kind.ADL: "Closures by auto-deleveraging are not marked on public trades.",
    },
    feed=DeribitFeed(),
    mapper=DeribitMapper,
    docs=_DOCS,
)
