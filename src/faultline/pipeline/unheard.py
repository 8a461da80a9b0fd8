"""Liquidations and gaps in, the stretches in which no feed of liquidations was listened to out.

A feed that is heard for the first time was not listened to before, and whether one that prints nothing for more than a
day is listened to is not known. Where one feed of several is down, what the others print is still known; only where
all are down nothing is, which is not the same as nothing liquidated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from faultline.messages import Flag, Kind, gaps_of
from faultline.units import DAY_NS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from faultline.messages import Batch

__all__ = ("UnheardSpans",)

_BEGIN: Final = np.iinfo(np.int64).min
_END: Final = np.iinfo(np.int64).max
_SILENCE_NS: Final = DAY_NS
_LIQUIDATIONS: Final = Kind.LIQUIDATION.value.encode()


class UnheardSpans:
    """Gaps of every feed of liquidations, as far as they were told."""

    def __init__(self) -> None:
        #: First moment at which a feed was heard or known to be down, and its last row.
        self._since_ns: dict[str, int] = {}
        self._last_ns: dict[str, int] = {}
        self._gaps: dict[str, list[tuple[int, int]]] = {}
        #: Feeds that have printed nothing for more than a day.
        self._silent: set[str] = set()

    def apply(self, batches: Iterable[Batch], now_ns: int) -> frozenset[str]:
        """Take in rows of the kinds ``liquidation`` and ``gap``, others are passed over; instruments of which more is
        known now.
        """
        changed: set[str] = set()
        for batch in batches:
            if batch.kind is Kind.LIQUIDATION:
                single = batch.rows[(batch.rows["flags"] & Flag.TOTAL) == 0]
                if len(single) and self._hear(batch.instrument_id, single["ts_received_ns"]):
                    changed.add(batch.instrument_id)
            elif batch.kind is Kind.GAP and self._miss(batch.instrument_id, batch.rows):
                changed.add(batch.instrument_id)
        fallen = {
            iid for iid, last_ns in self._last_ns.items() if now_ns - last_ns > _SILENCE_NS
        } - self._silent
        self._silent |= fallen
        return frozenset(changed | fallen)

    def of(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """Stretches [from, to) in which all feeds among ``ids`` were down, shape (n, 2), sorted; all time without."""
        feeds = [iid for iid in ids if iid in self._since_ns]
        if not feeds:
            return np.array([[_BEGIN, _END]])
        parts = [_merged(self._spans(iid)) for iid in feeds]
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

    def _spans(self, iid: str) -> list[tuple[int, int]]:
        """When a feed was down, in any order."""
        silent = [(self._last_ns[iid], _END)] if iid in self._silent else []
        return [(_BEGIN, self._since_ns[iid]), *self._gaps.get(iid, []), *silent]

    def _hear(self, iid: str, times_ns: NDArray[np.int64]) -> bool:
        """Take in when a feed printed, sorted; whether that changes when it was down."""
        is_news = self._begin(iid, int(times_ns[0])) or iid in self._silent
        self._silent.discard(iid)
        times = np.append(self._last_ns[iid], times_ns)
        long = np.flatnonzero(np.diff(times) > _SILENCE_NS)
        self._gaps.setdefault(iid, []).extend(
            zip(times[long].tolist(), times[long + 1].tolist(), strict=True)
        )
        self._last_ns[iid] = max(self._last_ns[iid], int(times[-1]))
        return is_news or bool(len(long))

    def _miss(self, iid: str, rows: NDArray[np.void]) -> bool:
        """Take in gaps of an instrument; whether any is one of liquidations."""
        own = rows[rows["missing_kind"] == _LIQUIDATIONS]
        if len(own):
            self._begin(iid, int(own["from_ns"].min()))
        rows = gaps_of(rows, Kind.LIQUIDATION)
        self._gaps.setdefault(iid, []).extend(
            zip(rows["from_ns"].tolist(), rows["to_ns"].tolist(), strict=True)
        )
        return bool(len(rows))

    def _begin(self, iid: str, at_ns: int) -> bool:
        """Note that a feed is known from a moment on; whether that is news."""
        is_news = at_ns < self._since_ns.get(iid, _END)
        if is_news:
            self._since_ns[iid] = at_ns
            self._last_ns.setdefault(iid, at_ns)
        return is_news


def _merged(spans: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """Spans that touch or overlap as one, sorted, shape (n, 2)."""
    found = np.array(sorted(spans), dtype=np.int64)
    reach = np.maximum.accumulate(found[:, 1])
    first = np.flatnonzero(np.append(True, found[1:, 0] > reach[:-1]))
    return np.stack([found[first, 0], reach[np.append(first[1:], len(found)) - 1]], axis=1)
