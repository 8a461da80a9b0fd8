"""What Gate gives and how it is asked for."""

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
from faultline.sources.venues.gate.instruments import LISTING, SETTLES, contracts_of, settle_of
from faultline.sources.venues.gate.mapper import BOOK, LIQUIDATIONS, STATS, TICKERS, TRADES, GateMapper
from faultline.units import SECOND_NS, PriceKind, parse_time_ns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultline.instruments import Instrument
    from faultline.sources.plan import Wanted

__all__ = ("LIMITS", "VENUE", "GateFeed")

_DOCS: Final = "https://www.gate.com/docs/developers/futures/ws/en/"
_REST_DOCS: Final = "https://www.gate.com/docs/developers/apiv4/en/"
#: Channels by kind; a channel that gives several kinds stands once with each.
_CHANNELS: Final = {
    Kind.TRADE: TRADES,
    Kind.BOOK_LEVEL: BOOK,
    Kind.MARK: TICKERS,
    Kind.FUNDING: TICKERS,
    Kind.OPEN_INTEREST: TICKERS,
    Kind.LIQUIDATION: LIQUIDATIONS,
}
#: Seconds of silence after which a channel is stale.
_SILENCE_S: Final = {TRADES: 300.0, LIQUIDATIONS: math.inf, BOOK: 60.0, TICKERS: 60.0}
_CONTRACTS_PER_SOCKET: Final = 40
_RATIO_EVERY_S: Final = 300.0
#: Levels of a book, in its changes and in its snapshot.
_DEPTH: Final = "100"
#: Numbers of requests for contracts that were refused together are so far apart.
_NUMBERS_APART: Final = 1000
#: Sizes come as text, with their decimals where a contract has any.
_DECIMAL_SIZES: Final = (("X-Gate-Size-Decimal", "1"),)
#: Before, at most one liquidation a contract and second was told, the others were lost.
_ALL_TOLD_NS: Final = parse_time_ns("2026-08-20T00:00:00Z")

_COVERAGE: Final = (
    Coverage(
        Kind.TRADE, TRADES, Transport.SOCKET, Evidence.PUBLISHED, Throttle.ALL,
        side=SideMeaning.SIGN, unit=Unit.CONTRACTS, source=_DOCS + "#trades-api",
        note="The sign of the size is the taker's side. What the insurance fund or deleveraged accounts took over is "
        "marked and has the cause INSURANCE_FUND.",
    ),
    Coverage(
        Kind.LIQUIDATION, LIQUIDATIONS, Transport.SOCKET, Evidence.PUBLISHED, Throttle.BATCHED,
        side=SideMeaning.SIGN, price=PriceKind.UNKNOWN, unit=Unit.CONTRACTS, window_ms=1000,
        source=_DOCS, from_ns=_ALL_TOLD_NS,
        note="All of a contract and second, or 20, in one array. The price is that of the liquidation order; how it "
        "relates to the bankruptcy price is not told.",
    ),
    Coverage(
        Kind.LIQUIDATION, LIQUIDATIONS, Transport.SOCKET, Evidence.PUBLISHED, Throttle.ONE,
        side=SideMeaning.SIGN, price=PriceKind.UNKNOWN, unit=Unit.CONTRACTS, time_unit=TimeUnit.SECONDS,
        window_ms=1000, source=_DOCS, until_ns=_ALL_TOLD_NS,
        note="At most one a contract and second; which, and which price, was not told.",
    ),
    Coverage(
        Kind.BOOK_LEVEL, BOOK, Transport.SOCKET, Evidence.RECORDED, Throttle.SNAPSHOT, unit=Unit.CONTRACTS,
        window_ms=100, source=_DOCS + "#order-book-api",
        note="100 levels. Changes name their first and last update; the book begins with a REST snapshot.",
    ),
    Coverage(
        Kind.MARK, TICKERS, Transport.SOCKET, Evidence.PUBLISHED, Throttle.SNAPSHOT, window_ms=1000,
        source=_DOCS + "#tickers-api",
    ),
    Coverage(
        Kind.FUNDING, TICKERS, Transport.SOCKET, Evidence.PUBLISHED, Throttle.SNAPSHOT, window_ms=1000,
        source=_DOCS + "#tickers-api", note="The time of the next settlement is not told.",
    ),
    Coverage(
        Kind.OPEN_INTEREST, TICKERS, Transport.SOCKET, Evidence.PUBLISHED, Throttle.SNAPSHOT, unit=Unit.CONTRACTS,
        window_ms=1000, source=_DOCS + "#tickers-api", note="One side. Inverse contracts: USD.",
    ),
    Coverage(
        Kind.RATIO, STATS, Transport.REST, Evidence.RECORDED, Throttle.SNAPSHOT, time_unit=TimeUnit.SECONDS,
        window_ms=300_000, source=_REST_DOCS + "#futures-statistics",
        note="Four kinds in one row; 0 means that one is not counted yet. Its totals of liquidations are not read: "
        "a row of kind liquidation needs a price.",
    ),
)  # fmt: skip


class GateFeed(Feed):
    """Plans for Gate: an address per settlement currency, one connection per 40 contracts."""

    def listing(self) -> Sequence[tuple[str, Request]]:
        """Contracts, and pages of risk limits, of both settlement currencies."""
        return LISTING

    def contracts(self, answers: Mapping[str, Sequence[bytes]]) -> list[Instrument]:
        """Perpetuals that trade."""
        return contracts_of(answers)

    def sockets(self, wanted: Wanted) -> list[SocketPlan]:
        """Connections by settlement currency; the first of each has the liquidations of all its contracts."""
        channels = list(dict.fromkeys(name for kind, name in _CHANNELS.items() if kind in wanted.kinds))
        plans = []
        for settle in SETTLES:
            symbols = [item.symbol for item in wanted.contracts if settle_of(item.symbol) == settle]
            for first in range(0, len(symbols), _CONTRACTS_PER_SOCKET):
                part = symbols[first : first + _CONTRACTS_PER_SOCKET]
                asks: list[tuple[str, list[str]]] = []
                for channel in channels:
                    if channel == BOOK:
                        asks += [(BOOK, [symbol, "100ms", _DEPTH]) for symbol in part]
                    elif channel != LIQUIDATIONS:
                        asks.append((channel, part))
                    elif first == 0:
                        asks.append((LIQUIDATIONS, ["!all"]))
                if asks:
                    plans.append(_socket(f"{settle}-{first}", wanted.sockets[settle], asks))
        return plans

    def polls(self, wanted: Wanted) -> list[Poll]:
        """Statistics, of which the ratios are used, one request per contract."""
        if Kind.RATIO not in wanted.kinds:
            return []
        return [
            Poll(STATS, item.symbol, _stats_request(item.symbol), _RATIO_EVERY_S) for item in wanted.contracts
        ]

    def book_snapshot(self, symbol: str) -> Poll | None:
        """The book with the id of its last update."""
        query = (("contract", symbol), ("limit", _DEPTH), ("with_id", "true"))
        path = f"/api/v4/futures/{settle_of(symbol)}/order_book"
        request = Request(path, query, headers=_DECIMAL_SIZES)
        return Poll(BOOK, symbol, request, math.inf)


def _stats_request(symbol: str) -> Request:
    query = (("contract", symbol), ("interval", "5m"), ("limit", "1"))
    return Request(f"/api/v4/futures/{settle_of(symbol)}/contract_stats", query)


def _socket(name: str, url: str, asks: Sequence[tuple[str, list[str]]]) -> SocketPlan:
    return SocketPlan(
        name=name,
        url=url,
        subscribe=tuple(_ask(number, channel, payload) for number, (channel, payload) in enumerate(asks, 1)),
        expects=frozenset(f"{channel}|{number}" for number, (channel, _) in enumerate(asks, 1)),
        channels={channel: _SILENCE_S[channel] for channel, _ in asks},
        heartbeat=Heartbeat(Beat.OURS, 15.0, _ping),
        headers=_DECIMAL_SIZES,
        singly=lambda key: _singly(int(key.rpartition("|")[2]), asks),
    )


def _ask(number: int, channel: str, payload: Sequence[str]) -> bytes:
    return msgspec.json.encode(
        {"time": 1, "id": number, "channel": channel, "event": "subscribe", "payload": payload}
    )


def _singly(number: int, asks: Sequence[tuple[str, list[str]]]) -> dict[str, bytes]:
    """Each contract of a request alone, by a number of its own; a book is asked for alone anyway."""
    channel, payload = asks[number - 1]
    if channel == BOOK:
        return {}
    first = number * _NUMBERS_APART
    return {f"{channel}|{one}": _ask(one, channel, [symbol]) for one, symbol in enumerate(payload, first)}


def _ping(now_ns: int) -> bytes:
    return msgspec.json.encode({"time": now_ns // SECOND_NS, "channel": "futures.ping"})


#: 300 connections; 200 requests in 10 s for a public address.
LIMITS: Final = Limits(
    connects_per_minute=60,
    subscriptions_per_socket=200,
    frames_per_second=20.0,
    rest_weight=200,
    rest_window_s=10.0,
)

VENUE: Final = Venue(
    slug="gate",
    name="Gate",
    sockets={"usdt": "wss://fx-ws.gateio.ws/v4/ws/usdt", "btc": "wss://fx-ws.gateio.ws/v4/ws/btc"},
    rest={"main": "https://api.gateio.ws"},
    limits=LIMITS,
    coverage=_COVERAGE,
    absent={
        Kind.ADL: "Deleveraged accounts are not told apart from the insurance fund: both are marked internal trades."
    },
    feed=GateFeed(),
    mapper=GateMapper,
    docs=_DOCS,
)
