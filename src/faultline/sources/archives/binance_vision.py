"""Files of Binance's public archive in; trades, bars, open interest, ratios, funding and liquidations out.

Every dataset has its own reader; all of them share what a name says, the order of files and the check of rows against
the days that the name promises. How a dump becomes messages, and its traps, is in ``docs/reference/importers.md``.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from faultline.sources.archives.binance_vision_bars import read_bars
from faultline.sources.archives.binance_vision_liquidations import read_liquidations
from faultline.sources.archives.binance_vision_metrics import read_depth, read_funding, read_metrics
from faultline.sources.archives.binance_vision_names import NAME_PATTERN, check_days, check_digest, dump_of
from faultline.sources.archives.binance_vision_pass import DumpPass
from faultline.sources.archives.binance_vision_trades import read_trades
from faultline.sources.archives.bounded_bytes import Limits
from faultline.sources.archives.importer import Importer
from faultline.sources.archives.message_rows import gap_batches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from faultline.messages import Batch
    from faultline.sources.archives.binance_vision_names import Dump
    from faultline.sources.archives.column_files import ColumnFile
    from faultline.sources.archives.report import Selection, Tally

__all__ = ("BINANCE_VISION",)

_READERS: Final[dict[str, Callable[[Dump, DumpPass], Iterator[list[Batch]]]]] = {
    "aggTrades": read_trades,
    "metrics": read_metrics,
    "bookDepth": read_depth,
    "liquidationSnapshot": read_liquidations,
    "fundingRate": read_funding,
}


def _read(files: Sequence[ColumnFile], selection: Selection, tally: Tally) -> Iterator[list[Batch]]:
    """Messages of every dump, a symbol's datasets in the order of their days."""
    dumps = [dump_of(file) for file in files]
    check_days(dumps)
    state = DumpPass(selection, tally)
    for dump in sorted(dumps, key=lambda dump: (dump.symbol, dump.dataset, dump.from_ns)):
        check_digest(dump.file.path)
        yield from _READERS.get(dump.dataset, read_bars)(dump, state)
    yield gap_batches(state.gaps, selection)


#: Daily and monthly dumps of data.binance.vision, as they were fetched.
BINANCE_VISION: Final = Importer(
    name="binance-vision",
    summary="Binance's public archive: trades, bars, open interest, ratios, funding, liquidations",
    name_pattern=NAME_PATTERN,
    expected_files="<SYMBOL>-<aggTrades, 1m, metrics, fundingRate, liquidationSnapshot or bookDepth>-<day or month>",
    read=_read,
    limits=dataclasses.replace(Limits(), max_bytes=1 << 36, max_rows=1_000_000_000),
    suffixes=(".zip", ".csv", ".csv.gz"),
)
