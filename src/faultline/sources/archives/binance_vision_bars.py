"""Dumps of klines in; bars with the volumes that takers bought and sold, in base units, out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from faultline.messages import Flag, Kind
from faultline.sources.archives.binance_vision_names import market_of
from faultline.sources.archives.binance_vision_pass import is_micro, stamps_ns
from faultline.sources.archives.column_files import ColumnType
from faultline.sources.archives.dump_rows import sorted_batch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from faultline.messages import Batch
    from faultline.sources.archives.binance_vision_names import Dump, Market
    from faultline.sources.archives.binance_vision_pass import DumpPass
    from faultline.sources.archives.column_files import Block

__all__ = ("read_bars",)

_PRICES: Final = ("open", "high", "low", "close")
_VOLUMES: Final = ("volume", "quote_volume", "taker_buy_volume", "taker_buy_quote_volume")
_NAMES: Final = (
    "open_time", *_PRICES, "volume", "close_time", "quote_volume", "count", "taker_buy_volume",
    "taker_buy_quote_volume", "ignore",
)  # fmt: skip
_TYPES: Final = {
    "open_time": ColumnType.INT,
    "close_time": ColumnType.INT,
    "count": ColumnType.INT,
    **dict.fromkeys((*_PRICES, *_VOLUMES), ColumnType.FLOAT),
}
#: Taker-bought volume may exceed the whole by rounding, by no more than this share of it.
_ROUNDING: Final = 1e-6


def read_bars(dump: Dump, state: DumpPass) -> Iterator[list[Batch]]:
    """Bars of one dump, block by block."""
    market: Market | None = None
    has_names = dump.file.has_names()
    is_assumed = False
    for block in dump.file.blocks(_TYPES, unnamed=(_NAMES,)):
        state.tally.rows_read += block.n_rows
        if market is None:
            is_spot = is_micro(block, "open_time") and not has_names
            is_assumed = not (dump.market or is_spot or has_names)
            market = market_of(dump.symbol, dump.market or ("spot" if is_spot else "um"))
        yield _batches(dump, market, block, state, is_assumed=is_assumed)


def _batches(dump: Dump, market: Market, block: Block, state: DumpPass, *, is_assumed: bool) -> list[Batch]:
    start_ns, last_ns = stamps_ns(block, "open_time"), stamps_ns(block, "close_time")
    length_ns = dump.interval_ns
    end_ns = start_ns + length_ns
    block.check("open_time", start_ns % length_ns != 0, f"must be the start of a bar of {dump.dataset}")
    wrong = (last_ns < start_ns) | (last_ns >= end_ns)
    block.check("close_time", wrong, f"must lie in a bar of {dump.dataset}")
    open_usd, high, low, close = (block.positive(name) for name in _PRICES)
    volume, quote, bought, bought_quote = (block.non_negative(name) for name in _VOLUMES)
    block.check("count", block.integers["count"] < 0, "must not be negative")
    clock = state.clock(Kind.BAR, market.instrument_id)
    kept = state.inside_days(dump, start_ns, np.ones(block.n_rows, dtype=np.bool_))
    is_next = clock.is_next(end_ns, kept)
    state.tally.reject("repeated_bar", kept & ~is_next)
    kept &= is_next
    # Bars of the mark or index price have the same name and columns, updates in the count, and no volume.
    is_index = (volume == 0) & (block.integers["count"] > 0)
    state.tally.reject("not_a_traded_price", kept & is_index)
    kept &= ~is_index
    sound = (high >= np.maximum(open_usd, close)) & (low <= np.minimum(open_usd, close))
    sound &= bought <= volume * (1 + _ROUNDING)
    state.tally.reject("inconsistent_bar", kept & ~sound)
    kept &= sound
    if state.is_left_out(market, block, kept):
        return []
    kept_rows = np.flatnonzero(kept)
    if not len(kept_rows):
        return []
    before_ns = clock.latest_ns
    clock.advance(block, "open_time", end_ns, kept)
    _note_holes(market, before_ns, start_ns[kept_rows], end_ns[kept_rows], state)
    kept = state.chosen(end_ns, kept)
    if is_assumed:
        state.tally.leave_unchecked("market_assumed", kept)
    if market.name == "cm":
        # Coin-margined dumps count contracts; their "quote" columns are coins.
        volume, bought = quote, bought_quote
    fields = {
        "open_usd": open_usd,
        "high_usd": high,
        "low_usd": low,
        "close_usd": close,
        "buy_qty_base": np.minimum(bought, volume),
        "sell_qty_base": np.maximum(volume - bought, 0.0),
    }
    times = (start_ns[kept], end_ns[kept])
    columns = {name: values[kept] for name, values in fields.items()}
    batches = sorted_batch(Kind.BAR, market.instrument_id, times, columns, state.selection, Flag.NONE)
    return state.announcer.before(market.instrument, batches)


def _note_holes(
    market: Market, before_ns: int, start_ns: NDArray[np.int64], end_ns: NDArray[np.int64], state: DumpPass
) -> None:
    ends = np.concatenate(([before_ns or start_ns[0]], end_ns[:-1]))
    for at in np.flatnonzero(start_ns > ends):
        state.add_gap(Kind.BAR, market, int(ends[at]), int(start_ns[at]), "no_bars")
