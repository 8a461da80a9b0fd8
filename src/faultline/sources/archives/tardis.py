"""Daily CSV datasets of tardis.dev in; trades, liquidations, book levels, marks, open interest and funding out.

Every row tells exchange and symbol, the venue's time and the time of arrival, both in microseconds. Exchanges become
this program's venues, and amounts, which the datasets leave as the venue prints them, become base units.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from faultline.errors import ImportRejected
from faultline.messages import Flag, Kind, TradeCause
from faultline.sources.archives.bounded_bytes import Limits
from faultline.sources.archives.column_files import EARLIEST_NS, LARGEST, LATEST_NS, ColumnType
from faultline.sources.archives.dump_rows import Announcer, Clock, sorted_batch
from faultline.sources.archives.importer import Importer, stem_of
from faultline.sources.archives.tardis_tickers import TickerState, ticker_batches
from faultline.sources.archives.tardis_venues import EXCHANGES, Exchange, is_sampled
from faultline.sources.archives.venue_contracts import contract_of
from faultline.units import DAY_NS, MICROSECOND_NS, MINUTE_NS, Side, TakerSide, parse_time_ns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from faultline.messages import Batch
    from faultline.sources.archives.column_files import Block, ColumnFile, TextColumn
    from faultline.sources.archives.report import Selection, Tally
    from faultline.sources.archives.venue_contracts import VenueContract

__all__ = ("TARDIS",)

_HEAD: Final = {
    "exchange": ColumnType.TEXT,
    "symbol": ColumnType.TEXT,
    "timestamp": ColumnType.INT,
    "local_timestamp": ColumnType.INT,
}
_TRADES: Final = {
    **_HEAD,
    "side": ColumnType.TEXT,
    "price": ColumnType.FLOAT,
    "amount": ColumnType.FLOAT,
}
_LIQUIDATIONS: Final = {**_TRADES, "id": ColumnType.TEXT}
_BOOK: Final = {
    **_HEAD,
    "is_snapshot": ColumnType.BOOL,
    "side": ColumnType.TEXT,
    "price": ColumnType.FLOAT,
    "amount": ColumnType.FLOAT,
}
_TICKER_NUMBERS: Final = (
    "funding_rate",
    "predicted_funding_rate",
    "open_interest",
    "last_price",
    "index_price",
    "mark_price",
)
_TICKER: Final = {
    **_HEAD,
    "funding_timestamp": ColumnType.FLOAT,
    **dict.fromkeys(_TICKER_NUMBERS, ColumnType.FLOAT),
}
_OPTIONAL: Final = {
    "trades": frozenset[str](),
    "liquidations": frozenset({"id"}),
    "incremental_book_L2": frozenset[str](),
    "derivative_ticker": frozenset({"funding_timestamp", *_TICKER_NUMBERS}),
}
_NAME: Final = (
    r"(?:([a-z0-9-]+)_)?(trades|liquidations|incremental_book_L2|derivative_ticker)_"
    r"(\d{4}-\d{2}-\d{2})(?:_[A-Za-z0-9:_.-]+)?"
)
#: The venue's clock may be ahead of the collector's by this much; a later stamp is wrong.
_AHEAD_MAX_NS: Final = MINUTE_NS


@dataclasses.dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of one contract in a block."""

    block: Block
    contract: VenueContract
    exchange: Exchange
    mask: NDArray[np.bool_]
    time_ns: NDArray[np.int64]
    received_ns: NDArray[np.int64]
    flags: NDArray[np.uint32]


class _Pass:
    """State of one pass: counts, contracts told, clocks and the last values of tickers."""

    def __init__(self, selection: Selection, tally: Tally) -> None:
        self.selection = selection
        self.tally = tally
        self.announcer = Announcer()
        self.clocks: dict[tuple[str, str], Clock] = {}
        self.tickers: dict[str, TickerState] = {}
        self.known_liquidations: set[tuple[object, ...]] = set()

    def rows_of(self, block: Block, dataset: str, day_ns: int) -> Iterator[_Rows]:
        """The rows of a block by contract; rows of other exchanges and unknown contracts are counted."""
        time_ns = block.integers_as_ns("timestamp", MICROSECOND_NS, "microseconds")
        arrived_ns = block.integers_as_ns("local_timestamp", MICROSECOND_NS, "microseconds")
        is_of_day = (arrived_ns >= day_ns) & (arrived_ns < day_ns + DAY_NS)
        self.tally.reject("outside_the_files_days", ~is_of_day)
        is_ahead = is_of_day & (time_ns - arrived_ns > _AHEAD_MAX_NS)
        self.tally.reject("happened_after_it_arrived", is_ahead)
        sound = is_of_day & ~is_ahead
        exchanges, symbols = block.texts["exchange"], block.texts["symbol"]
        pairs = exchanges.codes.astype(np.int64) * max(len(symbols.values), 1) + symbols.codes
        for pair in np.unique(pairs).tolist():
            name = exchanges.values[pair // len(symbols.values)]
            symbol = symbols.values[pair % len(symbols.values)]
            mask = sound & (pairs == pair)
            exchange = EXCHANGES.get(name)
            if exchange is None:
                self.tally.reject("foreign_exchange", mask)
                continue
            contract = contract_of(exchange.venue, exchange.symbol_of(symbol))
            if contract is None:
                self.tally.reject("unknown_contract", mask)
                continue
            clock = self.clocks.setdefault((dataset, contract.instrument.id), Clock())
            received_ns = clock.advance(block, "local_timestamp", arrived_ns, mask)
            # The venue's clock may be ahead of the collector's; no row is known before it happened.
            late_ns = np.maximum(received_ns, time_ns)
            received_ns = np.maximum.accumulate(np.where(mask, late_ns, 0))
            moved = mask & (received_ns != arrived_ns)
            inside = mask & self.selection.mask(received_ns)
            if not self.selection.wants(contract.instrument.asset):
                inside = np.zeros_like(mask)
            self.tally.reject("outside_selection", mask & ~inside)
            self.tally.repair("received_before_it_happened", moved & inside)
            if inside.any():
                flags = np.where(moved, np.uint32(Flag.RECEIVED_ASSUMED), np.uint32(0))
                yield _Rows(block, contract, exchange, inside, time_ns, received_ns, flags)


def _read(files: Sequence[ColumnFile], selection: Selection, tally: Tally) -> Iterator[list[Batch]]:
    """Rows of every file, block by block."""
    state = _Pass(selection, tally)
    readers: dict[str, tuple[dict[str, ColumnType], Callable[[_Rows, _Pass], list[Batch]]]] = {
        "trades": (_TRADES, _trades),
        "liquidations": (_LIQUIDATIONS, _liquidations),
        "incremental_book_L2": (_BOOK, _levels),
        "derivative_ticker": (_TICKER, _tickers),
    }
    for file in files:
        dataset, day_ns = _dataset_of(file)
        types, read = readers[dataset]
        for block in file.blocks(types, _OPTIONAL[dataset]):
            tally.rows_read += block.n_rows
            batches: list[Batch] = []
            for rows in state.rows_of(block, dataset, day_ns):
                batches += state.announcer.before(rows.contract.instrument, read(rows, state))
            yield batches


def _dataset_of(file: ColumnFile) -> tuple[str, int]:
    """Dataset and start of the day that a file's name says."""
    found = re.fullmatch(_NAME, stem_of(file.path))
    if found is None:
        msg = f"{file.name} is not the name of a dataset"
        raise ValueError(msg)
    try:
        return found[2], parse_time_ns(found[3])
    except ValueError as exc:
        raise ImportRejected(
            f"the name holds the impossible date {found[3]}",
            where=file.name,
            hint="Keep the dataset's own names.",
        ) from exc


def _trades(rows: _Rows, state: _Pass) -> list[Batch]:
    block, kept = rows.block, rows.mask
    price, amount = block.non_negative("price"), block.non_negative("amount")
    side = block.one_of("side", ("buy", "sell", "unknown"))
    nothing = (price == 0) | (amount == 0)
    state.tally.reject("trade_without_price", kept & nothing)
    kept = kept & ~nothing
    taker = np.zeros(block.n_rows, dtype=np.int8)
    taker[side.equals("buy")] = TakerSide.BUY
    taker[side.equals("sell")] = TakerSide.SELL
    fields: dict[str, NDArray[Any]] = {
        "price_usd": price[kept],
        "qty_base": rows.contract.qty_base(amount[kept], price[kept]),
        "taker_side": taker[kept],
        "cause": np.full(int(kept.sum()), TradeCause.ORDINARY, dtype=np.uint8),
    }
    return _batch(Kind.TRADE, rows, kept, fields, rows.flags, state)


def _liquidations(rows: _Rows, state: _Pass) -> list[Batch]:
    """The side of this dataset is that of the closing order on every exchange: ``sell`` closed a long."""
    block, kept = rows.block, rows.mask
    price, amount = block.non_negative("price"), block.non_negative("amount")
    side = block.one_of("side", ("buy", "sell", "unknown"))
    nothing = (price == 0) | (amount == 0)
    state.tally.reject("trade_without_price", kept & nothing)
    is_unknown = side.equals("unknown")
    state.tally.reject("unknown_side", kept & ~nothing & is_unknown)
    kept = kept & ~nothing & ~is_unknown
    is_copy = _is_copy(rows, kept, (price, amount), side, state)
    state.tally.reject("duplicate", is_copy)
    kept = kept & ~is_copy
    contract = rows.contract
    if rows.exchange.liquidation_amount is not None:
        contract = dataclasses.replace(contract, amount=rows.exchange.liquidation_amount)
    flags = rows.flags.copy()
    flags[is_sampled(rows.exchange, rows.time_ns)] |= np.uint32(Flag.SAMPLED)
    fields: dict[str, NDArray[Any]] = {
        "side": np.where(side.equals("sell")[kept], np.int8(Side.LONG), np.int8(Side.SHORT)),
        "price_kind": np.full(int(kept.sum()), rows.exchange.price_kind, dtype=np.uint8),
        "price_usd": price[kept],
        "qty_base": contract.qty_base(amount[kept], price[kept]),
        "notional_usd": contract.notional_usd(amount[kept], price[kept]),
    }
    return _batch(Kind.LIQUIDATION, rows, kept, fields, flags, state)


def _is_copy(
    rows: _Rows,
    kept: NDArray[np.bool_],
    numbers: tuple[NDArray[np.float64], NDArray[np.float64]],
    side: TextColumn,
    state: _Pass,
) -> NDArray[np.bool_]:
    """Mask of kept liquidations told before: same id, or without one same time, price, amount and side."""
    is_copy = np.zeros(len(kept), dtype=np.bool_)
    ids = rows.block.texts.get("id")
    iid = rows.contract.instrument.id
    for at in np.flatnonzero(kept).tolist():
        name = ids.values[ids.codes[at]] if ids is not None else ""
        facts = (int(rows.time_ns[at]), float(numbers[0][at]), float(numbers[1][at]), int(side.codes[at]))
        key = (iid, name) if name else (iid, *facts[:3], side.values[facts[3]])
        is_copy[at] = key in state.known_liquidations
        state.known_liquidations.add(key)
    return is_copy


def _levels(rows: _Rows, state: _Pass) -> list[Batch]:
    """Changed levels; an amount of zero removes one, and a snapshot begins after every reconnection."""
    block, kept = rows.block, rows.mask
    price, amount = block.positive("price"), block.non_negative("amount")
    side = block.one_of("side", ("bid", "ask"))
    flags = rows.flags.copy()
    flags[block.bools["is_snapshot"]] |= np.uint32(Flag.SNAPSHOT)
    fields: dict[str, NDArray[Any]] = {
        "side": np.where(side.equals("bid")[kept], np.int8(1), np.int8(-1)),
        "price_usd": price[kept],
        "qty_base": rows.contract.qty_base(amount[kept], price[kept]),
    }
    return _batch(Kind.BOOK_LEVEL, rows, kept, fields, flags, state)


def _tickers(rows: _Rows, state: _Pass) -> list[Batch]:
    """Marks, open interest and funding where they changed; an empty cell says nothing."""
    block = rows.block
    stamps = block.numbers.get("funding_timestamp")
    if stamps is not None:
        bad = ~np.isnan(stamps) & ~((stamps * 1e3 >= EARLIEST_NS) & (stamps * 1e3 < LATEST_NS))
        block.check("funding_timestamp", bad, "must be a time between 2009-01-03 and 2100-01-01")
    for name in _TICKER_NUMBERS:
        values = block.numbers.get(name)
        if values is not None:
            low = -LARGEST if "rate" in name else 0.0
            bad = ~np.isnan(values) & ~((values >= low) & (values <= LARGEST))
            block.check(name, bad, "must be a possible number, at most 1e18")
    memory = state.tickers.setdefault(rows.contract.instrument.id, TickerState())
    times = (rows.time_ns, rows.received_ns)
    return ticker_batches(
        block, rows.contract, rows.mask, times, rows.flags, memory, state.selection, state.tally
    )


def _batch(
    kind: Kind,
    rows: _Rows,
    kept: NDArray[np.bool_],
    fields: dict[str, NDArray[Any]],
    flags: NDArray[np.uint32],
    state: _Pass,
) -> list[Batch]:
    times = (rows.time_ns[kept], rows.received_ns[kept])
    return sorted_batch(kind, rows.contract.instrument.id, times, fields, state.selection, flags[kept])


#: Daily CSV datasets of tardis.dev, as they are fetched.
TARDIS: Final = Importer(
    name="tardis",
    summary="datasets of tardis.dev: trades, liquidations, book changes, derivative tickers",
    name_pattern=_NAME,
    expected_files="<exchange>_<trades, liquidations, incremental_book_L2 or derivative_ticker>_<day>_<SYMBOL>",
    read=_read,
    limits=Limits(max_bytes=1 << 38, max_rows=10_000_000_000),
)
