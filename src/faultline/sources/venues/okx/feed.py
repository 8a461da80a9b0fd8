"""What OKX gives and how it is asked for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

from faultline.messages import Kind
from faultline.sources.plan import Beat, Heartbeat, Limits, Poll, Request, SocketPlan
from faultline.sources.venue import Coverage, Evidence, Feed, SideMeaning, Throttle, Transport, Unit, Venue
from faultline.sources.venues.okx.instruments import LISTING, contracts_of
from faultline.sources.venues.okx.mapper import (
    BOOK,
    FUNDING,
    INDEX,
    LIQUIDATIONS,
    MARKS,
    OPEN_INTEREST,
    RATIOS,
    TRADES,
    OkxMapper,
    index_of,
)
from faultline.units import PriceKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultline.instruments import Instrument
    from faultline.sources.plan import Wanted

__all__ = ("LIMITS", "VENUE", "OkxFeed")

_DOCS: Final = "https://www.okx.com/docs-v5/en/"
#: Channels of single contracts, by kind.
_CHANNELS: Final = {
    Kind.TRADE: TRADES,
    Kind.BOOK_LEVEL: BOOK,
    Kind.MARK: MARKS,
    Kind.FUNDING: FUNDING,
    Kind.OPEN_INTEREST: OPEN_INTEREST,
}
#: Seconds of silence after which a channel is stale.
_SILENCE_S: Final = {
    TRADES: 300.0,
    LIQUIDATIONS: math.inf,
    BOOK: 60.0,
    MARKS: 60.0,
    FUNDING: 180.0,
    OPEN_INTEREST: 60.0,
}
_CONTRACTS_PER_SOCKET: Final = 40
_ARGS_PER_FRAME: Final = 40
_RATIO_EVERY_S: Final = 300.0

_COVERAGE: Final = (
    Coverage(
        Kind.TRADE, TRADES, Transport.SOCKET, Evidence.RECORDED, Throttle.ALL,
        side=SideMeaning.TAKER, unit=Unit.CONTRACTS,
        source=_DOCS + "#order-book-trading-market-data-ws-trades-channel",
        note="Fills of one order at one price are one row.",
    ),
    Coverage(
        Kind.LIQUIDATION, LIQUIDATIONS, Transport.SOCKET, Evidence.RECORDED, Throttle.ONE,
        side=SideMeaning.POSITION, price=PriceKind.BANKRUPTCY, unit=Unit.CONTRACTS, window_ms=1000,
        source=_DOCS + "#public-data-websocket-liquidation-orders-channel",
        note="posSide, or the opposite of the order's side in net mode; which order of a second is not told.",
    ),
    Coverage(
        Kind.BOOK_LEVEL, BOOK, Transport.SOCKET, Evidence.RECORDED, Throttle.SNAPSHOT, unit=Unit.CONTRACTS,
        window_ms=100, source=_DOCS + "#order-book-trading-market-data-ws-order-book-channel",
        note="400 levels; every change names the one before. Checksums are 0 since 2026 and not read.",
    ),
    Coverage(
        Kind.MARK, MARKS, Transport.SOCKET, Evidence.DOCUMENTED, Throttle.SNAPSHOT, window_ms=200,
        source=_DOCS + "#public-data-websocket-mark-price-channel",
        note="The index is the latest of channel index-tickers.",
    ),
    Coverage(
        Kind.FUNDING, FUNDING, Transport.SOCKET, Evidence.RECORDED, Throttle.SNAPSHOT, window_ms=90_000,
        source=_DOCS + "#public-data-websocket-funding-rate-channel",
    ),
    Coverage(
        Kind.OPEN_INTEREST, OPEN_INTEREST, Transport.SOCKET, Evidence.RECORDED, Throttle.SNAPSHOT,
        unit=Unit.CONTRACTS, window_ms=3_000, source=_DOCS + "#public-data-websocket-open-interest-channel",
    ),
    *(
        Coverage(
            Kind.RATIO, channel, Transport.REST, Evidence.DOCUMENTED, Throttle.SNAPSHOT, window_ms=300_000,
            source=_DOCS + "#trading-statistics-rest-api", note=f"Kind {name}.",
        )
        for channel, name in RATIOS.items()
    ),
)  # fmt: skip


class OkxFeed(Feed):
    """Plans for OKX: one connection per 40 contracts; the first also has the liquidations of all contracts."""

    def listing(self) -> Sequence[tuple[str, Request]]:
        """Contracts, mark prices, and tiers of the larger contracts."""
        return LISTING

    def contracts(self, answers: Mapping[str, Sequence[bytes]]) -> list[Instrument]:
        """Perpetuals that trade."""
        return contracts_of(answers)

    def sockets(self, wanted: Wanted) -> list[SocketPlan]:
        """One connection per 40 contracts."""
        channels = [channel for kind, channel in _CHANNELS.items() if kind in wanted.kinds]
        symbols = [item.symbol for item in wanted.contracts]
        plans = []
        for first in range(0, len(symbols), _CONTRACTS_PER_SOCKET):
            part = symbols[first : first + _CONTRACTS_PER_SOCKET]
            args = [{"channel": channel, "instId": symbol} for symbol in part for channel in channels]
            if Kind.MARK in wanted.kinds:
                names = dict.fromkeys(index_of(symbol) for symbol in part)
                args += [{"channel": INDEX, "instId": name} for name in names]
            if first == 0 and Kind.LIQUIDATION in wanted.kinds:
                args.append({"channel": LIQUIDATIONS, "instType": "SWAP"})
            if args:
                plans.append(_socket(f"public-{first}", wanted.sockets["public"], args))
        return plans

    def polls(self, wanted: Wanted) -> list[Poll]:
        """Ratios, one request per contract and kind."""
        if Kind.RATIO not in wanted.kinds:
            return []
        return [
            Poll(channel, item.symbol, _ratio_request(channel, item.symbol), _RATIO_EVERY_S)
            for item in wanted.contracts
            for channel in RATIOS
        ]


def _ratio_request(channel: str, symbol: str) -> Request:
    query = (("instId", symbol), ("period", "5m"), ("limit", "1"))
    return Request(f"/api/v5/rubik/stat/contracts/{channel}", query)


def _socket(name: str, url: str, args: Sequence[dict[str, str]]) -> SocketPlan:
    groups = [args[first : first + _ARGS_PER_FRAME] for first in range(0, len(args), _ARGS_PER_FRAME)]
    channels = {arg["channel"] for arg in args} - {INDEX}
    by_key = {f"{arg['channel']}|{arg.get('instId') or arg['instType']}": arg for arg in args}
    return SocketPlan(
        name=name,
        url=url,
        subscribe=tuple(_ask("subscribe", group) for group in groups),
        expects=frozenset(by_key),
        # A refusal may name no topic: those that nobody confirmed are asked for alone.
        singly=lambda key: {key: _ask("subscribe", [by_key[key]])},
        channels={channel: _SILENCE_S[channel] for channel in channels},
        heartbeat=Heartbeat(Beat.OURS, 20.0, lambda _: b"ping"),
        resubscribe=_resubscribe,
    )


def _resubscribe(symbol: str) -> Sequence[bytes]:
    args = [{"channel": BOOK, "instId": symbol}]
    return (_ask("unsubscribe", args), _ask("subscribe", args))


def _ask(op: str, args: Sequence[dict[str, str]]) -> bytes:
    return msgspec.json.encode({"op": op, "args": args})


#: 3 connections a second; 480 requests an hour on each. Ratios allow 5 requests in 2 s, which bounds all polls.
LIMITS: Final = Limits(
    connects_per_minute=60,
    subscriptions_per_socket=240,
    frames_per_second=2.0,
    rest_weight=5,
    rest_window_s=2.0,
)

VENUE: Final = Venue(
    slug="okx",
    name="OKX",
    sockets={"public": "wss://ws.okx.com:8443/ws/v5/public"},
    rest={"main": "https://www.okx.com"},
    limits=LIMITS,
    coverage=_COVERAGE,
    absent={Kind.ADL: "Warnings are public, single closures are not."},
    feed=OkxFeed(),
    mapper=OkxMapper,
    docs=_DOCS,
)
