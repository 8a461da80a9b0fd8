"""Normalised market facts in, one NumPy structured array per kind out: the only currency between stages.

Every row begins with the same header: when it happened (``ts_event_ns``), when we could first know it
(``ts_received_ns``), ``flags`` and ``seq``. Times are int64 nanoseconds UTC. A price or size that the source
does not tell is NaN, never zero. ``docs/reference/messages.md`` is generated from ``KINDS``.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

__all__ = (
    "HEADER",
    "KINDS",
    "NO_SEQ",
    "Batch",
    "Field",
    "Flag",
    "Kind",
    "KindSpec",
    "TradeCause",
    "empty_rows",
    "gaps_of",
    "join_rows",
    "merge_batches",
    "sort_rows",
)

#: ``seq`` of a row whose source gives neither a sequence nor an id.
NO_SEQ: Final = -1


class Kind(enum.StrEnum):
    """Kinds of message; the value is the name on disk, on the bus and in the CLI."""

    # A member equals its value and so must hash like it; and this is looked up for every row.
    __hash__ = str.__hash__

    INSTRUMENT = "instrument"
    GAP = "gap"
    SOURCE_STATUS = "source_status"
    MARK = "mark"
    FUNDING = "funding"
    RATIO = "ratio"
    OPEN_INTEREST = "open_interest"
    BOOK_LEVEL = "book_level"
    TRADE = "trade"
    BAR = "bar"
    LIQUIDATION = "liquidation"
    ADL = "adl"
    WALLET_FILL = "wallet_fill"
    WALLET_POSITION = "wallet_position"


class Flag(enum.IntFlag):
    """Bits of ``flags``."""

    NONE = 0
    #: ``ts_received_ns`` was not recorded; it is the earliest moment the row could be known.
    RECEIVED_ASSUMED = 1
    #: The side as printed by the source was wrong and has been turned (counted as repaired on import).
    SIDE_REPAIRED = 2
    #: Book row or trade that belongs to a snapshot, not to a change.
    SNAPSHOT = 4
    #: High and low are not known; they are open and close. Such a bar moves price but is never scored.
    ENDPOINTS_ONLY = 8
    #: A total over ``[ts_event_ns, ts_received_ns)``, not one liquidation.
    TOTAL = 16
    #: The venue publishes a sample (one per symbol per second): totals are a lower bound.
    SAMPLED = 32


class TradeCause(enum.IntEnum):
    """Why a trade happened, where the venue says so."""

    ORDINARY = 0
    LIQUIDATION = 1
    ADL = 2
    INSURANCE_FUND = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """One column: NumPy format, and the sentence the documentation prints."""

    name: str
    dtype: str
    meaning: str


@dataclasses.dataclass(frozen=True, slots=True)
class KindSpec:
    """One kind of message: what a row is, and its own fields after the header."""

    kind: Kind
    #: Rank inside a step when two rows share a receive time.
    order: int
    row_is: str
    fields: tuple[Field, ...]

    @property
    def dtype(self) -> np.dtype[np.void]:
        """Structured dtype of a row: the header, then this kind's fields."""
        return np.dtype([(field.name, field.dtype) for field in HEADER + self.fields])


#: First fields of every kind.
HEADER: Final[tuple[Field, ...]] = (
    Field("ts_event_ns", "<i8", "When it happened, by the venue's clock. A bar's is its start."),
    Field("ts_received_ns", "<i8", "When we could first know it: a bar's end, a snapshot's stamp."),
    Field("flags", "<u4", "Bits of Flag."),
    Field("seq", "<i8", "Venue sequence or id; -1 where the source gives none."),
)

_WALLET: Final = "S66"
_WALLET_FIELD: Final = Field("wallet", _WALLET, "Account address or id, as the venue publishes it.")

_SPECS: Final[tuple[KindSpec, ...]] = (
    KindSpec(
        Kind.INSTRUMENT,
        0,
        "One margin tier of one instrument, with the contract's facts, as known at ts_event_ns.",
        (
            Field("base", "S16", "Asset that the contract is on, e.g. BTC."),
            Field("quote", "S16", "Currency of the price, e.g. USDT."),
            Field("contract_kind", "<u1", "0 linear, 1 inverse, 2 quanto (instruments.ContractKind)."),
            Field("formula_family", "<u1", "Margin formula (instruments.FormulaFamily)."),
            Field(
                "contract_size",
                "<f8",
                "One contract: base (linear), USD (inverse), settlement per price unit (quanto).",
            ),
            Field("tick_usd", "<f8", "Smallest price step."),
            Field("lot_base", "<f8", "Smallest quantity step, in base units."),
            Field("min_notional_usd", "<f8", "Smallest order in USD; NaN unknown."),
            Field(
                "taker_fee_ratio",
                "<f8",
                "Closing fee in the venue's liquidation formula; 0 none, NaN none known.",
            ),
            Field("tier", "<u2", "Tier number, from 0."),
            Field("tier_floor_usd", "<f8", "Notional from which the tier holds."),
            Field("tier_cap_usd", "<f8", "Notional up to which the tier holds; inf for the last."),
            Field("maintenance_ratio", "<f8", "Maintenance margin over notional in this tier."),
            Field("max_leverage", "<f8", "Highest leverage allowed in this tier."),
            Field("deduction_usd", "<f8", "Amount subtracted from the maintenance margin in this tier."),
            Field("insurance_fund_usd", "<f8", "Insurance fund behind the instrument; NaN unknown."),
        ),
    ),
    KindSpec(
        Kind.GAP,
        1,
        "A stretch in which rows of a kind are missing: missing data, never 'nothing happened'.",
        (
            Field("missing_kind", "S16", "Kind that is missing, or 'all'."),
            Field("from_ns", "<i8", "Start of the gap, inclusive."),
            Field("to_ns", "<i8", "End of the gap, exclusive."),
            Field(
                "reason",
                "S32",
                "recorder_down, silence, padding, no_bars, sequence, disconnect or unanswered.",
            ),
        ),
    ),
    KindSpec(
        Kind.SOURCE_STATUS,
        2,
        "A feed changed state.",
        (
            Field("channel", "S32", "Channel of the venue."),
            Field("status", "S16", "live, partial, stale, blocked or down."),
            Field("lag_ns", "<i8", "Receive time minus event time; -1 unknown."),
            Field("detail", "S96", "One sentence."),
        ),
    ),
    KindSpec(
        Kind.MARK,
        3,
        "The venue's mark price, on which liquidations trigger.",
        (
            Field("mark_price_usd", "<f8", "Mark price."),
            Field("index_price_usd", "<f8", "Index price; NaN unknown."),
        ),
    ),
    KindSpec(
        Kind.FUNDING,
        4,
        "A funding rate, settled or predicted.",
        (
            Field("rate_ratio", "<f8", "Rate for one interval; positive: longs pay."),
            Field("interval_ns", "<i8", "Length of the interval; 0 unknown."),
            Field("next_ns", "<i8", "Next settlement; 0 unknown."),
        ),
    ),
    KindSpec(
        Kind.RATIO,
        5,
        "A long/short ratio.",
        (
            Field("ratio_kind", "S24", "accounts, top_accounts, top_positions or taker_volume."),
            Field("long_share_ratio", "<f8", "Longs over longs and shorts."),
        ),
    ),
    KindSpec(
        Kind.OPEN_INTEREST,
        6,
        "Open interest: contracts that stand, long = short.",
        (
            Field("oi_base", "<f8", "In base units; NaN unknown."),
            Field("oi_usd", "<f8", "In USD at the price of that moment; NaN unknown."),
        ),
    ),
    KindSpec(
        Kind.BOOK_LEVEL,
        7,
        "One level of the order book after a change; quantity 0 means the level is gone.",
        (
            Field("side", "<i1", "+1 bid, -1 ask."),
            Field("price_usd", "<f8", "Price of the level."),
            Field("qty_base", "<f8", "Quantity that now rests there."),
        ),
    ),
    KindSpec(
        Kind.TRADE,
        8,
        "One trade.",
        (
            Field("price_usd", "<f8", "Price."),
            Field("qty_base", "<f8", "Quantity in base units."),
            Field("taker_side", "<i1", "+1 the taker bought, -1 sold, 0 unknown."),
            Field("cause", "<u1", "TradeCause: ordinary, liquidation, ADL, insurance fund."),
        ),
    ),
    KindSpec(
        Kind.BAR,
        9,
        "Open, high, low, close and volume of [ts_event_ns, ts_received_ns).",
        (
            Field("open_usd", "<f8", "First price."),
            Field("high_usd", "<f8", "Highest price."),
            Field("low_usd", "<f8", "Lowest price."),
            Field("close_usd", "<f8", "Last price."),
            Field("buy_qty_base", "<f8", "Taker-bought quantity; NaN unknown."),
            Field("sell_qty_base", "<f8", "Taker-sold quantity; NaN unknown."),
        ),
    ),
    KindSpec(
        Kind.LIQUIDATION,
        10,
        "One position (or part of one) forced out.",
        (
            Field("side", "<i1", "Side of the position: +1 LONG, -1 SHORT."),
            Field("price_kind", "<u1", "What the price means (units.PriceKind)."),
            Field("price_usd", "<f8", "Price as printed; NaN for a total, or unknown."),
            Field("qty_base", "<f8", "Quantity in base units; NaN unknown."),
            Field("notional_usd", "<f8", "Notional in USD; unknown only where the price is."),
        ),
    ),
    KindSpec(
        Kind.ADL,
        11,
        "A profitable position closed by auto-deleveraging.",
        (
            Field("side", "<i1", "Side of the closed position: +1 LONG, -1 SHORT."),
            Field("price_usd", "<f8", "Price."),
            Field("qty_base", "<f8", "Quantity in base units."),
            _WALLET_FIELD,
        ),
    ),
    KindSpec(
        Kind.WALLET_FILL,
        12,
        "One fill of a known account.",
        (
            _WALLET_FIELD,
            Field("taker_side", "<i1", "+1 the account bought, -1 sold."),
            Field("price_usd", "<f8", "Price."),
            Field("qty_base", "<f8", "Quantity in base units."),
            Field("start_qty_base", "<f8", "Signed position before the fill; NaN unknown."),
            Field("closed_pnl_usd", "<f8", "Profit realised by the fill; NaN unknown."),
            Field("is_taker", "<i1", "1 crossed the spread, 0 rested, -1 unknown."),
            Field("is_liquidation", "<u1", "1 where the fill closed a liquidated position."),
        ),
    ),
    KindSpec(
        Kind.WALLET_POSITION,
        13,
        "One open position of a known account, in a snapshot.",
        (
            _WALLET_FIELD,
            Field("side", "<i1", "+1 LONG, -1 SHORT, 0 none stands any more."),
            Field("qty_base", "<f8", "Size in base units, never negative."),
            Field("entry_price_usd", "<f8", "Average entry."),
            Field("leverage", "<f8", "Leverage setting of the account; NaN unknown."),
            Field("is_cross", "<i1", "1 cross margin, 0 isolated, -1 unknown."),
            Field("liquidation_price_usd", "<f8", "As published; NaN where the venue gives none."),
            Field("notional_usd", "<f8", "Size at mark."),
            Field("unrealized_pnl_usd", "<f8", "Open profit; NaN unknown."),
            Field("account_value_usd", "<f8", "Equity of the account; NaN unknown."),
        ),
    ),
)

#: Specification of every kind, in the order rows of one instant are applied.
KINDS: Final[dict[Kind, KindSpec]] = {spec.kind: spec for spec in _SPECS}

_DTYPES: Final[dict[Kind, np.dtype[np.void]]] = {spec.kind: spec.dtype for spec in _SPECS}


@dataclasses.dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one kind of one instrument, sorted by ``ts_received_ns``.

    ``rows`` has shape (n,) and the dtype of ``KINDS[kind]``, or, where a reader asked for few fields, a packed dtype
    of only those and ``ts_received_ns``. ``instrument_id`` is ``venue:SYMBOL``.

    Raises:
        ValueError: the dtype is neither, or the id is not ``venue:SYMBOL``.
    """

    kind: Kind
    instrument_id: str
    rows: NDArray[np.void]

    def __post_init__(self) -> None:
        dtype = self.rows.dtype
        if dtype != _DTYPES[self.kind] and not _is_part(dtype, _DTYPES[self.kind]):
            msg = f"rows of kind {self.kind} must have the dtype of KINDS[{self.kind}], not {dtype}"
            raise ValueError(msg)
        venue, colon, symbol = self.instrument_id.partition(":")
        if not (venue and colon and symbol):
            msg = f"an instrument id is venue:SYMBOL, not {self.instrument_id!r}"
            raise ValueError(msg)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def venue(self) -> str:
        """Slug of the venue, e.g. ``binance``."""
        return self.instrument_id.partition(":")[0]

    @property
    def symbol(self) -> str:
        """Symbol as the venue spells it, e.g. ``BTCUSDT``."""
        return self.instrument_id.partition(":")[2]

    @property
    def sort_key(self) -> tuple[int, str, str]:
        """Rank of the batch among rows of the same instant: kind, venue, symbol."""
        venue, _, symbol = self.instrument_id.partition(":")
        return (KINDS[self.kind].order, venue, symbol)


def _is_part(dtype: np.dtype[np.void], whole: np.dtype[np.void]) -> bool:
    """Whether rows have some of a kind's fields, packed and in order, the receive time among them."""
    fields = [(name, whole[name]) for name in whole.names or () if name in (dtype.names or ())]
    return "ts_received_ns" in (dtype.names or ()) and dtype == np.dtype(fields)


def empty_rows(kind: Kind, n: int = 0) -> NDArray[np.void]:
    """``n`` rows of a kind: floats NaN, ``seq`` -1, everything else zero."""
    rows = np.zeros(n, dtype=_DTYPES[kind])
    rows["seq"] = NO_SEQ
    for field in KINDS[kind].fields:
        if field.dtype == "<f8":
            rows[field.name] = np.nan
    return rows


def gaps_of(rows: NDArray[np.void], kind: Kind) -> NDArray[np.void]:
    """Rows of kind ``gap`` in which rows of a kind are missing, those of all kinds among them."""
    chosen: NDArray[np.void] = rows[np.isin(rows["missing_kind"], (kind.value.encode(), b"all"))]
    return chosen


def sort_rows(rows: NDArray[np.void]) -> NDArray[np.void]:
    """Rows ordered by receive time, then sequence, then their order in the input (stable)."""
    if len(rows) < 2:
        return rows
    order = np.lexsort((rows["seq"], rows["ts_received_ns"]))
    return rows.take(order)  # an index would copy field by field


def join_rows(runs: Sequence[NDArray[np.void]]) -> NDArray[np.void]:
    """Runs one after the other, copied as bytes: NumPy would copy field by field.

    Raises:
        ValueError: their dtypes differ.
    """
    dtype = runs[0].dtype
    if any(run.dtype != dtype for run in runs):
        msg = f"rows of one dtype can be joined, not of {sorted({str(run.dtype) for run in runs})}"
        raise ValueError(msg)
    joined: NDArray[np.void] = np.concatenate([run.view(np.uint8) for run in runs]).view(dtype)
    return joined


def merge_batches(batches: Iterable[Batch]) -> list[Batch]:
    """One sorted batch per (kind, instrument), in the total order of kinds, venues and symbols."""
    groups: dict[tuple[Kind, str], list[NDArray[np.void]]] = {}
    for batch in batches:
        groups.setdefault((batch.kind, batch.instrument_id), []).append(batch.rows)
    merged = [
        Batch(kind, iid, sort_rows(parts[0] if len(parts) == 1 else join_rows(parts)))
        for (kind, iid), parts in groups.items()
    ]
    return sorted(merged, key=lambda batch: batch.sort_key)
