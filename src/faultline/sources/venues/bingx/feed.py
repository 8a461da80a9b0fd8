"""What BingX gives and how it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

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
from faultline.sources.venues.bingx.instruments import LISTING, contracts_of
from faultline.sources.venues.bingx.mapper import (
    BOOK,
    FUNDING,
    LEAVING,
    MARKS,
    OPEN_INTEREST,
    TRADES,
    BingxMapper,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultline.instruments import Instrument
    from faultline.sources.plan import Wanted

__all__ = ("LIMITS", "VENUE", "BingxFeed")

_DOCS: Final = "https://bingx-api.github.io/docs-v3/"
_SOCKET_DOCS: Final = _DOCS + "#/en/Swap/Websocket%20Market%20Data/"
_REST_DOCS: Final = _DOCS + "#/en/Swap/Market%20Data/"
_CHANNELS: Final = {Kind.TRADE: TRADES, Kind.BOOK_LEVEL: BOOK, Kind.MARK: MARKS}
_POLLS: Final = {Kind.FUNDING: FUNDING, Kind.OPEN_INTEREST: OPEN_INTEREST}
#: Seconds of silence after which a channel is stale.
_SILENCE_S: Final = {TRADES: 900.0, BOOK: 120.0, MARKS: 30.0}
_POLL_EVERY_S: Final = 30.0

_COVERAGE: Final = (
    Coverage(
        Kind.TRADE, TRADES, Transport.SOCKET, Evidence.RECORDED, Throttle.ALL,
        side=SideMeaning.MAKER, unit=Unit.BASE, source=_SOCKET_DOCS + "Subscribe%20the%20Latest%20Trade%20Detail",
        note="m: the buyer was the maker. Without ids; frames repeat trades, which are told once.",
    ),
    Coverage(
        Kind.BOOK_LEVEL, BOOK, Transport.SOCKET, Evidence.PUBLISHED, Throttle.SNAPSHOT, unit=Unit.BASE,
        window_ms=800, source=_SOCKET_DOCS + "Incremental%20Depth%20Information",
        note="A thousand levels; every 200 ms for BTC and ETH. Ids rise and may skip.",
    ),
    Coverage(
        Kind.MARK, MARKS, Transport.SOCKET, Evidence.PUBLISHED, Throttle.SNAPSHOT, window_ms=1_000,
        source=_SOCKET_DOCS + "Subscribe%20to%20latest%20mark%20price%20changes", note="Without the index.",
    ),
    Coverage(
        Kind.FUNDING, FUNDING, Transport.REST, Evidence.RECORDED, Throttle.SNAPSHOT, time_unit=TimeUnit.NONE,
        window_ms=30_000, source=_REST_DOCS + "Mark%20Price%20and%20Funding%20Rate",
        note="The running rate of the next settlement.",
    ),
    Coverage(
        Kind.OPEN_INTEREST, OPEN_INTEREST, Transport.REST, Evidence.RECORDED, Throttle.SNAPSHOT, unit=Unit.QUOTE,
        window_ms=30_000, source=_REST_DOCS + "Open%20Interest%20Statistics",
        note="In the quote currency; whether it counts one side is not told.",
    ),
)  # fmt: skip


class BingxFeed(Feed):
    """Plans for BingX: one connection per 198 topics."""

    def listing(self) -> Sequence[tuple[str, Request]]:
        """Contracts, in USDT and in USDC."""
        return LISTING

    def contracts(self, answers: Mapping[str, Sequence[bytes]]) -> list[Instrument]:
        """Perpetuals that trade."""
        return contracts_of(answers)

    def sockets(self, wanted: Wanted) -> list[SocketPlan]:
        """One connection per 198 topics."""
        channels = [channel for kind, channel in _CHANNELS.items() if kind in wanted.kinds]
        keys = [(channel, item.symbol) for item in wanted.contracts for channel in channels]
        most = LIMITS.subscriptions_per_socket
        return [
            _socket(f"swap-{first}", wanted.sockets["swap"], keys[first : first + most])
            for first in range(0, len(keys), most)
        ]

    def polls(self, wanted: Wanted) -> list[Poll]:
        """Funding and open interest, one request each per contract."""
        return [
            Poll(channel, item.symbol, _request(channel, item.symbol), _POLL_EVERY_S)
            for item in wanted.contracts
            for kind, channel in _POLLS.items()
            if kind in wanted.kinds
        ]


def _request(channel: str, symbol: str) -> Request:
    return Request(f"/openApi/swap/v2/quote/{channel}", (("symbol", symbol),))


def _socket(name: str, url: str, keys: Sequence[tuple[str, str]]) -> SocketPlan:
    return SocketPlan(
        name=name,
        url=url,
        subscribe=tuple(_ask(f"{channel}|{symbol}", "sub", channel, symbol) for channel, symbol in keys),
        expects=frozenset(f"{channel}|{symbol}" for channel, symbol in keys),
        channels={channel: _SILENCE_S[channel] for channel, _ in keys},
        # The venue pings every 5 s, and closes after 30 s without an answer.
        heartbeat=Heartbeat(Beat.THEIRS, 20.0),
        resubscribe=_resubscribe,
        unzip=Unzip.GZIP,
    )


def _resubscribe(symbol: str) -> Sequence[bytes]:
    key = f"{BOOK}|{symbol}"
    return (_ask(LEAVING + key, "unsub", BOOK, symbol), _ask(key, "sub", BOOK, symbol))


def _ask(number: str, what: str, channel: str, symbol: str) -> bytes:
    return msgspec.json.encode({"id": number, "reqType": what, "dataType": f"{symbol}@{channel}"})


#: 60 connections for one address, 200 topics on each, 10 requests a second; 500 requests in 10 s to each page.
LIMITS: Final = Limits(
    connects_per_minute=30,
    subscriptions_per_socket=198,
    frames_per_second=8.0,
    rest_weight=300,
    rest_window_s=10.0,
)

VENUE: Final = Venue(
    slug="bingx",
    name="BingX",
    sockets={"swap": "wss://open-api-swap.bingx.com/swap-market"},
    rest={"main": "https://open-api.bingx.com"},
    limits=LIMITS,
    coverage=_COVERAGE,
    absent={
        Kind.LIQUIDATION: "Liquidations are told to their own account only; the socket has no such topic.",
        Kind.RATIO: "There is no public long-short ratio.",
        Kind.ADL: "Closures by auto-deleveraging are told to their own account only.",
    },
    feed=BingxFeed(),
    mapper=BingxMapper,
    docs=_DOCS,
)
