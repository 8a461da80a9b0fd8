"""What Binance COIN-M gives and how it is asked for."""

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
from faultline.sources.venues.binance_coinm.instruments import LISTING, ROOT, contracts_of
from faultline.sources.venues.binance_coinm.mapper import BinanceCoinMMapper
from faultline.units import PriceKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultline.instruments import Instrument

__all__ = ("LIMITS", "VENUE", "BinanceCoinMFeed")

_DOCS: Final = "https://developers.binance.com/docs/derivatives/coin-margined-futures/"

_COVERAGE: Final = (
    Coverage(
        Kind.TRADE, TRADES, Transport.SOCKET, Evidence.RECORDED, Throttle.ALL,
        side=SideMeaning.TAKER, unit=Unit.CONTRACTS, window_ms=100,
        source=_DOCS + "websocket-market-streams/Aggregate-Trade-Streams",
        note="Fills of one order at one price are one row; those of the insurance fund and of ADL are left out.",
    ),
    Coverage(
        Kind.LIQUIDATION, LIQUIDATIONS, Transport.SOCKET, Evidence.PUBLISHED, Throttle.LATEST,
        side=SideMeaning.ORDER, price=PriceKind.BANKRUPTCY, unit=Unit.CONTRACTS, window_ms=1000,
        source=_DOCS + "websocket-market-streams/Liquidation-Order-Streams",
        note="p is the price of the order, about one maintenance margin beyond the fill.",
    ),
    Coverage(
        Kind.BOOK_LEVEL, BOOK, Transport.SOCKET, Evidence.RECORDED, Throttle.SNAPSHOT,
        unit=Unit.CONTRACTS, window_ms=100,
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
        unit=Unit.CONTRACTS, window_ms=10000,
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


class BinanceCoinMFeed(BinanceDialect):
    """Plans for Binance COIN-M; one address has every stream."""

    root: ClassVar[str] = ROOT
    addresses: ClassVar[Mapping[str, str]] = dict.fromkeys((TRADES, LIQUIDATIONS, MARKS, BOOK), "main")
    ratio_key: ClassVar[str] = "pair"

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
    slug="binance-coinm",
    name="Binance COIN-M",
    sockets={"main": "wss://dstream.binance.com"},
    rest={"main": "https://dapi.binance.com"},
    limits=LIMITS,
    coverage=_COVERAGE,
    absent={Kind.ADL: "Trades of auto-deleveraging are left out of the public streams."},
    feed=BinanceCoinMFeed(),
    mapper=BinanceCoinMMapper,
    docs=_DOCS,
)
