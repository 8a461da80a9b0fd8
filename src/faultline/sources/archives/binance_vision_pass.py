"""What one pass over a set of dumps carries from file to file: counts, the order of rows, contracts told, gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faultline.sources.archives.dump_rows import Announcer, Clock
from faultline.sources.archives.report import GapSpan
from faultline.units import MICROSECOND_NS, MILLISECOND_NS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from faultline.messages import Kind
    from faultline.sources.archives.binance_vision_names import Dump, Market
    from faultline.sources.archives.column_files import Block
    from faultline.sources.archives.report import Selection, Tally

__all__ = ("DumpPass", "is_micro", "stamps_ns")

#: Whole numbers from here on count microseconds: as milliseconds they would lie after the year 5000.
_MICRO_FROM = 10**14


class DumpPass:
    """State of one pass.

    Args:
        selection: what to keep.
        tally: counts of the pass.
    """

    def __init__(self, selection: Selection, tally: Tally) -> None:
        self.selection = selection
        self.tally = tally
        self.announcer = Announcer()
        self.gaps: list[GapSpan] = []
        #: Latest id of a trade, by instrument.
        self.latest_id: dict[str, int] = {}
        self._clocks: dict[tuple[str, str], Clock] = {}

    def clock(self, kind: Kind, instrument_id: str) -> Clock:
        """Clock of one stream of rows."""
        return self._clocks.setdefault((kind.value, instrument_id), Clock())

    def add_gap(self, kind: Kind, market: Market, from_ns: int, to_ns: int, reason: str) -> None:
        """Note that rows are missing, where the asset is wanted."""
        if self.selection.wants(market.asset):
            self.gaps.append(GapSpan(market.instrument_id, kind.value, from_ns, to_ns, reason))

    def is_left_out(self, market: Market, block: Block, kept: NDArray[np.bool_]) -> bool:
        """Count the rows of a pair that is not in USD, or not selected; True where it is one."""
        if not market.is_usd:
            self.tally.reject("not_quoted_in_usd", kept)
            return True
        if not self.selection.wants(market.asset):
            self.tally.reject("outside_selection", kept)
            return True
        return not block.n_rows

    def inside_days(
        self, dump: Dump, time_ns: NDArray[np.int64], kept: NDArray[np.bool_], slack_ns: int = 0
    ) -> NDArray[np.bool_]:
        """Kept rows of the days that the file's name promises; the others are counted."""
        inside = (time_ns >= dump.from_ns - slack_ns) & (time_ns < dump.to_ns + slack_ns)
        self.tally.reject("outside_the_files_days", kept & ~inside)
        return kept & inside

    def chosen(self, received_ns: NDArray[np.int64], kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Kept rows of the selected time; the others are counted."""
        inside = self.selection.mask(received_ns)
        self.tally.reject("outside_selection", kept & ~inside)
        return kept & inside


def is_micro(block: Block, field: str) -> bool:
    """True where the first stamp of a block counts microseconds."""
    stamps = block.integers[field]
    return bool(len(stamps)) and int(stamps[0]) >= _MICRO_FROM


def stamps_ns(block: Block, field: str) -> NDArray[np.int64]:
    """Times in milliseconds or microseconds since 1970, whichever the first of the block is, as nanoseconds.

    Raises:
        ImportRejected: a time lies outside 2009 to 2100, as one of the other unit does.
    """
    if is_micro(block, field):
        return block.integers_as_ns(field, MICROSECOND_NS, "microseconds")
    return block.integers_as_ns(field, MILLISECOND_NS, "milliseconds")
