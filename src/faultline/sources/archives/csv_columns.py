"""The message kinds in; for every kind, the columns of its ``csv`` file, what may be left out and what values may be.

The table follows the message definitions, so a new field of a message is a new column without a word here: it is
required unless its meaning says that NaN stands for unknown, or ``DEFAULTS`` has a value for it.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Final

import numpy as np

from faultline.messages import HEADER, KINDS, NO_SEQ, Flag, Kind, TradeCause
from faultline.sources.archives.column_files import LARGEST, ColumnType
from faultline.units import PriceKind

__all__ = ("DEFAULTS", "ID_COLUMN", "SIMULATED_COLUMN", "CsvColumn", "columns_of", "is_time")

#: Column with the instrument id of a row.
ID_COLUMN: Final = "instrument"
#: Column that ``tape cat`` writes: rows of a simulated tape are not recorded data.
SIMULATED_COLUMN: Final = "simulated"

#: Fields that may be left out, and the value that says "unknown" or "nothing special". A receive time that is left
#: out is the event time, and the row says so with a flag.
DEFAULTS: Final[dict[str, int | bytes]] = {
    "ts_received_ns": 0,
    "flags": 0,
    "seq": NO_SEQ,
    "interval_ns": 0,
    "next_ns": 0,
    "lag_ns": -1,
    "is_taker": -1,
    "is_cross": -1,
    "cause": int(TradeCause.ORDINARY),
    "price_kind": int(PriceKind.UNKNOWN),
    "detail": b"",
}

#: Smallest and largest value of whole numbers that are not bounded by their type alone.
_WHOLE_BOUNDS: Final[dict[str, tuple[int, int]]] = {
    "flags": (0, int(functools.reduce(lambda a, b: a | b, Flag))),
    "contract_kind": (0, 2),
    "formula_family": (0, 2),
    "side": (-1, 1),
    "taker_side": (-1, 1),
    "cause": (0, max(TradeCause)),
    "price_kind": (0, max(PriceKind)),
    "is_taker": (-1, 1),
    "is_cross": (-1, 1),
    "is_liquidation": (0, 1),
    "interval_ns": (0, 2**63 - 1),
    "lag_ns": (-1, 2**63 - 1),
    "seq": (-1, 2**63 - 1),
}
#: Where a side of 0 means something: a trade of unknown taker, a wallet's position that is gone.
_ZERO_SIDE: Final = {(Kind.TRADE, "taker_side"), (Kind.WALLET_POSITION, "side")}
_ANY_SIGN: Final = {
    "rate_ratio",
    "start_qty_base",
    "closed_pnl_usd",
    "unrealized_pnl_usd",
    "account_value_usd",
}
_MAY_BE_ZERO: Final = {
    "tier_floor_usd", "deduction_usd", "min_notional_usd", "insurance_fund_usd", "taker_fee_ratio", "oi_base", "oi_usd",
    "buy_qty_base", "sell_qty_base", "long_share_ratio", "notional_usd",
}  # fmt: skip
_AT_MOST_ONE: Final = {"maintenance_ratio", "taker_fee_ratio", "long_share_ratio"}
_TIMES: Final = {"ts_event_ns", "ts_received_ns", "from_ns", "to_ns", "next_ns"}
#: Fields that NaN may stand in for although their meaning does not say so in these words.
_ALSO_OPTIONAL: Final = {(Kind.BAR, "open_usd")}
#: Fields that are required although they have a default elsewhere: a bar's end is what makes it a bar.
_ALSO_REQUIRED: Final = {(Kind.BAR, "ts_received_ns")}


@dataclasses.dataclass(frozen=True, slots=True)
class CsvColumn:
    """One column: how it is read, whether it may be missing, and the values it may have."""

    name: str
    dtype: np.dtype[np.generic]
    is_required: bool
    low: float
    high: float
    #: False where ``low`` itself is not allowed: a price of zero is no price.
    includes_low: bool
    allows_zero: bool
    meaning: str

    @property
    def type(self) -> ColumnType:
        """How the text of the column is read. Times are text, because they may be ISO-8601."""
        if is_time(self.name) or self.dtype.kind == "S":
            return ColumnType.TEXT
        return ColumnType.FLOAT if self.dtype.kind == "f" else ColumnType.INT


def is_time(name: str) -> bool:
    """True for a field that holds a moment: nanoseconds or ISO-8601."""
    return name in _TIMES


@functools.cache
def columns_of(kind: Kind) -> tuple[CsvColumn, ...]:
    """Columns of the ``csv`` file of a kind, in the order of the message, without the instrument."""
    return tuple(_column(kind, f.name, np.dtype(f.dtype), f.meaning) for f in HEADER + KINDS[kind].fields)


def _column(kind: Kind, name: str, dtype: np.dtype[np.generic], meaning: str) -> CsvColumn:
    may_be_nan = dtype.kind == "f" and ("NaN" in meaning or (kind, name) in _ALSO_OPTIONAL)
    is_required = (kind, name) in _ALSO_REQUIRED or not (may_be_nan or name in DEFAULTS)
    low, high, includes_low, allows_zero = 0.0, math.inf, False, True
    if dtype.kind in "iu":
        info = np.iinfo(dtype.str)
        whole_low, whole_high = _WHOLE_BOUNDS.get(name, (int(info.min), int(info.max)))
        low, high, includes_low = whole_low, whole_high, True
        allows_zero = name not in {"side", "taker_side"} or (kind, name) in _ZERO_SIDE
    elif dtype.kind == "f":
        is_level_gone = kind is Kind.BOOK_LEVEL and name == "qty_base"
        is_position_gone = kind is Kind.WALLET_POSITION and name in {"qty_base", "entry_price_usd"}
        includes_low = name in _MAY_BE_ZERO or is_level_gone or is_position_gone
        low = -LARGEST if name in _ANY_SIGN else 0.0
        high = 1.0 if name in _AT_MOST_ONE else math.inf if name == "tier_cap_usd" else LARGEST
    return CsvColumn(name, dtype, is_required, low, high, includes_low, allows_zero, meaning)
