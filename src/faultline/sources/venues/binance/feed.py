"""What Binance USD-M gives and how it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from faultline.messages import Kind
from faultline.sources.dialects.binance.mapper import (
    BOOK,
    LIQUIDATIONS,
    MARKS,
    OPEN_INTEREST,
    TRADES,
)
from faultline.sources.dialects.binance.plans import BinanceDialect
from faultline.sources.plan import Limits, Request
from faultline.sources.venue import Coverage, Evidence, SideMeaning, Throttle, Transport, Unit, Venue
from faultline.sources.venues.binance.instruments import LISTING, ROOT, contracts_of
from faultline.sources.venues.binance.mapper import BinanceMapper
from faultline.units import PriceKind, parse_time_ns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultline.instruments import Instrument

__all__ = ("LARGEST_SINCE_NS", "LIMITS", "SPLIT_SINCE_NS", "VENUE", "BinanceFeed")

_DOCS: Final = "https://developers.binance.com/docs/derivatives/usds-margined-futures/"
#: Since then the largest order of a second is shown; before, the latest.
LARGEST_SINCE_NS: Final = parse_time_ns("2026-04-14")
#: Since then books are on ``/public`` and all else on ``/market``; the bare address is closed.
SPLIT_SINCE_NS: Final = parse_time_ns("2026-04-23")

_COVERAGE: Final = (
    Coverage(
        Kind.TRADE, TRADES, Transport.SOCKET, Evidence.RECORDED, Throttle.ALL,
        side=SideMeaning.TAKER, unit=Unit.BASE, window_ms=100,
        source=_DOCS + "websocket-market-streams/Aggregate-Trade-Streams",
        note="Fills of one order at one price are one row; those of the insurance fund and of ADL are left out.",
    ),
    Coverage(
        Kind.LIQUIDATION, LIQUIDATIONS, Transport.SOCKET, Evidence.RECORDED, Throttle.LATEST,
        side=SideMeaning.ORDER, price=PriceKind.BANKRUPTCY, unit=Unit.BASE, window_ms=1000, until_ns=LARGEST_SINCE_NS,
        source=_DOCS + "websocket-market-streams/Liquidation-Order-Streams",
        note="p is the price of the order, about one maintenance margin beyond the fill.",
    ),
    Coverage(
        Kind.LIQUIDATION, LIQUIDATIONS, Transport.SOCKET, Evidence.DOCUMENTED, Throttle.LARGEST,
        side=SideMeaning.ORDER, price=PriceKind.BANKRUPTCY, unit=Unit.BASE, window_ms=1000, from_ns=LARGEST_SINCE_NS,
        source=_DOCS + "websocket-market-streams/Liquidation-Order-Streams",
        note="p is the price of the order, about one maintenance margin beyond the fill.",
    ),
    Coverage(
        Kind.BOOK_LEVEL, BOOK, Transport.SOCKET, Evidence.RECORDED, Throttle.SNAPSHOT,
        unit=Unit.BASE, window_ms=100,
        source=_DOCS + "websocket-market-streams/Diff-Book-Depth-Streams",
        note="Changes to a snapshot that is fetched; every change names the one before.",
    ),
    Coverage(
        Kind.MARK, MARKS, Transport.SOCKET, Evidence.PUBLISHED, Throttle.SNAPSHOT,
        window_ms=1000,
        source=_DOCS + "websocket-market-streams/Mark-Price-Stream",
    ),
    Coverage(
        Kind.FUNDING, MARKS, Transport.SOCKET, Evidence.PUBLISHED, Throttle.SNAPSHOT,
        window_ms=1000,
        source=_DOCS + "websocket-market-streams/Mark-Price-Stream",
    ),
    Coverage(
        Kind.OPEN_INTEREST, OPEN_INTEREST, Transport.REST, Evidence.RECORDED, Throttle.SNAPSHOT,
        unit=Unit.BASE, window_ms=10000,
        source=_DOCS + "market-data/rest-api/Open-Interest",
        note="A request per contract; slower where many contracts are wanted.",
    ),
    Coverage(
        Kind.RATIO, "globalLongShortAccountRatio", Transport.REST, Evidence.RECORDED, Throttle.SNAPSHOT,
        window_ms=300000,
        source=_DOCS + "market-data/rest-api/Long-Short-Ratio",
        note="Share of accounts that are long.",
    ),
    Coverage(
        Kind.RATIO, "topLongShortAccountRatio", Transport.REST, Evidence.RECORDED, Throttle.SNAPSHOT,
        window_ms=300000,
        source=_DOCS + "market-data/rest-api/Top-Long-Short-Account-Ratio",
        note="The same of the fifth of accounts with the largest margin.",
    ),
    Coverage(
        Kind.RATIO, "topLongShortPositionRatio", Transport.REST, Evidence.RECORDED, Throttle.SNAPSHOT,
        window_ms=300000,
        source=_DOCS + "market-data/rest-api/Top-Trader-Long-Short-Ratio",
        note="Share of the positions of these accounts.",
    ),
)  # fmt: skip


class BinanceFeed(BinanceDialect):
    """Plans for Binance USD-M; since ``SPLIT_SINCE_NS`` books have an address of their own."""

    root: ClassVar[str] = ROOT
    addresses: ClassVar[Mapping[str, str]] = {
        TRADES: "market",
        LIQUIDATIONS: "market",
        MARKS: "market",
        BOOK: "public",
    }

    def listing(self) -> Sequence[tuple[str, Request]]:
        """Contracts and prices."""
        return LISTING

    def contracts(self, answers: Mapping[str, Sequence[bytes]]) -> list[Instrument]:
        """Perpetuals that trade."""
        return contracts_of(answers)


#: 2,400 weight a minute; 10 frames a second to a socket, which lives 24 hours.
LIMITS: Final = Limits(
    connects_per_minute=50,
    subscriptions_per_socket=200,
    frames_per_second=5.0,
    socket_life_s=23.5 * 3600.0,
    rest_weight=2400,
)

VENUE: Final = Venue(
    slug="binance",
    name="Binance USD-M",
    sockets={"market": "wss://fstream.binance.com/market", "public": "wss://fstream.binance.com/public"},
    rest={"main": "https://fapi.binance.com"},
    limits=LIMITS,
    coverage=_COVERAGE,
    absent={Kind.ADL: "Trades of auto-deleveraging are left out of the public streams."},
    feed=BinanceFeed(),
    mapper=BinanceMapper,
    docs=_DOCS,
)
