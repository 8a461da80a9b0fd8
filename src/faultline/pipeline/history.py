"""Path bars and ledger checkpoints in, the ledger as it stood at an earlier moment out.

The map answers "what stood in this cell, then?" exactly, without keeping every column's ledger: it keeps a
compressed ledger each hour and the bars since, and applies those bars again.
"""

from __future__ import annotations

import dataclasses
import io
import zlib
from typing import TYPE_CHECKING, Final

import numpy as np

from faultline.heatmap.ledger import PATH_BAR, Ledger
from faultline.units import DAY_NS, HOUR_NS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from faultline.heatmap.ledger import LedgerParameters

__all__ = ("PathHistory",)

#: Bars kept: three and a half days of seconds or seven months of minutes.
_BARS_MAX: Final = 300_000
#: Hourly checkpoints kept; older ones are thinned to one a day.
_HOURLY_MAX: Final = 36
#: Daily checkpoints kept.
_DAILY_MAX: Final = 60


@dataclasses.dataclass(frozen=True, slots=True)
class _Checkpoint:
    time_ns: int
    worth_usd: float
    packed: bytes

    def ledger(self, parameters: Sequence[LedgerParameters]) -> Ledger:
        with np.load(io.BytesIO(zlib.decompress(self.packed)), allow_pickle=False) as arrays:
            return Ledger.from_state(parameters, dict(arrays))


class PathHistory:
    """Bounded past of one instrument."""

    def __init__(self) -> None:
        self._chunks: list[NDArray[np.void]] = []
        self._n_bars = 0
        self._hourly: list[_Checkpoint] = []
        self._daily: list[_Checkpoint] = []

    def append(self, bars: NDArray[np.void]) -> None:
        """Remember applied bars (``heatmap.ledger.PATH_BAR``)."""
        if len(bars):
            self._chunks.append(bars)
            self._n_bars += len(bars)
            while self._n_bars - len(self._chunks[0]) >= _BARS_MAX:
                self._n_bars -= len(self._chunks.pop(0))

    def checkpoint(self, time_ns: int, ledger: Ledger, worth_usd: float) -> None:
        """Remember the ledger as it stands after every bar that ended by ``time_ns``, a whole hour.

        ``worth_usd`` is the worth of a unit from then on (``heatmap.anchor``).
        """
        buffer = io.BytesIO()
        # The pieces have names of our own and no pickled objects.
        np.savez(buffer, allow_pickle=False, **ledger.state())
        self._hourly.append(_Checkpoint(time_ns, worth_usd, zlib.compress(buffer.getvalue(), 1)))
        while len(self._hourly) > _HOURLY_MAX:
            oldest = self._hourly.pop(0)
            if oldest.time_ns % DAY_NS < HOUR_NS:
                self._daily.append(oldest)
        del self._daily[:-_DAILY_MAX]

    def ledger_at(self, time_ns: int, parameters: Sequence[LedgerParameters]) -> tuple[Ledger, float] | None:
        """The ledger after every bar that ended by ``time_ns``, and the worth of a unit; None where forgotten."""
        # A column that closes on the hour was drawn before the hour's change of the worth.
        known = [point for point in self._daily + self._hourly if point.time_ns < time_ns]
        if not known or not self._chunks:
            return None
        start = known[-1]
        if int(self._chunks[0]["end_ns"][0]) > start.time_ns + HOUR_NS:
            return None
        bars = self.bars(start.time_ns, time_ns)
        ledger = start.ledger(parameters)
        flat_mix = np.ones((1, len(parameters[0].leverages)))
        ledger.advance(bars, flat_mix, np.zeros(0, dtype=np.int64), first_row=0, n_rows=1, row_usd=1.0)
        return ledger, start.worth_usd

    def bars(self, after_ns: int, upto_ns: int) -> NDArray[np.void]:
        """Bars that ended in (after_ns, upto_ns], sorted."""
        parts = [
            chunk[(chunk["end_ns"] > after_ns) & (chunk["end_ns"] <= upto_ns)]
            for chunk in self._chunks
            if chunk["end_ns"][-1] > after_ns and chunk["end_ns"][0] <= upto_ns
        ]
        return np.concatenate(parts) if parts else np.zeros(0, dtype=PATH_BAR)
