"""What MEXC Futures gives and how it is asked for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

from faultline.messages import Kind
from faultline.sources.plan import Beat, Heartbeat, Limits, Poll, Request, SocketPlan
from faultline.sources.venue import Coverage, Evidence, Feed, SideMeaning, Throttle, Transport, Unit, Venue
from faultline.sources.venues.mexc.instruments import LISTING, contracts_of
from faultline.sources.venues.mexc.mapper import BOOK, TICKERS, TRADES, MexcMapper

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultline.instruments import Instrument
    from faultline.sources.plan import Wanted

__all__ = ("LIMITS", "VENUE", "MexcFeed")

_DOCS: Final = "https://www.mexc.com/api-docs/futures/"
#: Channels by kind; a channel that gives several kinds stands once with each.
_CHANNELS: Final = {
    Kind.TRADE: TRADES,
    Kind.BOOK_LEVEL: BOOK,
    Kind.MARK: TICKERS,
    Kind.FUNDING: TICKERS,
    Kind.OPEN_INTEREST: TICKERS,
}
#: Seconds of silence after which a channel is stale.
_SILENCE_S: Final = {TRADES: 600.0, BOOK: 60.0, TICKERS: 120.0}
_CONTRACTS_PER_SOCKET: Final = 30
_DEPTH: Final = "1000"

_COVERAGE: Final = (
    Coverage(
        Kind.TRADE, TRADES, Transport.SOCKET, Evidence.RECORDED, Throttle.ALL,
        side=SideMeaning.TAKER, unit=Unit.CONTRACTS, source=_DOCS + "websocket-api",
    ),
    Coverage(
        Kind.BOOK_LEVEL, BOOK, Transport.SOCKET, Evidence.RECORDED, Throttle.ALL, unit=Unit.CONTRACTS,
        source=_DOCS + "websocket-api",
        note="Versions rise by one a change; the book begins with a REST snapshot.",
    ),
    Coverage(
        Kind.MARK, TICKERS, Transport.SOCKET, Evidence.RECORDED, Throttle.SNAPSHOT, window_ms=1000,
        source=_DOCS + "websocket-api/get-a-single-ticker", note="The fair price, which triggers liquidations.",
    ),
    Coverage(
        Kind.FUNDING, TICKERS, Transport.SOCKET, Evidence.RECORDED, Throttle.SNAPSHOT, window_ms=1000,
        source=_DOCS + "websocket-api/get-a-single-ticker", note="The time of the next settlement is not told.",
    ),
    Coverage(
        Kind.OPEN_INTEREST, TICKERS, Transport.SOCKET, Evidence.RECORDED, Throttle.SNAPSHOT, unit=Unit.CONTRACTS,
        window_ms=1000, source=_DOCS + "websocket-api/get-a-single-ticker", note="Inverse contracts: USD.",
    ),
)  # fmt: skip


class MexcFeed(Feed):
    """Plans for MEXC: one connection per 30 contracts."""

    def listing(self) -> Sequence[tuple[str, Request]]:
        """Contracts with their tiers, and prices."""
        return LISTING

    def contracts(self, answers: Mapping[str, Sequence[bytes]]) -> list[Instrument]:
        """Perpetuals that trade."""
        return contracts_of(answers)

    def sockets(self, wanted: Wanted) -> list[SocketPlan]:
        """One connection per 30 contracts."""
        channels = list(dict.fromkeys(name for kind, name in _CHANNELS.items() if kind in wanted.kinds))
        symbols = [item.symbol for item in wanted.contracts]
        if not channels:
            return []
        return [
            SocketPlan(
                name=f"public-{first}",
                url=wanted.sockets["public"],
                subscribe=tuple(
                    _ask(channel, symbol)
                    for symbol in symbols[first : first + _CONTRACTS_PER_SOCKET]
                    for channel in channels
                ),
                # Confirmations do not name the contract.
                expects=frozenset(channels),
                channels={channel: _SILENCE_S[channel] for channel in channels},
                heartbeat=Heartbeat(Beat.OURS, 15.0, lambda _: b'{"method":"ping"}'),
            )
            for first in range(0, len(symbols), _CONTRACTS_PER_SOCKET)
        ]

    def book_snapshot(self, symbol: str) -> Poll | None:
        """The book with its version."""
        request = Request(f"/api/v1/contract/depth/{symbol}", (("limit", _DEPTH),))
        return Poll(BOOK, symbol, request, math.inf)


def _ask(channel: str, symbol: str) -> bytes:
    method = channel.replace("push.", "sub.")
    # Without it trades and changes of the book may come summed up.
    param = {"symbol": symbol} if channel == TICKERS else {"symbol": symbol, "compress": False}
    return msgspec.json.encode({"method": method, "param": param, "gzip": False})


#: 20 requests in 2 s; limits of the socket are not told.
LIMITS: Final = Limits(
    connects_per_minute=30,
    subscriptions_per_socket=90,
    frames_per_second=10.0,
    rest_weight=20,
    rest_window_s=2.0,
)

VENUE: Final = Venue(
    slug="mexc",
    name="MEXC Futures",
    sockets={"public": "wss://contract.mexc.com/edge"},
    rest={"main": "https://api.mexc.com"},
    limits=LIMITS,
    coverage=_COVERAGE,
    absent={
        Kind.LIQUIDATION: "There is no public feed: no method of the socket names liquidations (2026-09).",
        Kind.RATIO: "There is no public request for long-short ratios.",
        Kind.ADL: "Levels of deleveraging are told to the account only.",
    },
    feed=MexcFeed(),
    mapper=MexcMapper,
    docs=_DOCS + "websocket-api",
)
