"""Counts of one import in, the account that ``tape import`` gives of it out.

Every row that was read is either kept or counted under the reason it was rejected for.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from faultline.messages import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from faultline.messages import Batch

__all__ = ("GapSpan", "ImportReport", "KindCount", "Selection", "Tally")


class KindCount(msgspec.Struct, frozen=True):
    """Messages of one kind that an import wrote, over ``[first_ns, last_ns]`` of receive time."""

    rows: int
    first_ns: int
    last_ns: int
    #: Instrument ids, sorted.
    symbols: tuple[str, ...]


class GapSpan(msgspec.Struct, frozen=True, order=True):
    """Rows of ``kind`` are missing over ``[from_ns, to_ns)``."""

    scope: str
    kind: str
    from_ns: int
    to_ns: int
    reason: str


class ImportReport(msgspec.Struct, frozen=True):
    """What an import read, kept and wrote."""

    #: Path of the tape.
    tape: str
    format: str
    #: Rows of the files, without their header lines.
    rows_read: int
    #: Rows that at least one message was made of: ``rows_read`` less all rejected.
    rows_kept: int
    rejected: dict[str, int]
    #: Rows that were kept after a documented correction.
    repaired: dict[str, int]
    #: Rows that were kept although a check was impossible.
    unchecked: dict[str, int]
    kinds: dict[str, KindCount]
    gaps: tuple[GapSpan, ...]
    #: Files in the given directories that this format does not read.
    ignored_files: tuple[str, ...]
    #: True where the import continued one that had been interrupted.
    resumed: bool
    #: Content of the whole tape after the import, independent of its file layout.
    sha256: str


@dataclasses.dataclass(frozen=True, slots=True)
class Selection:
    """Which part of a source is imported; None means all of it."""

    from_ns: int | None = None
    to_ns: int | None = None
    assets: frozenset[str] | None = None

    def wants(self, asset: str) -> bool:
        """True where rows of ``asset`` are imported."""
        return self.assets is None or asset in self.assets

    def mask(self, received_ns: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Mask, shape (n,), of the receive times inside ``[from_ns, to_ns)``."""
        kept = np.ones(len(received_ns), dtype=np.bool_)
        if self.from_ns is not None:
            kept &= received_ns >= self.from_ns
        if self.to_ns is not None:
            kept &= received_ns < self.to_ns
        return kept

    def clip(self, gaps: Iterable[GapSpan]) -> list[GapSpan]:
        """The parts of gaps inside the selected time, empty ones left out."""
        clipped: list[GapSpan] = []
        for gap in gaps:
            start = gap.from_ns if self.from_ns is None else max(gap.from_ns, self.from_ns)
            end = gap.to_ns if self.to_ns is None else min(gap.to_ns, self.to_ns)
            if start < end:
                clipped.append(msgspec.structs.replace(gap, from_ns=start, to_ns=end))
        return clipped


class Tally:
    """Counters of one pass over the files."""

    def __init__(self) -> None:
        self.rows_read = 0
        self.rejected: Counter[str] = Counter()
        self.repaired: Counter[str] = Counter()
        self.unchecked: Counter[str] = Counter()
        self.gaps: set[GapSpan] = set()
        self._kinds: dict[Kind, list[tuple[int, int, int, str]]] = {}

    def reject(self, reason: str, mask: NDArray[np.bool_]) -> None:
        """Count the rows of a mask as rejected."""
        self._count(self.rejected, reason, mask)

    def reject_rows(self, reason: str, count: int) -> None:
        """Count a number of rows as rejected."""
        if count:
            self.rejected[reason] += count

    def repair(self, reason: str, mask: NDArray[np.bool_]) -> None:
        """Count the rows of a mask as corrected."""
        self._count(self.repaired, reason, mask)

    def repair_rows(self, reason: str, count: int) -> None:
        """Count a number of rows as corrected."""
        if count:
            self.repaired[reason] += count

    def leave_unchecked(self, reason: str, mask: NDArray[np.bool_]) -> None:
        """Count the rows of a mask as kept without a check."""
        self._count(self.unchecked, reason, mask)

    def write(self, batch: Batch) -> None:
        """Count messages; gap messages are listed too."""
        received_ns = batch.rows["ts_received_ns"]
        row = (len(batch), int(received_ns.min()), int(received_ns.max()), batch.instrument_id)
        self._kinds.setdefault(batch.kind, []).append(row)
        if batch.kind is Kind.GAP:
            for gap in batch.rows:
                missing, reason = gap["missing_kind"].decode(), gap["reason"].decode()
                span = (int(gap["from_ns"]), int(gap["to_ns"]))
                self.gaps.add(GapSpan(batch.instrument_id, missing, *span, reason))

    def kind_counts(self) -> dict[str, KindCount]:
        """Messages by kind, in the alphabet of kinds."""
        counts: dict[str, KindCount] = {}
        for kind in sorted(self._kinds):
            rows, first, last, ids = zip(*self._kinds[kind], strict=True)
            counts[kind.value] = KindCount(sum(rows), min(first), max(last), tuple(sorted(set(ids))))
        return counts

    @staticmethod
    def _count(counter: Counter[str], reason: str, mask: NDArray[np.bool_]) -> None:
        count = int(np.count_nonzero(mask))
        if count:
            counter[reason] += count
