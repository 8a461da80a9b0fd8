"""What a venue publishes, what it means and how sure that is: the words in which a venue folder describes itself."""

from __future__ import annotations

import abc
import dataclasses
import enum
from typing import TYPE_CHECKING, Final

from faultline.units import PriceKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultline.instruments import Instrument
    from faultline.messages import Kind
    from faultline.sources.mapper import VenueMapper
    from faultline.sources.plan import Limits, Poll, Request, SocketPlan, Wanted

__all__ = (
    "ALWAYS_NS",
    "Coverage",
    "Evidence",
    "Feed",
    "SideMeaning",
    "Throttle",
    "TimeUnit",
    "Transport",
    "Unit",
    "Venue",
)

#: End of what has no known end.
ALWAYS_NS: Final = 4_102_444_800_000_000_000


class Evidence(enum.StrEnum):
    """How sure a line of the coverage table is; only ``RECORDED`` counts as verified."""

    RECORDED = "recorded"
    PUBLISHED = "published example"
    DOCUMENTED = "documentation"
    ASSUMED = "assumed"


class Transport(enum.StrEnum):
    """How a channel reaches us."""

    SOCKET = "socket"
    REST = "REST"


class SideMeaning(enum.StrEnum):
    """What a venue's side field means; ``-`` where the kind has none."""

    NONE = "-"
    ORDER = "closing order"
    POSITION = "position"
    TAKER = "taker"
    MAKER = "maker"
    SIGN = "sign of the position"


class Unit(enum.StrEnum):
    """Unit of quantities as sent."""

    NONE = "-"
    BASE = "base"
    CONTRACTS = "contracts"
    USD = "USD"
    QUOTE = "quote value"


class TimeUnit(enum.StrEnum):
    """Unit of times as sent."""

    SECONDS = "s"
    MILLISECONDS = "ms"
    MICROSECONDS = "us"
    NANOSECONDS = "ns"
    ISO = "ISO-8601"
    #: The venue sends none; the receive time stands in for it and the row is flagged.
    NONE = "none"


class Throttle(enum.StrEnum):
    """Which events a channel shows."""

    ALL = "all"
    BATCHED = "all, in batches"
    LATEST = "latest per symbol and window"
    LARGEST = "largest per symbol and window"
    ONE = "one per symbol and window, rule unknown"
    UNKNOWN = "unknown"
    SNAPSHOT = "state at intervals"


@dataclasses.dataclass(frozen=True, slots=True)
class Coverage:
    """One line of the coverage table: a kind of message, where it comes from and what its fields mean.

    Attributes:
        kind: what comes.
        channel: as mappers name it in ``Rows.channel``.
        transport: socket or REST.
        evidence: how sure this line is.
        throttle: which events are shown.
        side: meaning of the side field.
        price: meaning of the price of a liquidation.
        unit: unit of quantities.
        time_unit: unit of times.
        window_ms: of the throttle, or between states; 0 where there is none.
        source: documentation page, or how it was recorded.
        note: what a reader must know besides.
        from_ns: first moment for which the line holds; API changes are dated lines.
        until_ns: end of that.
    """

    kind: Kind
    channel: str
    transport: Transport
    evidence: Evidence
    throttle: Throttle
    side: SideMeaning = SideMeaning.NONE
    price: PriceKind = PriceKind.UNKNOWN
    unit: Unit = Unit.NONE
    time_unit: TimeUnit = TimeUnit.MILLISECONDS
    window_ms: int = 0
    source: str = ""
    note: str = ""
    from_ns: int = 0
    until_ns: int = ALWAYS_NS


class Feed(abc.ABC):
    """Plans of a venue: pure, no I/O. What many venues do not need has a default."""

    @abc.abstractmethod
    def listing(self) -> Sequence[tuple[str, Request]]:
        """Named requests whose answers tell the contracts and their margin tiers."""

    def next_page(self, name: str, body: bytes) -> Request | None:
        """The request of the page after an answer to ``listing``; None after the last, or where every list is one."""
        del name, body
        return None

    @abc.abstractmethod
    def contracts(self, answers: Mapping[str, Sequence[bytes]]) -> list[Instrument]:
        """Perpetual contracts of the answers (name -> pages). A contract that cannot be read is left out.

        Raises:
            msgspec.MsgspecError: an answer as a whole cannot be read.
        """

    @abc.abstractmethod
    def sockets(self, wanted: Wanted) -> list[SocketPlan]:
        """Connections that give what is wanted."""

    def polls(self, wanted: Wanted) -> list[Poll]:
        """Requests to repeat; none where the socket tells everything."""
        del wanted
        return []

    def book_snapshot(self, symbol: str) -> Poll | None:
        """The request that mends a book; None where a new subscription begins with a snapshot."""
        del symbol
        return None


@dataclasses.dataclass(frozen=True, slots=True)
class Venue:
    """A venue, complete.

    Attributes:
        slug: as in instrument ids.
        name: for people.
        sockets: WebSocket addresses by name.
        rest: REST addresses by name; ``main`` is the default of ``Request``.
        limits: what the venue allows one address.
        coverage: what it gives, line by line.
        absent: kinds it does not give, and why; a venue without liquidations is modelled from open interest and volume.
        feed: its plans.
        mapper: makes a mapper per connection.
        docs: address of its API documentation.
    """

    slug: str
    name: str
    sockets: Mapping[str, str]
    rest: Mapping[str, str]
    limits: Limits
    coverage: tuple[Coverage, ...]
    absent: Mapping[Kind, str]
    feed: Feed
    mapper: type[VenueMapper]
    docs: str

    @property
    def kinds(self) -> frozenset[Kind]:
        """Kinds that the venue gives."""
        return frozenset(line.kind for line in self.coverage)

    def line(self, kind: Kind, at_ns: int = ALWAYS_NS - 1) -> Coverage | None:
        """The coverage of a kind at a moment; the first where several channels give it."""
        lines = (one for one in self.coverage if one.kind is kind and one.from_ns <= at_ns < one.until_ns)
        return next(lines, None)
