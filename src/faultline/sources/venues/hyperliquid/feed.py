"""What Hyperliquid gives and how it is asked for."""

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
from faultline.sources.venues.hyperliquid.instruments import LISTING, contracts_of
from faultline.sources.venues.hyperliquid.mapper import (
    ACCOUNTS,
    BOOK,
    CONTEXTS,
    FILLS,
    TRADES,
    HyperliquidMapper,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultline.instruments import Instrument
    from faultline.sources.plan import Wanted

__all__ = ("LIMITS", "VENUE", "HyperliquidFeed")

_DOCS: Final = "https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/"
_SUBSCRIPTIONS: Final = _DOCS + "websocket/subscriptions"
#: Channels by kind; one that gives several kinds stands once with each.
_CHANNELS: Final = {
    Kind.TRADE: TRADES,
    Kind.WALLET_FILL: TRADES,
    Kind.BOOK_LEVEL: BOOK,
    Kind.MARK: CONTEXTS,
    Kind.FUNDING: CONTEXTS,
    Kind.OPEN_INTEREST: CONTEXTS,
}
#: Seconds of silence after which a channel is stale.
_SILENCE_S: Final = {TRADES: 300.0, BOOK: 30.0, CONTEXTS: 60.0}

_COVERAGE: Final = (
    Coverage(
        Kind.TRADE, TRADES, Transport.SOCKET, Evidence.RECORDED, Throttle.ALL,
        side=SideMeaning.TAKER, unit=Unit.BASE, source=_SUBSCRIPTIONS,
        note="A: the taker sold. The first frame repeats the latest trades, which are flagged as a snapshot.",
    ),
    Coverage(
        Kind.WALLET_FILL, TRADES, Transport.SOCKET, Evidence.RECORDED, Throttle.ALL,
        side=SideMeaning.SIGN, unit=Unit.BASE, source=_SUBSCRIPTIONS,
        note="Both accounts of every trade: buyer, then seller.",
    ),
    Coverage(
        Kind.WALLET_FILL, FILLS, Transport.REST, Evidence.RECORDED, Throttle.ALL,
        side=SideMeaning.SIGN, unit=Unit.BASE, source=_DOCS + "info-endpoint",
        note="Of accounts that are asked for, with start position, profit, and whether it was liquidated.",
    ),
    Coverage(
        Kind.BOOK_LEVEL, BOOK, Transport.SOCKET, Evidence.RECORDED, Throttle.SNAPSHOT, unit=Unit.BASE,
        window_ms=500, source=_SUBSCRIPTIONS, note="Twenty levels a side, whole every time.",
    ),
    Coverage(
        Kind.MARK, CONTEXTS, Transport.SOCKET, Evidence.RECORDED, Throttle.SNAPSHOT,
        time_unit=TimeUnit.NONE, source=_SUBSCRIPTIONS, note="The index is the oracle's price.",
    ),
    Coverage(
        Kind.FUNDING, CONTEXTS, Transport.SOCKET, Evidence.RECORDED, Throttle.SNAPSHOT,
        time_unit=TimeUnit.NONE, source=_SUBSCRIPTIONS, note="Per hour.",
    ),
    Coverage(
        Kind.OPEN_INTEREST, CONTEXTS, Transport.SOCKET, Evidence.RECORDED, Throttle.SNAPSHOT, unit=Unit.BASE,
        time_unit=TimeUnit.NONE, source=_SUBSCRIPTIONS,
    ),
    Coverage(
        Kind.WALLET_POSITION, ACCOUNTS, Transport.REST, Evidence.RECORDED, Throttle.SNAPSHOT,
        side=SideMeaning.SIGN, unit=Unit.BASE, source=_DOCS + "info-endpoint/perpetuals",
        note="Of accounts that are asked for; a position that is gone is told as zero.",
    ),
)  # fmt: skip


class HyperliquidFeed(Feed):
    """Plans for Hyperliquid: one connection per 900 subscriptions, and requests per account."""

    def listing(self) -> Sequence[tuple[str, Request]]:
        """Coins, margin tables and prices, in one answer."""
        return LISTING

    def contracts(self, answers: Mapping[str, Sequence[bytes]]) -> list[Instrument]:
        """Coins that trade."""
        return contracts_of(answers)

    def sockets(self, wanted: Wanted) -> list[SocketPlan]:
        """One connection per 900 subscriptions."""
        channels = list(dict.fromkeys(_CHANNELS[kind] for kind in _CHANNELS if kind in wanted.kinds))
        keys = [(channel, item.symbol) for item in wanted.contracts for channel in channels]
        most = LIMITS.subscriptions_per_socket
        return [
            _socket(f"public-{first}", wanted.sockets["public"], keys[first : first + most])
            for first in range(0, len(keys), most)
        ]

    def wallet_poll(self, wallet: str) -> Poll:
        """The request for an account's positions; its answer goes to ``map_answer`` with the account as symbol."""
        return _wallet(ACCOUNTS, "clearinghouseState", wallet, weight=2)

    def wallet_fills_poll(self, wallet: str) -> Poll:
        """The request for an account's latest 2,000 fills."""
        return _wallet(FILLS, "userFills", wallet, weight=120)


def _wallet(channel: str, kind: str, wallet: str, *, weight: int) -> Poll:
    body = msgspec.json.encode({"type": kind, "user": wallet})
    return Poll(channel, wallet, Request("/info", body=body, weight=weight), math.inf)


def _socket(name: str, url: str, keys: Sequence[tuple[str, str]]) -> SocketPlan:
    return SocketPlan(
        name=name,
        url=url,
        subscribe=tuple(_subscribe(channel, coin) for channel, coin in keys),
        expects=frozenset(f"{channel}|{coin}" for channel, coin in keys),
        channels={channel: _SILENCE_S[channel] for channel, _ in keys},
        heartbeat=Heartbeat(Beat.OURS, 45.0, lambda _: b'{"method":"ping"}'),
    )


def _subscribe(channel: str, coin: str) -> bytes:
    return msgspec.json.encode({"method": "subscribe", "subscription": {"type": channel, "coin": coin}})


#: 1,200 weight and 2,000 frames a minute, 30 connections a minute, 1,000 subscriptions, for one address.
LIMITS: Final = Limits(
    connects_per_minute=25, subscriptions_per_socket=900, frames_per_second=20.0, rest_weight=1200
)

VENUE: Final = Venue(
    slug="hyperliquid",
    name="Hyperliquid",
    sockets={"public": "wss://api.hyperliquid.xyz/ws"},
    rest={"main": "https://api.hyperliquid.xyz"},
    limits=LIMITS,
    coverage=_COVERAGE,
    absent={
        Kind.LIQUIDATION: "Public trades carry no mark of liquidations; they stand on the fills of single accounts.",
        Kind.RATIO: "There is no page of long-short ratios; accounts can be asked for one by one.",
        Kind.ADL: "Closures by auto-deleveraging stand on the fills of single accounts only.",
    },
    feed=HyperliquidFeed(),
    mapper=HyperliquidMapper,
    docs=_DOCS,
)
