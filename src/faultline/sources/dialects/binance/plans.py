"""Contracts and kinds that are wanted in, connections and polls of Binance's futures interface out."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, ClassVar, Final

import msgspec

from faultline.messages import Kind
from faultline.sources.dialects.binance.mapper import (
    BOOK,
    LIQUIDATIONS,
    MARKS,
    OPEN_INTEREST,
    RATIOS,
    TRADES,
)
from faultline.sources.plan import Beat, Heartbeat, Poll, Request, SocketPlan
from faultline.sources.venue import Feed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultline.instruments import Instrument
    from faultline.sources.plan import Wanted

__all__ = ("BinanceDialect",)

#: Streams by kind; one that gives several kinds stands once with each.
_STREAMS: Final = {
    Kind.TRADE: TRADES,
    Kind.LIQUIDATION: LIQUIDATIONS,
    Kind.BOOK_LEVEL: BOOK,
    Kind.MARK: MARKS,
    Kind.FUNDING: MARKS,
}
#: What follows the name of a stream.
_CADENCE: Final = {BOOK: "@100ms", MARKS: "@1s"}
#: Seconds of silence after which a channel is stale.
_SILENCE_S: Final = {TRADES: 120.0, LIQUIDATIONS: math.inf, BOOK: 20.0, MARKS: 15.0}
#: Streams on one connection; the venue allows 1,024, of which one connection a book would need most of the bandwidth.
_STREAMS_PER_SOCKET: Final = 200
#: Streams in one request to subscribe.
_STREAMS_PER_FRAME: Final = 50
#: Numbers of requests for streams that were refused together are so far apart.
_NUMBERS_APART: Final = 1000
#: The venue pings every three minutes (Binance) or five (Aster); ours find a dead connection sooner.
_PING_EVERY_S: Final = 60.0
#: Levels of a snapshot, and its weight.
_DEPTH: Final = ("1000", 20)
_INTEREST_EVERY_S: Final = 10.0
#: Requests a minute that polls of open interest may take, of 2,400.
_INTEREST_PER_MINUTE: Final = 800
_RATIO_EVERY_S: Final = 300.0
#: Requests in five minutes that polls of ratios may take, of 1,000.
_RATIOS_PER_WINDOW: Final = 800


class BinanceDialect(Feed):
    """Plans in Binance's dialect; a venue says how it spells what all of them have, and what it lists.

    Attributes:
        root: path before REST pages, e.g. ``/fapi/v1``.
        addresses: name of the WebSocket address of every stream.
        ratio_key: name of the parameter that says which contract's ratios are wanted; empty where there are none.
    """

    root: ClassVar[str]
    addresses: ClassVar[Mapping[str, str]]
    ratio_key: ClassVar[str] = "symbol"

    def sockets(self, wanted: Wanted) -> list[SocketPlan]:
        """One connection per address and 200 streams."""
        streams = list(dict.fromkeys(_STREAMS[kind] for kind in _STREAMS if kind in wanted.kinds))
        plans = []
        for name in dict.fromkeys(self.addresses.values()):
            here = [stream for stream in streams if self.addresses[stream] == name]
            keys = [
                f"{item.symbol.lower()}@{stream}{_CADENCE.get(stream, '')}"
                for item in wanted.contracts
                for stream in here
            ]
            for first in range(0, len(keys), _STREAMS_PER_SOCKET):
                part = keys[first : first + _STREAMS_PER_SOCKET]
                plans.append(_socket(f"{name}-{first}", f"{wanted.sockets[name]}/stream", part))
        return plans

    def polls(self, wanted: Wanted) -> list[Poll]:
        """Open interest and ratios, one request per contract, as often as the limits allow."""
        items, polls = wanted.contracts, []
        if Kind.OPEN_INTEREST in wanted.kinds:
            every_s = max(_INTEREST_EVERY_S, 60.0 * len(items) / _INTEREST_PER_MINUTE)
            path = f"{self.root}/openInterest"
            polls += [
                Poll(OPEN_INTEREST, item.symbol, Request(path, (("symbol", item.symbol),)), every_s)
                for item in items
            ]
        if self.ratio_key and Kind.RATIO in wanted.kinds:
            every_s = max(_RATIO_EVERY_S, 300.0 * len(items) * len(RATIOS) / _RATIOS_PER_WINDOW)
            polls += [
                Poll(channel, item.symbol, self._ratio_request(channel, item), every_s)
                for item in items
                for channel in RATIOS
            ]
        return polls

    def book_snapshot(self, symbol: str) -> Poll:
        """The thousand best levels of each side."""
        limit, weight = _DEPTH
        query = (("symbol", symbol), ("limit", limit))
        return Poll(BOOK, symbol, Request(f"{self.root}/depth", query, weight=weight), math.inf)

    def _ratio_request(self, channel: str, item: Instrument) -> Request:
        name = item.symbol.partition("_")[0] if self.ratio_key == "pair" else item.symbol
        query = ((self.ratio_key, name), ("period", "5m"), ("limit", "1"))
        return Request(f"/futures/data/{channel}", query)


def _socket(name: str, url: str, keys: Sequence[str]) -> SocketPlan:
    groups = [keys[first : first + _STREAMS_PER_FRAME] for first in range(0, len(keys), _STREAMS_PER_FRAME)]
    return SocketPlan(
        name=name,
        url=url,
        subscribe=tuple(_subscribe(number, group) for number, group in enumerate(groups, 1)),
        expects=frozenset(str(number) for number in range(1, len(groups) + 1)),
        channels={(channel := key.split("@")[1]): _SILENCE_S[channel] for key in keys},
        heartbeat=Heartbeat(Beat.SOCKET, _PING_EVERY_S),
        singly=lambda key: _singly(int(key), groups),
    )


def _singly(number: int, groups: Sequence[Sequence[str]]) -> dict[str, bytes]:
    """Each stream of a request alone, by a number of its own."""
    if number > len(groups):
        return {}
    numbers = itertools.count(number * _NUMBERS_APART)
    return {str(one): _subscribe(one, [name]) for one, name in zip(numbers, groups[number - 1], strict=False)}


def _subscribe(number: int, streams: Sequence[str]) -> bytes:
    return msgspec.json.encode({"method": "SUBSCRIBE", "params": list(streams), "id": number})
