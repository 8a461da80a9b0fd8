"""What CoinEx gives and how it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from faultline.messages import Kind
from faultline.sources.plan import Beat, Heartbeat, Limits, Poll, Request, SocketPlan, Unzip
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
from faultline.sources.venues.coinex.instruments import LISTING, contracts_of
from faultline.sources.venues.coinex.mapper import (
    BOOK,
    LIQUIDATIONS,
    NO_KEY,
    REQUESTS,
    STATE,
    TRADES,
    CoinexMapper,
    key_of,
)
from faultline.units import PriceKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultline.instruments import Instrument
    from faultline.sources.plan import Wanted

__all__ = ("LIMITS", "VENUE", "CoinexFeed")

_DOCS: Final = "https://docs.coinex.com/api/v2/"
_MARKET: Final = _DOCS + "futures/market/"
#: Channels by kind; one that gives several kinds stands once with each.
_CHANNELS: Final = {
    Kind.TRADE: TRADES,
    Kind.BOOK_LEVEL: BOOK,
    Kind.MARK: STATE,
    Kind.FUNDING: STATE,
    Kind.OPEN_INTEREST: STATE,
}
#: Seconds of silence after which a channel is stale. The whole book comes once a minute.
_SILENCE_S: Final = {TRADES: 900.0, BOOK: 120.0, STATE: 120.0}
_CONTRACTS_PER_SOCKET: Final = 60
#: Contracts in one request to subscribe.
_CONTRACTS_PER_FRAME: Final = 20
_LEVELS: Final = 50
_LIQUIDATIONS_EVERY_S: Final = 20.0
#: Liquidations in one answer: many more than there are in one interval, so that a poll may fail.
_LIQUIDATIONS_PER_PAGE: Final = "100"

_COVERAGE: Final = (
    Coverage(
        Kind.TRADE, TRADES, Transport.SOCKET, Evidence.PUBLISHED, Throttle.ALL,
        side=SideMeaning.TAKER, unit=Unit.BASE, window_ms=200, source=_MARKET + "ws/market-deals",
        note="Inverse contracts: quantity in USD.",
    ),
    Coverage(
        Kind.LIQUIDATION, LIQUIDATIONS, Transport.REST, Evidence.PUBLISHED, Throttle.ALL,
        side=SideMeaning.POSITION, price=PriceKind.TRIGGER, unit=Unit.BASE, window_ms=20_000,
        source=_MARKET + "http/list-market-liquidation-history",
        note="The latest hundred of each contract; what was told already is passed over. The bankruptcy price stands "
        "beside the trigger and is not kept. Inverse contracts: quantity in USD. By its notice the venue ended "
        "futures on 2026-09-22.",
    ),
    Coverage(
        Kind.BOOK_LEVEL, BOOK, Transport.SOCKET, Evidence.PUBLISHED, Throttle.SNAPSHOT, unit=Unit.BASE,
        window_ms=200, source=_MARKET + "ws/market-depth",
        note="50 levels, not numbered; the whole book once a minute. Inverse contracts: quantity in USD.",
    ),
    Coverage(
        Kind.MARK, STATE, Transport.SOCKET, Evidence.PUBLISHED, Throttle.SNAPSHOT, time_unit=TimeUnit.NONE,
        window_ms=200, source=_MARKET + "ws/market-state",
    ),
    Coverage(
        Kind.FUNDING, STATE, Transport.SOCKET, Evidence.PUBLISHED, Throttle.SNAPSHOT, time_unit=TimeUnit.NONE,
        window_ms=200, source=_MARKET + "ws/market-state",
        note="The rate of the next settlement, as it stands now.",
    ),
    Coverage(
        Kind.OPEN_INTEREST, STATE, Transport.SOCKET, Evidence.PUBLISHED, Throttle.SNAPSHOT, unit=Unit.BASE,
        time_unit=TimeUnit.NONE, window_ms=200, source=_MARKET + "ws/market-state",
        note="Inverse contracts: USD.",
    ),
)  # fmt: skip


class CoinexFeed(Feed):
    """Plans for CoinEx: one connection per 60 contracts, liquidations by REST."""

    def listing(self) -> Sequence[tuple[str, Request]]:
        """Markets, position levels and prices."""
        return LISTING

    def contracts(self, answers: Mapping[str, Sequence[bytes]]) -> list[Instrument]:
        """Perpetuals that trade."""
        return contracts_of(answers)

    def sockets(self, wanted: Wanted) -> list[SocketPlan]:
        """One connection per 60 contracts."""
        channels = list(dict.fromkeys(name for kind, name in _CHANNELS.items() if kind in wanted.kinds))
        symbols = [item.symbol for item in wanted.contracts] if channels else []
        return [
            _socket(
                f"futures-{first}",
                wanted.sockets["futures"],
                channels,
                symbols[first : first + _CONTRACTS_PER_SOCKET],
            )
            for first in range(0, len(symbols), _CONTRACTS_PER_SOCKET)
        ]

    def polls(self, wanted: Wanted) -> list[Poll]:
        """Liquidations, one request per contract."""
        if Kind.LIQUIDATION not in wanted.kinds:
            return []
        return [
            Poll(LIQUIDATIONS, item.symbol, _liquidations_request(item.symbol), _LIQUIDATIONS_EVERY_S)
            for item in wanted.contracts
        ]


def _liquidations_request(symbol: str) -> Request:
    query = (("market", symbol), ("page", "1"), ("limit", _LIQUIDATIONS_PER_PAGE))
    return Request("/v2/futures/liquidation-history", query)


def _socket(name: str, url: str, channels: Sequence[str], symbols: Sequence[str]) -> SocketPlan:
    groups = [
        symbols[first : first + _CONTRACTS_PER_FRAME]
        for first in range(0, len(symbols), _CONTRACTS_PER_FRAME)
    ]
    asks = [(REQUESTS[channel] + n, channel, group) for channel in channels for n, group in enumerate(groups)]
    return SocketPlan(
        name=name,
        url=url,
        subscribe=tuple(_ask(channel, group, number) for number, channel, group in asks),
        expects=frozenset(key_of(number) for number, _, _ in asks),
        channels={channel: _SILENCE_S[channel] for channel in channels},
        heartbeat=Heartbeat(Beat.OURS, 20.0, lambda _: _encode("server.ping", {}, NO_KEY)),
        resubscribe=_resubscribe,
        singly=lambda key: _singly(key, asks),
        unzip=Unzip.GZIP,
    )


def _singly(key: str, asks: Sequence[tuple[int, str, Sequence[str]]]) -> dict[str, bytes]:
    """Each contract of a request alone, by a number of its own."""
    found: dict[str, bytes] = {}
    for number, channel, group in asks:
        # Numbers of the channel that no request of the plan has.
        first = REQUESTS[channel] + len(asks) + (number - REQUESTS[channel]) * _CONTRACTS_PER_FRAME
        if key_of(number) == key:
            found |= {key_of(one): _ask(channel, [name], one) for one, name in enumerate(group, first)}
    return found


def _resubscribe(symbol: str) -> Sequence[bytes]:
    return (_encode(f"{BOOK}.unsubscribe", {"market_list": [symbol]}, NO_KEY), _ask(BOOK, [symbol], NO_KEY))


def _ask(channel: str, symbols: Sequence[str], number: int) -> bytes:
    markets: list[Any] = list(symbols)
    if channel == BOOK:
        # Levels, without merging prices, changes only.
        markets = [[symbol, _LEVELS, "0", False] for symbol in symbols]
    return _encode(f"{channel}.subscribe", {"market_list": markets}, number)


def _encode(method: str, params: dict[str, Any], number: int) -> bytes:
    return msgspec.json.encode({"method": method, "params": params, "id": number})


#: 400 requests a second for one address; much less is used.
LIMITS: Final = Limits(
    connects_per_minute=30,
    subscriptions_per_socket=180,
    frames_per_second=5.0,
    rest_weight=100,
    rest_window_s=10.0,
)

VENUE: Final = Venue(
    slug="coinex",
    name="CoinEx",
    sockets={"futures": "wss://socket.coinex.com/v2/futures"},
    rest={"main": "https://api.coinex.com"},
    limits=LIMITS,
    coverage=_COVERAGE,
    absent={
        Kind.RATIO: "There is no public long-short ratio.",
        Kind.ADL: "Auto-deleveraging is told to its own account only.",
    },
    feed=CoinexFeed(),
    mapper=CoinexMapper,
    docs=_DOCS,
)
