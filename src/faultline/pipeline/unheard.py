"""Liquidations and gaps in, the stretches in which no feed of liquidations was listened to out.

A feed that is heard for the first time was not listened to before. Where one feed of several is down, what the others
print is still known; only where all are down nothing is, which is not the same as nothing liquidated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from faultline.messages import Flag, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from faultline.messages import Batch

__all__ = ("UnheardSpans",)

_BEGIN: Final = np.iinfo(np.int64).min
_END: Final = np.iinfo(np.int64).max
_ALL: Final = b"all"
_LIQUIDATIONS: Final = Kind.LIQUIDATION.value.encode()


class UnheardSpans:
    """Gaps of every feed of liquidations, as far as they were told."""

    def __init__(self) -> None:
        #: First moment at which a feed was heard or known to be down.
        self._since_ns: dict[str, int] = {}
        self._gaps: dict[str, list[tuple[int, int]]] = {}

    def apply(self, batches: Iterable[Batch]) -> frozenset[str]:
        """Take in rows of the kinds ``liquidation`` and ``gap``, others are passed over; instruments of which more is
        known now.
        """
        changed: set[str] = set()
        for batch in batches:
            iid, rows = batch.instrument_id, batch.rows
            if batch.kind is Kind.LIQUIDATION:
                single = rows[(rows["flags"] & Flag.TOTAL) == 0]
                if len(single) and self._hear(iid, int(single["ts_received_ns"][0])):
                    changed.add(iid)
            elif batch.kind is Kind.GAP:
                rows = rows[np.isin(rows["missing_kind"], (_LIQUIDATIONS, _ALL))]
                own = rows[rows["missing_kind"] == _LIQUIDATIONS]
                if len(own):
                    self._hear(iid, int(own["from_ns"].min()))
                self._gaps.setdefault(iid, []).extend(
                    zip(rows["from_ns"].tolist(), rows["to_ns"].tolist(), strict=True)
                )
                changed |= {iid} if len(rows) else set()
        return frozenset(changed)

    def of(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """Stretches [from, to) in which all feeds among ``ids`` were down, shape (n, 2), sorted; all time without."""
        feeds = [iid for iid in ids if iid in self._since_ns]
        if not feeds:
            return np.array([[_BEGIN, _END]])
        parts = [_merged([(_BEGIN, self._since_ns[iid]), *self._gaps.get(iid, [])]) for iid in feeds]
        starts, ends = (
            np.concatenate([part[:, 0] for part in parts]),
            np.concatenate([part[:, 1] for part in parts]),
        )
        times = np.concatenate([ends, starts])
        steps = np.repeat((-1, 1), len(starts))
        order = np.argsort(times, kind="stable")
        down = np.cumsum(steps[order])
        begins = np.flatnonzero(down == len(feeds))
        return np.stack([times[order][begins], times[order][begins + 1]], axis=1)

    def _hear(self, iid: str, at_ns: int) -> bool:
        is_news = at_ns < self._since_ns.get(iid, _END)
        if is_news:
            self._since_ns[iid] = at_ns
        return is_news


def _merged(spans: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """Spans that touch or overlap as one, sorted, shape (n, 2)."""
    found = np.array(sorted(spans), dtype=np.int64)
    reach = np.maximum.accumulate(found[:, 1])
    first = np.flatnonzero(np.append(True, found[1:, 0] > reach[:-1]))
    return np.stack([found[first, 0], reach[np.append(first[1:], len(found)) - 1]], axis=1)
