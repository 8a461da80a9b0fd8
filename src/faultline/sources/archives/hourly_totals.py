"""Hourly liquidation totals over several venues in; totals, bars, open interest and funding of one hour each out.

``regime_1h`` stamps the **start** of the hour (ms, UTC). Liquidations become two rows per hour, long and short, with
the flag ``TOTAL``: they are known at the end of the hour, have no price, and a total of zero is a total. Funding is
written in percent for eight hours, open interest in USD. ``cvd`` is zero in every row of the known files, which is a
failed source and not a flat market: it is dropped and counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from faultline.messages import Flag, Kind
from faultline.sources.archives.column_files import ColumnType
from faultline.sources.archives.importer import Importer
from faultline.sources.archives.message_rows import gap_batches, make_batches, make_rows
from faultline.sources.archives.report import GapSpan
from faultline.units import HOUR_NS, MILLISECOND_NS, PriceKind, Side

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

    from faultline.messages import Batch
    from faultline.sources.archives.column_files import Block, ColumnFile
    from faultline.sources.archives.report import Selection, Tally

__all__ = ("HOURLY_TOTALS",)

_ASSET: Final = "BTC"
_ID: Final = "mixed-total:BTC"
_FUNDING_INTERVAL_NS: Final = 8 * HOUR_NS
_PERCENT: Final = 0.01
_LONG, _SHORT, _TOTAL = "liquidation_long_usd", "liquidation_short_usd", "liquidation_total_usd"
_PRICES: Final = ("price_open", "price_high", "price_low", "price_close")
_COLUMNS: Final = {
    "timestamp": ColumnType.INT,
    **dict.fromkeys((*_PRICES, _LONG, _SHORT, _TOTAL), ColumnType.FLOAT),
    **dict.fromkeys(("funding_close", "oi_close", "cvd_close"), ColumnType.FLOAT),
}
_OPTIONAL: Final = frozenset({"funding_close", "oi_close", "cvd_close"})


def _read(files: Sequence[ColumnFile], selection: Selection, tally: Tally) -> Iterator[list[Batch]]:
    for file in files:
        block = file.read(_COLUMNS, _OPTIONAL)
        tally.rows_read += block.n_rows
        if not selection.wants(_ASSET):
            tally.reject("outside_selection", np.ones(block.n_rows, dtype=np.bool_))
        elif block.n_rows:
            yield _batches(block, selection, tally)


def _batches(block: Block, selection: Selection, tally: Tally) -> list[Batch]:
    start_ns = block.integers_as_ns("timestamp", MILLISECOND_NS, "milliseconds")
    backwards = np.diff(start_ns, prepend=start_ns[0] - 1) <= 0
    block.check("timestamp", backwards, "must increase from line to line")
    block.check("timestamp", start_ns % HOUR_NS != 0, "must be the start of an hour")
    open_usd, high, low, close = (block.positive(name) for name in _PRICES)
    long_usd, short_usd, total = (block.non_negative(name) for name in (_LONG, _SHORT, _TOTAL))
    sound = (high >= np.maximum(open_usd, close)) & (low <= np.minimum(open_usd, close))
    tally.reject("inconsistent_bar", ~sound)
    is_sum = np.abs(long_usd + short_usd - total) <= 0.01 + 1e-6 * total
    tally.reject("total_is_not_long_plus_short", sound & ~is_sum)
    sound &= is_sum
    chosen = selection.mask(start_ns + HOUR_NS)
    tally.reject("outside_selection", sound & ~chosen)
    kept = np.flatnonzero(sound)
    start_ns, end_ns = start_ns[kept], start_ns[kept] + HOUR_NS
    bar = {
        "open_usd": open_usd[kept],
        "high_usd": high[kept],
        "low_usd": low[kept],
        "close_usd": close[kept],
    }
    rows = {
        Kind.BAR: make_rows(Kind.BAR, start_ns, end_ns, bar),
        Kind.LIQUIDATION: _totals(start_ns, long_usd[kept], short_usd[kept]),
        Kind.OPEN_INTEREST: _open_interest(block, kept, end_ns),
        Kind.FUNDING: _funding(block, kept, end_ns),
    }
    if "cvd_close" in block.numbers:
        cvd = block.numbers["cvd_close"]
        tally.repair("zero_cvd_dropped", sound & chosen & (cvd == 0))
        tally.leave_unchecked("cvd_not_imported", sound & chosen & np.isfinite(cvd) & (cvd != 0))
    if "oi_close" in block.numbers:
        tally.repair("zero_open_interest_dropped", sound & chosen & (block.numbers["oi_close"] == 0))
    batches: list[Batch] = []
    for kind, found in rows.items():
        batches += make_batches(kind, _ID, found, selection)
    holes = np.flatnonzero(np.diff(start_ns) > HOUR_NS)
    gaps = [
        GapSpan(
            _ID,
            kind.value,
            int(end_ns[i]),
            int(start_ns[i + 1]),
            "no_bars" if kind is Kind.BAR else "missing_rows",
        )
        for i in holes
        for kind, found in rows.items()
        if len(found)
    ]
    return batches + gap_batches(gaps, selection)


def _totals(
    start_ns: NDArray[np.int64], long_usd: NDArray[np.float64], short_usd: NDArray[np.float64]
) -> NDArray[np.void]:
    """Two rows per hour, long then short, shape (2 n,)."""
    each_ns = np.repeat(start_ns, 2)
    fields: dict[str, ArrayLike] = {
        "side": np.tile(np.array([Side.LONG, Side.SHORT], dtype=np.int8), len(start_ns)),
        "price_kind": np.full(len(each_ns), PriceKind.UNKNOWN, dtype=np.uint8),
        "notional_usd": np.stack((long_usd, short_usd), axis=1).ravel(),
    }
    return make_rows(Kind.LIQUIDATION, each_ns, each_ns + HOUR_NS, fields, Flag.TOTAL)


def _open_interest(block: Block, kept: NDArray[np.intp], end_ns: NDArray[np.int64]) -> NDArray[np.void]:
    """Open interest at the end of each hour; zero is a failed poll and is left out."""
    if "oi_close" not in block.numbers:
        return make_rows(Kind.OPEN_INTEREST, end_ns[:0], end_ns[:0], {})
    oi_usd = block.numbers["oi_close"][kept]
    block.check("oi_close", block.numbers["oi_close"] < 0, "must not be negative")
    known = np.isfinite(oi_usd) & (oi_usd > 0)
    return make_rows(
        Kind.OPEN_INTEREST, end_ns[known], end_ns[known], {"oi_usd": oi_usd[known]}, Flag.RECEIVED_ASSUMED
    )


def _funding(block: Block, kept: NDArray[np.intp], end_ns: NDArray[np.int64]) -> NDArray[np.void]:
    """Predicted funding at the end of each hour."""
    if "funding_close" not in block.numbers:
        return make_rows(Kind.FUNDING, end_ns[:0], end_ns[:0], {})
    percent = block.numbers["funding_close"]
    block.check("funding_close", np.abs(percent) > 100, "must be a percentage, at most 100")
    known = np.isfinite(percent[kept])
    count = int(known.sum())
    fields = {
        "rate_ratio": percent[kept][known] * _PERCENT,
        "interval_ns": np.full(count, _FUNDING_INTERVAL_NS, dtype=np.int64),
    }
    return make_rows(Kind.FUNDING, end_ns[known], end_ns[known], fields, Flag.RECEIVED_ASSUMED)


#: Liquidations of BTC by hour and side over Binance, Bybit and OKX, with price, open interest and funding.
HOURLY_TOTALS: Final = Importer(
    name="hourly-totals",
    summary="hourly BTC liquidation totals over several venues, with price, open interest and funding",
    name_pattern="regime_1h",
    expected_files="regime_1h",
    read=_read,
)
