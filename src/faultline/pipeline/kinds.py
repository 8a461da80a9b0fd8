"""A tape's kinds of rows in, which of them the engine reads, and how, out."""

from __future__ import annotations

from typing import Final

from faultline.messages import Kind
from faultline.units import MINUTE_NS

__all__ = (
    "BOOK_KINDS",
    "BOOK_PIECE_NS",
    "DENSE_KINDS",
    "ENGINE_KINDS",
    "LIVE_KINDS",
    "PLAYED_KINDS",
    "STEP_FIELDS",
    "STEP_KINDS",
)

#: Kinds that a map is made of: they say which assets a tape has, and from when to when.
STEP_KINDS: Final = (
    Kind.INSTRUMENT,
    Kind.SOURCE_STATUS,
    Kind.MARK,
    Kind.OPEN_INTEREST,
    Kind.TRADE,
    Kind.BAR,
    Kind.LIQUIDATION,
)
#: Of a trade the engine needs no more than this; a tape holds many.
STEP_FIELDS: Final = {Kind.TRADE: ("price_usd", "qty_base", "cause")}
#: The same, and what only chains of cascades want of it.
ENGINE_KINDS: Final = (*STEP_KINDS, Kind.FUNDING)
#: Kinds that order books alone are made of; hours of them do not fit into memory.
DENSE_KINDS: Final = (Kind.GAP, Kind.BOOK_LEVEL)
#: What a living market gives the engine, books as they come.
LIVE_KINDS: Final = (*ENGINE_KINDS, *DENSE_KINDS)
#: What a tape that is played gives it; its order books come apart.
PLAYED_KINDS: Final = (*ENGINE_KINDS, Kind.GAP)
#: All that order books are made of.
BOOK_KINDS: Final = (Kind.INSTRUMENT, *DENSE_KINDS)
#: Order books are read in pieces of this length: some 30 MB where twenty venues send thousands of rows a second.
BOOK_PIECE_NS: Final = MINUTE_NS
