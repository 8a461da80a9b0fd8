"""Dumps of liquidation snapshots in; liquidations with the side of the position and its bankruptcy price out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from faultline.messages import Flag, Kind
from faultline.sources.archives.binance_vision_names import market_of
from faultline.sources.archives.binance_vision_pass import stamps_ns
from faultline.sources.archives.column_files import ColumnType
from faultline.sources.archives.message_rows import make_batches, make_rows
from faultline.units import PriceKind, Side

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from faultline.messages import Batch
    from faultline.sources.archives.binance_vision_names import Dump, Market
    from faultline.sources.archives.binance_vision_pass import DumpPass
    from faultline.sources.archives.column_files import Block

__all__ = ("read_liquidations",)

_FILLED: Final = "FILLED"
_AMOUNTS: Final = ("original_quantity", "last_fill_quantity", "accumulated_fill_quantity")
_TYPES: Final = {
    "time": ColumnType.INT,
    "symbol": ColumnType.TEXT,
    "side": ColumnType.TEXT,
    "order_status": ColumnType.TEXT,
    **dict.fromkeys(("price", "average_price", *_AMOUNTS), ColumnType.FLOAT),
}


def read_liquidations(dump: Dump, state: DumpPass) -> Iterator[list[Batch]]:
    """Liquidations of one dump, seen whole: every order stands in it twice."""
    market = market_of(dump.symbol, dump.market or "um")
    block = dump.file.read(_TYPES, frozenset({"symbol"}))
    state.tally.rows_read += block.n_rows
    yield _batches(dump, market, block, state)


def _batches(dump: Dump, market: Market, block: Block, state: DumpPass) -> list[Batch]:
    time_ns = stamps_ns(block, "time")
    price, filled = block.positive("price"), block.non_negative("accumulated_fill_quantity")
    block.positive("original_quantity")
    for name in ("average_price", "last_fill_quantity"):
        block.non_negative(name)
    side = block.one_of("side", ("BUY", "SELL"))
    kept = np.ones(block.n_rows, dtype=np.bool_)
    if "symbol" in block.texts:
        kept = block.texts["symbol"].equals(dump.symbol)
        state.tally.reject("foreign_instrument", ~kept)
    kept = state.inside_days(dump, time_ns, kept)
    is_filled = block.texts["order_status"].equals(_FILLED) & (filled > 0)
    state.tally.reject("not_filled", kept & ~is_filled)
    kept &= is_filled
    is_sell = side.equals("SELL")
    is_copy = _is_copy(time_ns, price, filled, is_sell, kept)
    state.tally.reject("duplicate", is_copy)
    kept &= ~is_copy
    if state.is_left_out(market, block, kept):
        return []
    kept = state.chosen(time_ns, kept)
    contract = market.contract
    amount, at_usd = filled[kept], price[kept]
    fields = {
        # A SELL order closes a long.
        "side": np.where(is_sell[kept], np.int8(Side.LONG), np.int8(Side.SHORT)),
        "price_kind": np.full(len(amount), PriceKind.BANKRUPTCY, dtype=np.uint8),
        "price_usd": at_usd,
        "qty_base": amount if contract is None else contract.qty_base(amount, at_usd),
        "notional_usd": amount * at_usd if contract is None else contract.notional_usd(amount, at_usd),
    }
    flags = Flag.SAMPLED | Flag.RECEIVED_ASSUMED
    rows = make_rows(Kind.LIQUIDATION, time_ns[kept], time_ns[kept], fields, flags)
    batches = make_batches(Kind.LIQUIDATION, market.instrument_id, rows, state.selection)
    return state.announcer.before(market.instrument, batches)


def _is_copy(
    time_ns: NDArray[np.int64],
    price: NDArray[np.float64],
    filled: NDArray[np.float64],
    is_sell: NDArray[np.bool_],
    kept: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Mask of kept rows that repeat time, price, quantity and side of a kept row before them."""
    rows = np.flatnonzero(kept)
    keys = np.rec.fromarrays([time_ns[rows], price[rows], filled[rows], is_sell[rows]])
    first = np.unique(keys, return_index=True)[1]
    is_copy = kept.copy()
    is_copy[rows[first]] = False
    return is_copy
