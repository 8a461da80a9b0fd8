"""What Aster gives and how it is asked for."""

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
from faultline.sources.venues.aster.instruments import LISTING, ROOT, contracts_of
from faultline.sources.venues.aster.mapper import AsterMapper
from faultline.units import PriceKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultline.instruments import Instrument

__all__ = ("LIMITS", "VENUE", "AsterFeed")

_DOCS: Final = "https://github.com/asterdex/api-docs"

_COVERAGE: Final = (
    Coverage(
        Kind.TRADE, TRADES, Transport.SOCKET, Evidence.DOCUMENTED, Throttle.ALL,
        side=SideMeaning.TAKER, unit=Unit.BASE, window_ms=100,
        source=_DOCS,
        note="Fills of one order at one price are one row; those of the insurance fund and of ADL are left out.",
    ),
    Coverage(
        Kind.LIQUIDATION, LIQUIDATIONS, Transport.SOCKET, Evidence.PUBLISHED, Throttle.LATEST,
        side=SideMeaning.ORDER, price=PriceKind.BANKRUPTCY, unit=Unit.BASE, window_ms=1000,
        source=_DOCS,
        note="p is the price of the order, about one maintenance margin beyond the fill.",
    ),
    Coverage(
        Kind.BOOK_LEVEL, BOOK, Transport.SOCKET, Evidence.DOCUMENTED, Throttle.SNAPSHOT,
        unit=Unit.BASE, window_ms=100,
        source=_DOCS,
        note="Changes to a snapshot that is fetched; every change names the one before.",
    ),
    Coverage(
        Kind.MARK, MARKS, Transport.SOCKET, Evidence.DOCUMENTED, Throttle.SNAPSHOT,
        window_ms=1000,
        source=_DOCS,
    ),
    Coverage(
        Kind.FUNDING, MARKS, Transport.SOCKET, Evidence.DOCUMENTED, Throttle.SNAPSHOT,
        window_ms=1000,
        source=_DOCS,
    ),
    Coverage(
        Kind.OPEN_INTEREST, OPEN_INTEREST, Transport.REST, Evidence.ASSUMED, Throttle.SNAPSHOT,
        unit=Unit.BASE, window_ms=10000,
        source=_DOCS,
        note="Not in the documentation; collectors poll it under the name that Binance has for it.",
    ),
)  # fmt: skip


class AsterFeed(BinanceDialect):
    """Plans for Aster; one address has every stream."""

    root: ClassVar[str] = ROOT
    addresses: ClassVar[Mapping[str, str]] = dict.fromkeys((TRADES, LIQUIDATIONS, MARKS, BOOK), "main")
    ratio_key: ClassVar[str] = ""

    def listing(self) -> Sequence[tuple[str, Request]]:
        """Contracts and prices."""
        return LISTING

    def contracts(self, answers: Mapping[str, Sequence[bytes]]) -> list[Instrument]:
        """Perpetuals that trade."""
        return contracts_of(answers)


#: 2,400 weight a minute; 10 frames a second to a socket, 200 streams on it, 24 hours of life.
LIMITS: Final = Limits(
    connects_per_minute=50,
    subscriptions_per_socket=200,
    frames_per_second=5.0,
    socket_life_s=23.5 * 3600.0,
    rest_weight=2400,
)

VENUE: Final = Venue(
    slug="aster",
    name="Aster",
    sockets={"main": "wss://fstream.asterdex.com"},
    rest={"main": "https://fapi.asterdex.com"},
    limits=LIMITS,
    coverage=_COVERAGE,
    absent={
        Kind.RATIO: "The documentation has no long-short ratios.",
        Kind.ADL: "Closures by auto-deleveraging are not published.",
    },
    feed=AsterFeed(),
    mapper=AsterMapper,
    docs=_DOCS,
)
