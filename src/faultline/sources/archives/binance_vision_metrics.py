"""Dumps of five-minute metrics, of funding and of book depth in; open interest, ratios and funding out.

Book depth cannot become messages: it holds the quantity that rests within so many percent of a price that the file does
not tell, so no level of the book can be named. Its rows are counted and left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from faultline.messages import Kind
from faultline.sources.archives.binance_vision_names import market_of
from faultline.sources.archives.binance_vision_pass import stamps_ns
from faultline.sources.archives.column_files import EARLIEST_NS, LATEST_NS, ColumnType
from faultline.sources.archives.dump_rows import sorted_batch
from faultline.units import HOUR_NS, MINUTE_NS, parse_time_ns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from faultline.messages import Batch
    from faultline.sources.archives.binance_vision_names import Dump, Market
    from faultline.sources.archives.binance_vision_pass import DumpPass
    from faultline.sources.archives.column_files import Block

__all__ = ("read_depth", "read_funding", "read_metrics")

_WINDOW_NS: Final = 5 * MINUTE_NS
_OI, _VALUE = "sum_open_interest", "sum_open_interest_value"
#: Columns of ratios, and what they are called on a tape. "count" counts accounts, "sum" adds up positions.
_RATIOS: Final = {
    "count_long_short_ratio": "accounts",
    "count_toptrader_long_short_ratio": "top_accounts",
    "sum_toptrader_long_short_ratio": "top_positions",
    "sum_taker_long_short_vol_ratio": "taker_volume",
}
_METRICS: Final = {
    "create_time": ColumnType.TEXT,
    "symbol": ColumnType.TEXT,
    **dict.fromkeys((_OI, _VALUE, *_RATIOS), ColumnType.FLOAT),
}
_MAY_BE_EMPTY: Final = frozenset({_OI, _VALUE, *_RATIOS})
_FUNDING: Final = {
    "calc_time": ColumnType.INT,
    "funding_interval_hours": ColumnType.INT,
    "last_funding_rate": ColumnType.FLOAT,
}
_DEPTH: Final = {
    "timestamp": ColumnType.TEXT,
    **dict.fromkeys(("percentage", "depth", "notional"), ColumnType.FLOAT),
}


def read_metrics(dump: Dump, state: DumpPass) -> Iterator[list[Batch]]:
    """Open interest and long/short ratios of one dump."""
    market = market_of(dump.symbol, dump.market or "um")
    for block in dump.file.blocks(_METRICS, _MAY_BE_EMPTY):
        state.tally.rows_read += block.n_rows
        yield _metric_batches(dump, market, block, state)


def _metric_batches(dump: Dump, market: Market, block: Block, state: DumpPass) -> list[Batch]:
    time_ns = _iso_times_ns(block, "create_time")
    is_own = block.texts["symbol"].equals(dump.symbol)
    state.tally.reject("foreign_instrument", ~is_own)
    clock = state.clock(Kind.OPEN_INTEREST, market.instrument_id)
    # A day's file may end with the first stamp of the next day.
    kept = state.inside_days(dump, time_ns, is_own, slack_ns=_WINDOW_NS)
    is_next = clock.is_next(time_ns, kept)
    state.tally.reject("repeated_window", kept & ~is_next)
    kept &= is_next
    amounts = {name: _known(block, name) for name in (_OI, _VALUE, *_RATIOS) if name in block.numbers}
    has_any = np.zeros(block.n_rows, dtype=np.bool_)
    for values in amounts.values():
        has_any |= np.isfinite(values)
    state.tally.reject("nothing_known", kept & ~has_any)
    kept &= has_any
    if state.is_left_out(market, block, kept) or not kept.any():
        return []
    before_ns = clock.latest_ns
    clock.advance(block, "create_time", time_ns, kept)
    kept = state.chosen(time_ns, kept)
    zero = np.zeros(block.n_rows, dtype=np.bool_)
    for name in amounts:
        zero |= block.numbers[name] == 0
    state.tally.repair("zero_means_missing", kept & zero)
    batches = _open_interest(market, amounts, time_ns, kept, state)
    batches += _ratios(market, amounts, time_ns, kept, state)
    _note_holes(market, before_ns, time_ns[kept], state)
    return state.announcer.before(market.instrument, batches)


def _known(block: Block, name: str) -> NDArray[np.float64]:
    """A column of amounts where an empty cell and a zero, which a failed poll writes, are both NaN."""
    values = block.numbers[name]
    given = np.where(np.isnan(values), 1.0, values)
    block.check(name, ~((given >= 0) & (given <= 1e18)), "must be zero or a positive number, at most 1e18")
    return np.where(values > 0, values, np.nan)


def _open_interest(
    market: Market,
    amounts: dict[str, NDArray[np.float64]],
    time_ns: NDArray[np.int64],
    kept: NDArray[np.bool_],
    state: DumpPass,
) -> list[Batch]:
    nothing = np.full(len(time_ns), np.nan)
    oi, value = amounts.get(_OI, nothing), amounts.get(_VALUE, nothing)
    if market.name == "cm" and market.contract is not None:
        # Coin-margined: contracts, and coins instead of USD. A contract is a fixed amount of USD at any price.
        oi_base, oi_usd = value, market.contract.notional_usd(oi, np.ones(len(oi)))
    else:
        oi_base, oi_usd = oi, value
    rows = kept & (np.isfinite(oi_base) | np.isfinite(oi_usd))
    fields = {"oi_base": oi_base[rows], "oi_usd": oi_usd[rows]}
    times = (time_ns[rows], time_ns[rows])
    return sorted_batch(Kind.OPEN_INTEREST, market.instrument_id, times, fields, state.selection)


def _ratios(
    market: Market,
    amounts: dict[str, NDArray[np.float64]],
    time_ns: NDArray[np.int64],
    kept: NDArray[np.bool_],
    state: DumpPass,
) -> list[Batch]:
    """Longs over shorts, as longs over both; the ratios of one moment stay together."""
    present = [name for name in _RATIOS if name in amounts]
    if not present:
        return []
    ratios = np.stack([amounts[name] for name in present], axis=1)[kept]
    known = np.isfinite(ratios)
    times = np.repeat(time_ns[kept], len(present)).reshape(known.shape)[known]
    kinds = np.tile(np.array([_RATIOS[name].encode() for name in present]), (len(ratios), 1))[known]
    fields = {"ratio_kind": kinds, "long_share_ratio": (ratios / (1 + ratios))[known]}
    return sorted_batch(Kind.RATIO, market.instrument_id, (times, times), fields, state.selection)


def _note_holes(market: Market, before_ns: int, time_ns: NDArray[np.int64], state: DumpPass) -> None:
    times = np.concatenate(([before_ns], time_ns)) if before_ns else time_ns
    for at in np.flatnonzero(np.diff(times) > _WINDOW_NS * 3 // 2):
        for kind in (Kind.OPEN_INTEREST, Kind.RATIO):
            state.add_gap(kind, market, int(times[at]), int(times[at + 1]), "missing_rows")


def read_funding(dump: Dump, state: DumpPass) -> Iterator[list[Batch]]:
    """Settled funding of one dump."""
    market = market_of(dump.symbol, dump.market or "um")
    for block in dump.file.blocks(_FUNDING):
        state.tally.rows_read += block.n_rows
        time_ns = stamps_ns(block, "calc_time")
        hours, rate = block.integers["funding_interval_hours"], block.finite("last_funding_rate")
        block.check("funding_interval_hours", (hours < 1) | (hours > 24), "must be hours, from 1 to 24")
        block.check("last_funding_rate", np.abs(rate) > 0.1, "must be a ratio, at most 10 %")
        clock = state.clock(Kind.FUNDING, market.instrument_id)
        kept = state.inside_days(dump, time_ns, np.ones(block.n_rows, dtype=np.bool_), slack_ns=MINUTE_NS)
        is_next = clock.is_next(time_ns, kept)
        state.tally.reject("repeated_window", kept & ~is_next)
        kept &= is_next
        if state.is_left_out(market, block, kept) or not kept.any():
            continue
        clock.advance(block, "calc_time", time_ns, kept)
        kept = state.chosen(time_ns, kept)
        interval_ns = hours[kept] * HOUR_NS
        fields = {
            "rate_ratio": rate[kept],
            "interval_ns": interval_ns,
            "next_ns": (time_ns[kept] + HOUR_NS // 2) // HOUR_NS * HOUR_NS + interval_ns,
        }
        times = (time_ns[kept], time_ns[kept])
        batches = sorted_batch(Kind.FUNDING, market.instrument_id, times, fields, state.selection)
        yield state.announcer.before(market.instrument, batches)


def read_depth(dump: Dump, state: DumpPass) -> Iterator[list[Batch]]:
    """Nothing, after every row was checked and counted."""
    for block in dump.file.blocks(_DEPTH):
        state.tally.rows_read += block.n_rows
        _iso_times_ns(block, "timestamp")
        for name in ("depth", "notional"):
            block.non_negative(name)
        block.check("percentage", ~(np.abs(block.numbers["percentage"]) <= 100), "must be a percentage")
        state.tally.reject_rows("depth_without_price", block.n_rows)
    yield []


def _iso_times_ns(block: Block, field: str) -> NDArray[np.int64]:
    """Times such as ``2024-01-02 00:05:00``, UTC."""
    column = block.texts[field]
    values = np.array([*(_time_of(value) for value in column.values), 0], dtype=np.int64)[column.codes]
    hint = "Times are UTC and look like 2024-01-02 00:05:00."
    block.check(field, values == 0, "must be a time between 2009-01-03 and 2100-01-01", hint)
    return values


def _time_of(text: str) -> int:
    try:
        time_ns = parse_time_ns(text)
    except (ValueError, OverflowError):
        return 0
    return time_ns if EARLIEST_NS <= time_ns < LATEST_NS else 0
