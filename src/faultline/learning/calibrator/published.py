"""A venue's slug in, what is known of its reporting, its partial liquidations, insurance and deleveraging out.

Each fact says how it is known; where nothing was found it is None, which is not the same as "does not exist". The
calibrator learns numbers from data; this table is what data cannot tell: whether a forced order reaches the book at
all, in which steps, and who pays when it does not fill. Rules change: entries tell what stood in 2026.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, Final

from faultline.learning.reporting import Reporting
from faultline.units import SECOND_NS, parse_time_ns

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = (
    "VENUES",
    "Evidence",
    "Fact",
    "Selection",
    "SideMeaning",
    "VenueFacts",
    "documented_reporting",
    "reporting_of",
)


class Evidence(enum.StrEnum):
    """How a fact is known."""

    RECORDED = "recorded"
    EXAMPLE = "published example"
    DOCUMENTATION = "documentation"
    ASSUMED = "assumed"


class Selection(enum.StrEnum):
    """Which liquidations of a window a feed prints."""

    ALL = "all"
    LATEST = "latest"
    LARGEST = "largest"
    LARGEST_PER_SIDE = "largest of each side"
    ONE = "one, which is not said"
    NONE = "none"


class SideMeaning(enum.StrEnum):
    """What the side of a printed liquidation is the side of."""

    ORDER = "order that closes"
    POSITION = "position"


@dataclasses.dataclass(frozen=True, slots=True)
class Fact:
    """One statement and how it is known."""

    text: str
    evidence: Evidence


@dataclasses.dataclass(frozen=True, slots=True)
class VenueFacts:
    """What is known of one venue.

    Attributes:
        selection: which liquidations are printed; None unknown.
        window_s: length of the window of a selection, or time between pushes; None unknown or where trades are marked.
        side: meaning of the side; None unknown or no feed.
        feed_evidence: how the three above are known.
        is_on_book: whether forced orders trade in the book; None unknown.
        partial: how much is closed at a time; None unknown.
        insurance: who takes what does not fill; None unknown.
        deleveraging: what happens after that; None unknown.
        earlier: a selection that held before, and until when.
    """

    selection: Selection | None
    window_s: float | None
    side: SideMeaning | None
    feed_evidence: Evidence
    is_on_book: bool | None = None
    partial: Fact | None = None
    insurance: Fact | None = None
    deleveraging: Fact | None = None
    earlier: tuple[Selection, int] | None = None

    def selection_at(self, time_ns: int) -> Selection | None:
        """The selection at a moment; None unknown."""
        if self.earlier is not None and time_ns < self.earlier[1]:
            return self.earlier[0]
        return self.selection


_DOC: Final = Evidence.DOCUMENTATION
_ORDER, _POSITION = SideMeaning.ORDER, SideMeaning.POSITION


def _said(text: str) -> Fact:
    return Fact(text, _DOC)


#: By venue slug.
VENUES: Final[dict[str, VenueFacts]] = {
    # Side and price were confirmed on recorded orders.
    "binance": VenueFacts(
        Selection.LARGEST,
        1.0,
        _ORDER,
        _DOC,
        is_on_book=True,
        deleveraging=_said("exists: such orders have an id of their own"),
        earlier=(Selection.LATEST, parse_time_ns("2026-04-14")),
    ),
    "binance-coinm": VenueFacts(Selection.LATEST, 1.0, _ORDER, _DOC, is_on_book=True),
    "bybit": VenueFacts(
        Selection.ALL,
        0.5,
        _POSITION,
        Evidence.RECORDED,
        insurance=_said("pools, shared or of one contract"),
        deleveraging=_said("when a pool has lost a set share within 8 hours"),
    ),
    "okx": VenueFacts(
        Selection.ONE,
        1.0,
        _ORDER,
        _DOC,
        partial=_said("from tier 3 two tiers at a time; tiers 1 and 2 whole, at the bankruptcy price"),
        insurance=_said("fund"),
        deleveraging=_said("after the fund"),
    ),
    "bitget": VenueFacts(
        Selection.LARGEST_PER_SIDE,
        1.0,
        _POSITION,
        _DOC,
        partial=_said("cross two tiers at a time, isolated whole"),
        deleveraging=_said("exists: it is announced on a channel"),
    ),
    "gate": VenueFacts(
        Selection.ALL,
        1.0,
        _POSITION,
        _DOC,
        is_on_book=True,
        partial=_said("one tier at a time"),
        insurance=_said("fund"),
        deleveraging=_said("after the fund"),
        earlier=(Selection.ONE, parse_time_ns("2026-08-20")),
    ),
    "htx": VenueFacts(
        None,
        None,
        _ORDER,
        _DOC,
        partial=_said("down the ladder of adjustment factors, then whole"),
        insurance=_said("fund shared by cross and isolated contracts"),
    ),
    "deribit": VenueFacts(
        Selection.ALL,
        None,
        _ORDER,
        _DOC,
        is_on_book=True,
        partial=_said("in steps until the maintenance margin is met"),
        insurance=_said("fund"),
    ),
    "kraken": VenueFacts(
        Selection.ALL,
        None,
        _ORDER,
        _DOC,
        is_on_book=True,
        partial=_said("since 2026-03-26, with a fee; coin-margined positions whole before"),
        insurance=_said("assignment to standing volunteers at the zero-equity price"),
        deleveraging=_said("unwinding against the other side after assignment"),
    ),
    "bitfinex": VenueFacts(Selection.ALL, None, _POSITION, _DOC),
    "coinex": VenueFacts(Selection.ALL, None, _POSITION, Evidence.EXAMPLE),
    # No public feed: liquidations are seen on wallets that are followed.
    "hyperliquid": VenueFacts(
        Selection.NONE,
        None,
        None,
        Evidence.RECORDED,
        is_on_book=True,
        partial=_said("above 100,000 USDC a fifth first, the rest after 30 s"),
        insurance=_said("a vault takes accounts below two thirds of the maintenance margin"),
        deleveraging=Fact("by profit times leverage, at the oracle price before", Evidence.RECORDED),
    ),
    "dydx": VenueFacts(
        Selection.ALL,
        None,
        _ORDER,
        _DOC,
        is_on_book=True,
        partial=_said("a tenth of a position per block at most, at least 1,000 USDC (first parameters)"),
        insurance=_said("fund, its loss per block capped"),
        deleveraging=_said("after the fund"),
    ),
    "lighter": VenueFacts(
        Selection.ALL,
        None,
        _ORDER,
        Evidence.EXAMPLE,
        is_on_book=True,
        partial=_said("position by position until the account is healthy"),
        insurance=_said("fund takes all of an account below the close-out margin"),
        deleveraging=_said("after the fund"),
    ),
    "aster": VenueFacts(Selection.LATEST, 1.0, _ORDER, _DOC, is_on_book=True),
    # Documented as a trade type; none among 96 trades that were looked at.
    "paradex": VenueFacts(
        Selection.ALL,
        None,
        _ORDER,
        _DOC,
        is_on_book=False,
        partial=_said("steps of a fifth until the margin ratio is below 90 %"),
        insurance=_said("the position passes to the fund, not to the book"),
        deleveraging=_said("losses are shared last"),
    ),
    "orderly": VenueFacts(
        Selection.ALL,
        1.0,
        _POSITION,
        _DOC,
        is_on_book=False,
        partial=_said("as much as restores the initial margin"),
        insurance=_said("the position passes to liquidators, not to the book"),
    ),
    "extended": VenueFacts(Selection.ALL, None, _ORDER, Evidence.EXAMPLE, is_on_book=True),
    "backpack": VenueFacts(None, None, _ORDER, Evidence.ASSUMED),
    "kucoin": VenueFacts(
        Selection.NONE,
        None,
        None,
        Evidence.RECORDED,
        partial=_said("one level down at a time, whole at level 1"),
        insurance=_said("fund takes what does not fill at the bankruptcy price"),
        deleveraging=_said("after the fund"),
    ),
    "mexc": VenueFacts(
        Selection.NONE,
        None,
        None,
        Evidence.RECORDED,
        partial=_said("one tier at a time, each taken over at the bankruptcy price"),
    ),
    "bingx": VenueFacts(
        Selection.NONE,
        None,
        None,
        Evidence.RECORDED,
        partial=_said("isolated whole, at the bankruptcy price; cross the largest loss first"),
    ),
}

#: Selections that print one event per window as the learner reads them.
_LATEST: Final = frozenset({Selection.LATEST, Selection.ONE})
_LARGEST: Final = frozenset({Selection.LARGEST, Selection.LARGEST_PER_SIDE})


def documented_reporting(venue: str, time_ns: int) -> Reporting | None:
    """What a venue publishes at a moment by its documentation; None where that is not known, or where it is nothing.

    In a second price goes one way as a rule, so the largest of each side is read as the largest.
    """
    facts = VENUES.get(venue)
    selection = None if facts is None else facts.selection_at(time_ns)
    if selection is Selection.ALL:
        return Reporting()
    if facts is None or facts.window_s is None or selection not in _LATEST | _LARGEST:
        return None
    return Reporting(
        scheme="latest" if selection in _LATEST else "largest", window_ns=round(facts.window_s * SECOND_NS)
    )


def reporting_of(feed_id: str, time_ns: int, given: Mapping[str, Reporting]) -> Reporting | None:
    """What a feed publishes at a moment: as given for its venue's slug, else by its documentation; None unknown."""
    venue = feed_id.partition(":")[0]
    return given.get(venue) or documented_reporting(venue, time_ns)
