"""Facts of a market that a venue script puts on the wire and the mapper must give back: the truth of venue tests."""

from __future__ import annotations

import dataclasses

__all__ = (
    "BookFact",
    "Fact",
    "FundingFact",
    "LiquidationFact",
    "MarkFact",
    "OpenInterestFact",
    "PositionFact",
    "RatioFact",
    "TradeFact",
)


@dataclasses.dataclass(frozen=True, slots=True)
class TradeFact:
    """A trade; ``taker_side`` +1 the taker bought. Where the venue marks trades, ``is_liquidation`` is sent with it.

    ``users`` are the accounts (taker, maker) of venues that publish them.
    """

    symbol: str
    ts_ns: int
    seq: int
    price_usd: float
    qty_base: float
    taker_side: int
    is_liquidation: bool = False
    users: tuple[str, str] = ("", "")


@dataclasses.dataclass(frozen=True, slots=True)
class LiquidationFact:
    """A liquidation; ``side`` is that of the position, +1 long."""

    symbol: str
    ts_ns: int
    seq: int
    side: int
    price_usd: float
    qty_base: float


@dataclasses.dataclass(frozen=True, slots=True)
class BookFact:
    """A snapshot of the book, or levels that changed; ``seq`` rises by one per fact of a symbol."""

    symbol: str
    ts_ns: int
    seq: int
    bids: tuple[tuple[float, float], ...]
    asks: tuple[tuple[float, float], ...]
    is_snapshot: bool


@dataclasses.dataclass(frozen=True, slots=True)
class MarkFact:
    """Mark and index price."""

    symbol: str
    ts_ns: int
    mark_usd: float
    index_usd: float


@dataclasses.dataclass(frozen=True, slots=True)
class FundingFact:
    """A funding rate and the next settlement."""

    symbol: str
    ts_ns: int
    rate_ratio: float
    next_ns: int


@dataclasses.dataclass(frozen=True, slots=True)
class OpenInterestFact:
    """Open interest of one side, in base units, at a mark price of ``mark_usd``."""

    symbol: str
    ts_ns: int
    oi_base: float
    mark_usd: float


@dataclasses.dataclass(frozen=True, slots=True)
class RatioFact:
    """Share of longs; ``ratio_kind`` as in messages of kind ``ratio``."""

    symbol: str
    ts_ns: int
    ratio_kind: str
    long_share_ratio: float


@dataclasses.dataclass(frozen=True, slots=True)
class PositionFact:
    """An open position of an account."""

    symbol: str
    ts_ns: int
    wallet: str
    side: int
    qty_base: float
    entry_price_usd: float
    leverage: float


Fact = (
    TradeFact
    | LiquidationFact
    | BookFact
    | MarkFact
    | FundingFact
    | OpenInterestFact
    | RatioFact
    | PositionFact
)
