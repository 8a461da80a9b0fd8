"""What HTX gives and how it is asked for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

from faultline.messages import Kind
from faultline.sources.plan import Beat, Heartbeat, Limits, Poll, Request, SocketPlan, Unzip
from faultline.sources.venue import Coverage, Evidence, Feed, SideMeaning, Throttle, Transport, Unit, Venue
from faultline.sources.venues.htx.instruments import LISTING, PATHS, contracts_of, margin_of
from faultline.sources.venues.htx.mapper import (
    BOOK,
    FUNDING,
    INDEX,
    LIQUIDATIONS,
    MARKS,
    OPEN_INTEREST,
    RATIOS,
    TRADES,
    HtxMapper,
)
from faultline.units import PriceKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from faultline.instruments import Instrument
    from faultline.sources.plan import Wanted

__all__ = ("LIMITS", "VENUE", "HtxFeed")

_DOCS: Final = "https://huobiapi.github.io/docs/usdt_swap/v1/en/"
#: Channels of market data, of prices and of notifications, by kind.
_MARKET: Final = {Kind.TRADE: TRADES, Kind.BOOK_LEVEL: BOOK}
#: Seconds of silence after which a channel is stale.
_SILENCE_S: Final = {TRADES: 600.0, BOOK: 60.0, MARKS: 60.0, LIQUIDATIONS: math.inf, FUNDING: 300.0}
_CONTRACTS_PER_SOCKET: Final = 50
_INTEREST_EVERY_S: Final = 60.0
_RATIO_EVERY_S: Final = 300.0
#: The venue pings every 5 s.
_PING_S: Final = 20.0

_COVERAGE: Final = (
    Coverage(
        Kind.TRADE, TRADES, Transport.SOCKET, Evidence.RECORDED, Throttle.ALL,
        side=SideMeaning.TAKER, unit=Unit.CONTRACTS, source=_DOCS,
        note="Amounts count both sides and are halved.",
    ),
    Coverage(
        Kind.LIQUIDATION, LIQUIDATIONS, Transport.SOCKET, Evidence.RECORDED, Throttle.UNKNOWN,
        side=SideMeaning.ORDER, price=PriceKind.BANKRUPTCY, unit=Unit.CONTRACTS,
        source=_DOCS,
        note="Whether any are left out is not told.",
    ),
    Coverage(
        Kind.BOOK_LEVEL, BOOK, Transport.SOCKET, Evidence.RECORDED, Throttle.SNAPSHOT, unit=Unit.CONTRACTS,
        window_ms=30, source=_DOCS + "#general-subscribe-incremental-market-depth-data",
        note="150 levels; the version rises by one a change.",
    ),
    Coverage(
        Kind.MARK, MARKS, Transport.SOCKET, Evidence.DOCUMENTED, Throttle.SNAPSHOT,
        source="https://www.htx.com/en-us/opend/newApiPages/?id=8cb7cc15-77b5-11ed-9966-0242ac110003",
        note="The close of the candle of the minute. The index is the latest of channel index.1min.",
    ),
    Coverage(
        Kind.FUNDING, FUNDING, Transport.SOCKET, Evidence.DOCUMENTED, Throttle.SNAPSHOT, window_ms=60_000,
        source=_DOCS,
    ),
    Coverage(
        Kind.OPEN_INTEREST, OPEN_INTEREST, Transport.REST, Evidence.DOCUMENTED, Throttle.SNAPSHOT,
        unit=Unit.CONTRACTS, window_ms=60_000, source=_DOCS + "#general-query-information-on-open-interest",
        note="One side: recorded amounts are odd as often as even.",
    ),
    *(
        Coverage(
            Kind.RATIO, channel, Transport.REST, Evidence.DOCUMENTED, Throttle.SNAPSHOT, window_ms=300_000,
            source=_DOCS, note=f"Kind {name}.",
        )
        for channel, name in RATIOS.items()
    ),
)  # fmt: skip


class HtxFeed(Feed):
    """Plans for HTX: market data and notifications by margin, prices of all contracts on one more address."""

    def listing(self) -> Sequence[tuple[str, Request]]:
        """Contracts, index prices and adjustment factors of both margins."""
        return LISTING

    def contracts(self, answers: Mapping[str, Sequence[bytes]]) -> list[Instrument]:
        """Perpetuals that trade."""
        return contracts_of(answers)

    def sockets(self, wanted: Wanted) -> list[SocketPlan]:
        """Connections by address, each of at most 50 contracts."""
        kinds = wanted.kinds
        market = [channel for kind, channel in _MARKET.items() if kind in kinds]
        plans = []
        for margin in PATHS:
            symbols = [item.symbol for item in wanted.contracts if margin_of(item.symbol) == margin]
            for first, part in _parts(symbols):
                topics = [f"market.{symbol}.{channel}" for symbol in part for channel in market]
                plans += _socket(f"{margin}-{first}", wanted.sockets[margin], topics, _ask_data)
                topics = [f"public.{symbol}.{FUNDING}" for symbol in part if Kind.FUNDING in kinds]
                if first == 0 and Kind.LIQUIDATION in kinds:
                    topics.append(f"public.*.{LIQUIDATIONS}")
                url = wanted.sockets[f"{margin}-notices"]
                plans += _socket(f"{margin}-notices-{first}", url, topics, _ask_notices)
        if Kind.MARK in kinds:
            for first, part in _parts([item.symbol for item in wanted.contracts]):
                topics = [f"market.{symbol}.{channel}" for symbol in part for channel in (INDEX, MARKS)]
                plans += _socket(f"prices-{first}", wanted.sockets["prices"], topics, _ask_data)
        return plans

    def polls(self, wanted: Wanted) -> list[Poll]:
        """Open interest every minute and ratios every five, one request per contract each."""
        channels = [
            *([(OPEN_INTEREST, _INTEREST_EVERY_S)] if Kind.OPEN_INTEREST in wanted.kinds else []),
            *([(channel, _RATIO_EVERY_S) for channel in RATIOS] if Kind.RATIO in wanted.kinds else []),
        ]
        return [
            Poll(channel, item.symbol, _request(channel, item.symbol), every_s)
            for item in wanted.contracts
            for channel, every_s in channels
        ]


def _parts(symbols: Sequence[str]) -> list[tuple[int, Sequence[str]]]:
    return [
        (first, symbols[first : first + _CONTRACTS_PER_SOCKET])
        for first in range(0, len(symbols), _CONTRACTS_PER_SOCKET)
    ]


def _request(channel: str, symbol: str) -> Request:
    query = (("contract_code", symbol), *((("period", "5min"),) if channel in RATIOS else ()))
    return Request(f"{PATHS[margin_of(symbol)]}/{channel}", query)


def _socket(name: str, url: str, topics: Sequence[str], ask: Callable[[str, str], bytes]) -> list[SocketPlan]:
    """The connection of some topics; empty where there are none."""
    if not topics:
        return []
    channels = {channel for channel in _SILENCE_S if any(topic.endswith(channel) for topic in topics)}

    def resubscribe(symbol: str) -> Sequence[bytes]:
        topic = f"market.{symbol}.{BOOK}"
        return (ask("unsub", topic), ask("sub", topic))

    return [
        SocketPlan(
            name=name,
            url=url,
            subscribe=tuple(ask("sub", topic) for topic in topics),
            expects=frozenset(topics),
            channels={channel: _SILENCE_S[channel] for channel in channels},
            heartbeat=Heartbeat(Beat.THEIRS, _PING_S),
            resubscribe=resubscribe,
            unzip=Unzip.GZIP,
        )
    ]


def _ask_data(op: str, topic: str) -> bytes:
    more = {"data_type": "incremental"} if topic.endswith(BOOK) else {}
    return msgspec.json.encode({op: topic, **more, "id": topic})


def _ask_notices(op: str, topic: str) -> bytes:
    return msgspec.json.encode({"op": op, "cid": topic, "topic": topic})


#: 240 requests in 3 s for public reference data.
LIMITS: Final = Limits(
    connects_per_minute=60,
    subscriptions_per_socket=150,
    frames_per_second=20.0,
    rest_weight=240,
    rest_window_s=3.0,
)

VENUE: Final = Venue(
    slug="htx",
    name="HTX",
    sockets={
        "linear": "wss://api.hbdm.com/linear-swap-ws",
        "inverse": "wss://api.hbdm.com/swap-ws",
        "linear-notices": "wss://api.hbdm.com/linear-swap-notification",
        "inverse-notices": "wss://api.hbdm.com/swap-notification",
        "prices": "wss://api.hbdm.com/ws_index",
    },
    rest={"main": "https://api.hbdm.com"},
    limits=LIMITS,
    coverage=_COVERAGE,
    absent={Kind.ADL: "Closures by deleveraging are told to the account only."},
    feed=HtxFeed(),
    mapper=HtxMapper,
    docs=_DOCS,
)
