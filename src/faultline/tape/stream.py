"""A tape's cursors in, batches forward in time out, one chunk at a time.

A sealed file holds one day, so cursors are made day by day: only the files of the present day are open. When a file
was sealed or merged away meanwhile, the day's cursors are made again from where the stream stands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from faultline.errors import TapeError
from faultline.messages import Batch, Kind, join_rows
from faultline.tape.cursor import RowCursor
from faultline.units import DAY_NS

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

__all__ = ("Cursors", "TapeStream")

#: A cursor for each kind and instrument that has rows in a span, in the order of kinds, venues and symbols.
Cursors = list[tuple[tuple[Kind, str], RowCursor]]
_TRIES: Final = 20


class TapeStream:
    """Reads a tape forward.

    Args:
        open_cursors: makes the cursors for ``[from_ns, to_ns)``, looking at the folder anew.
    """

    def __init__(self, open_cursors: Callable[[int, int], Cursors]) -> None:
        self._open_cursors = open_cursors
        self._cursors: Cursors | None = None
        self._at_ns = 0

    def batches(self, from_ns: int, to_ns: int) -> list[Batch]:
        """Rows received in ``[from_ns, to_ns)``; each call begins where the one before ended.

        Raises:
            TapeCorrupt: a file is damaged.
            TapeError: the tape kept changing for every try.
        """
        for _ in range(_TRIES):
            try:
                return self._batches(from_ns, to_ns)
            except FileNotFoundError:
                self._cursors = None
        raise TapeError("the tape changed all the time while it was read", hint="try again")

    def _batches(self, from_ns: int, to_ns: int) -> list[Batch]:
        runs: dict[tuple[Kind, str], list[NDArray[np.void]]] = {}
        at_ns = from_ns
        while at_ns < to_ns:
            day_end_ns = (at_ns // DAY_NS + 1) * DAY_NS
            if self._cursors is None or self._at_ns != at_ns:
                self._cursors = self._open_cursors(at_ns, day_end_ns)
            until_ns = min(day_end_ns, to_ns)
            for key, cursor in self._cursors:
                rows = cursor.take(until_ns)
                if len(rows):
                    runs.setdefault(key, []).append(rows)
            self._at_ns = at_ns = until_ns
            if until_ns == day_end_ns:
                self._cursors = None
        found = [
            Batch(*key, parts[0] if len(parts) == 1 else join_rows(parts)) for key, parts in runs.items()
        ]
        return sorted(found, key=lambda batch: batch.sort_key)
