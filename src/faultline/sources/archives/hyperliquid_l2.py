"""A day of one coin on Hyperliquid, as a poller recorded it, in; book snapshots, trades, marks, interest, funding out.

``l2_<COIN>_<day>`` holds the whole visible book, twenty levels a side, about every two seconds; a frame with the stamp
of the one before is the same answer fetched again. ``trades_<COIN>_<day>`` has no ids and many equal stamps, so no
trade is ever taken for a duplicate. ``ctx_<COIN>_<day>`` holds the state of the contract once a minute.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from faultline.errors import ImportRejected
from faultline.messages import Flag, Kind
from faultline.sources.archives.bounded_bytes import Limits
from faultline.sources.archives.column_files import ColumnType, block_of_table
from faultline.sources.archives.dump_rows import Announcer, sorted_batch
from faultline.sources.archives.importer import Importer, stem_of
from faultline.sources.archives.json_lines import line_numbers, parse_lines, read_levels
from faultline.sources.archives.message_rows import gap_batches
from faultline.sources.archives.report import GapSpan
from faultline.sources.archives.venue_contracts import contract_of
from faultline.units import DAY_NS, HOUR_NS, MILLISECOND_NS, MINUTE_NS, SECOND_NS, TakerSide, parse_time_ns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from faultline.instruments import Instrument
    from faultline.messages import Batch
    from faultline.sources.archives.column_files import Block, ColumnFile
    from faultline.sources.archives.json_lines import Levels
    from faultline.sources.archives.report import Selection, Tally

__all__ = ("HYPERLIQUID_L2",)

_NAME: Final = r"(l2|trades|ctx)_([A-Za-z0-9]{1,16})_(\d{8})"
_LEVELS: Final = pa.list_(pa.list_(pa.float64()))
_L2: Final = pa.schema([("ts", pa.int64()), ("bids", _LEVELS), ("asks", _LEVELS)])
_TRADES: Final = pa.schema(
    [("ts", pa.int64()), ("px", pa.float64()), ("sz", pa.float64()), ("side", pa.string())]
)
_CTX_NUMBERS: Final = ("funding", "oi", "mark", "oracle")
_CTX: Final = pa.schema([("ts", pa.int64()), *((name, pa.float64()) for name in _CTX_NUMBERS)])
#: A day's first answer may be a little older than the day, its last a little younger.
_DAY_SLACK_NS: Final = MINUTE_NS
#: Longer stretches without a new book, or without a new state, are holes of the recording.
_BOOK_HOLE_NS: Final = 60 * SECOND_NS
_STATE_HOLE_NS: Final = 150 * SECOND_NS
#: Rates are per hour, and no hour ever cost a tenth.
_RATE_MAX: Final = 0.1


@dataclasses.dataclass(frozen=True, slots=True)
class _Day:
    """One file: a coin, a day and where its lines stand."""

    file: ColumnFile
    instrument: Instrument
    from_ns: int


@dataclasses.dataclass(slots=True)
class _Pass:
    """State of one pass: counts, contracts told, holes, and the last stamp of every stream."""

    selection: Selection
    tally: Tally
    announcer: Announcer
    gaps: list[GapSpan]
    latest_ns: dict[tuple[str, str], int]

    def times_ns(
        self, day: _Day, block: Block, stream: str
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64]]:
        """Stamps, the mask of those of the file's day and of selected time, and the stamps before each.

        Raises:
            ImportRejected: time runs backwards.
        """
        time_ns = block.integers_as_ns("ts", MILLISECOND_NS, "milliseconds")
        inside = time_ns >= day.from_ns - _DAY_SLACK_NS
        inside &= time_ns < day.from_ns + DAY_NS + _DAY_SLACK_NS
        self.tally.reject("outside_the_files_days", ~inside)
        key = (stream, day.instrument.id)
        before_ns = self.latest_ns.get(key, 0)
        seen = np.where(inside, time_ns, 0)
        before = np.maximum.accumulate(np.concatenate(([before_ns], seen[:-1])))
        block.check("ts", inside & (time_ns < before), "must not decrease", "Sort the file by ts.")
        self.latest_ns[key] = int(max(before_ns, seen.max(initial=0)))
        return time_ns, inside, before

    def chosen(self, day: _Day, time_ns: NDArray[np.int64], kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Kept rows of the selected asset and time; the others are counted."""
        wanted = self.selection.mask(time_ns) & self.selection.wants(day.instrument.asset)
        self.tally.reject("outside_selection", kept & ~wanted)
        return kept & wanted

    def note_holes(
        self,
        day: _Day,
        times: tuple[NDArray[np.int64], NDArray[np.int64]],
        kept: NDArray[np.bool_],
        limit_ns: int,
        kinds: tuple[Kind, ...],
    ) -> None:
        """Note stretches longer than ``limit_ns`` from the stamp before to the stamp of a kept row."""
        before, time_ns = times
        if not self.selection.wants(day.instrument.asset):
            return
        for at in np.flatnonzero(kept & (before > 0) & (time_ns - before > limit_ns)):
            span = (int(before[at]), int(time_ns[at]))
            self.gaps += [GapSpan(day.instrument.id, kind.value, *span, "missing_rows") for kind in kinds]


def _read(files: Sequence[ColumnFile], selection: Selection, tally: Tally) -> Iterator[list[Batch]]:
    state = _Pass(selection, tally, Announcer(), [], {})
    readers: dict[str, Callable[[_Day, bytes, int, _Pass], list[Batch]]] = {
        "l2": _book,
        "trades": _trades,
        "ctx": _states,
    }
    for file in files:
        stream, day = _day_of(file)
        is_empty = True
        for line, body in file.texts():
            is_empty = False
            batches = readers[stream](day, body, line, state)
            yield state.announcer.before(day.instrument, batches)
        if is_empty:
            raise ImportRejected("the file is empty", where=file.name, hint="Fetch the file again.")
    yield gap_batches(state.gaps, selection)


def _day_of(file: ColumnFile) -> tuple[str, _Day]:
    found = re.fullmatch(_NAME, stem_of(file.path))
    contract = contract_of("hyperliquid", found[2]) if found else None
    if found is None or contract is None:
        msg = f"{file.name} is not the name of a recorded day"
        raise ValueError(msg)
    try:
        start = dt.datetime.strptime(found[3], "%Y%m%d").replace(tzinfo=dt.UTC)
    except ValueError as exc:
        raise ImportRejected(
            f"the name holds the impossible date {found[3]}",
            where=file.name,
            hint="Name the file after its day.",
        ) from exc
    return found[1], _Day(file, contract.instrument, parse_time_ns(start.isoformat()))


def _book(day: _Day, body: bytes, line: int, state: _Pass) -> list[Batch]:
    """Every level of every frame that is new, as a snapshot."""
    table = parse_lines(day.file.name, line_numbers(line, body), body, _L2, ("ts", "bids", "asks"))
    block = block_of_table(day.file.name, line, table, {"ts": ColumnType.INT})
    state.tally.rows_read += block.n_rows
    bids, asks = (
        read_levels(day.file.name, range(line, line + block.n_rows), table, side) for side in ("bids", "asks")
    )
    time_ns, kept, before = state.times_ns(day, block, "l2")
    is_repeated = kept & (time_ns == before)
    state.tally.reject("repeated_frame", is_repeated)
    kept &= ~is_repeated
    best_bid, bids_fall = _best(bids, block.n_rows, sign=-1)
    best_ask, asks_rise = _best(asks, block.n_rows, sign=1)
    sound = bids_fall & asks_rise & ~(best_bid >= best_ask)
    state.tally.reject("crossed_or_unsorted_book", kept & ~sound)
    kept &= sound
    state.note_holes(day, (before, time_ns), kept, _BOOK_HOLE_NS, (Kind.BOOK_LEVEL,))
    kept = state.chosen(day, time_ns, kept)
    bids, asks = bids.only(kept), asks.only(kept)
    lines = np.concatenate((bids.lines, asks.lines))
    order = np.argsort(lines, kind="stable")
    times = time_ns[lines[order]]
    side = np.concatenate((np.ones(len(bids.lines), np.int8), np.full(len(asks.lines), -1, np.int8)))
    fields: dict[str, NDArray[Any]] = {
        "side": side[order],
        "price_usd": np.concatenate((bids.price_usd, asks.price_usd))[order],
        "qty_base": np.concatenate((bids.amount, asks.amount))[order],
    }
    flags = Flag.SNAPSHOT | Flag.RECEIVED_ASSUMED
    return sorted_batch(Kind.BOOK_LEVEL, day.instrument.id, (times, times), fields, state.selection, flags)


def _best(levels: Levels, n_lines: int, *, sign: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Best price of every line (NaN where a side is empty), and whether its prices get worse level by level."""
    best = np.full(n_lines, np.nan)
    first = np.flatnonzero(np.diff(levels.lines, prepend=-1) != 0)
    best[levels.lines[first]] = levels.price_usd[first]
    same = levels.lines[1:] == levels.lines[:-1]
    wrong = same & (np.diff(levels.price_usd) * sign <= 0)
    sound = np.ones(n_lines, dtype=np.bool_)
    sound[levels.lines[1:][wrong]] = False
    return best, sound


def _trades(day: _Day, body: bytes, line: int, state: _Pass) -> list[Batch]:
    table = parse_lines(day.file.name, line_numbers(line, body), body, _TRADES, tuple(_TRADES.names))
    types = dict(
        zip(_TRADES.names, (ColumnType.INT, ColumnType.FLOAT, ColumnType.FLOAT, ColumnType.TEXT), strict=True)
    )
    block = block_of_table(day.file.name, line, table, types)
    state.tally.rows_read += block.n_rows
    price, amount = block.positive("px"), block.positive("sz")
    side = block.one_of("side", ("A", "B"))
    time_ns, kept, _before = state.times_ns(day, block, "trades")
    kept = state.chosen(day, time_ns, kept)
    fields: dict[str, NDArray[Any]] = {
        "price_usd": price[kept],
        "qty_base": amount[kept],
        "taker_side": np.where(side.equals("B")[kept], np.int8(TakerSide.BUY), np.int8(TakerSide.SELL)),
    }
    times = (time_ns[kept], time_ns[kept])
    return sorted_batch(Kind.TRADE, day.instrument.id, times, fields, state.selection)


def _states(day: _Day, body: bytes, line: int, state: _Pass) -> list[Batch]:
    """Mark and oracle price, open interest in coins and the funding of one hour."""
    table = parse_lines(day.file.name, line_numbers(line, body), body, _CTX, tuple(_CTX.names))
    types = {"ts": ColumnType.INT, **dict.fromkeys(_CTX_NUMBERS, ColumnType.FLOAT)}
    block = block_of_table(day.file.name, line, table, types)
    state.tally.rows_read += block.n_rows
    mark, oracle, oi = block.positive("mark"), block.positive("oracle"), block.non_negative("oi")
    rate = block.finite("funding")
    block.check("funding", np.abs(rate) > _RATE_MAX, "must be a ratio per hour, at most 10 %")
    time_ns, kept, before = state.times_ns(day, block, "ctx")
    is_repeated = kept & (time_ns == before)
    state.tally.reject("repeated_frame", is_repeated)
    kept &= ~is_repeated
    kinds = (Kind.MARK, Kind.OPEN_INTEREST, Kind.FUNDING)
    state.note_holes(day, (before, time_ns), kept, _STATE_HOLE_NS, kinds)
    kept = state.chosen(day, time_ns, kept)
    state.tally.repair("zero_means_missing", kept & (oi == 0))
    iid, times = day.instrument.id, (time_ns[kept], time_ns[kept])
    marks = {"mark_price_usd": mark[kept], "index_price_usd": oracle[kept]}
    funding = {
        "rate_ratio": rate[kept],
        "interval_ns": np.full(int(kept.sum()), HOUR_NS),
        "next_ns": (times[0] // HOUR_NS + 1) * HOUR_NS,
    }
    known = kept & (oi > 0)
    interest = {"oi_base": oi[known], "oi_usd": oi[known] * mark[known]}
    return [
        *sorted_batch(Kind.MARK, iid, times, marks, state.selection),
        *sorted_batch(Kind.FUNDING, iid, times, funding, state.selection),
        *sorted_batch(Kind.OPEN_INTEREST, iid, (time_ns[known], time_ns[known]), interest, state.selection),
    ]


#: Book, trades and state of single coins on Hyperliquid, one file a day and stream.
HYPERLIQUID_L2: Final = Importer(
    name="hyperliquid-l2",
    summary="Hyperliquid: book snapshots, trades, marks, open interest and funding, a day and coin a file",
    name_pattern=_NAME,
    expected_files="l2_<COIN>_<YYYYMMDD>, trades_<COIN>_<YYYYMMDD> and ctx_<COIN>_<YYYYMMDD>",
    read=_read,
    limits=Limits(max_bytes=1 << 36, max_rows=1_000_000_000),
    suffixes=(".jsonl", ".jsonl.gz"),
)
