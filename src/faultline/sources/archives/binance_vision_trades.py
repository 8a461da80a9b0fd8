"""Dumps of aggregated trades in; one trade message per line, in the order of their ids, out.

Trades of the insurance fund and of auto-deleveraging are not in these dumps: the venue aggregates market trades only,
so every trade is an ordinary one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from faultline.messages import Kind
from faultline.sources.archives.binance_vision_names import market_of
from faultline.sources.archives.binance_vision_pass import is_micro, stamps_ns
from faultline.sources.archives.column_files import ColumnType
from faultline.sources.archives.dump_rows import sorted_batch
from faultline.units import TakerSide

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from faultline.messages import Batch
    from faultline.sources.archives.binance_vision_names import Dump, Market
    from faultline.sources.archives.binance_vision_pass import DumpPass
    from faultline.sources.archives.column_files import Block

__all__ = ("read_trades",)

_ID, _TIME, _MAKER = "agg_trade_id", "transact_time", "is_buyer_maker"
_TYPES: Final = {
    _ID: ColumnType.INT,
    "price": ColumnType.FLOAT,
    "quantity": ColumnType.FLOAT,
    _TIME: ColumnType.INT,
    _MAKER: ColumnType.BOOL,
    "is_best_match": ColumnType.BOOL,
}
_NAMES: Final = (_ID, "price", "quantity", "first_trade_id", "last_trade_id", _TIME, _MAKER)
#: Spot dumps have no line of names and one column more.
_SPOT_NAMES: Final = (*_NAMES, "is_best_match")
#: Within a file ids do not skip this many trades.
_ID_STEP_MAX: Final = 1_000_000_000


def read_trades(dump: Dump, state: DumpPass) -> Iterator[list[Batch]]:
    """Trades of one dump, block by block."""
    market: Market | None = None
    latest_in_file = -1
    optional = frozenset({"is_best_match"})
    for block in dump.file.blocks(_TYPES, optional, (_NAMES, _SPOT_NAMES)):
        state.tally.rows_read += block.n_rows
        if market is None:
            is_spot = is_micro(block, _TIME) or "is_best_match" in block.bools
            market = market_of(dump.symbol, dump.market or ("spot" if is_spot else "um"))
        ids = block.integers[_ID]
        block.check(_ID, ids < 0, "must not be negative")
        jump = np.diff(ids, prepend=ids[0] if latest_in_file < 0 else latest_in_file) > _ID_STEP_MAX
        block.check(_ID, jump, "must not skip a billion trades")
        latest_in_file = int(ids[-1])
        yield _batches(dump, market, block, state)


def _batches(dump: Dump, market: Market, block: Block, state: DumpPass) -> list[Batch]:
    ids = block.integers[_ID]
    price, amount = block.positive("price"), block.positive("quantity")
    time_ns = stamps_ns(block, _TIME)
    before = state.latest_id.get(market.instrument_id, -1)
    kept = state.inside_days(dump, time_ns, np.ones(block.n_rows, dtype=np.bool_))
    seen = np.concatenate(([before], np.where(kept, ids, before)[:-1]))
    is_next = ids > np.maximum.accumulate(seen)
    state.tally.reject("repeated_trade", kept & ~is_next)
    kept &= is_next
    if state.is_left_out(market, block, kept) or not kept.any():
        return []
    clock = state.clock(Kind.TRADE, market.instrument_id)
    before_ns = clock.latest_ns
    received_ns = clock.advance(block, _TIME, time_ns, kept)
    _note_holes(market, (before, before_ns), ids[kept], received_ns[kept], state)
    state.latest_id[market.instrument_id] = int(ids[kept][-1])
    chosen = state.chosen(received_ns, kept)
    state.tally.repair("time_before_the_trade_before", chosen & (received_ns != time_ns))
    fields: dict[str, NDArray[Any]] = {
        "seq": ids,
        "price_usd": price,
        "qty_base": amount if market.contract is None else market.contract.qty_base(amount, price),
        "taker_side": np.where(block.bools[_MAKER], np.int8(TakerSide.SELL), np.int8(TakerSide.BUY)),
    }
    times = (time_ns, received_ns)
    if not kept.all():
        fields = {name: values[kept] for name, values in fields.items()}
        times = (time_ns[kept], received_ns[kept])
    batches = sorted_batch(Kind.TRADE, market.instrument_id, times, fields, state.selection)
    return state.announcer.before(market.instrument, batches)


def _note_holes(
    market: Market,
    before: tuple[int, int],
    ids: NDArray[np.int64],
    received_ns: NDArray[np.int64],
    state: DumpPass,
) -> None:
    """Ids are consecutive, so a step of more than one is a hole between two known moments."""
    before_id, before_ns = before
    all_ids = np.concatenate(([before_id], ids)) if before_id >= 0 else ids
    times = np.concatenate(([before_ns], received_ns)) if before_id >= 0 else received_ns
    for at in np.flatnonzero(np.diff(all_ids) > 1):
        if times[at] < times[at + 1]:
            state.add_gap(Kind.TRADE, market, int(times[at]), int(times[at + 1]), "sequence")
