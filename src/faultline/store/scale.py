"""Closed columns in, the two ends of the colour scale and the range of codes out.

Both come from the asset's trailing seven closed days (UTC), never from the view: a level has the same colour
however the map is zoomed. Until a first day has closed, the closed columns seen so far stand in, and
``Legend`` says from which time to which. Counts are kept per day on a logarithmic grid of 64 cells per octave
(1.1 % wide on average).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit

from faultline.store.quantise import CodeRange
from faultline.units import DAY_NS

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ("LEGEND_DAYS", "Legend", "ValueHistory", "choose_range")

#: Closed days the scale looks back on.
LEGEND_DAYS: Final = 7
#: Share of positive cells under the lower end of the colour scale.
_LOWER_SHARE: Final = 0.30
#: Share of positive cells under the upper end of the colour scale.
_UPPER_SHARE: Final = 0.998
#: Room above the largest value seen before the range of codes has to move.
_HEADROOM_RATIO: Final = 1.25
#: Rungs that a range is put above what is needed where the lower end of the scale leaves room.
_SPARE_RUNGS: Final = 2
#: Rungs that a range may be higher than wanted before it moves back.
_IDLE_RUNGS: Final = 4

_DROPPED_BITS: Final = 17
_FIRST_BIN: Final = int(np.array([2.0**-10], np.float32).view(np.int32)[0]) >> _DROPPED_BITS
_N_BINS: Final = 50 * 64


@dataclasses.dataclass(frozen=True, slots=True)
class Legend:
    """The two USD ends of the colour scale and the closed columns they were measured on, ``[from_ns,
    to_ns)``.
    """

    lo_usd: float
    hi_usd: float
    from_ns: int
    to_ns: int


class ValueHistory:
    """How often each cell value occurred per day, over closed columns; both sides of one plane are counted
    together.
    """

    def __init__(self) -> None:
        self._counts: dict[int, NDArray[np.int64]] = {}
        self._max_usd: dict[int, float] = {}
        self._span_ns: dict[int, tuple[int, int]] = {}
        self._n_columns: dict[int, int] = {}

    def add(self, start_ns: NDArray[np.int64], dt_ns: int, usd: NDArray[np.float32]) -> None:
        """Count closed columns.

        Args:
            start_ns: int64[n], start of each column.
            dt_ns: length of a column.
            usd: float32[n, P], USD per cell.
        """
        days = start_ns // DAY_NS
        for day in np.unique(days).tolist():
            picked = days == day
            counts = self._counts.setdefault(day, np.zeros(_N_BINS, np.int64))
            bits = np.ascontiguousarray(usd[picked], np.float32).view(np.int32)
            top_bits = int(_count_kernel(bits.reshape(-1), counts))
            top_usd = float(np.array([top_bits], np.int32).view(np.float32)[0])
            self._max_usd[day] = max(self._max_usd.get(day, 0.0), top_usd)
            first, last = int(start_ns[picked].min()), int(start_ns[picked].max()) + dt_ns
            self._n_columns[day] = self._n_columns.get(day, 0) + int(np.count_nonzero(picked))
            known = self._span_ns.get(day, (first, last))
            self._span_ns[day] = (min(known[0], first), max(known[1], last))
        newest = max(self._counts, default=0)
        for day in [day for day in self._counts if day < newest - LEGEND_DAYS - 1]:
            del self._counts[day], self._max_usd[day], self._span_ns[day], self._n_columns[day]

    def clear(self) -> None:
        """Forget everything, as after a jump of a replay: the future must not colour the past."""
        self._counts.clear()
        self._max_usd.clear()
        self._span_ns.clear()
        self._n_columns.clear()

    def legend(self, now_ns: int) -> Legend | None:
        """The colour scale as known at ``now_ns``; None where no closed column holds anything yet."""
        days = self._days(now_ns)
        counts = sum((self._counts[day] for day in days), np.zeros(_N_BINS, np.int64))
        if not counts.any():
            return None
        cumulative = np.cumsum(counts)
        lo_bin, hi_bin = (
            int(np.searchsorted(cumulative, share * cumulative[-1])) for share in (_LOWER_SHARE, _UPPER_SHARE)
        )
        lo_usd, hi_usd = _bin_value_usd(lo_bin), _bin_value_usd(max(hi_bin, lo_bin + 1))
        spans = [self._span_ns[day] for day in days]
        return Legend(lo_usd, hi_usd, min(span[0] for span in spans), max(span[1] for span in spans))

    def max_usd(self) -> float:
        """Largest cell of any closed column still counted; 0.0 where there is none."""
        return max(self._max_usd.values(), default=0.0)

    def basis(self, now_ns: int) -> tuple[tuple[int, ...], int]:
        """What the scale at ``now_ns`` is measured on; it has to be measured again when this differs.

        The days looked at, and how many columns they hold. Until a first day has closed, only the power of
        two of that number, so that the scale settles down.
        """
        days = tuple(self._days(now_ns))
        n_columns = sum(self._n_columns[day] for day in days)
        return days, n_columns.bit_length() if days == (now_ns // DAY_NS,) else n_columns

    def _days(self, now_ns: int) -> list[int]:
        today = now_ns // DAY_NS
        closed = [day for day in sorted(self._counts) if today - LEGEND_DAYS <= day < today]
        return closed or [day for day in sorted(self._counts) if day <= today]


def choose_range(legend: Legend | None, max_usd: float, present: CodeRange | None) -> CodeRange:
    """The range of codes for a plane: over the largest value if it can, and never above the lower end of the
    scale.

    The present range stays while it still fits and is not needlessly high, so it changes rarely. Where values
    spread over more than 3.5 decades above the lower end, the upper end of the colour scale is what must fit;
    values above the range saturate at code 255.

    Args:
        legend: colour scale of the same plane; None where nothing is closed: then the range only rises, with the
            largest value.
        max_usd: largest cell value to show.
        present: the range in use, if any.
    """
    if legend is None:
        if present is not None and max_usd <= present.vmax_usd:
            return present
        return CodeRange.above(max(max_usd, 1.0) * _HEADROOM_RATIO)
    highest = CodeRange.below(legend.lo_usd).rung
    needed = CodeRange.above(max(max_usd * _HEADROOM_RATIO, legend.hi_usd)).rung
    lowest_for_scale = CodeRange.above(legend.hi_usd).rung
    spare = min(max(highest - needed, 0) // 2, _SPARE_RUNGS)
    wanted = max(min(needed + spare, highest), lowest_for_scale)
    if present is None:
        return CodeRange(wanted)
    fits_top = present.vmax_usd >= max_usd or present.rung >= wanted
    fits_bottom = present.rung <= max(highest, lowest_for_scale)
    if fits_top and fits_bottom and present.rung <= wanted + _IDLE_RUNGS:
        return present
    return CodeRange(wanted)


def _bin_value_usd(index: int) -> float:
    ends = np.array([index + _FIRST_BIN, index + _FIRST_BIN + 1], np.int32) << _DROPPED_BITS
    lower, upper = ends.view(np.float32).astype(np.float64)
    return float(np.sqrt(lower * upper))


@njit(cache=True, nogil=True)
def _count_kernel(bits: NDArray[np.int32], counts: NDArray[np.int64]) -> int:
    """Count positive finite float32 values by ``bits >> 17`` (64 cells per octave from 2^-10); values outside
    are counted in the end cells. Returns the bits of the largest finite value.
    """
    last = counts.shape[0] - 1
    top = np.int32(0)
    for i in range(bits.shape[0]):
        raw = bits[i]
        if raw <= 0 or raw >= 0x7F800000:
            continue
        top = max(top, raw)
        counts[min(max((raw >> 17) - _FIRST_BIN, 0), last)] += 1
    return int(top)
