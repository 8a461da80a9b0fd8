"""What Bitget gives and how it is asked for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import msgspec

from faultline.messages import Kind
from faultline.sources.plan import Beat, Heartbeat, Limits, Poll, Request, SocketPlan
from faultline.sources.venue import Coverage, Evidence, Feed, SideMeaning, Throttle, Transport, Unit, Venue
from faultline.sources.venues.bitget.instruments import LISTING, contracts_of, inst_type_of
from faultline.sources.venues.bitget.mapper import (
    ACCOUNT_RATIO,
    BOOK,
    LIQUIDATIONS,
    TICKERS,
    TRADES,
    BitgetMapper,
)
from faultline.units import PriceKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultline.instruments import Instrument
    from faultline.sources.plan import Wanted

__all__ = ("LIMITS", "VENUE", "BitgetFeed")

_DOCS: Final = "https://www.bitget.com/api-doc/uta/"
#: Topics of single contracts, by kind; a topic that gives several kinds stands once with each.
_TOPICS: Final = {
    Kind.TRADE: TRADES,
    Kind.BOOK_LEVEL: BOOK,
    Kind.MARK: TICKERS,
    Kind.FUNDING: TICKERS,
    Kind.OPEN_INTEREST: TICKERS,
}
#: Seconds of silence after which a channel is stale.
_SILENCE_S: Final = {TRADES: 300.0, LIQUIDATIONS: math.inf, BOOK: 60.0, TICKERS: 60.0}
#: Fewer than 50 subscriptions on a connection are advised.
_CONTRACTS_PER_SOCKET: Final = 15
_ARGS_PER_FRAME: Final = 20
_RATIO_EVERY_S: Final = 300.0

_COVERAGE: Final = (
    Coverage(
        Kind.TRADE, TRADES, Transport.SOCKET, Evidence.DOCUMENTED, Throttle.ALL,
        side=SideMeaning.TAKER, unit=Unit.BASE, source=_DOCS + "websocket/public/New-Trades-Channel",
        note="Base units for inverse contracts too. Liquidated positions may be missing from it.",
    ),
    Coverage(
        Kind.LIQUIDATION, LIQUIDATIONS, Transport.SOCKET, Evidence.RECORDED, Throttle.LARGEST,
        side=SideMeaning.POSITION, price=PriceKind.UNKNOWN, unit=Unit.QUOTE, window_ms=1000,
        source=_DOCS + "websocket/public/Liquidation-Channel",
        note="The largest long and the largest short of a contract and second. Which price it is is not told; "
        "times were 10 to 20 s behind the push where it was recorded.",
    ),
    Coverage(
        Kind.BOOK_LEVEL, BOOK, Transport.SOCKET, Evidence.DOCUMENTED, Throttle.SNAPSHOT, unit=Unit.BASE,
        window_ms=150, source=_DOCS + "websocket/public/Order-Book-Channel",
        note="Every change names the one before. Checksums are not read.",
    ),
    Coverage(
        Kind.MARK, TICKERS, Transport.SOCKET, Evidence.RECORDED, Throttle.SNAPSHOT, window_ms=300,
        source=_DOCS + "websocket/public/Tickers-Channel",
    ),
    Coverage(
        Kind.FUNDING, TICKERS, Transport.SOCKET, Evidence.RECORDED, Throttle.SNAPSHOT, window_ms=300,
        source=_DOCS + "websocket/public/Tickers-Channel",
    ),
    Coverage(
        Kind.OPEN_INTEREST, TICKERS, Transport.SOCKET, Evidence.RECORDED, Throttle.SNAPSHOT, unit=Unit.BASE,
        window_ms=300, source=_DOCS + "websocket/public/Tickers-Channel",
    ),
    Coverage(
        Kind.RATIO, ACCOUNT_RATIO, Transport.REST, Evidence.DOCUMENTED, Throttle.SNAPSHOT, window_ms=300_000,
        source="https://www.bitget.com/api-doc/common/apidata/Account-Long-Short",
        note="Share of accounts that are long; USDT contracts only.",
    ),
)  # fmt: skip


class BitgetFeed(Feed):
    """Plans for Bitget: one connection per 15 contracts; the first of a category has its liquidations too."""

    def listing(self) -> Sequence[tuple[str, Request]]:
        """Contracts and prices by category, and tiers of the larger contracts."""
        return LISTING

    def contracts(self, answers: Mapping[str, Sequence[bytes]]) -> list[Instrument]:
        """Perpetuals that trade."""
        return contracts_of(answers)

    def sockets(self, wanted: Wanted) -> list[SocketPlan]:
        """One connection per 15 contracts."""
        topics = list(dict.fromkeys(topic for kind, topic in _TOPICS.items() if kind in wanted.kinds))
        inst_types = {inst_type_of(item) for item in wanted.contracts}
        plans = []
        for first in range(0, len(wanted.contracts), _CONTRACTS_PER_SOCKET):
            part = wanted.contracts[first : first + _CONTRACTS_PER_SOCKET]
            args = [
                {"instType": inst_type_of(item), "topic": topic, "symbol": item.symbol}
                for item in part
                for topic in topics
            ]
            if first == 0 and Kind.LIQUIDATION in wanted.kinds:
                args += [{"instType": name, "topic": LIQUIDATIONS} for name in sorted(inst_types)]
            if args:
                plans.append(_socket(f"public-{first}", wanted.sockets["public"], args))
        return plans

    def polls(self, wanted: Wanted) -> list[Poll]:
        """Ratios of accounts, one request per USDT contract."""
        if Kind.RATIO not in wanted.kinds:
            return []
        return [
            Poll(ACCOUNT_RATIO, item.symbol, _ratio_request(item.symbol), _RATIO_EVERY_S)
            for item in wanted.contracts
            if inst_type_of(item) == "usdt-futures"
        ]


def _ratio_request(symbol: str) -> Request:
    query = (("symbol", symbol), ("period", "5m"))
    return Request(f"/api/v3/market/{ACCOUNT_RATIO}", query, weight=20)


def _socket(name: str, url: str, args: Sequence[dict[str, str]]) -> SocketPlan:
    groups = [args[first : first + _ARGS_PER_FRAME] for first in range(0, len(args), _ARGS_PER_FRAME)]
    types = {arg["symbol"]: arg["instType"] for arg in args if "symbol" in arg}

    def resubscribe(symbol: str) -> Sequence[bytes]:
        again = [{"instType": types[symbol], "topic": BOOK, "symbol": symbol}]
        return (_ask("unsubscribe", again), _ask("subscribe", again))

    by_key = {f"{arg['topic']}|{arg.get('symbol') or arg['instType']}": arg for arg in args}
    return SocketPlan(
        name=name,
        url=url,
        subscribe=tuple(_ask("subscribe", group) for group in groups),
        expects=frozenset(by_key),
        # A refusal may name no topic: those that nobody confirmed are asked for alone.
        singly=lambda key: {key: _ask("subscribe", [by_key[key]])},
        channels={channel: _SILENCE_S[channel] for channel in {arg["topic"] for arg in args}},
        heartbeat=Heartbeat(Beat.OURS, 25.0, lambda _: b"ping"),
        resubscribe=resubscribe,
    )


def _ask(op: str, args: Sequence[dict[str, str]]) -> bytes:
    return msgspec.json.encode({"op": op, "args": args})


#: 300 connections in 5 minutes; 240 requests an hour and 10 frames a second on each; cut after a day. REST: 20 requests
#: a second, of which ratios (one a second) cost all.
LIMITS: Final = Limits(
    connects_per_minute=60,
    subscriptions_per_socket=50,
    frames_per_second=4.0,
    socket_life_s=86_400.0,
    rest_weight=20,
    rest_window_s=1.0,
)

VENUE: Final = Venue(
    slug="bitget",
    name="Bitget",
    sockets={"public": "wss://ws.bitget.com/v3/ws/public"},
    rest={"main": "https://api.bitget.com"},
    limits=LIMITS,
    coverage=_COVERAGE,
    absent={Kind.ADL: "Notices of auto-deleveraging are sent to the account only."},
    feed=BitgetFeed(),
    mapper=BitgetMapper,
    docs=_DOCS + "websocket/Intro",
)
